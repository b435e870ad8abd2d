"""What came of a rehearsal, as values without a word for a screen."""

from __future__ import annotations

from datetime import datetime

from migrator.model.moves import MoveState
from migrator.model.names import MoveId
from migrator.model.values import value


@value(frozen=True, slots=True)
class Obstacle:
    """What would stop the real rollout.

    ``code``: a finding's code, or ``halted``, ``rolled-back``, ``never-done``, ``late``, ``cannot-catch-up``, ``lost-writes``;
    ``subject``: a move, a wave or an account; ``text``: one sentence without a full stop; ``remedy`` may be empty.
    """

    code: str
    subject: str
    text: str
    remedy: str = ""


@value(frozen=True, slots=True)
class RehearsedMove:
    """``objects`` were rehearsed in the place of ``real_objects`` (None: nobody knows). Seconds are the rehearsal's clock; None
    where it did not come to that. ``forecast_*``: of the real run. ``writes``: acknowledged by the account that the route named.
    """

    id: MoveId
    objects: int
    real_objects: int | None
    state: MoveState
    pause_seconds: float | None
    back_pause_seconds: float | None
    forecast_copy_seconds: float | None
    forecast_pause_seconds: float | None
    writes: int
    lost: int


@value(frozen=True, slots=True)
class RehearsedWave:
    """``begun``, ``done`` (soaked) and ``complete_by`` by the rehearsal's clock, in which copying takes no time to speak of;
    ``forecast``: when the real one is expected to have soaked."""

    name: str
    moves: tuple[RehearsedMove, ...]
    begun: datetime | None
    done: datetime | None
    forecast: datetime | None
    complete_by: datetime | None
    is_approved_for_it: bool


@value(frozen=True, slots=True)
class Rehearsal:
    """``begins``, ``ends``: by the accelerated clock; ``scale``: rehearsed objects in the place of one real one; ``assumed``:
    what the rehearsal took for granted, a sentence each; ``faults``: what was done to it, a sentence each."""

    plan: str
    scale: float
    begins: datetime
    ends: datetime
    waves: tuple[RehearsedWave, ...]
    obstacles: tuple[Obstacle, ...]
    assumed: tuple[str, ...]
    faults: tuple[str, ...]
    requests: int

    @property
    def moves(self) -> tuple[RehearsedMove, ...]:
        return tuple(move for wave in self.waves for move in wave.moves)
