"""The route document: who may write where. Shared by the engine and by clients; knows no storage.

The document's JSON is a public format (see ``migrator/client/PROTOCOL.md``): one record for each ``region/area``, changed
only by compare-and-swap. Rules:

- ``decode`` is strict about what it needs, and takes nothing that ``encode`` could not give back: whoever can read the document
  can release a fence in it. Whether one is too large does not depend on mode, epoch, and who wrote a record when, so no fence
  or release makes it so;
- ``encode`` refuses what ``decode`` would, before anything is sent;
- what strangers broke in other records must not keep writers blocked: ``Damaged`` writes one record that is whole, and gives
  everything else back as it was.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from typing import Any, Final, Literal

from migrator.model.values import replace, value

Mode = Literal["read-write", "read-only"]
READ_WRITE: Final = "read-write"
READ_ONLY: Final = "read-only"
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
"""A larger document is refused unread; so is one that would be larger once all its records are written in full."""
MAX_EPOCH = 2**53 - 1
"""The last whole number that every JSON reader keeps exactly."""
LAST_FENCED = MAX_EPOCH - 2**20
"""No fence has a later epoch: what is fenced can be released and switched, whatever a hand writes in between."""
MAX_LOOK_SECONDS = 300.0
"""Of ``look_seconds``; a longer one is not taken for one."""
BLOB: Final = "blob"
"""The one service that every endpoint has."""
MAX_NOTE = 128
"""Characters of ``run`` and of ``updated``."""
_GENERATION = re.compile(r"[a-z0-9]{1,64}", re.ASCII)
_FRAME_BYTES = 160
"""What a record takes beside its texts: the words between them, and an epoch of 16 digits. A test holds it."""
_MAP_BYTES = 20
"""What an endpoint of several services takes beside its texts."""
_LOOK_BYTES = 40
"""What ``look_seconds`` takes, in a document that names a register."""
_NOTE_BYTES = 42
"""Room for ``run`` and ``updated`` each, as an engine writes them; a longer one counts as it is."""


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
    RFC 3339 UTC, for people. ``look_seconds``: a cut-over is near, registered followers look so often. ``endpoint`` is the
    account's blob service; ``services``: the addresses of its other ones by their names (version 2 alone)."""

    account: str
    endpoint: str
    mode: Mode
    epoch: int
    lineage: str
    updated: str
    run: str
    look_seconds: float | None = None
    services: Mapping[str, str] = field(default_factory=dict)

    def same_authority(self, other: RouteRecord | None) -> bool:
        """Equal in what clients obey - account, endpoint, mode, epoch - and in lineage; the rest aside. Two
        spellings of an endpoint are one: a hand that added a slash to an open fence must not keep its writers out."""
        return (
            other is not None
            and (self.account, self.mode, self.epoch, self.lineage)
            == (other.account, other.mode, other.epoch, other.lineage)
            and same_address(self.endpoint, other.endpoint)
            and dict(self.services) == dict(other.services)
        )

    def is_at(self, endpoint: str | None) -> bool:
        """Does it send clients to ``endpoint``, the known address of its account? None: nobody knows one, nothing is said."""
        return endpoint is None or same_address(self.endpoint, endpoint)


@value(frozen=True, slots=True)
class RouteDocument:
    """All records of one document, and the two durations clients obey. ``register``: the generation of the register that
    followers enter; in version 2 whoever is not entered there writes nothing."""

    ttl_seconds: float
    max_write_seconds: float
    routes: Mapping[str, RouteRecord] = field(default_factory=dict)
    version: int = 1
    register: str | None = None

    def with_record(self, key: str, record: RouteRecord) -> RouteDocument:
        return replace(self, routes={**self.routes, key: record})

    @property
    def lineages(self) -> frozenset[str]:
        return frozenset(record.lineage for record in self.routes.values())

    def encode(self, *, most_bytes: int | None = None) -> bytes:
        """Canonical JSON (sorted keys, two-space indent, final newline), UTF-8; without the indent where that is too large.

        Args:
            most_bytes: that its place holds; None: as many as any document may have.
        Raises:
            ValueError: nobody could read it; the text says why, in one clause without a full stop.
        """
        _require_version(self.version, self.register)
        for key, record in self.routes.items():
            _require_writable(key, record)
            if record.services and self.version < 2:
                raise ValueError(f"the route {_shown(key)} has addresses of several services, which version 1 has not")
        _require_room(self, most_bytes or MAX_DOCUMENT_BYTES)
        body = {
            "version": self.version,
            **({} if self.register is None else {"register": self.register}),
            "ttl_seconds": _number(self.ttl_seconds),
            "max_write_seconds": _number(self.max_write_seconds),
            "routes": {key: _fields(record) for key, record in sorted(self.routes.items())},
        }
        return _written(body, most_bytes or MAX_DOCUMENT_BYTES)

    @classmethod
    def decode(cls, raw: bytes) -> RouteDocument:
        """Read a document.

        Raises:
            ValueError: not this format; the text says what is wrong, in one clause without a full stop.
        """
        body = _parsed(raw)
        version, register = _version(body), body.get("register")
        register = register if is_generation(register) else None
        _require_version(version, register)
        routes = body.get("routes")
        if not isinstance(routes, dict):
            raise ValueError("the route document has no routes")
        document = cls(
            ttl_seconds=_duration(body, "ttl_seconds"),
            max_write_seconds=_duration(body, "max_write_seconds"),
            routes={key: _record(key, value, version) for key, value in routes.items()},
            version=version,
            register=register,
        )
        if len(raw) > MAX_DOCUMENT_BYTES // 8:  # a smaller one has room enough, however tersely it is written
            _require_room(document, MAX_DOCUMENT_BYTES)
        return document


