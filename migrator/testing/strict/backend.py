"""Azurite behind the strict service: one request forwarded, signed anew by the account's key where it had to be changed.

Rule: the way from here to Azurite is loopback, and its keys leave only as signatures.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from urllib.parse import quote

import aiohttp
from yarl import URL

from migrator.adapters.azure.sas import signed_by_key
from migrator.adapters.azure.signing import KeySigner, target_of
from migrator.testing.strict.call import Answer, Call
from migrator.testing.strict.identities import signable

OF_A_SIGNATURE = frozenset(
    {
        *("sv", "ss", "srt", "sp", "st", "se", "spr", "sip", "sr", "si"),
        *("sig", "skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid"),
        *("ses", "skdutid", "sduoid", "srh", "srq", "rscc", "rscd", "rsce", "rscl", "rsct"),
        *("sdd"),
    }
)
OF_ONE_CONNECTION = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "host", "content-length", "expect", "upgrade", "te", "trailer"}
)
NEWEST_KNOWN = "2026-06-06"
SIGNED_MINUTES = 15
IDLE_SECONDS = 2.0
"""Azurite closes a connection that was idle for five seconds: a request that takes it at that moment would not be answered."""


class Backend:
    """``url``: of Azurite's blob service, without a slash at the end; ``keys``: base64 account keys by account name."""

    def __init__(self, url: str, keys: Mapping[str, str]) -> None:
        self.url = url.rstrip("/")
        self.keys = dict(keys)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Backend:
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0, ssl=False, keepalive_timeout=IDLE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=600),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, call: Call) -> Answer:
        assert self._session is not None
        headers = [pair for pair in call.headers if pair[0].lower() not in OF_ONE_CONNECTION]
        target = call.target
        if call.must_sign_anew:
            target, headers = self._signed(call, headers)
        elif call.body or call.method in ("PUT", "POST"):
            headers.append(("Content-Length", str(len(call.body))))
        body = call.body if call.body or call.method in ("PUT", "POST") else None
        async with self._session.request(
            call.method, URL(self.url + target, encoded=True), headers=headers, data=body, allow_redirects=False
        ) as answer:
            content = await answer.read()
            kept = [
                (name.decode("latin-1"), value.decode("utf-8", "surrogateescape"))
                for name, value in answer.raw_headers
                if name.decode("latin-1").lower() not in OF_ONE_CONNECTION
            ]
            if call.method == "HEAD" and (length := answer.headers.get("Content-Length")) is not None:
                kept.append(("Content-Length", length))
            return Answer(answer.status, kept, content)

    def _signed(self, call: Call, headers: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
        query = sorted((name, value) for name, value in call.query.items() if name not in OF_A_SIGNATURE)
        skipped = {"authorization", "x-ms-date", "date"}
        own = [pair for pair in signable(headers) if pair[0].lower() not in skipped]
        if call.body or call.method in ("PUT", "POST"):
            own.append(("Content-Length", str(len(call.body))))
        KeySigner(call.account, self.keys[call.account], []).sign(call.method, call.path, query, own)
        return target_of(call.path, [(call.spelled.get(name, name), value) for name, value in query]), own

    async def ask(
        self,
        method: str,
        account: str,
        container: str,
        name: str,
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """A request of the strict service itself."""
        path = f"/{account}/{quote(container, safe='$')}" + (f"/{quote(name, safe='/~')}" if name else "")
        target = target_of(path, sorted((query or {}).items()))
        call = Call(method, target, [("x-ms-version", NEWEST_KNOWN), *(headers or {}).items()], body)
        call.must_sign_anew = True
        return await self.send(call)

    def source_url(self, account: str, container: str, name: str) -> str:
        """An address that Azurite lets itself read for a copy."""
        end = datetime.now(UTC) + timedelta(minutes=SIGNED_MINUTES)
        signature = signed_by_key(account, self.keys[account], container, end, "2020-12-06")
        return f"{self.url}/{account}/{quote(container, safe='$')}/{quote(name, safe='/~')}?{signature}"


__all__ = ["Backend"]
