"""When each move of one wave is ready, cuts over and has soaked.

Decides the rules 2, 3 and 4 of ``timeline``. Leaves waves to it: when this one begins and what comes of its end.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from migrator.forecast.moments import later, span
from migrator.forecast.timing import MoveForecast
from migrator.machine.calendar import next_open
from migrator.machine.states import has_soaked, is_before_copy, is_copying, is_in_fence, is_past_switch
from migrator.model.moves import Direction, MoveRecord, MoveState
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedMove, PlannedWave, Schedule
from migrator.model.values import value

S = MoveState


@value(frozen=True, slots=True)
class MoveTimes:
    """Ascending. ``ready`` to ``cut`` waits for a window, ``cut`` to ``switched`` is the fence; None: it never opens."""

    id: MoveId
    begins: datetime
    ready: datetime
    cut: datetime | None
    switched: datetime | None
    soaked: datetime | None
    is_done: bool = False


def soak_seconds(wave: PlannedWave) -> float:
    """From the switch to ``soaked``, if every sample is good."""
    return _first_sample_seconds(wave) + _sampled_seconds(wave)


def stage_of(record: MoveRecord | None) -> MoveState:
    """The state a move goes on from: a halted one where it stopped, one on its way back from the beginning."""
    if record is None or record.direction is Direction.REVERSE or record.state is S.REVERSED:
        return S.PENDING
    if record.state is S.HALTED:
        return record.resume_from or S.PENDING
    return record.state


@dataclass(slots=True)
class Yard:
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
            record, stage = records[move.id], stage_of(records[move.id])
            if record is None or is_before_copy(stage):
                continue
            if is_past_switch(stage):
                done[move.id] = self._switched(move, stage, record)
                continue
            left = self._copy_seconds(move, self._copied_ratio(move, record)) if is_copying(stage) else 0.0
            began = record.since or self.now
            under_way[move.id] = (began, later(self.now, left), is_in_fence(stage))
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
                ready = later(begins, self._copy_seconds(move, 0.0))
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
        if has_soaked(stage):
            return MoveTimes(move.id, switched, switched, switched, switched, since, is_done=True)
        soaked = later(self.now, self._soak_left(record, switched))
        return MoveTimes(move.id, switched, switched, switched, switched, soaked)

    def _fenced(
        self, id: MoveId, begins: datetime, ready: datetime, earliest: datetime, *, is_fenced: bool
    ) -> MoveTimes:
        forecast = self.forecasts.get(id)
        fence = span(forecast.fence_seconds if forecast else self.schedule.routing.drain_seconds)
        longest = span(forecast.longest_seconds) if forecast else fence
        cut: datetime | None = ready
        if not is_fenced:
            cut = next_open(self.wave.change_windows, self.schedule.freeze, earliest, needed=longest)
        if cut is None:
            return MoveTimes(id, begins, ready, None, None, None)
        switched = later(cut, fence.total_seconds())
        return MoveTimes(id, begins, ready, cut, switched, later(switched, soak_seconds(self.wave)))

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
