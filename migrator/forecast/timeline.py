"""When does each wave begin, cut over and end: forecasts laid into the calendar, from where the rollout stands.

Decides the earliest dates if nothing goes wrong. What is recorded is history; what is not begun follows these rules:

1. A wave begins when every wave it comes ``after`` has soaked, and not before ``not_before``.
2. Its moves copy side by side, ``max_moves`` at once; one that is ready makes room for the next.
3. A cut-over waits for a change window, outside every freeze, that stays open for its whole fence; ``max_moves`` cut over at
   once, those first that are ready first.
4. A soak begins with the first window of its gates that lies after the switch, and counts whole intervals of samples.
5. Approvals, releases of holds and retries are taken to be given at once; each one so taken is named in ``assumes``.

A move without an inventory is taken to copy in no time: ``is_lower_bound`` says that the dates are then the earliest thinkable.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from migrator.forecast.timing import MoveForecast
from migrator.forecast.windows import next_open
from migrator.model.moves import Direction, MoveRecord, MoveState, WaveRecord
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedMove, PlannedWave, Schedule

S = MoveState
_DONE: Final = frozenset({S.SOAKED, S.RETIRING, S.RETIRED})
_BEFORE_COPY: Final = frozenset({S.PENDING, S.PREFLIGHT, S.PROVISIONING})
_IN_FENCE: Final = frozenset({S.FENCING, S.DRAINING, S.VERIFYING, S.SWITCHING})


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the rollout stands at ``now`` (UTC): recorded moves and waves, waves with a valid approval, waves that an operator
    holds or pauses."""

    now: datetime
    moves: Mapping[MoveId, MoveRecord] = field(default_factory=dict)
    waves: Mapping[str, WaveRecord] = field(default_factory=dict)
    approved: Collection[str] = ()
    held: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class MoveTimes:
    """Ascending. ``ready`` to ``cut`` waits for a window, ``cut`` to ``switched`` is the fence; None: it never opens."""

    id: MoveId
    begins: datetime
    ready: datetime
    cut: datetime | None
    switched: datetime | None
    soaked: datetime | None
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class WaveTimes:
    """``begins`` is recorded if ``is_begun``. None: not within 400 days, because no window opens, here or in a wave before.

    ``after``: the wave whose end decides when this one begins; "" where ``not_before`` or the present does.
    ``slack_seconds``: to ``complete_by``, below zero if that is missed; None without one.
    """

    name: str
    begins: datetime | None
    moves: tuple[MoveTimes, ...]
    after: str = ""
    complete_by: datetime | None = None
    not_before: datetime | None = None
    is_begun: bool = False
    is_done: bool = False
    is_lower_bound: bool = False
    assumes: tuple[str, ...] = ()

    @property
    def ready(self) -> datetime | None:
        """The last move's."""
        return max((move.ready for move in self.moves), default=None)

    @property
    def switched(self) -> datetime | None:
        return _last([move.switched for move in self.moves])

    @property
    def soaked(self) -> datetime | None:
        """The earliest finish."""
        return _last([move.soaked for move in self.moves])

    @property
    def slack_seconds(self) -> float | None:
        if self.complete_by is None or self.soaked is None:
            return None
        return (self.complete_by - self.soaked).total_seconds()

    @property
    def slowest(self) -> MoveTimes | None:
        """The move that decides when the wave ends."""
        ended = [move for move in self.moves if move.soaked is not None]
        return max(ended, key=lambda move: move.soaked or move.begins, default=None)


def timeline(schedule: Schedule, forecasts: Mapping[MoveId, MoveForecast], standing: Standing) -> tuple[WaveTimes, ...]:
    """The dates of every wave, in the plan's order."""
    done: dict[str, WaveTimes] = {}
    for wave in _in_order(schedule.waves):
        done[wave.name] = _wave(schedule, wave, forecasts, standing, done)
    return tuple(done[wave.name] for wave in schedule.waves)


def soak_seconds(wave: PlannedWave) -> float:
    """From the switch to ``soaked``, if every sample is good."""
    return _first_sample_seconds(wave) + _sampled_seconds(wave)


def _in_order(waves: Sequence[PlannedWave]) -> Iterator[PlannedWave]:
    """Each wave after those it waits for. The plan's check has refused circles and unknown names."""
    left, given = list(waves), set[str]()
    while left:
        wave = next(one for one in left if given.issuperset(one.after))
        left.remove(wave)
        given.add(wave.name)
        yield wave


