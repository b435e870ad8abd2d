"""What was read before checks judge it: by the doctor, everything; by a preview, the route document.

Values only: what cannot be read is a fact like any other. Leaves reading to ``cli``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from migrator.engine.lingering import Lingering
from migrator.errors import MigrateError
from migrator.model.findings import Finding
from migrator.model.moves import LockRecord, MoveRecord
from migrator.model.names import MoveId
from migrator.model.routes import RouteDocument
from migrator.model.schedule import PlannedMove, Schedule
from migrator.model.values import value
from migrator.ports.diagnosis import Examination
from migrator.ports.register import Attendant
from migrator.standing.silence import Silent
from migrator.standing.soak_waits import SoakWaits


@value(frozen=True, slots=True)
class AccountFacts:
    """What one account answered. ``asked`` and ``answered``: this machine's wall clock around the request; ``containers``: all
    of its, None if that was not asked."""

    kind: str
    endpoint: str = ""
    examination: Examination | None = None
    error: MigrateError | None = None
    asked: datetime | None = None
    answered: datetime | None = None
    containers: frozenset[str] | None = None

    @property
    def clock_seconds(self) -> float | None:
        """How far the service's clock is ahead of ours, less what the round trip explains; None where it has none."""
        if self.examination is None or self.examination.service_time is None or not self.asked or not self.answered:
            return None
        theirs = self.examination.service_time
        earliest, latest = theirs - self.answered, theirs + timedelta(seconds=1) - self.asked
        if earliest.total_seconds() > 0:
            return earliest.total_seconds()
        return min(0.0, latest.total_seconds())


@value(frozen=True, slots=True)
class Facts:
    """All that was read, in the order: state, routes, accounts, state again. ``lineage`` is None where there is no store."""

    schedule: Schedule
    now: datetime
    lineage: str | None = None
    moves: Sequence[MoveRecord] = ()
    moves_after: Sequence[MoveRecord] = ()
    exceptions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By ``region/area``: objects by kind of exception."""
    soaks: Mapping[str, SoakWaits] = field(default_factory=dict)
    """By ``region/area``: what a soak that goes on waits for."""
    silent: Mapping[str, Sequence[Silent]] = field(default_factory=dict)
    """By ``region/area``: gates that did not answer, and keep back its cut-over."""
    lock: LockRecord | None = None
    is_at_work: bool = False
    is_proven_dead: bool = False
    lingering: Lingering = Lingering()
    """What runs that did not end in order left to be waited for."""
    edits: Sequence[Finding] = ()
    """What of an edited plan a run refuses."""
    document: RouteDocument | None = None
    routes_error: MigrateError | None = None
    roll: Sequence[Attendant] | None = None
    """Who is in the register that the document names; None where it names none, or it cannot be read (``roll_error``)."""
    roll_error: MigrateError | None = None
    accounts: Mapping[str, AccountFacts] = field(default_factory=dict)
    sqlite: tuple[int, ...] | None = None
    """The version, where the store is SQLite."""

    def record_of(self, move: PlannedMove) -> MoveRecord:
        """The move's record; a fresh one where the store has none."""
        return known_record(self.schedule, move, {one.id: one for one in self.moves})


@value(frozen=True, slots=True)
class RoutesRead:
    """The route document as a preview read it: ``document`` is None where there is none. ``unreadable``, ``unwritable``: why it
    cannot be read, or not be written. ``roll``, ``roll_error``: as ``Facts`` has them."""

    document: RouteDocument | None = None
    unreadable: MigrateError | None = None
    unwritable: MigrateError | None = None
    roll: Sequence[Attendant] | None = None
    roll_error: MigrateError | None = None


def known_record(schedule: Schedule, move: PlannedMove, records: Mapping[MoveId, MoveRecord]) -> MoveRecord:
    """``move``'s record; a fresh one where there is none yet."""
    fresh = MoveRecord(move.id, schedule.wave_of(move.id).name, move.source, move.target)
    return records.get(move.id, fresh)