class Damaged:
    """A document that cannot be decoded, though it is JSON and has records. For a release alone: it needs its own record whole,
    and nothing else."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body

    @classmethod
    def of(cls, raw: bytes) -> Damaged | None:
        """None if there is not even that. Of a name that stands twice the last counts, as for most readers."""
        try:
            body = _parsed(raw, is_strict=False)
        except ValueError:
            return None
        return cls(body) if isinstance(body.get("routes"), dict) else None

    @property
    def routes(self) -> Mapping[str, RouteRecord]:
        """Those that are whole."""
        found = {}
        for key, fields in self._body["routes"].items():
            with suppress(ValueError):
                found[key] = _record(key, fields, 2 if self._body.get("version") == 2 else 1)
        return found

    def with_record(self, key: str, record: RouteRecord) -> Damaged:
        known = self._body["routes"].get(key)
        fields = {**(known if isinstance(known, dict) else {}), **_fields(record)}
        return Damaged({**self._body, "routes": {**self._body["routes"], key: fields}})

    def encode(self, *, most_bytes: int | None = None) -> bytes:
        """As it was but for what was changed. Raises ValueError where that is too large."""
        return _written(self._body, most_bytes or MAX_DOCUMENT_BYTES, is_ascii=True)


class _Twice(ValueError):
    """One name stands twice in one object."""


def _parsed(raw: bytes, *, is_strict: bool = True) -> dict[str, Any]:
    """``is_strict``: nothing that readers of other languages understand in another way, or not at all."""
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"the route document has {len(raw)} bytes, more than {MAX_DOCUMENT_BYTES}")
    try:
        body = _READER.decode(raw.decode("utf-8-sig")) if is_strict else json.loads(raw)
    except UnicodeDecodeError as fault:
        raise ValueError("the route document is not UTF-8") from fault
    except _Twice:
        raise
    except (ValueError, RecursionError) as fault:
        raise ValueError("the route document is not JSON") from fault
    if not isinstance(body, dict):
        raise ValueError("the route document is not of version 1 or 2")
    return body


def is_generation(text: object) -> bool:
    """May a register be called so?"""
    return isinstance(text, str) and _GENERATION.fullmatch(text) is not None


def _version(body: Mapping[str, Any]) -> int:
    found = body.get("version")
    if isinstance(found, bool) or found not in (1, 2):
        raise ValueError("the route document is not of version 1 or 2")
    return int(found)


def _require_version(version: int, register: str | None) -> None:
    if version not in (1, 2):
        raise ValueError("the route document is not of version 1 or 2")
    if register is None and version == 2:
        raise ValueError("the route document is of version 2 and names no register")
    if register is not None and not is_generation(register):
        raise ValueError("the route document names a register that is not 1 to 64 of a-z and 0-9")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = next(name for name, number in counted.items() if number > 1)
        raise _Twice(f"the route document has the name {_shown(twice)} twice in one object")
    return found


_READER = json.JSONDecoder(object_pairs_hook=_once)


def _written(body: Mapping[str, Any], most_bytes: int, *, is_ascii: bool = False) -> bytes:
    try:
        text = json.dumps(body, indent=2, ensure_ascii=is_ascii) + "\n"
        if len(text) > most_bytes or len(text.encode()) > most_bytes:
            text = json.dumps(body, separators=(",", ":"), ensure_ascii=is_ascii) + "\n"
    except RecursionError as fault:
        raise ValueError("the route document is nested too deeply") from fault
    raw = text.encode()
    if len(raw) > most_bytes:
        raise ValueError(f"the route document would have {len(raw)} bytes, more than {most_bytes}")
    return raw


def _require_room(document: RouteDocument, most_bytes: int) -> None:
    """By what fences and releases leave alone."""
    size = sum(_weight(key, record) for key, record in document.routes.items())
    size += 0 if document.register is None else _LOOK_BYTES * len(document.routes)
    if size > most_bytes:
        raise ValueError(
            f"the route document has {len(document.routes):,} records: written in full they could have {size:,} bytes, more than"
            f" {most_bytes:,}"
        )


def _weight(key: str, record: RouteRecord) -> int:
    texts, notes = [key, record.account, record.endpoint, record.lineage], (record.updated, record.run)
    texts += [f"{name}......{address}" for name, address in record.services.items()]
    frame = _FRAME_BYTES + (_MAP_BYTES if record.services else 0)
    return frame + sum(map(_size, texts)) + sum(max(_NOTE_BYTES, _size(note)) for note in notes)


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())


def _fields(record: RouteRecord) -> dict[str, Any]:
    look = record.look_seconds
    return {
        "account": record.account,
        "endpoint": {BLOB: record.endpoint, **record.services} if record.services else record.endpoint,
        "mode": record.mode,
        "epoch": record.epoch,
        "lineage": record.lineage,
        "updated": record.updated,
        "run": record.run,
        **({} if look is None else {"look_seconds": _number(look)}),
    }


def _require_writable(key: str, record: RouteRecord) -> None:
    """ValueError if ``decode`` would refuse it."""
    if not 1 <= record.epoch <= MAX_EPOCH:
        said = record.epoch if abs(record.epoch) <= 10 * MAX_EPOCH else "of many digits"
        raise ValueError(f"the route {_shown(key)} has an epoch that is not 1 to {MAX_EPOCH}: {said}")
    for name, text in (("key", key), *((name, getattr(record, name)) for name in _TEXTS)):
        _require_text(key, name, text)
    if record.look_seconds is not None and not 0 < record.look_seconds <= MAX_LOOK_SECONDS:
        raise ValueError(f"the route {_shown(key)} has a look_seconds that is not between 0 and {MAX_LOOK_SECONDS:g}")
    for name in ("account", "endpoint", "lineage"):
        if not getattr(record, name):
            raise ValueError(f"the route {_shown(key)} has no {name}")
    for name, address in record.services.items():
        if not name or name == BLOB or not isinstance(address, str) or not address:
            raise ValueError(f"the route {_shown(key)} has an endpoint that is not a text, or one of each service")
        _require_text(key, "endpoint", name + address)


_TEXTS = ("account", "endpoint", "lineage", "updated", "run")


def _require_text(key: str, name: str, text: str) -> None:
    """Half a surrogate pair is JSON, and no UTF-8: what holds one could be read and never written again."""
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError(f"the route {_shown(key)} has an unpaired surrogate in its {name}")
    if name in ("updated", "run") and len(text) > MAX_NOTE:
        raise ValueError(f"the route {_shown(key)} has more than {MAX_NOTE} characters in its {name}")


def _shown(value: object) -> str:
    """For a message: short, and printable."""
    text = str(value)
    return ascii(text)[1:-1] if not text.isprintable() else text[:100]


def _record(key: str, value: Any, version: int) -> RouteRecord:
    if not isinstance(value, dict):
        raise ValueError(f"the route {_shown(key)} is not an object")
    services: Mapping[str, Any] = {}
    if version > 1 and isinstance(value.get("endpoint"), dict):
        services = {name: address for name, address in value["endpoint"].items() if name != BLOB}
        value = {**value, "endpoint": value["endpoint"].get(BLOB)}
    for name in ("account", "endpoint", "mode", "lineage"):
        if not isinstance(value.get(name), str) or not value[name]:
            raise ValueError(f"the route {_shown(key)} has no {name}")
    epoch = value.get("epoch")
    if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 1:
        raise ValueError(f"the route {_shown(key)} has no epoch of 1 or more")
    if value["mode"] not in (READ_WRITE, READ_ONLY):
        raise ValueError(f"the route {_shown(key)} has an unknown mode")
    record = RouteRecord(
        account=value["account"],
        endpoint=value["endpoint"],
        mode=value["mode"],
        epoch=epoch,
        lineage=value["lineage"],
        updated=_note(value, "updated"),
        run=_note(value, "run"),
        look_seconds=_look_seconds(value),
        services=services,
    )
    _require_writable(key, record)
    return record


def _note(value: Mapping[str, Any], name: str) -> str:
    """For people and engines; followers ignore it."""
    found = value.get(name, "")
    return found if isinstance(found, str) else str(found)[: MAX_NOTE + 1]


def _look_seconds(value: Mapping[str, Any]) -> float | None:
    """A wish; one that cannot be understood is none."""
    found = value.get("look_seconds")
    if not isinstance(found, (int, float)) or isinstance(found, bool) or not 0 < found <= MAX_LOOK_SECONDS:
        return None
    return float(found)


def _duration(body: Mapping[str, Any], name: str) -> float:
    value = body.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 86_400:
        raise ValueError(f"the route document has no {name} between 0 and 86400")
    return float(value)


def _number(value: float) -> float | int:
    return int(value) if value == int(value) else value
