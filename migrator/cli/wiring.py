"""The only file that chooses adapters: from names in a plan to things that do I/O.

Decides which implementation stands behind each port and where the state store is. Leaves their behaviour to the adapters.
Rule: every import of an adapter is inside a function, so that a command pays only for what it uses.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import AsyncIterator, Container, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from migrator.cli.settings import Settings
from migrator.errors import UsageError
from migrator.model.schedule import Account, Routing, Schedule

if TYPE_CHECKING:
    from migrator.ports.object_store import ObjectStore
    from migrator.ports.router import Router
    from migrator.ports.state_store import StateStore

DEFAULT_STATE_URL: Final = "sqlite:///state/migrator.db"
STATE_VARIABLE: Final = "MIGRATE_STATE"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who runs: for the lock and the journal. ``boot_id`` is empty where the system has none."""

    owner: str
    host: str
    pid: int
    boot_id: str


def identity() -> Identity:
    return Identity(user(), socket.gethostname(), os.getpid(), _boot_id())


def user() -> str:
    """The login of the person at the keyboard, or ``uid N`` where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def state_url(settings: Settings, schedule: Schedule | None = None) -> str:
    """Where state is: ``--state``, then MIGRATE_STATE, then the plan's ``state``, then the default."""
    planned = schedule.state_url if schedule is not None else None
    return settings.state or os.environ.get(STATE_VARIABLE) or planned or DEFAULT_STATE_URL


def open_state(settings: Settings, schedule: Schedule, *, create: bool) -> StateStore:
    """The plan's state store. StateError if it is not there and may not be made."""
    from migrator.adapters.state import open_store

    return open_store(state_url(settings, schedule), schedule.name, create=create)


def open_account(account: Account, cloud: Mapping[str, str], *, create: bool = False) -> ObjectStore:
    """One account of the plan. Nothing is sent yet. ``create``: the first request makes a local account that is missing;
    never for a source, whose missing file would look like an account without data."""
    if account.kind == "local":
        from migrator.adapters.local import LocalStore

        return LocalStore(account.name, Path(account.path or ""), create=create, caller="engine")
    from migrator.adapters.azure import open_store

    return open_store(account, environ=os.environ, cloud=cloud)


def open_router(routing: Routing, stores: Mapping[str, ObjectStore]) -> Router:
    """The router of the plan; ``stores`` must hold the account of a blob document."""
    from migrator.adapters.routing import FileRouter, StoreRouter

    if routing.kind == "file":
        return FileRouter(routing.path or "")
    if routing.kind == "blob":
        return StoreRouter(stores[routing.account or ""], routing.container or "", routing.name or "")
    raise UsageError(
        f"cannot keep the routes in {routing.kind}: this version knows only file and blob",
        hint="use `routing: {kind: file, ...}` or `{kind: blob, ...}`",
    )


def needs_account(routing: Routing) -> frozenset[str]:
    """The accounts that the router itself needs."""
    return frozenset({routing.account}) if routing.kind == "blob" and routing.account else frozenset()


@asynccontextmanager
async def accounts(
    schedule: Schedule, names: Iterable[str], *, create: Container[str] = ()
) -> AsyncIterator[dict[str, ObjectStore]]:
    """These accounts of the plan, open; they are closed at the end, whatever happened. ``create`` names those that may be
    made if they are local."""
    async with AsyncExitStack() as stack:
        stores: dict[str, ObjectStore] = {}
        for name in sorted(set(names)):
            stores[name] = open_account(schedule.accounts[name], schedule.cloud, create=name in create)
            stack.push_async_callback(stores[name].close)
        yield stores


@asynccontextmanager
async def router(schedule: Schedule) -> AsyncIterator[Router]:
    """The router alone, for reading routes."""
    async with accounts(schedule, needs_account(schedule.routing)) as stores:
        opened = open_router(schedule.routing, stores)
        try:
            yield opened
        finally:
            await opened.close()
