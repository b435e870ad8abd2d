"""Who runs, and whether another run is proven dead.

Rule: dead is claimed only on proof. A process can be looked for only where its number means the same: on the same host name,
in the same boot and in the same table of processes (containers have their own, though they share the boot id).
"""

from __future__ import annotations

import os
import pwd
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from migrator.model.moves import LockRecord
from migrator.model.people import Person

if TYPE_CHECKING:
    from migrator.engine.world import Run

_NOT_IN_NAMES: Final = re.compile(r"[^\w.@\\-]", re.ASCII)
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_PROCESS_TABLE: Final = Path("/proc/self/ns/pid")


def new_run() -> Run:
    """This process as a run, with a fresh id."""
    import secrets

    from migrator.engine.world import Run

    return Run(secrets.token_hex(8), user(), socket.gethostname(), os.getpid(), boot_id())


def user() -> str:
    """Who is at the keyboard, in one text."""
    return str(person())


def person() -> Person:
    """The login of the process's real user number, and who became it by sudo. Variables such as LOGNAME are not asked: whoever
    runs this may set them."""
    uid = os.getuid()
    try:
        login = pwd.getpwuid(uid).pw_name
    except KeyError:
        login = f"uid {uid}"
    sudo = _NOT_IN_NAMES.sub("", os.environ.get("SUDO_USER", ""))[:64]
    return Person(login, uid, sudo if sudo != login else "")


def boot_id() -> str:
    """Names this boot of this machine and its table of processes; empty where the system does not tell."""
    try:
        return f"{_BOOT_ID.read_text().strip()} {os.readlink(_PROCESS_TABLE)}"
    except OSError:
        return ""


def is_proven_dead(lock: LockRecord) -> bool:
    """Is the process that took ``lock`` surely gone?"""
    if not lock.boot_id or (lock.host, lock.boot_id) != (socket.gethostname(), boot_id()):
        return False
    return not _is_running(lock.pid)


def _is_running(pid: int) -> bool:
    """A zombie is not running: it can send nothing any more."""
    try:
        # The name in brackets may hold anything, also brackets and spaces; the state follows the last one.
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    except (OSError, IndexError):
        return True
    return state not in ("Z", "X")
