"""The rollout: one run over one plan, and the ways in from the command line.

Leaves what a run does to its rooms: ``preparing`` writes the plan down, ``recovering`` resolves what an earlier run left,
``waves`` applies, ``rollback`` rolls back and retries. Rule: before anything else a run takes the lock; whatever happens, it
counts its requests and gives the lock back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from migrator.engine import adopting, durations, publishing, pulse, retiring, rollback, waves
from migrator.engine.committing import surely
from migrator.engine.context import Shared
from migrator.engine.desks import RouteDesks
from migrator.engine.fleet import Fleet
from migrator.engine.outbox import Outbox
from migrator.engine.own_traffic import OwnTraffic
from migrator.engine.preparing import Editing, prepare
from migrator.engine.recovering import recover
from migrator.engine.rollback import Abandon
from migrator.engine.rollcall import RollCall
from migrator.engine.routes import RouteDesk
from migrator.engine.session import Session
from migrator.engine.throttle import Throttle
from migrator.engine.world import Outcome, Run, World
from migrator.errors import CloudError, MigrateError, StateError
from migrator.machine import liveness
from migrator.model.happenings.rollouts import LockTaken, RequestsUncounted, RunBegan, RunEnded
from migrator.model.happenings.waits import LockWatched
from migrator.model.happenings.wishes import RollbackAsked
from migrator.model.moves import Control, LockRecord
from migrator.model.names import MoveId
from migrator.model.schedule import Schedule
from migrator.model.values import value
from migrator.ports.state_store import AddJournal, Change, SetControl, SetNote
from migrator.transfer.hands import Hands
from migrator.transfer.limits import Limits
from migrator.transfer.paced import PacedStore
from migrator.words.journal import entry


@value(frozen=True, slots=True)
class Said:
    """The command line behind a run, for the journal. ``exit_of``: the exit code of an outcome's word."""

    command: str
    exit_of: Callable[[str], int]
    editing: Editing | None = None


