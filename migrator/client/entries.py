"""Where a follower writes its entries of the register: files beside the document, or blobs in a container beside its container.

Decides how an address is understood. Leaves what an entry says, and when it is written, to ``presence``. Rules: one call is one
write, whatever was there; a write that is late does no harm, since no entry ever takes back what another reader relied upon;
nothing but the entry itself is made: the register is the engine's.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, Protocol

from migrator.client.errors import Unwritten
from migrator.client.sources import file_path
from migrator.errors import UsageError
from migrator.model.register import sealed


class AsyncEntries(Protocol):
    place: str

    async def put(self, generation: str, id: str, text: str, *, is_new: bool) -> None:
        """Returns when the entry is there. Unwritten if that is not known, or was refused."""
        ...

    async def take_back(self, generation: str, id: str) -> None:
        """Remove it. Unwritten if that is not known."""
        ...

    async def close(self) -> None: ...


class SyncEntries(Protocol):
    place: str

    def put(self, generation: str, id: str, text: str, *, is_new: bool) -> None:
        """As ``AsyncEntries.put``."""
        ...

    def take_back(self, generation: str, id: str) -> None:
        """As ``AsyncEntries.take_back``."""
        ...

    def close(self) -> None: ...


class FileEntries:
    """Entries in the directory ``PATH.register``. A file is written in place: one that is renamed over another may be missed by
    whoever lists the directory just then."""

    def __init__(self, path: str) -> None:
        self.place = f"{path}.register"

    def put(self, generation: str, id: str, text: str, *, is_new: bool) -> None:
        flags = os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT if is_new else 0)
        raw = sealed(text)
        try:
            descriptor = os.open(os.path.join(self.place, generation, id), flags, 0o644)
            try:
                written = os.pwrite(descriptor, raw, 0)
            finally:
                os.close(descriptor)
        except OSError as fault:
            raise self._unwritten(fault) from fault
        if written != len(raw):
            raise Unwritten(f"{self.place} cannot be written (no space)")

    def take_back(self, generation: str, id: str) -> None:
        try:
            os.unlink(os.path.join(self.place, generation, id))
        except FileNotFoundError:
            return
        except OSError as fault:
            raise self._unwritten(fault) from fault

    def close(self) -> None:
        """Nothing stays open."""

    def _unwritten(self, fault: OSError) -> Unwritten:
        why = f"{self.place} cannot be written ({(fault.strerror or 'unknown cause').lower()})"
        return Unwritten(why, is_gone=isinstance(fault, FileNotFoundError))


class ThreadedEntries:
    """Sync entries in a thread: a mounted directory that hangs must not stop the application's loop."""

    def __init__(self, entries: SyncEntries) -> None:
        self._entries = entries
        self.place = entries.place

    async def put(self, generation: str, id: str, text: str, *, is_new: bool) -> None:
        await asyncio.to_thread(self._entries.put, generation, id, text, is_new=is_new)

    async def take_back(self, generation: str, id: str) -> None:
        await asyncio.to_thread(self._entries.take_back, generation, id)

    async def close(self) -> None:
        self._entries.close()


def sync_entries(url: str, register: str | None, *, credential: Any, timeout_seconds: float) -> SyncEntries:
    """Where the followers of the document at ``url`` enter themselves.

    Args:
        register: the address of the container, where it is not the one beside the document's.
    Raises:
        UsageError: nobody can enter there.
    """
    path = _path(url, register)
    if path is not None:
        return FileEntries(path)
    from migrator.client.blob_entries import SyncBlobEntries

    return SyncBlobEntries(url, register, credential=credential, timeout_seconds=timeout_seconds)


def async_entries(url: str, register: str | None, *, credential: Any, timeout_seconds: float) -> AsyncEntries:
    """As ``sync_entries``."""
    path = _path(url, register)
    if path is not None:
        return ThreadedEntries(FileEntries(path))
    from migrator.client.blob_entries import AsyncBlobEntries

    return AsyncBlobEntries(url, register, credential=credential, timeout_seconds=timeout_seconds)


def _path(url: str, register: str | None) -> str | None:
    path = file_path(url)
    if path is not None and register is not None:
        raise UsageError(f"cannot enter a register at another place than beside the file {path}")
    return path
