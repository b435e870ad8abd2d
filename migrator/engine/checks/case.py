"""What a check may ask, and each answer kept, so that two checks which want the same ask once.

Decides what "cannot be read" is worth: where a preview looks, the fault of an account is kept and told once, however many moves
it has, and the others are looked at all the same; in a run it is raised, for there somebody waits it out or mends it. Leaves
judging to the checks. Rule: a check that asks for what it did not say it needs is a fault of ours.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from migrator.engine.checks.facts import Facts, RoutesRead
from migrator.engine.checks.moments import RUNS, Asks, When
from migrator.engine.edited import Edited
from migrator.engine.inventory import Seams, sample, survey
from migrator.engine.world import World
from migrator.errors import CloudError, FaultLine, InternalError, MigrateError, NotFound, Throttled, Unreachable
from migrator.forecast import Inventory, Outlook
from migrator.forecast.inventory import summed
from migrator.kinds import ACCOUNTS
from migrator.machine.states import is_before_copy, is_going_back, is_past_switch
from migrator.model.addresses import is_loopback
from migrator.model.estate import AccountShape, BlobSettings
from migrator.model.findings import Finding
from migrator.model.moves import MoveRecord
from migrator.model.names import MoveId
from migrator.model.objects import FEATURES, ContainerInfo, Features
from migrator.model.schedule import Account, Gate, PlannedMove, Schedule, is_created, is_placed
from migrator.model.values import value
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import StateStore
from migrator.transfer.together import together

LISTED_AT_ONCE: Final = 16
"""Listings of one move that are counted side by side, a page of each in memory."""
InventoryMode = Literal["full", "sample", "cached"]


@value(frozen=True, slots=True)
class Proved:
    """The ways of a move were proved in ``container``: how copies go ``forward`` and ``back``, in words; ``back`` is empty where
    nothing may be written to the source."""

    move: PlannedMove
    container: str
    forward: str
    back: str
    made: bool
    """The container was made at the target for it."""
    tiers: tuple[str, str] | None = None
    """What an object without a tier of its own has at the source and at the target, where that is not the same."""
    copy_seconds: float = 0.0
    """How long the copy took, from the source to the target."""


@value(frozen=True, slots=True)
class Asked:
    """What one question to a gate came to. ``fault``: why there was no answer; ``values``: how many figures the answer had."""

    gate: Gate
    move: MoveId
    account: str
    values: int = 0
    fault: MigrateError | None = None

    @property
    def may_pass(self) -> bool:
        """The source did not answer now; nobody has to mend the gate for that."""
        return isinstance(self.fault, (Unreachable, Throttled))


@value(frozen=True, slots=True)
class Habits:
    """What an account is, and what it does to its blobs by itself."""

    shape: AccountShape
    settings: BlobSettings


@dataclass(slots=True)
class Answers:
    """What was asked so far. ``containers``: by account that could be read; ``faults``: of those that could not; ``absent``:
    targets that ``apply`` makes; ``shapes``: accounts as the resource manager has them, and ``unasked`` where it
    did not say; ``inventories``: of moves whose source was counted or sampled; ``features``: by move, place
    after place (``account/container`` and prefix) what it cannot keep; ``proved``: the canaries that came back;
    ``asked``: the gates."""

    containers: dict[str, Sequence[ContainerInfo]] = field(default_factory=dict)
    faults: dict[str, CloudError] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    inventories: dict[MoveId, Inventory] = field(default_factory=dict)
    seams: dict[MoveId, dict[tuple[str, str], tuple[str, ...]]] = field(default_factory=dict)
    """By container and prefix of those, names at which a listing may be parted."""
    features: dict[MoveId, dict[str, Features]] = field(default_factory=dict)
    shapes: dict[str, AccountShape | None] = field(default_factory=dict)
    unasked: dict[str, CloudError] = field(default_factory=dict)
    habits: dict[str, Habits | None] = field(default_factory=dict)
    """Of accounts whose place the plan says; None: it is not there. ``unproved``: why the resource manager did not say."""
    unproved: dict[str, CloudError] = field(default_factory=dict)
    proved: list[Proved] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    took: dict[str, float] = field(default_factory=dict)
    """Seconds until the containers of an account were listed."""


def _as_it_is(container: str) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(slots=True, kw_only=True)
class Case:
    """One look. ``moves``: those it is about; ``may_ask``: what the moment allows; ``known``: the state store; ``lines``: what
    the reader of the document warned of; ``edited``: since the plan of ``edited_since``; ``outlook``: the forecast, where one was
    made; ``making``: around the making of a container."""

    schedule: Schedule
    when: When
    moves: Sequence[PlannedMove] = ()
    may_ask: frozenset[Asks] = frozenset()
    allowed: frozenset[Asks] = frozenset()
    """What the moment allows, whatever the one check asks for."""
    world: World | None = None
    known: StateStore | None = None
    mode: InventoryMode = "full"
    lines: Sequence[FaultLine] = ()
    edited: Edited | None = None
    edited_since: str = ""
    outlook: Outlook | None = None
    read_facts: Facts | None = None
    read_routes: RoutesRead | None = None
    making: Callable[[str], AbstractContextManager[None]] = _as_it_is
    answers: Answers = field(default_factory=Answers)

    def opened(self, asks: frozenset[Asks]) -> Case:
        """The same case as a check sees it that asks for ``asks``."""
        return replace(self, may_ask=asks, allowed=self.may_ask)

    # What a check asks for.

    @property
    def state(self) -> StateStore:
        self._require(Asks.STATE)
        if self.known is None:
            raise InternalError("a check asks for recorded state where there is none")
        return self.known

    @property
    def routes(self) -> RoutesRead:
        self._require(Asks.ROUTES)
        return self.read_routes or RoutesRead()

    @property
    def addresses(self) -> Mapping[str, str]:
        """The endpoints of accounts that could be opened."""
        return {} if self.world is None else {name: one.endpoint for name, one in self.world.stores.items()}

    @property
    def facts(self) -> Facts:
        if self.read_facts is None:
            raise InternalError("a check asks for what only the doctor reads")
        return self.read_facts

    @property
    def ports(self) -> World:
        """The doors to the gates' sources, to accounts, to the resource manager: whichever the check said it needs."""
        if not self.may_ask & {Asks.GATES, Asks.ACCOUNTS, Asks.ESTATE}:
            raise InternalError("a check asks an account that did not say so")
        return self._world(*self.may_ask)

    def store(self, account: str) -> ObjectStore:
        return self._world(Asks.ACCOUNTS).stores[account]

    async def containers(self, account: str) -> Sequence[ContainerInfo] | None:
        """All of its; none of a target that ``apply`` makes; None if it cannot be read, which is kept as its fault."""
        world, answers = self._world(Asks.ACCOUNTS), self.answers
        if account not in answers.containers and account not in answers.faults:
            try:
                if await self._is_to_be_created(account):
                    answers.containers[account] = ()
                    answers.absent.add(account)
                    return ()
                if account in world.unopened:
                    raise world.unopened[account]
                begun = world.clock.monotonic()
                answers.containers[account] = await world.stores[account].containers()
                answers.took[account] = world.clock.monotonic() - begun
            except CloudError as fault:
                if account not in self.sources and _will_be_made(self.schedule.accounts[account], fault):
                    answers.containers[account] = ()
                    answers.absent.add(account)
                elif self.when in RUNS:
                    raise
                else:
                    answers.faults[account] = fault
        return answers.containers.get(account)

    async def shape(self, account: str) -> AccountShape | None:
        """The account as the resource manager has it; None: it is not there, or that cannot be asked, which is kept as its fault.
        Only of accounts that a run may create."""
        answers, estate = self.answers, self._world().estate
        if account not in answers.shapes and account not in answers.unasked and estate is not None:
            try:
                answers.shapes[account] = await estate.shape(self.schedule.accounts[account])
            except CloudError as fault:
                if self.when in RUNS:
                    raise
                answers.unasked[account] = fault
        return answers.shapes.get(account)

    def is_azures(self, account: Account) -> bool:
        """Can the resource manager know it? An account on this machine is known to the one that the plan names alone."""
        is_here = is_loopback(account.endpoint or "") and "resource_manager" not in self.schedule.cloud
        return not (ACCOUNTS[account.kind].is_embedded or is_here)

    async def habits(self, account: str) -> Habits | None:
        """None: it is not there yet, nobody knows where it is, or that cannot be asked: a fault of the resource manager stops
        nobody, here or in a run."""
        answers, estate, known = self.answers, self._world().estate, self.schedule.accounts[account]
        if estate is None or not (self.is_azures(known) and is_placed(known)):
            return None
        if account not in answers.habits and account not in answers.unproved:
            try:
                shape = await estate.shape(known)
                is_there = shape is not None and shape.is_ready
                answers.habits[account] = Habits(shape, await estate.settings(known)) if shape and is_there else None
            except CloudError as fault:
                answers.unproved[account] = fault
        return answers.habits.get(account)

    async def _is_to_be_created(self, account: str) -> bool:
        """Is it a target that the resource manager does not know yet, or is still creating?"""
        if self.when in RUNS or account in self.sources or account not in {move.target for move in self.creating}:
            return False
        shape = await self.shape(account)
        return account in self.answers.shapes and (shape is None or not shape.is_ready)

    @contextmanager
    def asking(self, account: str) -> Iterator[None]:
        """Around questions to the resource manager: a CloudError in here is kept as why ``account`` was not asked about."""
        try:
            yield
        except CloudError as fault:
            if self.when in RUNS:
                raise
            self.answers.unasked.setdefault(account, fault)

    @property
    def creating(self) -> list[PlannedMove]:
        """The moves whose target a run may still create. Once a move has begun to copy its target is there, and whoever goes on
        with it needs no right at the resource manager."""
        known = {one.id: one for one in self.known.moves()} if self.known is not None else {}
        waiting = (one for one in self.moves if one.id not in known or is_before_copy(known[one.id].state))
        return [one for one in waiting if is_created(self.schedule.accounts[one.target])]

    @property
    def ahead(self) -> list[PlannedMove]:
        """The moves whose switch is still to come, halted before it or not."""
        known = {one.id: one for one in self.known.moves()} if self.known is not None else {}
        return [one for one in self.moves if one.id not in known or _is_ahead(known[one.id])]

    @property
    def sources(self) -> set[str]:
        return {move.source for move in self.moves}

    async def at_source(self, move: PlannedMove) -> list[ContainerInfo] | None:
        """The containers of the move that its source has; None if it cannot be read."""
        found = await self.containers(move.source)
        return None if found is None else [info for info in found if move.area.prefixes_in(info.name)]

    @contextmanager
    def reading(self, account: str) -> Iterator[None]:
        """Around requests to ``account``: a CloudError in here is its one fault, and in a run it is raised."""
        try:
            yield
        except CloudError as fault:
            if self.when in RUNS:
                raise
            self.answers.faults.setdefault(account, fault)

    # What whoever makes the case has asked beforehand.

    async def reach(self) -> None:
        """Ask all accounts of the moves, side by side."""
        await together(*(self.containers(name) for name in sorted(_accounts(self.moves))))

    async def count(self) -> None:
        """Count or sample the sources, as ``mode`` says, and what of them a move cannot keep."""
        if self.mode != "cached":
            await together(*(self._count(move) for move in self.moves))

    async def _count(self, move: PlannedMove) -> None:
        there = await self.at_source(move)
        if there is None:
            return
        world, counted = self._world(Asks.LISTINGS), Counter[str]()
        store, features = world.stores[move.source], self.answers.features.setdefault(move.id, {})

        def told(objects: int) -> None:
            counted[""] += objects
            world.reporter.progress(str(move.id), counted=counted[""])

        with self.reading(move.source):
            turn, now = asyncio.Semaphore(LISTED_AT_ONCE), world.clock.monotonic
            seams: dict[tuple[str, str], Seams] = {}

            async def part(container: str, prefix: str) -> tuple[Inventory, Features | None]:
                found = seams.setdefault((container, prefix), Seams())
                async with turn:
                    if self.mode != "full":
                        chance = world.clock.random
                        return await sample(store, container, prefix, now=now, chance=chance, seams=found), None
                    return await survey(store, container, prefix, now=now, counted=told, seams=found)

            places = [(info.name, prefix) for info in there for prefix in move.area.prefixes_in(info.name)]
            parts = await together(*(part(*place) for place in places))
            for (container, prefix), (_, kinds) in zip(places, parts, strict=True):
                if kinds is not None:
                    features[f"{store.account}/{container}" + (f"/{prefix}" if prefix else "")] = kinds
            self.answers.inventories[move.id] = summed([found for found, _ in parts])
            self.answers.seams[move.id] = {place: tuple(one.names) for place, one in seams.items() if one.names}

    def _world(self, *asks: Asks) -> World:
        for one in asks:
            self._require(one)
        if self.world is None:
            raise InternalError("a check asks where nobody can be asked")
        return self.world

    def _require(self, asks: Asks) -> None:
        if asks not in self.may_ask:
            raise InternalError(f"a check asks for {asks} that did not say so")


def of_facts(judge: Callable[[Facts], Iterable[Finding]]) -> Callable[[Case], Iterable[Finding]]:
    """A check of what the doctor read."""
    return lambda case: judge(case.facts)


def _is_ahead(record: MoveRecord) -> bool:
    return not (is_past_switch(record.resume_from or record.state) or is_going_back(record))


def _accounts(moves: Sequence[PlannedMove]) -> set[str]:
    return {name for move in moves for name in (move.source, move.target)}


def _will_be_made(account: Account, fault: CloudError) -> bool:
    """Is it only that a target is not there yet, and apply makes it?"""
    is_absent = isinstance(fault, NotFound) and fault.what == "account"
    return is_absent and ACCOUNTS[account.kind].will_be_made(account)


def kinds_not_kept(features: Mapping[str, Features]) -> dict[str, tuple[str, ...]]:
    """By place, what a move cannot keep: kinds, no counts."""
    found = {place: tuple(name for name in FEATURES if getattr(one, name)) for place, one in features.items()}
    return {place: kinds for place, kinds in found.items() if kinds}
