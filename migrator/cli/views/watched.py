"""What whoever watches a rollout knows at a moment: the last look at the state store, and what a running engine said since.

Decides which of both is newer, how fast a move or wave goes and when it is through. Leaves the look to ``views.board``. Rule: a
look may be some seconds old, so a note that came after it has the word on its move; and it takes a small share of the time only,
because the engine runs in the same process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from migrator.cli.views.progress import Note
from migrator.cli.views.rates import Rates
from migrator.cli.views.rows import is_of, rests
from migrator.forecast import MoveForecast
from migrator.machine.states import has_arrived, has_stopped, is_before_catching_up, is_copying, is_in_fence
from migrator.machine.waves import wave_state
from migrator.model.happenings.fences import FenceForecast
from migrator.model.happenings.moves import StateChanged
from migrator.model.moves import Direction, MoveRecord, MoveState, WaveState
from migrator.model.values import replace, value
from migrator.standing.values import MoveStanding, Standing, WaveStanding

LOOK_SECONDS: Final = 2.0
"""Between two looks at the state store, at least."""
LOOK_REST: Final = 30
"""A look is followed by at least so many times what it worked without one."""
_BYTES: Final = "bytes of "
_BACK: Final = " (back)"
_HEARD: Final[Mapping[str, tuple[str, ...]]] = {
    "progress": (
        *("state", "direction", "objects_copied", "bytes_copied", "lag_objects", "expected"),
        "soak_left_seconds",
    ),
    StateChanged.kind: ("state", "direction"),
    FenceForecast.kind: ("forecast_seconds",),
}
"""Facts of the same names are about something else in other notes."""


@value(frozen=True, slots=True)
class MoveNow:
    """``state`` is the law's, with " (back)" on the way back. ``share``: of the first copy, or of the soak; None where nothing is
    counted. ``left_seconds``: of the same. ``fence_seconds``: so long writers have waited; None where none waits."""

    id: str
    wave: str
    state: str
    objects: int = 0
    bytes: int = 0
    expected: int | None = None
    share: float | None = None
    rate: float | None = None
    bytes_rate: float | None = None
    left_seconds: float | None = None
    lag_objects: int = 0
    lag_seconds: float = 0.0
    fence_seconds: float | None = None
    fence_forecast_seconds: float | None = None
    """As the engine said before it."""
    fence_most_seconds: float | None = None
    """As the plan's forecast allows for."""
    waits: tuple[str, ...] = ()
    """The kinds of what keeps it."""

    @property
    def is_going_back(self) -> bool:
        """Its customers are at its target until the switch back."""
        return self.state.endswith(_BACK)


@value(frozen=True, slots=True)
class WaveNow:
    """``share`` and ``left_seconds``: of the copies while there are any, then of the soaks."""

    name: str
    state: str
    moves: tuple[MoveNow, ...]
    share: float | None
    rate: float | None
    bytes_rate: float | None
    left_seconds: float | None
    lag_objects: int
    soaked_at: datetime | None = None
    """When it will have soaked, by the forecast of the last look; None where one of its moves stopped or goes back."""

    @property
    def is_copying(self) -> bool:
        return any(is_of(move.state, is_before_catching_up) for move in self.moves)


