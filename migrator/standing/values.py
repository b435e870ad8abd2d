"""How a rollout stands, as values: what each wave and move is at, what it waits for, and who is at work.

Decides the shape alone. ``assess`` fills it, ``within`` narrows it, whoever shows or reports it reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Final

from migrator.errors import UsageError
from migrator.forecast import Outlook
from migrator.forecast.outcome import Comparison
from migrator.machine.release import Fate
from migrator.machine.waiting import Wait
from migrator.model.moves import (
    Control,
    ExceptionRow,
    LockRecord,
    MoveRecord,
    WaveState,
)
from migrator.model.pace import Pace
from migrator.model.samples import Sample
from migrator.model.values import replace, value
from migrator.standing.left_target import Looked
from migrator.standing.retiring import MayRetire, Retired
from migrator.standing.silence import Silent
from migrator.standing.soak_waits import SoakWaits
from migrator.standing.streamed import Streamed
from migrator.standing.way_back import Readiness

MOST_LISTED: Final = 100


@value(frozen=True, slots=True)
class Followers:
    """Of one move, by a look at the register; as people call them. ``awaited``: who has not answered its fence; None where none
    is being drained."""

    entered: int
    silent: tuple[str, ...] = ()
    awaited: tuple[str, ...] | None = None


@value(frozen=True, slots=True)
class MoveStanding:
    """``fence_seconds``: age of the open fence, else how long the last one kept writers waiting, None before the first.
    ``is_fenced``: writers wait, or may wait."""

    record: MoveRecord
    is_fenced: bool
    fence_seconds: float | None
    soak_left_seconds: float | None
    waits: tuple[Wait, ...] = ()
    soak_wanted_seconds: float | None = None
    gates: tuple[Sample, ...] = ()
    """The last sample of each gate since the switch, while it soaks."""
    listed: tuple[ExceptionRow, ...] = ()
    """Objects that a person should know of; the first MOST_LISTED by name."""
    listed_counts: Mapping[str, int] = field(default_factory=dict)
    """All of them, by kind."""
    looked: Looked | None = None
    """The last look at the target, if customers have left it."""
    soak_waits: SoakWaits | None = None
    """What its soak waits for, as the last round saw it."""
    remedy: str = ""
    """What would let a soak go on that stands still."""
    settled: Fate | None = None
    """A fence is on record, and the route says what became of it: released or switched."""
    disagreement: str = ""
    """Why its route is not as this store knows it, where somebody looked."""
    way_back: Readiness | None = None
    """Where passes keep the source warm: is the way back ready, and about how long does it take?"""
    silent: tuple[Silent, ...] = ()
    """Gates that did not answer when last asked: no cut-over begins before they do."""
    followers: Followers | None = None
    """Whose fence is near or being drained: who may write, where somebody looked into the register."""
    retired: Retired | None = None
    """What was deleted at its source so far."""
    streamed: Streamed | None = None
    """The service does not copy between its accounts: all of it goes through this machine."""


@value(frozen=True, slots=True)
class WaveStanding:
    name: str
    state: WaveState
    waits: tuple[Wait, ...]
    moves: tuple[MoveStanding, ...]
    reason: str = ""
    outcome: Comparison | None = None
    """Forecast against actual so far; None before it begins."""
    may_retire: MayRetire | None = None
    """Where the plan speaks of it and all of the wave has soaked: from when on the data at its sources may be deleted."""


@value(frozen=True, slots=True)
class Standing:
    plan: str
    lock: LockRecord | None
    is_at_work: bool
    """The lock's holder gives signs of life, and is not proven dead."""
    waves: tuple[WaveStanding, ...]
    controls: tuple[Control, ...]
    now: datetime
    pace: Pace | None = None
    """How fast the run at work goes, and what holds it back; None if none is at work or nothing recent is known."""
    outlook: Outlook | None = None
    """None without a plan document."""

    @property
    def moves(self) -> tuple[MoveStanding, ...]:
        return tuple(move for wave in self.waves for move in wave.moves)


def within(standing: Standing, wave: str | None, region: str | None) -> Standing:
    """Only this wave and this region. UsageError for a name that is not there."""
    if wave is None and region is None:
        return standing
    known = [one.name for one in standing.waves]
    if wave is not None and wave not in known:
        raise UsageError(f"cannot show wave {wave}: there is no such wave", hint=f"there are {', '.join(known)}")
    waves = tuple(
        replace(one, moves=tuple(move for move in one.moves if region in (None, move.record.id.region)))
        for one in standing.waves
        if wave in (None, one.name)
    )
    if region is not None:
        waves = tuple(one for one in waves if one.moves)
    return replace(standing, waves=waves)
