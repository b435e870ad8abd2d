"""From a plan to things that do I/O: what ``migrator.kinds`` opens, and the doors that a plan does not choose.

Decides where the state store is, what may be made, and which doors a command needs. Leaves their behaviour to the adapters.
Rule: every import of an adapter is inside a function, so that a command pays only for what it uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import unquote

from migrator.adapters.own_processes import command, environment
from migrator.cli import calls
from migrator.cli.guard_post import Post, written
from migrator.cli.workers import beginners, workers_for
from migrator.kinds import ACCOUNTS, METRICS, ROUTING
from migrator.machine.states import is_before_copy
from migrator.model.addresses import shown
from migrator.model.happenings.happening import Shown
from migrator.model.moves import MoveRecord
from migrator.model.schedule import Account, Metric, Routing, Schedule, is_created, is_placed

if TYPE_CHECKING:
    from migrator.adapters.workers import WorkerProcesses
    from migrator.cli.settings import Settings
    from migrator.engine.guarding import Guardian
    from migrator.ports.clock import Clock
    from migrator.ports.estate import Estate
    from migrator.ports.executor import Executor
    from migrator.ports.kinds import AccountStore
    from migrator.ports.metric_source import MetricSource
    from migrator.ports.object_store import ObjectStore, Operation
    from migrator.ports.register import Register
    from migrator.ports.router import Router
    from migrator.ports.state_store import StateStore

T = TypeVar("T")
DEFAULT_STATE_URL: Final = "sqlite:///state/migrator.db"
STATE_VARIABLE: Final = "MIGRATE_STATE"
YOUNG_OBJECTS: Final = 50_000
"""So many new objects bring the garbage collector in; Python's own figure is 700."""


def state_url(settings: Settings, schedule: Schedule | None = None) -> str:
    """Where state is: ``--state``, then MIGRATE_STATE, then the plan's ``state``, then the default."""
    planned = schedule.state_url if schedule is not None else None
    if planned and not (settings.state or os.environ.get(STATE_VARIABLE)):
        calls.name_store(planned)
    return as_url(settings.state or os.environ.get(STATE_VARIABLE) or planned or DEFAULT_STATE_URL)


def as_url(text: str) -> str:
    """A plain path is a SQLite file; a word alone is a slip."""
    is_path = "://" not in text and ("/" in text or text.endswith((".db", ".sqlite", ".sqlite3")))
    return f"sqlite:///{text}" if is_path else text


def open_state(settings: Settings, schedule: Schedule, *, create: bool) -> StateStore:
    """The plan's state store. StateError if it is not there and may not be made."""
    return open_state_of(state_url(settings, schedule), schedule.name, create=create)


def open_state_of(url: str, plan: str, *, create: bool = False) -> StateStore:
    """The state store at ``url`` for the plan of this name."""
    from migrator.adapters.state import open_store

    return open_store(url, plan, create=create)


def is_there(url: str) -> bool:
    """False if ``url`` is a SQLite file that does not exist, or is empty since there was no room for its tables, or a database
    without tables: nothing was ever applied. Any other trouble of a file shows when it is opened; a database that does not
    answer is a StateError."""
    scheme, slashes, path = url.partition("///")
    if scheme.startswith("postgres"):
        from migrator.adapters.state import has_tables

        return has_tables(url)
    if not (scheme.startswith("sqlite") and slashes and path):
        return True
    file = Path(unquote(path.partition("?")[0].removeprefix("file:")))  # SQLite has addresses of its own
    return file.exists() and not (file.is_file() and file.stat().st_size == 0)


def stored_plans(url: str) -> Sequence[str]:
    """The names of the plans that the state store at ``url`` knows. StateError if it is not there."""
    from migrator.adapters.state import stored_plans as names

    return names(url)


def open_account(account: Account, cloud: Mapping[str, str], *, create: bool = False) -> AccountStore:
    """One account of the plan. Nothing is sent yet. ``create``: the first request makes an embedded account that is missing;
    never for a source, whose missing file would look like an account without data."""
    return ACCOUNTS[account.kind].open(account, environ=os.environ, cloud=cloud, may_make=lambda: create)


def open_estate(schedule: Schedule) -> Estate | None:
    """The resource manager; None: the plan says of no account where it is. Nothing is sent yet. CloudError if it cannot be
    opened."""
    if not any(is_created(account) or is_placed(account) for account in schedule.accounts.values()):
        return None
    from migrator.adapters.estate import open_estate as opened

    return opened(schedule.cloud)


def open_router(routing: Routing, stores: Mapping[str, ObjectStore], cloud: Mapping[str, str]) -> Router:
    """The router of the plan; ``stores`` must hold what ``needs_account`` names."""
    return ROUTING[routing.kind].open(routing, stores, environ=os.environ, cloud=cloud)


def open_register(routing: Routing, stores: Mapping[str, ObjectStore]) -> Register | None:
    """The register beside the plan's route document; None: its kind has none."""
    return ROUTING[routing.kind].open_register(routing, stores)


def needs_account(routing: Routing) -> frozenset[str]:
    """The accounts that the router itself needs."""
    return ROUTING[routing.kind].accounts(routing)


def may_hold_data(move: MoveRecord) -> bool:
    """Was anything of the move ever written at its target?"""
    return not is_before_copy(move.state)