def _wave(
    schedule: Schedule,
    wave: PlannedWave,
    forecasts: Mapping[MoveId, MoveForecast],
    standing: Standing,
    earlier: Mapping[str, WaveTimes],
) -> WaveTimes:
    records = {move.id: standing.moves.get(move.id) for move in wave.moves}
    record = standing.waves.get(wave.name)
    is_begun = any(one is not None and one.state not in _BEFORE_COPY for one in records.values())
    start, after = _start(wave, standing.now, earlier)
    begins = start
    if is_begun:
        start, after, begins = standing.now, "", (record.begun_at if record else None) or standing.now
    times: tuple[MoveTimes, ...] = ()
    if start is not None:
        times = tuple(_Yard(schedule, wave, forecasts, standing.now).moves(start, records))
    states = [one.state for one in records.values() if one is not None]
    return WaveTimes(
        name=wave.name,
        begins=begins,
        moves=times,
        after=after,
        complete_by=wave.complete_by,
        not_before=wave.not_before,
        is_begun=is_begun,
        is_done=len(states) == len(wave.moves) and all(state in _DONE for state in states),
        is_lower_bound=any(earlier[name].is_lower_bound for name in wave.after)
        or any(move.id not in forecasts and _needs_forecast(records[move.id]) for move in wave.moves),
        assumes=tuple(_assumed(wave, is_begun, standing, list(records.values()))),
    )


def _start(wave: PlannedWave, now: datetime, earlier: Mapping[str, WaveTimes]) -> tuple[datetime | None, str]:
    """When a wave that has not begun begins, and the wave that decides it."""
    moment, after = now.astimezone(UTC), ""
    for name in wave.after:
        ended = earlier[name].soaked
        if ended is None:
            return None, name
        if ended > moment:
            moment, after = ended, name
    if wave.not_before is not None and wave.not_before > moment:
        return wave.not_before.astimezone(UTC), ""
    return moment, after


def _assumed(
    wave: PlannedWave, is_begun: bool, standing: Standing, records: Sequence[MoveRecord | None]
) -> Iterator[str]:
    if wave.approval_required and not is_begun and wave.name not in standing.approved:
        yield f"wave {wave.name} is approved at once"
    if wave.cutover.hold:
        yield f"the plan's hold of wave {wave.name} is lifted at once"
    if wave.name in standing.held:
        yield f"wave {wave.name}, which an operator holds or pauses, is let go at once"
    for record in records:
        if record is not None and (record.state in (S.HALTED, S.REVERSED) or record.direction is Direction.REVERSE):
            yield f"{record.id} ({record.state}) is retried at once"


def _needs_forecast(record: MoveRecord | None) -> bool:
    return _stage(record) not in _DONE | {S.SOAKING}


def _stage(record: MoveRecord | None) -> MoveState:
    """The state a move goes on from: a halted one where it stopped, one on its way back from the beginning."""
    if record is None or record.direction is Direction.REVERSE or record.state is S.REVERSED:
        return S.PENDING
    if record.state is S.HALTED:
        return record.resume_from or S.PENDING
    return record.state


