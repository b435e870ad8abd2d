"""What gates see: questions to a metric source, readings from it, verdicts, recorded samples."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from migrator.model.names import MoveId
from migrator.model.values import value


class Verdict(StrEnum):
    """Four things, four policies."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERRORED = "errored"


@value(frozen=True, slots=True)
class Question:
    """``metric`` (of ``account``, a name in the plan) or ``query``; ``$``-substitutions are already made. ``is_hourly``:
    points of an hour do, where the source has them: a week of minutes is a long answer."""

    move: MoveId
    account: str
    metric: str | None
    query: str | None
    is_hourly: bool = False


@value(frozen=True, slots=True)
class Point:
    """One minute (or one scrape). ``value`` in the metric's own unit; ``volume`` the customer requests behind it, or
    None where the source does not know."""

    at: datetime
    value: float
    volume: float | None = None


@value(frozen=True, slots=True)
class Reading:
    """``includes_own``: migration's own requests are among the figures, so that they must be subtracted. ``minutes``: how long a
    point is; what is counted by the minute is then the mean of so many."""

    points: tuple[Point, ...]
    note: str = ""
    includes_own: bool = False
    minutes: int = 1


@value(frozen=True, slots=True)
class Sample:
    """One judged sample of one gate for one move. ``begin``/``end`` bound the evaluated window.

    ``clock``: whose clock made the times (a boot of a machine), "" where nobody knows; ``tick``: that machine's steady
    seconds at ``at``. Times of two clocks are never subtracted from each other.
    ``epoch``: of the route while it was taken, so that another stay at the same account - on a clock that is ahead - is told
    apart; 0 where nobody knows.
    """

    move: MoveId
    gate: str
    at: datetime
    begin: datetime
    end: datetime
    verdict: Verdict
    value: float | None
    reason: str
    clock: str = ""
    tick: float = 0.0
    epoch: int = 0