class UnwatchedReporter:
    """A reporter for work that nobody watches."""

    def event(self, happening: Shown, move: str | None = None) -> None: ...
    def progress(self, move: str, **figures: Any) -> None: ...


def place_of_state(url: str) -> str:
    """Where the state store is, for people: a file's absolute path, else its URL without a password."""
    scheme, slashes, path = url.partition("///")
    if not (scheme.startswith("sqlite") and slashes and path) or path.startswith("file:"):
        return shown(url)
    return str(Path(path.partition("?")[0]).absolute())


async def entra_names(schedule: Schedule) -> tuple[str, ...]:
    """How Microsoft Entra ID calls whoever runs this: user name and object id, of a token for the plan's accounts.

    Raises:
        AccessRefused: it gives no token.
    """
    from migrator.adapters.azure.credentials import DEFAULT_AUDIENCE, bearer_token, names_in, open_token_source

    references = (ACCOUNTS[one.kind].entra_credential(one) for one in schedule.accounts.values())
    reference = next((one for one in references if one is not None), "default")
    source = open_token_source(reference, what="this approval", cloud=schedule.cloud)
    try:
        return names_in(await bearer_token(source, DEFAULT_AUDIENCE, what="this approval"))
    finally:
        await source.close()


def all_accounts(schedule: Schedule) -> set[str]:
    """The accounts that a run touches."""
    moved = {account for move in schedule.moves for account in (move.source, move.target)}
    return moved | needs_account(schedule.routing)


def open_processes(schedule: Schedule, workers: int | None = None) -> WorkerProcesses:
    """The processes that copy; none is started yet. ``workers``: how many; None leaves it to ``workers_for``."""
    from migrator.adapters.workers import WorkerProcesses

    environ = environment(schedule.accounts.values())
    return WorkerProcesses(
        command("migrator.cli.worker"), workers_for(schedule, workers), at_once=beginners(), environ=environ
    )


def open_executor(schedule: Schedule, stores: Mapping[str, ObjectStore], processes: WorkerProcesses) -> Executor:
    """Who sends small copies: ``processes`` once there is much to copy, before that (or with nobody in it) this process."""
    from migrator.adapters.clock import SystemClock
    from migrator.adapters.workers import InlineExecutor

    inline = InlineExecutor(stores, SystemClock(), adapts=True)
    if processes.count == 0:
        return inline
    from migrator.adapters.workers import WorkerPool

    accounts = [schedule.accounts[name] for name in sorted(stores)]
    return WorkerPool(processes, accounts, schedule.cloud, inline=inline)


def open_guardian(schedule: Schedule) -> Guardian:
    """The engine's end of the guardian; its process starts with the first fence."""
    from migrator.engine.guarding import Guardian

    post = guardian_post(schedule)
    variables = ROUTING[post.routing.kind].variables(post.routing)
    return Guardian(
        command("migrator.cli.guard"), opening=written(post), environ=environment(post.accounts, also=variables)
    )


def guardian_post(schedule: Schedule) -> Post:
    """What a guardian is told of the plan's routes, and of the policies that its enforced fences revoke."""
    enforced = [wave for wave in schedule.waves if wave.cutover.fence == "access-policy"]
    fenced = {name for wave in enforced for move in wave.moves for name in (move.source, move.target)}
    names = sorted(needs_account(schedule.routing) | fenced)
    return Post(schedule.routing, tuple(schedule.accounts[name] for name in names), schedule.cloud)


class _Uncounted:
    """Counts for nobody: only the engine's own run keeps figures of its requests."""

    def count(self, account: str, operation: Operation, *, minute: int, requests: int = 1) -> None: ...


def paced(stores: Mapping[str, ObjectStore], schedule: Schedule, clock: Clock) -> dict[str, ObjectStore]:
    """The same accounts within the plan's budget, for commands that read much without the engine."""
    from migrator.transfer.limits import Limits
    from migrator.transfer.paced import PacedStore, unclaimed

    limits = Limits(clock)
    for name in stores:
        limits.set(name, schedule.budget(name))
    return {
        name: PacedStore(store, limits.account(name), _Uncounted(), clock, unclaimed) for name, store in stores.items()
    }


def open_metrics(metric: Metric, schedule: Schedule) -> MetricSource:
    """One metric source of the plan. Nothing is sent yet."""
    return METRICS[metric.kind].open(metric, schedule.accounts, environ=os.environ, cloud=schedule.cloud)


def _collect_seldom() -> None:
    """A pass holds some hundred thousand values that refer to each other in no circle: looking for circles among them, and
    among the modules, is a tenth of the time of a copy."""
    gc.enable()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)


def _give_others_their_turn() -> None:
    """Interrupt no other process for an event: those that come meanwhile are handled together. On a busy machine that saves a
    third of our own CPU time, and whoever else works there is slowed down less. An operator's own choice of policy stays.

    Source: Linux sched(7), SCHED_BATCH.
    """
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) == os.SCHED_OTHER:
        with contextlib.suppress(OSError):  # a sandbox that forbids it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def new_runner() -> asyncio.Runner:
    """The program's one event loop: uvloop where it is installed, asyncio's own elsewhere."""
    _collect_seldom()
    _give_others_their_turn()
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """For a process with one piece of work; a command has ``Doors``."""
    with new_runner() as runner:
        return runner.run(work)
