"""Reading route documents by a command, called with ``get`` as ``docs/routing.md`` says.

Decides what it gets of the environment. Rule: no shell, an end after the caller's time, and its standard error is nobody's.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from migrator.client.errors import Unfetched
from migrator.model.routes import MAX_DOCUMENT_BYTES

REGION: Final = "$region"
GIVEN: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ")


class PrintedSource:
    """The document of one region, for threads and for asyncio."""

    def __init__(self, argv: Sequence[str], region: str, *, env: Iterable[str], timeout_seconds: float) -> None:
        self._argv = [word.replace(REGION, region) for word in argv]
        self._env = {name: os.environ[name] for name in (*GIVEN, *env) if name in os.environ}
        self._timeout_seconds = timeout_seconds
        self.place = f"command {' '.join(self._argv)}"

    def fetch(self) -> bytes | None:
        try:
            done = subprocess.run(
                [*self._argv, "get"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._env,
                timeout=self._timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as fault:
            raise Unfetched(f"{self.place} did not end within {self._timeout_seconds:g} s") from fault
        except OSError as fault:
            raise self._cannot_run(fault) from fault
        return self._document(done.returncode, done.stdout)

    def close(self) -> None:
        """Nothing stays open."""

    async def fetch_soon(self) -> bytes | None:
        """``fetch`` for a loop; the caller's timeout ends it."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                "get",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._env,
            )
        except OSError as fault:
            raise self._cannot_run(fault) from fault
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
        return self._document(process.returncode or 0, output)

    def _document(self, code: int, output: bytes) -> bytes | None:
        if code != 0:
            raise Unfetched(f"{self.place} exited with {code}")
        if len(output) > 2 * MAX_DOCUMENT_BYTES:
            raise Unfetched(f"{self.place} printed too much")
        try:
            said = json.loads(output)
        except (ValueError, RecursionError) as fault:
            raise Unfetched(f"{self.place} printed what is not JSON") from fault
        if not isinstance(said, Mapping):
            raise Unfetched(f"{self.place} printed what is not an object")
        document = said.get("document")
        if document is None:
            return None
        return document.encode("utf-8", "surrogatepass") if isinstance(document, str) else json.dumps(document).encode()

    def _cannot_run(self, fault: OSError) -> Unfetched:
        return Unfetched(f"{self.place} cannot be run ({(fault.strerror or 'unknown cause').lower()})")


class AsyncPrintedSource:
    """``PrintedSource`` as an ``AsyncSource``."""

    def __init__(self, source: PrintedSource) -> None:
        self._source = source
        self.place = source.place

    async def fetch(self) -> bytes | None:
        return await self._source.fetch_soon()

    async def close(self) -> None:
        """Nothing stays open."""