@dataclass(slots=True)
class _Yard:
    """The moves of one wave on their two ways: copying, then cutting over, ``max_moves`` at once on each."""

    schedule: Schedule
    wave: PlannedWave
    forecasts: Mapping[MoveId, MoveForecast]
    now: datetime

    def moves(self, start: datetime, records: Mapping[MoveId, MoveRecord | None]) -> Iterator[MoveTimes]:
        """In the plan's order."""
        done: dict[MoveId, MoveTimes] = {}
        under_way: dict[MoveId, tuple[datetime, datetime, bool]] = {}  # began, ready, is in its fence
        for move in self.wave.moves:
            record, stage = records[move.id], _stage(records[move.id])
            if record is None or stage in _BEFORE_COPY:
                continue
            if stage in _DONE or stage is S.SOAKING:
                done[move.id] = self._switched(move, stage, record)
                continue
            is_copying = stage in (S.COPYING, S.CATCHING_UP)
            left = self._copy_seconds(move, self._copied_ratio(move, record)) if is_copying else 0.0
            began = record.since or self.now
            under_way[move.id] = (began, self.now + timedelta(seconds=left), stage in _IN_FENCE)
        for id, begins, ready in self._copied(start, done, under_way):
            under_way[id] = (begins, ready, False)
        done.update(self._cut_over(under_way))
        return (done[move.id] for move in self.wave.moves)

    @property
    def _at_once(self) -> int:
        return self.wave.max_moves or len(self.wave.moves)

    def _copied(
        self, start: datetime, done: Collection[MoveId], under_way: Mapping[MoveId, tuple[datetime, datetime, bool]]
    ) -> Iterator[tuple[MoveId, datetime, datetime]]:
        """The moves that have not begun, in the plan's order: when each gets a place, and when it is ready."""
        busy = [ready for _, ready, _ in under_way.values() if ready > start]
        places = [*busy[: self._at_once], *[start] * max(0, self._at_once - len(busy))]
        heapq.heapify(places)
        for move in self.wave.moves:
            if move.id not in done and move.id not in under_way:
                begins = heapq.heappop(places)
                ready = begins + timedelta(seconds=self._copy_seconds(move, 0.0))
                heapq.heappush(places, ready)
                yield move.id, begins, ready

    def _cut_over(
        self, under_way: Mapping[MoveId, tuple[datetime, datetime, bool]]
    ) -> Iterator[tuple[MoveId, MoveTimes]]:
        """Open fences first, then the moves as they get ready."""
        turns: list[datetime] = []
        for id, (begins, ready, is_fenced) in sorted(under_way.items(), key=lambda one: (not one[1][2], one[1][1])):
            turn = heapq.heappop(turns) if len(turns) == self._at_once else ready
            times = self._fenced(id, begins, ready, max(turn, ready), is_fenced=is_fenced)
            heapq.heappush(turns, times.switched or turn)
            yield id, times

    def _switched(self, move: PlannedMove, stage: MoveState, record: MoveRecord) -> MoveTimes:
        since = record.since or self.now
        switched = record.switched_at or since
        if stage in _DONE:
            return MoveTimes(move.id, switched, switched, switched, switched, since, is_done=True)
        soaked = self.now + timedelta(seconds=self._soak_left(record, switched))
        return MoveTimes(move.id, switched, switched, switched, switched, soaked)

    def _fenced(
        self, id: MoveId, begins: datetime, ready: datetime, earliest: datetime, *, is_fenced: bool
    ) -> MoveTimes:
        forecast = self.forecasts.get(id)
        fence = timedelta(seconds=forecast.fence_seconds if forecast else self.schedule.routing.drain_seconds)
        cut: datetime | None = ready
        if not is_fenced:
            cut = next_open(self.wave.change_windows, self.schedule.freeze, earliest, needed=fence)
        if cut is None:
            return MoveTimes(id, begins, ready, None, None, None)
        switched = cut + fence
        return MoveTimes(id, begins, ready, cut, switched, switched + timedelta(seconds=soak_seconds(self.wave)))

    def _copy_seconds(self, move: PlannedMove, copied_ratio: float) -> float:
        forecast = self.forecasts.get(move.id)
        if forecast is None:
            return 0.0
        return max(forecast.copy_seconds * (1.0 - copied_ratio), forecast.scan_seconds if copied_ratio else 0.0)

    def _copied_ratio(self, move: PlannedMove, record: MoveRecord) -> float:
        forecast = self.forecasts.get(move.id)
        if record.state is S.CATCHING_UP or forecast is None or not forecast.inventory.objects:
            return 1.0
        return min(1.0, record.figures.objects_copied / forecast.inventory.objects)

    def _soak_left(self, record: MoveRecord, switched: datetime) -> float:
        if record.figures.soak_seconds > 0:
            return max(0.0, self.wave.soak_seconds - record.figures.soak_seconds)
        since_switch = (self.now - switched).total_seconds()
        return max(0.0, _first_sample_seconds(self.wave) - since_switch) + _sampled_seconds(self.wave)


def _first_sample_seconds(wave: PlannedWave) -> float:
    """From the switch to the first sample whose window lies wholly after it."""
    return max((gate.window_seconds + gate.settle_seconds for gate in wave.gates), default=0.0)


def _sampled_seconds(wave: PlannedWave) -> float:
    return math.ceil(wave.soak_seconds / wave.interval_seconds) * wave.interval_seconds


def _last(moments: Sequence[datetime | None]) -> datetime | None:
    """The latest; None if there is none, or if one of them never comes."""
    known = [moment for moment in moments if moment is not None]
    return max(known) if known and len(known) == len(moments) else None