class Watched:
    """Remembers the last look, the last figures of each move, and rates."""

    def __init__(self) -> None:
        self.standing: Standing | None = None
        self._rates = Rates()
        self._facts: dict[str, Mapping[str, Any]] = {}
        self._at: dict[str, datetime] = {}
        self._fenced: dict[str, datetime] = {}

    def look(self, standing: Standing) -> None:
        """A look at the state store. What it finds of a move is older than a note that came meanwhile."""
        self.standing = standing
        for one in standing.moves:
            id = str(one.record.id)
            if id not in self._at or self._at[id] <= standing.now:
                figures = one.record.figures
                self._count(id, standing.now, figures.objects_copied, figures.bytes_copied)

    def hear(self, note: Note) -> None:
        """What the engine says of a move: its figures, another state, or how long its writers will wait."""
        known = {name: note.facts[name] for name in _HEARD.get(note.happening or note.kind, ()) if name in note.facts}
        if not note.move or not known:
            return
        self._facts[note.move] = {**self._facts.get(note.move, {}), **known}
        if "state" in known:
            self._at[note.move] = note.at
            if is_of(str(known["state"]), is_in_fence):
                self._fenced.setdefault(note.move, note.at)
            else:
                self._fenced.pop(note.move, None)
        if "objects_copied" in known:
            self._count(note.move, note.at, known["objects_copied"] or 0, known.get("bytes_copied") or 0)

    def _count(self, id: str, at: datetime, objects: int, bytes: int) -> None:
        self._rates.add(id, at.timestamp(), objects)
        self._rates.add(_BYTES + id, at.timestamp(), bytes)

    def rates(self, now: datetime) -> Mapping[str, float]:
        """Objects a second by move, where they are known."""
        return {id: rate for id, rate in self._rates.known(now.timestamp()).items() if not id.startswith(_BYTES)}

    def waves(self, now: datetime) -> list[WaveNow]:
        """Every wave in the plan's order; of an engine whose store nobody has read yet, what it said of its moves."""
        if self.standing is None:
            moves = [self._move(id, None, now) for id in self._facts]
            return [_wave("", "", moves, None)] if moves else []
        found = []
        for wave in self.standing.waves:
            moves = [self._move(str(one.record.id), one, now) for one in wave.moves]
            found.append(_wave(wave.name, self._state(wave), moves, self._soaked_at(wave.name)))
        return found

    def _state(self, wave: WaveStanding) -> str:
        """By the law, where the engine said something of one of its moves after the look."""
        newer = [self._heard(one.record) for one in wave.moves]
        if all(new is one.record for new, one in zip(newer, wave.moves, strict=True)):
            return str(wave.state)
        return str(wave_state(newer, is_waiting=wave.state is WaveState.WAITING))

    def _heard(self, record: MoveRecord) -> MoveRecord:
        id = str(record.id)
        if not self._is_newer(id) or (state := self._facts[id]["state"]) == record.state:
            return record
        return replace(record, state=MoveState(state))

    def _is_newer(self, id: str) -> bool:
        return id in self._at and (self.standing is None or self._at[id] > self.standing.now)

    def move(self, id: str, now: datetime) -> MoveNow | None:
        """One of them; None if nobody knows of it."""
        return next((move for wave in self.waves(now) for move in wave.moves if move.id == id), None)

    def _soaked_at(self, wave: str) -> datetime | None:
        outlook = self.standing.outlook if self.standing else None
        return next((one.soaked for one in outlook.waves if one.name == wave), None) if outlook else None

    def _move(self, id: str, standing: MoveStanding | None, now: datetime) -> MoveNow:
        facts = self._facts.get(id, {})
        is_newer = standing is None or self._is_newer(id)
        forecast = self._forecast(id)
        known = {**_recorded(standing), **(facts if is_newer else {})}
        state, is_back = str(known.get("state", "")), known.get("direction") == Direction.REVERSE
        is_back = is_back and not is_of(state, has_arrived)
        expected = None if is_back else facts.get("expected") or (forecast.inventory.objects if forecast else None)
        share, left = self._progress(id, state, known, expected, now)
        rate = self._rates.of(id, now.timestamp()) if is_of(state, is_copying) else None
        return MoveNow(
            id,
            standing.record.wave if standing else "",
            f"{state}{_BACK if is_back else ''}",
            known.get("objects_copied") or 0,
            known.get("bytes_copied") or 0,
            expected or None,
            share,
            rate,
            self._rates.of(_BYTES + id, now.timestamp()) if rate is not None else None,
            left,
            0 if is_of(state, has_arrived) else known.get("lag_objects") or 0,
            0.0 if is_of(state, has_arrived) else known.get("lag_seconds") or 0.0,
            self._fence_age(id, state, standing, is_newer=is_newer, now=now),
            facts.get("forecast_seconds"),
            forecast.fence_seconds if forecast else None,
            tuple(wait.kind for wait in standing.waits) if standing and not is_newer else (),
        )

    def _forecast(self, id: str) -> MoveForecast | None:
        outlook = self.standing.outlook if self.standing else None
        return next((one for move, one in outlook.moves.items() if str(move) == id), None) if outlook else None

    def _progress(
        self, id: str, state: str, known: Mapping[str, Any], expected: int | None, now: datetime
    ) -> tuple[float | None, float | None]:
        done = known.get("objects_copied") or 0
        if is_of(state, is_before_catching_up) and expected:
            rate = self._rates.of(id, now.timestamp())
            return min(1.0, done / expected), max(0.0, expected - done) / rate if rate else None
        wanted, left = known.get("soak_wanted_seconds"), known.get("soak_left_seconds")
        if state == MoveState.SOAKING and left is not None:
            return (max(0.0, min(1.0, 1 - left / wanted)) if wanted else None), left
        return None, None

    def _fence_age(
        self, id: str, state: str, standing: MoveStanding | None, *, is_newer: bool, now: datetime
    ) -> float | None:
        if standing is not None and standing.is_fenced and self.standing and not (is_newer and id not in self._fenced):
            return (standing.fence_seconds or 0.0) + max(0.0, (now - self.standing.now).total_seconds())
        if is_newer and is_of(state, is_in_fence) and id in self._fenced:
            return max(0.0, (now - self._fenced[id]).total_seconds())
        return None


