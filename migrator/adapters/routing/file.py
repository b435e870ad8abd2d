"""The route document as a file, for applications on the same machine or the same mounted directory.

Decides how a compare-and-swap is made of POSIX pieces: an advisory lock beside the file, a temporary file that is
synced, and an atomic rename. Leaves the document's meaning to ``migrator.model.routes``. Rules: readers never see half a
document; a swap that returned survives a power cut; the version token changes with every write, even one that brings
back old bytes and old times (``cp -p``), so a hand edit there and back is noticed.

The file is world-readable (0644): applications of other users follow it, and it holds no secret. The lock is the engine's user's
alone (0600), because whoever may read a lock file may hold it, a release waiting. It is advisory: an editor does not ask for
it, but a swap after such an edit is refused like any other. Needs ``fcntl``, thus not Windows.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from migrator.adapters.folders import make_private
from migrator.errors import AccessRefused, CloudError, OutcomeUnknown, RouteChanged
from migrator.model.routes import MAX_DOCUMENT_BYTES, Damaged, RouteDocument
from migrator.ports.router import RoutesDamaged, RouteSnapshot, encoded

FILE_MODE = 0o644
LOCK_MODE = 0o600
LOCK_ATTEMPTS = 500
LOCK_POLL_SECONDS = 0.02
"""Together ten seconds; a swap holds the lock for two syncs of a small file."""


class FileRouter:
    """A ``Router`` on the file ``path``. Its directory is made with the first swap, for this user alone (0700): where
    applications of other users follow the file, make it before, with rights to look into it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock_path = self._path.with_name(f".{self._path.name}.lock")

    @property
    def place(self) -> str:
        """Where the document is, for people."""
        return str(self._path)

    def document_of(self, region: str) -> str:
        return self.place

    async def read(self, region: str) -> RouteSnapshot:
        raw, etag = self._load()
        if raw is None:
            return RouteSnapshot(None, None)
        try:
            return RouteSnapshot(RouteDocument.decode(raw), etag)
        except ValueError as fault:
            text = f"cannot read the routes in {self.place}: {fault}"
            raise RoutesDamaged(text, damaged=Damaged.of(raw), etag=etag) from fault

    async def swap(self, region: str, document: RouteDocument | Damaged, *, expected_etag: str | None) -> str:
        body = encoded(document, self.place)
        try:
            make_private(self._path.parent)
        except OSError as fault:
            raise self._refused("write", fault) from fault
        async with self._locked():
            # No await from here to the end of the lock: a cancelled task must not leave a swap running behind it.
            _, found = self._load()
            if found != expected_etag:
                raise RouteChanged(f"cannot change the routes in {self.place}: somebody else changed them first")
            return self._replace(body)

    async def prove_writable(self, region: str) -> None:
        """By the rights of the folder that is there, and of the file and its lock where they are."""
        folder = self._path.parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if not os.access(folder, os.W_OK | os.X_OK):
            raise AccessRefused(
                f"cannot write the routes in {self.place}: {folder} may not be written",
                hint="check the rights of the folder",
            )
        if self._lock_path.exists() and not os.access(self._lock_path, os.R_OK | os.W_OK):
            raise AccessRefused(
                f"cannot lock the routes in {self.place}: {self._lock_path} is another user's",
                hint="run as the user who made it",
            )

    async def close(self) -> None:
        """Nothing stays open between calls."""

    def _load(self) -> tuple[bytes | None, str | None]:
        try:
            with self._path.open("rb") as file:
                raw = file.read(MAX_DOCUMENT_BYTES + 1)
                return raw, _token(raw, os.fstat(file.fileno()))
        except FileNotFoundError:
            return None, None
        except OSError as fault:
            raise self._refused("read", fault) from fault

    def _replace(self, body: bytes) -> str:
        temporary: str | None = None
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fchmod(file.fileno(), FILE_MODE)
                os.fsync(file.fileno())
                os.replace(temporary, self._path)
                temporary = None
                etag = _token(body, os.fstat(file.fileno()))  # the rename has set its time of change
        except OSError as fault:
            raise self._refused("write", fault) from fault
        finally:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
        self._sync_directory()
        return etag

    def _sync_directory(self) -> None:
        try:
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as fault:
            raise OutcomeUnknown(
                f"cannot be sure that the routes in {self.place} would survive a power cut: {fault.strerror}",
                hint="read the document again before deciding",
            ) from fault

    @contextlib.asynccontextmanager
    async def _locked(self) -> AsyncIterator[None]:
        descriptor = await self._take_lock()
        try:
            yield
        finally:
            os.close(descriptor)  # gives the lock back

    async def _take_lock(self) -> int:
        for _ in range(LOCK_ATTEMPTS):
            try:
                descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, LOCK_MODE)
            except OSError as fault:
                raise self._refused("lock", fault) from fault
            with contextlib.suppress(PermissionError):  # another user's, who keeps it as it is
                os.fchmod(descriptor, LOCK_MODE)  # an earlier version made it readable
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_current(descriptor):
                    return descriptor
            except BlockingIOError:
                pass
            except OSError as fault:
                os.close(descriptor)
                raise self._refused("lock", fault) from fault
            os.close(descriptor)
            await asyncio.sleep(LOCK_POLL_SECONDS)
        raise CloudError(
            f"cannot lock the routes in {self.place}: another process has held the lock for ten seconds",
            hint=f"see who has {self._lock_path} open",
        )

    def _is_current(self, descriptor: int) -> bool:
        """Somebody may have removed the lock file between our open and our lock; then we hold nothing."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._lock_path))
        except FileNotFoundError:
            return False

    def _refused(self, verb: str, fault: OSError) -> CloudError:
        family = AccessRefused if isinstance(fault, PermissionError) else CloudError
        is_full = fault.errno in (errno.EMFILE, errno.ENFILE)
        return family(
            f"cannot {verb} the routes in {self.place}: {(fault.strerror or type(fault).__name__).lower()}",
            hint="raise the limit (ulimit -n 4096)" if is_full else "check the path, its rights and the free space",
        )


def _token(raw: bytes, status: os.stat_result) -> str:
    """Content, the inode, and the time of the last change, which nobody can set: equal bytes written twice have two tokens.

    Known weakness: two writes in place within one tick of the file system's clock (4 ms and less) may have the same time."""
    return f"{hashlib.sha256(raw).hexdigest()[:32]}-{status.st_ino:x}-{status.st_ctime_ns:x}"
