"""The register of a document in a file: a directory beside it, with one file for each follower.

Decides how a complete roll is read from a directory. Leaves the form of an entry to ``migrator.model.register``. Rules: a
directory shows at once what other processes made there only on a file system of this machine, so on any other there is no roll;
followers write their files in place, since a file that is renamed over another may be missed by whoever lists just then.

The directory is made for this user alone (0700), unless it is there: where applications of other users follow the file, make
``PATH.register`` before, with rights to write in it; what is made in it gets the same rights.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from migrator.adapters.folders import make_private
from migrator.errors import AccessRefused, CloudError
from migrator.model.register import HEAD, MAX_ENTRIES, SEALED_BYTES, RollEntry, is_id, unsealed
from migrator.ports.register import Attendant, RollUnknown

LOCAL = frozenset(
    {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "reiserfs", "tmpfs", "xfs", "zfs"}
)
"""File systems of one machine. On others a directory may be shown as it was a minute ago."""
MOUNTS = Path("/proc/self/mountinfo")


class FileRegister:
    """A ``Register`` beside the document ``path``."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._root = Path(f"{os.fspath(path)}.register")

    @property
    def place(self) -> str:
        return str(self._root)

    async def open(self, generation: str) -> None:
        await asyncio.to_thread(self._open, generation)

    async def roll(self, generation: str) -> tuple[Attendant, ...]:
        return await asyncio.to_thread(self._roll, generation)

    async def remove(self, generation: str, attendant: Attendant) -> None:
        """By what a look just before shows; a follower writes seldom, and into a file that is gone never again."""
        await asyncio.to_thread(self._remove, generation, attendant)

    async def close(self) -> None:
        """Nothing stays open between calls."""

    def _open(self, generation: str) -> None:
        folder = self._root / generation
        try:
            make_private(self._root)
            if not folder.exists():
                folder.mkdir(exist_ok=True)
                folder.chmod(stat.S_IMODE(self._root.stat().st_mode))
            with (folder / HEAD).open("ab") as file:
                os.fsync(file.fileno())
        except OSError as fault:
            raise self._refused("make", fault) from fault

    def _roll(self, generation: str) -> tuple[Attendant, ...]:
        folder = self._root / generation
        if not is_of_this_machine(folder):
            raise RollUnknown(
                f"cannot read the register {self.place}: it does not lie on a file system of this machine",
                hint="keep the routes in a blob, or go on with the full drain",
            )
        try:
            names = set(os.listdir(folder))
        except FileNotFoundError:
            names = set()
        except OSError as fault:
            raise self._refused("read", fault) from fault
        if HEAD not in names:
            raise RollUnknown(
                f"cannot read the register {self.place}: its head is gone", hint="it may be empty by mistake"
            )
        ids = sorted(filter(is_id, names))
        if len(ids) > MAX_ENTRIES:
            raise RollUnknown(f"cannot read the register {self.place}: it has more than {MAX_ENTRIES:,} entries")
        return tuple(found for id in ids if (found := self._attendant(folder, id)) is not None)

    def _attendant(self, folder: Path, id: str) -> Attendant | None:
        """None: its follower has left meanwhile."""
        path = folder / id
        try:
            with path.open("rb") as file:
                raw, status = file.read(SEALED_BYTES), os.fstat(file.fileno())
        except FileNotFoundError:
            return None
        except PermissionError:
            try:
                raw, status = b"", path.stat()
            except FileNotFoundError:
                return None
            except OSError as fault:
                raise self._refused("read", fault) from fault
        except OSError as fault:
            raise self._refused("read", fault) from fault
        try:
            entry = RollEntry.decode(unsealed(raw))
        except ValueError:
            entry = None
        return Attendant(id, _token(raw, status), entry, max(0.0, time.time() - status.st_mtime))

    def _remove(self, generation: str, attendant: Attendant) -> None:
        folder = self._root / generation
        found = self._attendant(folder, attendant.id)
        if found is not None and found.token == attendant.token:
            try:
                with suppress(FileNotFoundError):
                    (folder / attendant.id).unlink()
            except OSError as fault:
                raise self._refused("clear", fault) from fault

    def _refused(self, verb: str, fault: OSError) -> CloudError:
        family = AccessRefused if isinstance(fault, PermissionError) else CloudError
        return family(
            f"cannot {verb} the register {self.place}: {(fault.strerror or type(fault).__name__).lower()}",
            hint="check the path, its rights and the free space",
        )


def is_of_this_machine(path: Path) -> bool:
    """Does ``path`` lie on a file system of this machine? False where nobody can say."""
    real = os.path.realpath(path)
    best, kind = -1, ""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    for line in lines:
        fields, _, rest = line.partition(" - ")
        point = fields.split()[4].encode("utf-8", "surrogateescape").decode("unicode_escape", "surrogateescape")
        if len(point) >= best and (real == point or real.startswith(point.rstrip("/") + "/")):
            best, kind = len(point), rest.split()[0]
    return kind in LOCAL


def _token(raw: bytes, status: os.stat_result) -> str:
    """The time of the last change cannot be set by anybody; the content tells two writings in one tick of that clock apart."""
    return f"{sha256(raw).hexdigest()[:16]}-{status.st_ino:x}-{status.st_ctime_ns:x}"