def _recorded(standing: MoveStanding | None) -> dict[str, Any]:
    if standing is None:
        return {}
    record, figures = standing.record, standing.record.figures
    return {
        "state": str(record.state),
        "direction": record.direction,
        "objects_copied": figures.objects_copied,
        "bytes_copied": figures.bytes_copied,
        "lag_objects": figures.lag_objects,
        "lag_seconds": figures.lag_seconds,
        "soak_left_seconds": standing.soak_left_seconds,
        "soak_wanted_seconds": standing.soak_wanted_seconds,
    }


def _wave(name: str, state: str, moves: Sequence[MoveNow], soaked_at: datetime | None) -> WaveNow:
    copying = [move for move in moves if is_of(move.state, is_before_catching_up)]
    rates = [move.rate for move in moves if move.rate is not None]
    bytes_rates = [move.bytes_rate for move in moves if move.bytes_rate is not None]
    rate = sum(rates) if rates else None
    share, left = _copied(moves, copying, rate) if copying else _soaked(moves)
    return WaveNow(
        name,
        state,
        tuple(moves),
        share,
        rate,
        sum(bytes_rates) if bytes_rates else None,
        left,
        sum(move.lag_objects for move in moves),
        None if any(move.is_going_back or is_of(move.state, has_stopped) for move in moves) else soaked_at,
    )


def _copied(
    moves: Sequence[MoveNow], copying: Sequence[MoveNow], rate: float | None
) -> tuple[float | None, float | None]:
    """Of all that a wave copies; it is through when the slowest is, and not before all is divided by what flows now. Nobody knows
    either where the size of a move is not known."""
    if any(not move.expected for move in moves):
        return None, None
    wanted = sum(move.expected or 0 for move in moves)
    ahead = sum(max(0, (move.expected or 0) - move.objects) for move in copying)
    each = [move.left_seconds for move in copying if move.left_seconds is not None]
    return max(0.0, 1 - ahead / wanted), max([ahead / rate, *each]) if rate else None


def _soaked(moves: Sequence[MoveNow]) -> tuple[float | None, float | None]:
    """Of the soak that has come least far, once all are in theirs or through."""
    soaking = [move for move in moves if move.state == MoveState.SOAKING]
    if not soaking or any(move.share is None for move in soaking):
        return None, None
    if any(move not in soaking and not rests(move.state) for move in moves):
        return None, None
    return min(move.share or 0.0 for move in soaking), max(move.left_seconds or 0.0 for move in soaking)


class Looks:
    """Looks at the state store now and then, for a small share of the time."""

    def __init__(self, look: Callable[[], Standing | None], seconds: float = LOOK_SECONDS) -> None:
        self._look = look
        self._seconds = seconds
        self._next = 0.0

    def into(self, watched: Watched) -> bool:
        """Look if it is time to. False if it was not, or nothing could be seen."""
        now = time.monotonic()
        if now < self._next:
            return False
        is_first, worked = self._next == 0.0, time.thread_time()
        standing = self._look()
        worked = 0.0 if is_first else time.thread_time() - worked  # the first one loads what all of them need
        self._next = now + max(self._seconds, LOOK_REST * worked)
        if standing is not None:
            watched.look(standing)
        return standing is not None
