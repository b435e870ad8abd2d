"""What passes are about: one move in one direction, its doors, its limits, and what passes remember of each other.

Decides nothing; passes.py, walk.py and the files beside them work on it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from migrator.errors import LockedError, MigrateError, OutcomeUnknown
from migrator.model.happenings.happening import Journaled
from migrator.model.moves import Direction, ExceptionRow, Outstanding
from migrator.model.names import Area, MoveId
from migrator.model.objects import LIST_PAGE
from migrator.model.rhythm import USUAL, Rhythm
from migrator.model.values import replace
from migrator.ports.clock import Clock
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import Change, DropOutstanding, PutOutstanding, StateStore
from migrator.transfer.copying import Copier
from migrator.transfer.hands import Hands
from migrator.transfer.result import PassResult
from migrator.transfer.sights import Sights
from migrator.transfer.waits import Waits

Place = tuple[str, str]
"""(container, name)"""
Kind = Literal["create", "replace", "delete"]
PARALLEL = 128
"""Actions under way at once in one range of names."""


class GivenUp(Exception):
    """A pass that was told to come to its end: what it had sent is answered and on record, and no more was begun."""


def _set() -> asyncio.Event:
    made = asyncio.Event()
    made.set()
    return made


@dataclass(slots=True)
class Transfer:
    """The data plane of one move in one direction.

    ``commit`` is the engine's: it adds what must be written in the same transaction (figures) and checks the token.
    ``admit`` is awaited before every action and range: it waits while paused and raises when the run must stop or the
    route record is not ours any more. ``bound_seconds``: how long an unanswered write may still be applied.
    ``hands`` copy small blobs in batches; ``admit_until`` is awaited before each batch: like ``admit``, and it answers
    until when (monotonic) the batch may be sent. Without hands everything goes one by one.
    """

    move: MoveId
    area: Area
    direction: Direction
    source: ObjectStore
    target: ObjectStore
    state: StateStore
    clock: Clock
    commit: Callable[[Sequence[Change], PassResult], None]
    admit: Callable[[], Awaitable[None]]
    bound_seconds: float
    inherited_seconds: Callable[[], float]
    """How long requests of an earlier run, which did not end in order, may still be applied."""
    waits: Waits = field(default_factory=Waits)
    max_delete_ratio: float = 0.01
    deletes_counted: int = 0
    deletes_accepted: int = 0
    on_conflict: str | None = None
    prove_share: float = 0.0
    """Of all names, those whose record must have its content bit: both sides are read once for each pair of generations."""
    is_adopting: bool = False
    """What evidence does not cover at the side that the route does not name is compared by content before it is foreign."""
    note: Callable[[Journaled], Change] | None = None
    """Makes the journal's row of a happening, to be committed with what it speaks of."""
    keeps_public_access: bool = True
    """Are containers made with the public access that they have at the origin?"""
    page_size: int = LIST_PAGE
    parallel: int = PARALLEL
    hands: Hands | None = None
    admit_until: Callable[[], Awaitable[float]] | None = None
    copier: Copier | None = None
    kept: int = 0
    """Objects that were saved before they lost."""
    staged: set[Place] = field(default_factory=set)
    """Names whose copy in blocks was begun and is not known to be whole."""
    refused_creates: set[Place] = field(default_factory=set)
    """Names that the destination did not list and yet did not let us create: uncommitted blocks may lie there."""
    exceptions: dict[tuple[str, str], ExceptionRow] = field(default_factory=dict)
    outstanding: dict[tuple[str, str], Outstanding] = field(default_factory=dict)
    unsettled: set[Place] = field(default_factory=set)
    """Names of ``outstanding`` at which this pass found something that may be theirs, and has not settled what it is."""
    unwritten: dict[tuple[str, str], Outstanding] = field(default_factory=dict)
    """Of ``outstanding``, what the state store did not take: it is kept here until it does."""
    keeps_warm: bool = False
    """The destination is the side that customers left and may go back to: what is surely theirs is carried over, and what others
    did there is left as it is, without a row: the watch lists it, and a way back settles it."""
    is_kept_warm: bool = False
    """Of a watch: the side that must be still is written by passes of ours, some of which may have been broken off."""
    is_ending: bool = False
    """Nothing more is begun: see ``GivenUp``."""
    acts: int = 0
    """Lists of actions that are being carried out side by side."""
    at_rest: asyncio.Event = field(default_factory=_set)
    """Nothing is under way to the destination."""
    linger: Callable[[float], None] = lambda seconds: None
    """A write may be applied for so long, and nobody could write that down: no cut-over of any move may begin before."""
    starts: dict[str, bool] = field(default_factory=dict)
    """Accounts that were asked whether they list from a name on, and what came of it."""
    unlike: Counter[Place] = field(default_factory=Counter)
    """(container, prefix) whose lanes did not join up, and how often."""
    sights: Sights = field(default_factory=Sights)
    """Ranges in which everything was at rest, by what both listings said of them."""
    rhythm: Rhythm = USUAL
    """How often it tries and how much it takes at once."""

    @property
    def origin(self) -> ObjectStore:
        return self.source if self.direction is Direction.FORWARD else self.target

    @property
    def destination(self) -> ObjectStore:
        return self.target if self.direction is Direction.FORWARD else self.source

    def load(self) -> None:
        """Read what earlier passes left: exceptions and unanswered writes. What the store did not take then, it is given again.

        Raises:
            StateError: it takes nothing now either.
        """
        if self.unwritten:
            self.commit([PutOutstanding(self.move, write) for write in self.unwritten.values()], PassResult())
            self.unwritten.clear()
        self.exceptions = {(r.container, r.name): r for r in self.state.exceptions(self.move, limit=100_000)}
        self.outstanding = {(w.container, w.name): w for w in self.state.outstanding(self.move)}
        self.waits.see(self.outstanding.values(), self.clock.monotonic())

    async def require_wanted(self) -> None:
        """GivenUp once nothing more is to be begun, and what was sent is answered."""
        if self.is_ending:
            await self.at_rest.wait()
            raise GivenUp

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Around whatever writes to the destination, beside others: ``at_rest`` is for all of them."""
        self.acts += 1
        self.at_rest.clear()
        try:
            yield
        finally:
            self.acts -= 1
            if not self.acts:
                self.at_rest.set()

    def expired(self) -> list[Outstanding]:
        """Unanswered writes that cannot be applied any more."""
        now = self.clock.monotonic()
        return [write for write in self.outstanding.values() if self.waits.left(write, now) <= 0]

    def unanswered(
        self, container: str, name: str, kind: Kind, etag: str | None, *, bound_seconds: float = 0.0
    ) -> Outstanding:
        """A write of ours to the destination that was sent now and not answered. ``bound_seconds``: its own bound, where that
        is longer than what counts for objects."""
        side: Literal["source", "target"] = "target" if self.direction is Direction.FORWARD else "source"
        write = Outstanding(side, container, name, kind, etag, self.clock.now(), max(bound_seconds, self.bound_seconds))
        self.waits.see([write], self.clock.monotonic())
        return write

    @contextmanager
    def visible(self, container: str, name: str, kind: Kind, etag: str | None = None) -> Iterator[None]:
        """Around the sending of a write that customers can see: if it is not answered, or cut off, it is put on record before
        the error goes up. ``etag``: what a replacement or a delete is conditional on."""
        try:
            yield
        except (OutcomeUnknown, asyncio.CancelledError):
            self.leave([self.unanswered(container, name, kind, etag)])
            raise

    def leave(self, writes: Sequence[Outstanding]) -> None:
        """Put writes of ours on record that were sent, or may have been, and that nobody waits for any more: they can be applied
        until their credential has expired. Never fails: what a busy store does not take is remembered here, and no cut-over
        begins before it is harmless. A store that belongs to another run takes nothing, and needs nothing: that run waits for
        this one's credentials."""
        for write in writes:
            known = self.outstanding.get((write.container, write.name))
            if write.kind != "create" and known is not None and known.kind == "create":
                write = replace(write, kind="create", if_match=None)  # it can be applied for longer than any other
                self.waits.see([write], self.clock.monotonic())
            self.outstanding[write.container, write.name] = write
            self.unwritten[write.container, write.name] = write
        if not self.unwritten:
            return
        try:
            self.commit([PutOutstanding(self.move, write) for write in self.unwritten.values()], PassResult())
        except LockedError:
            return
        except MigrateError:
            self.linger(max(write.bound_seconds for write in self.unwritten.values()))
            return
        self.unwritten.clear()

    def settled(self, container: str, name: str) -> list[DropOutstanding]:
        """What to commit of a write that cannot be applied any more."""
        self.unwritten.pop((container, name), None)
        write = self.outstanding.pop((container, name), None)
        return [] if write is None else [DropOutstanding(self.move, write.side, write.container, write.name)]

    def inherit(self, container: str, name: str) -> list[PutOutstanding]:
        """What to commit of a create that an earlier run announced and never saw answered; nothing if it is on record already,
        or cannot be applied any more."""
        left = self.inherited_seconds()
        if left <= 0 or (container, name) in self.outstanding:
            return []
        write = replace(self.unanswered(container, name, "create", None), bound_seconds=left)
        self.outstanding[container, name] = write
        return [PutOutstanding(self.move, write)]

    def delete_cap(self, destination_objects: int) -> int:
        always = self.rhythm.sizes.min_delete_cap
        return max(always, int(self.max_delete_ratio * destination_objects), self.deletes_accepted)
