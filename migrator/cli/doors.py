"""What a command has opened of its plan's world: accounts, routes and sources of figures, and the event loop that they live in.

Decides that each is opened when it is first needed, once for the whole command, and closed at its end, whatever happened: the
preview, the look at the routes and the run after them are lent the same ones. Leaves to ``wiring`` what opens them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from migrator.cli import wiring
from migrator.cli.proofs import read_proofs
from migrator.errors import CloudError, InternalError
from migrator.kinds import ACCOUNTS, NOTICES
from migrator.model.happenings.rollouts import NoticesStuck
from migrator.model.schedule import Schedule
from migrator.model.values import replace

if TYPE_CHECKING:
    from migrator.adapters.workers import WorkerProcesses
    from migrator.engine.world import World
    from migrator.model.notices import Channel
    from migrator.model.routes import RouteDocument
    from migrator.ports.estate import Estate
    from migrator.ports.kinds import AccountStore
    from migrator.ports.metric_source import MetricSource
    from migrator.ports.notifier import Notifier
    from migrator.ports.register import Attendant, Register
    from migrator.ports.reporter import Reporter
    from migrator.ports.router import Router
    from migrator.ports.state_store import StateStore

T = TypeVar("T")
TURNS: Final = 3
"""Of the loop, until it has read what came while it stood still, and told whoever it concerns."""


class Doors:
    """Opened lazily, closed at the end of the ``with``. Without a plan (None) there is only the loop.

    ``account``, ``router`` and ``metrics`` are for coroutines that ``run`` carries out, and stay this object's.
    """

    def __init__(self, schedule: Schedule | None) -> None:
        self._schedule = schedule
        self._runner: asyncio.Runner | None = None
        self._opened = AsyncExitStack()
        self._accounts: dict[str, AccountStore] = {}
        self._metrics: dict[str, MetricSource] = {}
        self._router: Router | None = None
        self._register: Register | None = None
        self._estate: Estate | None = None
        self._may_be_made: frozenset[str] = frozenset()

    def __enter__(self) -> Doors:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is None:
            return
        try:
            self._runner.run(self.close())
        finally:
            self._runner.close()

    async def close(self) -> None:
        """Close what is open. For work that somebody may stop: it ends with this, while signals are still obeyed."""
        self._accounts, self._metrics, self._router, self._register, self._estate = {}, {}, None, None, None
        await self._opened.aclose()

    @property
    def schedule(self) -> Schedule:
        if self._schedule is None:
            raise InternalError("cannot open anything: there is no plan")
        return self._schedule

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry out ``work`` in the command's one event loop."""
        if self._runner is None:
            self._runner = wiring.new_runner()
        return self._runner.run(_once_awake(work))

    def account(self, name: str) -> AccountStore:
        """An account of the plan. Nothing is sent yet. CloudError if it cannot be opened."""
        if name not in self._accounts:
            account = self.schedule.accounts[name]
            store = ACCOUNTS[account.kind].open(
                account, environ=os.environ, cloud=self.schedule.cloud, may_make=lambda: name in self._may_be_made
            )
            self._opened.push_async_callback(store.close)
            self._accounts[name] = store
        return self._accounts[name]

    def accounts(self, names: Iterable[str]) -> dict[str, AccountStore]:
        """These accounts of the plan."""
        return {name: self.account(name) for name in sorted(set(names))}

    def let_make(self, names: Iterable[str]) -> None:
        """From now on these accounts may be made where a request finds none. Never a source, whose missing file would look like
        an account without data."""
        self._may_be_made |= frozenset(names)

    def router(self) -> Router:
        """The router of the plan. CloudError if it cannot be opened."""
        if self._router is None:
            routing = self.schedule.routing
            self._router = wiring.open_router(
                routing, self.accounts(wiring.needs_account(routing)), self.schedule.cloud
            )
            self._opened.push_async_callback(self._router.close)
        return self._router

    async def routes(self) -> RouteDocument | None:
        """What all route documents of the plan say, as one; None: there is none. MigrateError if one cannot be read."""
        from migrator.ports.router import read_all

        return await read_all(self.router(), {move.id.region for move in self.schedule.moves})

    def register(self) -> Register | None:
        """The register of the followers of the routes; None: the plan wants none, or its routing has none. CloudError if
        it cannot be opened."""
        routing = self.schedule.routing
        if self._register is None and routing.protocol > 1:
            self._register = wiring.open_register(routing, self.accounts(wiring.needs_account(routing)))
            if self._register is not None:
                self._opened.push_async_callback(self._register.close)
        return self._register

    async def roll(self, document: RouteDocument | None) -> Sequence[Attendant] | None:
        """Who is in the register that ``document`` names; None: it names none, or the plan wants none. MigrateError if it cannot
        be read."""
        if document is None or document.register is None or (register := self.register()) is None:
            return None
        return await register.roll(document.register)

    def metrics(self, name: str) -> MetricSource:
        """A source of figures of the plan. Nothing is sent yet. CloudError if it cannot be opened."""
        if name not in self._metrics:
            source = wiring.open_metrics(self.schedule.metrics[name], self.schedule)
            self._opened.push_async_callback(source.close)
            self._metrics[name] = source
        return self._metrics[name]

    def estate(self) -> Estate | None:
        """The resource manager; None: no account of the plan is created. CloudError if it cannot be opened."""
        if self._estate is None:
            self._estate = wiring.open_estate(self.schedule)
            if self._estate is not None:
                self._opened.push_async_callback(self._estate.close)
        return self._estate

    def _channels(self) -> tuple[tuple[tuple[Channel, Notifier], ...], dict[str, CloudError]]:
        """The channels of the plan, opened, and those that cannot be. Nothing is sent yet."""
        opened, refused = [], {}
        for channel in self.schedule.channels:
            try:
                notifier = NOTICES[channel.kind].open(channel, environ=os.environ)
            except CloudError as fault:
                refused[channel.name] = fault
                continue
            self._opened.push_async_callback(notifier.close)
            opened.append((channel, notifier))
        return tuple(opened), refused

    @asynccontextmanager
    async def world(self, state: StateStore, reporter: Reporter, *, processes: WorkerProcesses) -> AsyncIterator[World]:
        """Every door the engine may use. Missing embedded *targets* of moves that have not begun (and the routing account) may
        be made from now on; a missing source is always an error, and so is a target that copies or customers went to: an empty
        one in its place would look as if all had been deleted. ``state`` and ``processes`` stay the caller's."""
        from migrator.adapters.clock import SystemClock
        from migrator.cli.identity import is_proven_dead
        from migrator.engine.world import World

        schedule, clock = self.schedule, SystemClock()
        names = wiring.all_accounts(schedule)
        kept = {move.source for move in schedule.moves}
        kept |= {move.target for move in state.moves() if wiring.may_hold_data(move)}
        self.let_make(names - kept)
        stores = self.accounts(names)
        router = self.router()
        metrics = {name: self.metrics(name) for name in schedule.metrics}
        async with AsyncExitStack() as stack:
            guardian = wiring.open_guardian(schedule)
            stack.push_async_callback(guardian.close)
            executor = wiring.open_executor(schedule, stores, processes)
            stack.push_async_callback(executor.close)
            bounds = {name: await store.late_write_seconds(clock.now()) for name, store in stores.items()}
            channels, untold = self._channels()
            for name, fault in untold.items():
                reporter.event(NoticesStuck(name, fault.message))
            world = World(stores, router, state, metrics, clock, reporter, bounds, is_proven_dead, guardian)
            world.proved, world.unproved = read_proofs(schedule.proved)
            world = replace(world, executor=executor, channels=channels)
            yield replace(world, register=self.register(), estate=self.estate())

    def world_to_read(self, state: StateStore, reporter: Reporter | None = None, *, ask: bool = False) -> World:
        """The accounts and the state, within the plan's budget, and with ``ask`` the sources of the gates: for commands that look
        and never write. No account is made, and accounts, routing and metrics that cannot be opened are no obstacle."""
        from migrator.adapters.clock import SystemClock
        from migrator.adapters.routing import FileRouter
        from migrator.engine.world import World

        schedule, clock = self.schedule, SystemClock()
        stores: dict[str, AccountStore] = {}
        unopened: dict[str, CloudError] = {}
        for name in sorted({account for move in schedule.moves for account in (move.source, move.target)}):
            try:
                stores[name] = self.account(name)
            except CloudError as fault:
                unopened[name] = fault
        metrics: dict[str, MetricSource] = {}
        unasked: dict[str, CloudError] = {}
        for name in schedule.metrics if ask else ():
            try:
                metrics[name] = self.metrics(name)
            except CloudError as fault:
                unasked[name] = fault
        proved, unproved = read_proofs(schedule.proved)
        return World(
            wiring.paced(stores, schedule, clock),
            FileRouter(os.devnull),
            state,
            metrics,
            clock,
            reporter or wiring.UnwatchedReporter(),
            write_bounds={},  # nothing is written
            unopened=unopened,
            unasked=unasked,
            proved=proved,
            unproved=unproved,
            untold=self._channels()[1],
            estate=self.estate(),
        )


async def _once_awake(work: Coroutine[Any, Any, T]) -> T:
    """The loop stood still since the last run, while somebody was asked perhaps: a connection that the other end has closed
    meanwhile must be known to be closed before the next request takes it."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
    return await work
