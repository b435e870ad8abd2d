"""The route document: who may write where. Shared by the engine and by clients; knows no storage.

The document's JSON is a public format (see ``migrator/client/PROTOCOL.md``): one record for each ``region/area``, changed
only by compare-and-swap. ``decode`` is strict about what it needs and keeps what it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, Literal

from migrator.model.values import replace, value

Mode = Literal["read-write", "read-only"]
READ_WRITE: Final = "read-write"
READ_ONLY: Final = "read-only"
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
"""A larger document is refused unread."""


def same_address(one: str, other: str) -> bool:
    """Are two endpoints one address? A final slash and the case of scheme and host aside."""
    return _plain(one) == _plain(other)


def _plain(endpoint: str) -> str:
    scheme, mark, rest = endpoint.rstrip("/").partition("://")
    if not mark:
        return endpoint.rstrip("/")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}"


@value(frozen=True, slots=True)
class RouteRecord:
    """Where one area of one region lives. ``epoch`` only grows; ``run`` is the run that claimed it; ``updated`` is
    RFC 3339 UTC, for people."""

    account: str
    endpoint: str
    mode: Mode
    epoch: int
    lineage: str
    updated: str
    run: str

    def same_authority(self, other: RouteRecord | None) -> bool:
        """Equal in what clients obey - account, endpoint, mode, epoch - and in lineage; ``run`` and ``updated`` aside."""
        return other is not None and (
            (self.account, self.endpoint, self.mode, self.epoch, self.lineage)
            == (other.account, other.endpoint, other.mode, other.epoch, other.lineage)
        )

    def is_at(self, endpoint: str | None) -> bool:
        """Does it send clients to ``endpoint``, the known address of its account? None: nobody knows one, nothing is said."""
        return endpoint is None or same_address(self.endpoint, endpoint)


@value(frozen=True, slots=True)
class RouteDocument:
    """All records of one document, and the two durations clients obey."""

    ttl_seconds: float
    max_write_seconds: float
    routes: Mapping[str, RouteRecord] = field(default_factory=dict)
    version: int = 1

    def with_record(self, key: str, record: RouteRecord) -> RouteDocument:
        return replace(self, routes={**self.routes, key: record})

    @property
    def lineages(self) -> frozenset[str]:
        return frozenset(record.lineage for record in self.routes.values())

    def encode(self) -> bytes:
        """Canonical JSON (sorted keys, two-space indent, final newline), UTF-8."""
        body = {
            "version": self.version,
            "ttl_seconds": _number(self.ttl_seconds),
            "max_write_seconds": _number(self.max_write_seconds),
            "routes": {
                key: {
                    "account": r.account,
                    "endpoint": r.endpoint,
                    "mode": r.mode,
                    "epoch": r.epoch,
                    "lineage": r.lineage,
                    "updated": r.updated,
                    "run": r.run,
                }
                for key, r in sorted(self.routes.items())
            },
        }
        return (json.dumps(body, indent=2, ensure_ascii=False) + "\n").encode()

    @classmethod
    def decode(cls, raw: bytes) -> RouteDocument:
        """Read a document.

        Raises:
            ValueError: not this format; the text says what is wrong, in one clause without a full stop.
        """
        if len(raw) > MAX_DOCUMENT_BYTES:
            raise ValueError(f"the route document has {len(raw)} bytes, more than {MAX_DOCUMENT_BYTES}")
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError) as fault:
            raise ValueError("the route document is not JSON") from fault
        if not isinstance(body, dict) or body.get("version") != 1:
            raise ValueError("the route document is not of version 1")
        routes = body.get("routes")
        if not isinstance(routes, dict):
            raise ValueError("the route document has no routes")
        return cls(
            ttl_seconds=_duration(body, "ttl_seconds"),
            max_write_seconds=_duration(body, "max_write_seconds"),
            routes={str(key): _record(str(key), value) for key, value in routes.items()},
        )


def _record(key: str, value: Any) -> RouteRecord:
    if not isinstance(value, dict):
        raise ValueError(f"the route {key} is not an object")
    for name in ("account", "endpoint", "mode", "lineage"):
        if not isinstance(value.get(name), str) or not value[name]:
            raise ValueError(f"the route {key} has no {name}")
    epoch = value.get("epoch")
    if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 1:
        raise ValueError(f"the route {key} has no epoch of 1 or more")
    if value["mode"] not in (READ_WRITE, READ_ONLY):
        raise ValueError(f"the route {key} has an unknown mode")
    return RouteRecord(
        account=value["account"],
        endpoint=value["endpoint"],
        mode=value["mode"],
        epoch=epoch,
        lineage=value["lineage"],
        updated=str(value.get("updated", "")),
        run=str(value.get("run", "")),
    )


def _duration(body: Mapping[str, Any], name: str) -> float:
    value = body.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 86_400:
        raise ValueError(f"the route document has no {name} between 0 and 86400")
    return float(value)


def _number(value: float) -> float | int:
    return int(value) if value == int(value) else value