class Rollout:
    """Make one for each command; ``stop`` ends it early, with every fence released."""

    def __init__(self, schedule: Schedule, *, world: World, run: Run, text: str = "", said: Said | None = None) -> None:
        self.schedule = schedule
        self.world = world
        self.run = run
        self._text = text
        self._said = said
        uses = Counter(name for move in schedule.moves for name in (move.source, move.target))
        self._limits = Limits(world.clock, sorted(world.stores, key=lambda name: (uses[name], name)))
        self._session = Session(world.state, world.clock, run, world.write_bounds, world.rhythm)
        self._own_traffic = OwnTraffic(world.state, world.clock, run.id, self._commit, world.rhythm)
        lineage, succeed = world.state.lineage, self._session.succeed
        addresses = {name: store.endpoint for name, store in world.stores.items()}

        def desk_of(region: str) -> RouteDesk:
            return RouteDesk(
                world.router,
                world.clock,
                schedule.routing,
                lineage=lineage,
                run=run.id,
                region=region,
                succeed=succeed,
                addresses=addresses,
                may_send=self._session.check,
                rhythm=world.rhythm,
            )

        desks = RouteDesks(world.router, (move.id.region for move in schedule.moves), desk_of)
        self._session.named = desks.named_runs
        stores = {
            name: PacedStore(store, self._limits.account(name), self._own_traffic, world.clock)
            for name, store in world.stores.items()
        }
        for name in stores:
            self._limits.set(name, schedule.budget(name))
        hands = Hands(world.executor, world.clock) if world.executor is not None else None
        # A register is of one document: where each region has its own, drains last as long as in version 1.
        register = world.register if schedule.routing.protocol > 1 and len(desks.all) == 1 else None
        self._rolls = RollCall(register, desks.all[0], world.clock, self._session, world.rhythm)
        shared = Shared(schedule, world, run, self._session, desks, stores, self._own_traffic, self._rolls, hands)
        self._fleet = Fleet(shared, flush=self._own_traffic.flush)
        self._pacing = Throttle(self._fleet, self._limits)
        self._outbox = Outbox(self._fleet, world.channels)
        self.state = world.state
        self._main: asyncio.Task[Outcome] | None = None
        self._stopped = self._is_ending = False
        self._may_be_lost: frozenset[str] = frozenset()

    def stop(self) -> None:
        """Ask the run to end now: open fences are released, state is saved, the outcome is ``interrupted``. One that is ending
        anyway ends as it was going to: it must still give its lock back."""
        self._stopped = True
        if self._main is not None and not self._is_ending:
            self._main.cancel()

    async def apply(
        self,
        *,
        wave: str | None = None,
        wait: bool = True,
        forecasts: Mapping[str, Mapping[str, Any]] | None = None,
        notes: Sequence[SetNote] = (),
    ) -> Outcome:
        """Start or resume.

        Args:
            forecasts: by wave, kept with each wave that begins.
            notes: inventories to keep.
        Raises:
            LockedError: another run is at work.
        """

        async def work() -> Outcome:
            self._fleet.forecasts = forecasts or {}
            if notes:
                self._fleet.commit(*notes)
            await publishing.publish(self._fleet)
            return await waves.apply(self._fleet, wave, wait=wait)

        return await self._guarded(work)

    async def resolve(self) -> Outcome:
        """Resolve what earlier runs left open, and nothing else. LockedError: another run is at work."""

        async def work() -> Outcome:  # the first act of every run has done it
            return Outcome("done", ("what an earlier run left open is in order",))

        return await self._guarded(work)

    async def publish(self) -> Outcome:
        """Make the route records that are missing, each at its source, and nothing else. LockedError: another run is at work,
        and makes them itself."""

        async def work() -> Outcome:
            made = tuple(f"{key}: its route is published" for key in await publishing.publish(self._fleet))
            unlike = await adopting.disagreements(self._fleet, self.schedule.moves)
            if unlike:
                return Outcome("halted", (*made, *(f"{move}: {why}" for move, why in unlike.items())))
            return Outcome("done", made)

        return await self._guarded(work)

    async def rollback(
        self,
        *,
        wave: str | None = None,
        region: str | None = None,
        area: str | None = None,
        on_conflict: str | None = None,
        abandon: Abandon | None = None,
    ) -> Outcome:
        """Lossless way back, newest wave first. Raises LockedError if another run is at work: ``steer`` that one.

        Args:
            abandon: go back without the targets, and leave behind what was written there.
        """
        if abandon is not None:
            moves = self._fleet.in_scope(wave, region, area)
            self._may_be_lost = frozenset(move.target for move in moves)

        async def work() -> Outcome:
            scope = self._fleet.in_scope(wave, region, area)
            return await rollback.roll_back(self._fleet, scope, on_conflict, "asked for", abandon=abandon)

        return await self._guarded(work)

    def steer(
        self,
        *,
        wave: str | None,
        region: str | None,
        area: str | None,
        on_conflict: str | None,
        who: str,
        abandon: Abandon | None = None,
    ) -> Control:
        """Ask the running apply to roll back; the wish that is on record from now on."""
        value = {"wave": wave, "region": region, "area": area, "on_conflict": on_conflict}
        if abandon is not None:
            value["abandon"] = abandon.reason
        wish = rollback.asked(value, self._fleet.in_scope(wave, region, area), who, at=self.world.clock.now())
        asked = RollbackAsked(wave, region, area, on_conflict, abandon.reason if abandon is not None else None)
        row = AddJournal(entry(asked, wish.at, actor=who, wave=wave))
        self.world.state.commit([SetControl(wish), row], token=None)
        return wish

    async def retry(
        self,
        *,
        wave: str | None = None,
        region: str | None = None,
        area: str | None = None,
        reason: str,
        who: str,
        accept_deletes: int | None = None,
        accept_containers: Sequence[str] = (),
        adopt_route: bool = False,
    ) -> Outcome:
        """Let halted and reversed moves go on with the next ``apply``; ``adopt_route``: as the route document says;
        ``accept_containers``: customers dropped these whole."""

        async def work() -> Outcome:
            scope = self._fleet.in_scope(wave, region, area)
            return await rollback.retry(
                self._fleet,
                scope,
                reason=reason,
                who=who,
                accept_deletes=accept_deletes,
                accept_containers=accept_containers,
                adopt_route=adopt_route,
            )

        return await self._guarded(work)

    async def retire(self, wave: str, *, most: Mapping[MoveId, int], reads_unproved: bool, who: str) -> Outcome:
        """Delete what the moves of ``wave`` have left at their sources, ``most`` objects of each at most: see
        ``engine.retiring``. Raises LockedError if another run is at work."""

        async def work() -> Outcome:
            planned = self.schedule.wave(wave)
            return await retiring.retire(self._fleet, planned, most=most, reads_unproved=reads_unproved, who=who)

        return await self._guarded(work)

    # One run around each of them.

    async def _guarded(self, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        self._is_ending = False
        self._main = asyncio.create_task(self._with_lock(work))
        try:
            return await asyncio.shield(self._main) if self._stopped else await self._main
        except asyncio.CancelledError:
            if not self._stopped:
                raise
            return Outcome("interrupted", ("stopped by a signal; state is saved",))

    async def _with_lock(self, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        silent = await pulse.silent(self.world.state, self.world.clock, self.world.is_dead, self._say_watch)
        self._session.open(self.world.is_dead, silent)
        ended = ""
        keepers = [asyncio.create_task(self._keep_counts()), asyncio.create_task(self._pacing.keep())]
        try:
            self._own_traffic.begin()
            self._pacing.begin()
            self._outbox.begin()
            await self._bind()
            if self.world.executor is not None:
                self.world.executor.bind_run(self._session.token)
            self._note_takeover()
            if self._said is not None:
                self._note_run(RunBegan(self.run.owner, self.run.host, self._said.command))
            prepare(self._fleet, self._text, self._said.editing if self._said else None)
            await recover(self._fleet)
            await durations.publish(self._fleet)
            if self._rolls.register is not None:
                keepers.append(asyncio.create_task(self._rolls.keep()))
            outcome = await work()
            ended = f"exit {self._said.exit_of(outcome.code)} ({outcome.code})" if self._said else ""
            return outcome
        except asyncio.CancelledError:
            ended = "interrupted"
            raise
        except Exception as fault:
            ended = (
                f"an error: {fault.message}" if isinstance(fault, MigrateError) else f"an error: {type(fault).__name__}"
            )
            raise
        finally:
            self._is_ending = True
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            try:
                await self._outbox.end()
                await self._end_counting()
            finally:
                with suppress(MigrateError):  # a lost lock, or a busy store: the lock's own end is what counts
                    if self._said is not None:
                        self._note_run(RunEnded(ended, self._said.command))
                await self._session.close()

    def _say_watch(self, lock: LockRecord) -> None:
        who = f"{lock.owner}@{lock.host}, pid {lock.pid}"
        self.world.reporter.event(LockWatched(who, liveness.SILENT_SECONDS))

    async def _end_counting(self) -> None:
        """A store that refuses the last counts keeps the mark of a run that did not end: the next one knows of a gap then."""
        try:
            rhythm = self.world.rhythm
            await surely(
                self.world.clock, rhythm, self._own_traffic.end, within=rhythm.closing_seconds, full_within=0.0
            )
        except StateError as fault:
            self.world.reporter.event(RequestsUncounted(fault.message))

    async def _bind(self) -> None:
        for name, store in self._fleet.shared.stores.items():
            try:
                await store.bind_run(self._session.token)
            except CloudError:
                if name not in self._may_be_lost:
                    raise

    def _note_takeover(self) -> None:
        """A run that did not end in order belongs into the journal: what follows is the recovery from it."""
        before = self._session.taken_over
        if before is None:
            return
        silent = (self.world.clock.now() - before.heartbeat).total_seconds()
        left = self._session.lingering
        holder = f"{before.owner}@{before.host}, pid {before.pid}"
        no_cut_over = left.in_words() if left.seconds else ""
        self._fleet.say(LockTaken(holder, max(0.0, silent), no_cut_over))

    def _note_run(self, happening: RunBegan | RunEnded) -> None:
        """Who ran what, and how it ended; a run that nobody described (a test's) has no such entries."""
        self._fleet.commit(self._fleet.journal(happening, actor=self.run.owner))

    async def _keep_counts(self) -> None:
        while True:
            await self.world.clock.sleep(self.world.rhythm.counter_seconds)
            with suppress(StateError):  # they are written with the next ones
                self._own_traffic.flush()

    def _commit(self, *changes: Change) -> None:
        self.world.state.commit(list(changes), token=self._session.token)


__all__ = ["Abandon", "Outcome", "Rollout", "Run", "World"]
