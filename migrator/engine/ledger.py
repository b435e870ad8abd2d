"""What a move writes down: its record, with the figures, the intent and the journal entry that belong to it, in one commit.

Leaves to the law which state follows an event. Rule: ``record`` changes after the store took it, never before.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from migrator.engine.context import Context
from migrator.engine.showing import expected_objects, progress_of
from migrator.errors import StateError
from migrator.forecast.converging import Convergence
from migrator.machine.events import Event
from migrator.machine.states import is_copying
from migrator.machine.transitions import follow, live_side
from migrator.model.happenings.happening import Journaled, Shown
from migrator.model.happenings.moves import StateChanged
from migrator.model.moves import Direction, MoveRecord
from migrator.model.values import replace
from migrator.ports.state_store import AddJournal, Change, SaveMove
from migrator.transfer.result import PassResult
from migrator.words.journal import entry

OF_A_DIRECTION: Final = {"passes": 0, "passes_behind": 0}
"""Figures that begin anew with another direction."""
OF_A_SIDE: Final = {"deletes_counted": 0, "deletes_accepted": 0}
"""Figures that begin anew when the live side changes, or the side that is written to: what keeps the source warm while customers
are at the target, and the way back after it, are under one cap."""


@dataclass(slots=True)
class Ledger(Context):
    """A move, and how what becomes of it is written down and told."""

    _pending: list[Change | Journaled] = field(default_factory=list)
    _fields: dict[str, Any] = field(default_factory=dict)
    _expected: int | None = None

    def note(self, happening: Journaled, *, actor: str = "engine") -> AddJournal:
        """The journal's row alone, for what is shown at another moment or not at all."""
        now, run = self.world.clock.now(), self.shared.run.id
        return AddJournal(entry(happening, now, actor=actor, wave=self.wave.name, move=self.id, run=run))

    def tell(self, happening: Shown) -> None:
        """Show it alone, because it goes to no journal, or its row is committed apart."""
        self.world.reporter.event(happening, str(self.id))

    def commit(self, *changes: Change | Journaled) -> None:
        """What happened goes to the journal with the other changes, and is shown once it is there."""
        rows = [self.note(one) if isinstance(one, Journaled) else one for one in changes]
        self.world.state.commit(rows, token=self.shared.session.token)
        for one in changes:
            if isinstance(one, Shown):
                self.tell(one)

    def figures(self, **changed: Any) -> MoveRecord:
        """The record with these figures changed; not committed yet."""
        return replace(self.record, figures=replace(self.record.figures, **changed))

    def save(self, record: MoveRecord, *changes: Change | Journaled) -> None:
        self.commit(SaveMove(record), *changes)
        self.record = record
        self.show()

    def show(self, **more: Any) -> None:
        """The move's figures for whoever watches, with what a step knows beyond them."""
        if self._expected is None:
            with suppress(StateError):  # what is shown was committed; whoever commits again would do it twice
                self._expected = expected_objects(self.plan, self.world.state)
        self.world.reporter.progress(str(self.id), **progress_of(self.record, self._expected or 0), **more)

    def happen(self, event: Event, *changes: Change | Journaled, reason: str = "", **fields: Any) -> None:
        """Follow the law and commit the new state with what belongs to it."""
        before = self.record
        after = replace(follow(before, event, reason=reason), since=self.world.clock.now(), **fields)
        if after.direction is not before.direction:
            self.convergence = Convergence()
            after = replace(after, figures=replace(after.figures, **OF_A_DIRECTION))
        if live_side(after) != live_side(before) or (
            after.direction is not before.direction and live_side(before) == "source"
        ):
            after = replace(after, figures=replace(after.figures, **OF_A_SIDE))
        after = _timed(before, after)
        changed = StateChanged(
            before.state.value, event.value, after.state.value, after.direction.value, after.epoch, reason
        )
        self.save(after, self.note(changed), *changes)
        self.tell(changed)

    def checkpoint(self, changes: Sequence[Change], tally: PassResult) -> None:
        """What the data plane commits, with the figures that go with it."""
        f = self.record.figures
        record = self.figures(
            objects_copied=f.objects_copied + tally.copied,
            bytes_copied=f.bytes_copied + tally.copied_bytes,
            objects_deleted=f.objects_deleted + tally.deleted,
            deletes_counted=f.deletes_counted + tally.deletes_reserved,
        )
        if record.figures != f:
            self.save(record, *changes)
        else:
            self.commit(*changes)

    def warm_checkpoint(self, changes: Sequence[Change], tally: PassResult) -> None:
        """What a pass commits that keeps the source warm: of the move's figures only the cap's count is about it."""
        if tally.deletes_reserved:
            counted = self.record.figures.deletes_counted + tally.deletes_reserved
            self.save(self.figures(deletes_counted=counted), *changes)
        else:
            self.commit(*changes)

    def with_event(self, *changes: Change | Journaled, **fields: Any) -> None:
        """Let these go into the commit of the event that the step is about to report."""
        self._pending.extend(changes)
        self._fields.update(fields)

    def take_pending(self) -> tuple[Sequence[Change | Journaled], dict[str, Any]]:
        """What ``with_event`` was given, once."""
        taken = self._pending, self._fields
        self._pending, self._fields = [], {}
        return taken


def _timed(before: MoveRecord, after: MoveRecord) -> MoveRecord:
    """The time spent in a state of copying goes into the figures when that state ends."""
    if (
        not is_copying(before.state)
        or before.direction is Direction.REVERSE
        or before.since is None
        or after.since is None
    ):
        return after
    spent = after.figures.copy_seconds + (after.since - before.since).total_seconds()
    return replace(after, figures=replace(after.figures, copy_seconds=round(spent, 3)))
