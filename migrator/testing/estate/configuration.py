"""Azure App Configuration: key-values with ETags, changed by compare-and-swap.

Decides who signed a request with the store's own access key, and what a condition means. Sources: the REST reference of Azure
App Configuration ("Key-values", "HMAC authentication").
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from migrator.testing.estate.wire import Answer, Refusal, Request

AUDIENCES = ("https://azconfig.io", "https://appconfig.azure.com")
MOST_BYTES = 10_000
"""Of one key-value, its key and attributes among them."""
PAGE = 100
_KIND = "application/vnd.microsoft.appconfig.kv+json; charset=utf-8"


@dataclass(frozen=True)
class KeyValue:
    """``version``: its ETag, without quotes."""

    key: str
    label: str | None
    value: str
    version: str
    modified: str
    content_type: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        shown = {"key": self.key, "label": self.label, "content_type": self.content_type, "value": self.value}
        return {**shown, "etag": self.version, "last_modified": self.modified, "locked": False, "tags": dict(self.tags)}


class Configuration:
    """One store. ``id`` and ``secret``: its access key; ``seen``: method, key and status of every request."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.id = f"{name}-id"
        self.secret = base64.b64encode(secrets.token_bytes(32)).decode()
        self.values: dict[tuple[str, str | None], KeyValue] = {}
        self.seen: list[tuple[str, str, int]] = []
        self.throttled = 0
        """So many of the next requests are refused with 429."""

    def connection_string(self, endpoint: str) -> str:
        return f"Endpoint={endpoint};Id={self.id};Secret={self.secret}"

    def check_signature(self, request: Request, target: str) -> None:
        """``target``: path and query below the store's endpoint. Raises Refusal."""
        given = request.headers.get("authorization", "")
        parts = dict(part.partition("=")[::2] for part in given.removeprefix("HMAC-SHA256 ").split("&"))
        named = parts.get("SignedHeaders", "").split(";")
        content = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
        signed = ";".join(request.headers.get(name, "") for name in named)
        text = f"{request.method}\n{target}\n{signed}"
        expected = base64.b64encode(hmac.digest(base64.b64decode(self.secret), text.encode(), "sha256")).decode()
        if (
            parts.get("Credential") != self.id
            or request.headers.get("x-ms-content-sha256") != content
            or not hmac.compare_digest(expected, parts.get("Signature", ""))
        ):
            raise Refusal(401, "Unauthorized", "Invalid Signature")

    def answer(self, request: Request, path: str) -> Answer:
        """``path``: below the store's endpoint."""
        key = unquote(path.removeprefix("/kv").removeprefix("/"))
        answer = self._answer(request, key)
        self.seen.append((request.method, key, answer.status))
        answer.headers.setdefault(
            "Sync-Token", f"jtqGc1I4={base64.b64encode(str(len(self.seen)).encode()).decode()};sn={len(self.seen)}"
        )
        return answer

    def _answer(self, request: Request, key: str) -> Answer:
        if self.throttled > 0:
            self.throttled -= 1
            return Answer(429, None, {"Retry-After": "1", "retry-after-ms": "100"})
        label = request.query.get("label") or None
        label = None if label == "\0" else label
        if not key:
            return self._listed(request)
        there = self.values.get((key, label))
        if not _holds(request, there):
            if request.method == "GET" and there is not None:
                return Answer(304, None, {"ETag": f'"{there.version}"'})
            return Answer(412, None, {})
        if request.method == "GET":
            return Answer(404) if there is None else _shown(there)
        if request.method == "PUT":
            said = request.document
            if len(key) + len(request.body) > MOST_BYTES:
                return Answer(413, {"title": "The key-value is too large.", "status": 413})
            now = datetime.now(UTC).isoformat()
            kept = KeyValue(
                key,
                label,
                said.get("value", ""),
                secrets.token_urlsafe(16),
                now,
                said.get("content_type"),
                said.get("tags") or {},
            )
            self.values[key, label] = kept
            return _shown(kept)
        if request.method == "DELETE":
            if there is None:
                return Answer(204)
            del self.values[key, label]
            return _shown(there)
        return Answer(405)

    def _listed(self, request: Request) -> Answer:
        pattern = request.query.get("key", "*")
        found = [one for (key, _), one in sorted(self.values.items(), key=str) if fnmatchcase(key, pattern)]
        begin = int(request.query.get("after", "0"))
        page: dict[str, Any] = {"items": [one.document for one in found[begin : begin + PAGE]]}
        headers = {"Content-Type": "application/vnd.microsoft.appconfig.kvset+json; charset=utf-8"}
        if begin + PAGE < len(found):
            page["@nextLink"] = f"/kv?key={pattern}&after={begin + PAGE}&api-version=2023-11-01"
        return Answer(200, page, headers)


def _shown(one: KeyValue) -> Answer:
    return Answer(200, one.document, {"Content-Type": _KIND, "ETag": f'"{one.version}"', "Last-Modified": one.modified})


def _holds(request: Request, there: KeyValue | None) -> bool:
    """Does the condition of ``request`` hold?"""
    match, unless = request.headers.get("if-match", ""), request.headers.get("if-none-match", "")
    if match and (there is None or (match != "*" and match.strip('"') != there.version)):
        return False
    return not (unless and there is not None and (unless == "*" or unless.strip('"') == there.version))


__all__ = ["AUDIENCES", "Configuration", "KeyValue"]
