"""Will the promised dates be kept? If not: by how much, which wave is to blame, and what would keep them.

Decides from a timeline. A remedy is not guessed but tried: the timeline is laid again with a shorter soak or an earlier start,
and only what keeps the date is named. Rule: to blame is the wave of the critical path that takes longest, and of it the part
(copy, wait for a window, fence, soak) that takes longest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from migrator.forecast.timeline import StartingPoint, WaveTimes, timeline
from migrator.forecast.timing import MoveForecast
from migrator.model.findings import Finding
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedWave, Schedule
from migrator.model.units import show_duration
from migrator.model.values import replace, value

MISSED: Final = "deadline-missed"
EARLIEST_START: Final = timedelta(days=90)
"""How far back an earlier start is looked for."""
STEP_SECONDS: Final = 3600.0
SHORT_STEP_SECONDS: Final = 60.0
"""A remedy is named in whole hours; in minutes where all soaks are under two hours."""


@value(frozen=True, slots=True)
class Stage:
    """The longest part of a wave: ``what`` is "copy", "wait for a change window", "fence" or "soak"."""

    wave: str
    what: str
    seconds: float


@value(frozen=True, slots=True)
class _Case:
    schedule: Schedule
    forecasts: Mapping[MoveId, MoveForecast]
    here: StartingPoint

    def keeps(self, name: str, *, schedule: Schedule | None = None, now: datetime | None = None) -> bool:
        """Would wave ``name`` keep its date under this schedule, or begun at this time?"""
        here = replace(self.here, now=now) if now is not None else self.here
        times = timeline(schedule or self.schedule, self.forecasts, here)
        slack = next(one for one in times if one.name == name).slack_seconds
        return slack is not None and slack >= 0


def deadline_findings(
    schedule: Schedule, forecasts: Mapping[MoveId, MoveForecast], here: StartingPoint, waves: Sequence[WaveTimes]
) -> Iterator[Finding]:
    """An error for each wave that misses ``complete_by`` or whose window never opens; an info where one restart of a soak
    would miss it."""
    case = _Case(schedule, forecasts, here)
    by_name = {wave.name: wave for wave in waves}
    for wave in waves:
        if wave.is_done:
            continue
        if any(move.cut is None for move in wave.moves):
            yield _never_opens(wave)
        if wave.slack_seconds is None:
            continue
        path = critical_path(wave, by_name)
        if wave.slack_seconds < 0:
            yield _missed(case, wave, path)
        else:
            yield from _no_reserve(wave, path)


def critical_path(wave: WaveTimes, by_name: Mapping[str, WaveTimes]) -> tuple[WaveTimes, ...]:
    """The waves whose ends decide when ``wave`` ends, the first one first, ``wave`` last."""
    path = [wave]
    while path[0].after:
        path.insert(0, by_name[path[0].after])
    return tuple(path)


def longest_stage(path: Iterable[WaveTimes]) -> Stage | None:
    """The longest part of the longest wave; None if nothing of it lies ahead."""
    waves = [wave for wave in path if wave.soaked is not None and not wave.is_done]
    longest = max(waves, key=lambda wave: _seconds(wave.begins, wave.soaked), default=None)
    return None if longest is None else max(_stages(longest), key=lambda stage: stage.seconds, default=None)


def _stages(wave: WaveTimes) -> Iterator[Stage]:
    move = wave.slowest
    if move is None:
        return
    moments = (wave.begins, move.ready, move.cut, move.switched, move.soaked)
    words = ("copy", "wait for a change window", "fence", "soak")
    for what, begin, end in zip(words, moments, moments[1:], strict=False):
        yield Stage(wave.name, what, _seconds(begin, end))


def _seconds(begin: datetime | None, end: datetime | None) -> float:
    return (end - begin).total_seconds() if begin is not None and end is not None else 0.0


def _missed(case: _Case, wave: WaveTimes, path: Sequence[WaveTimes]) -> Finding:
    late = show_duration(-(wave.slack_seconds or 0.0))
    text = (
        f"wave {wave.name} would be complete at {_shown(wave.soaked)} at the earliest, {late} after its complete_by of "
        f"{_shown(wave.complete_by)}"
    )
    stage = longest_stage(path)
    if stage is not None:
        text += f"; to blame is wave {stage.wave}, whose {stage.what} takes {show_duration(stage.seconds)}"
    blamed = stage.wave if stage is not None else ""
    remedies = [*_shorter_soaks(case, wave.name, path, blamed), *_earlier_start(case, wave.name, path)]
    if stage is not None and stage.what == "copy":
        remedies.append(f"raise the budget of the accounts of wave {stage.wave}")
    if stage is not None and stage.what == "wait for a change window":
        remedies.append(f"give wave {stage.wave} more change_windows")
    if not remedies:
        remedies.append("promise a later date: no shorter soak and no earlier start keeps this one")
    return Finding("error", MISSED, wave.name, text, "; or ".join(remedies))


def _shorter_soaks(case: _Case, name: str, path: Sequence[WaveTimes], blamed: str) -> Iterator[str]:
    """The longest soak that keeps the date: of one wave, the blamed one if that is enough, else of all of them."""
    waves = [case.schedule.wave(one.name) for one in path if not one.is_done]
    for wave in sorted(waves, key=lambda one: (one.name != blamed, -one.soak_seconds)):
        kept = _longest_soak(case, name, [wave])
        if kept is not None:
            before = show_duration(wave.soak_seconds)
            yield f"shorten the soak of wave {wave.name} from {before} to {show_duration(kept)}"
            return
    kept = _longest_soak(case, name, waves)
    if kept is not None and len(waves) > 1:
        yield f"let no wave of {', '.join(wave.name for wave in waves)} soak longer than {show_duration(kept)}"


def _longest_soak(case: _Case, name: str, waves: Sequence[PlannedWave]) -> float | None:
    """The longest soak in whole steps, for each of these waves at most, with which wave ``name`` keeps its date."""
    longest = max(wave.soak_seconds for wave in waves)
    step = STEP_SECONDS if longest >= 2 * STEP_SECONDS else SHORT_STEP_SECONDS

    def keeps(steps: int) -> bool:
        schedule = case.schedule
        for wave in waves:
            schedule = _with_wave(schedule, replace(wave, soak_seconds=min(wave.soak_seconds, steps * step)))
        return case.keeps(name, schedule=schedule)

    steps = _largest(keeps, int(longest // step))
    return steps * step if steps else None


def _earlier_start(case: _Case, name: str, path: Sequence[WaveTimes]) -> Iterator[str]:
    first = path[0]
    if first.is_begun or first.begins is None:
        return
    planned = case.schedule.wave(first.name).not_before
    if planned is not None and planned == first.begins:
        free = _without_not_before(case.schedule, first.name)
        hours = int(max(0.0, (planned - case.here.now).total_seconds()) // STEP_SECONDS)
        kept = _largest(lambda n: case.keeps(name, schedule=free, now=case.here.now + _hours(n)), hours)
        if kept is not None:
            yield f"let wave {first.name} begin by {_shown(case.here.now + _hours(kept))} (not_before)"
            return
    hours = int(EARLIEST_START.total_seconds() // STEP_SECONDS)
    free = _without_not_before(case.schedule, first.name)
    back = _smallest(lambda n: case.keeps(name, schedule=free, now=case.here.now - _hours(n)), hours)
    if back is not None:
        yield f"it would have had to begin by {_shown(case.here.now - _hours(back))}"


def _no_reserve(wave: WaveTimes, path: Sequence[WaveTimes]) -> Iterator[Finding]:
    stages = [stage for one in path if not one.is_done for stage in _stages(one) if stage.what == "soak"]
    longest = max(stages, key=lambda stage: stage.seconds, default=None)
    if longest is not None and longest.seconds > (wave.slack_seconds or 0.0):
        yield Finding(
            "info",
            "deadline-without-reserve",
            wave.name,
            f"wave {wave.name} keeps its complete_by with {show_duration(wave.slack_seconds or 0.0)} to spare: a soak of wave "
            f"{longest.wave} that restarts near its end ({show_duration(longest.seconds)}) would miss it",
        )


def _never_opens(wave: WaveTimes) -> Finding:
    moves = ", ".join(str(move.id) for move in wave.moves if move.cut is None)
    return Finding(
        "error",
        "window-never-opens",
        wave.name,
        f"no change window of wave {wave.name} outside the freezes is long enough for the fence of {moves}",
    )


def _without_not_before(schedule: Schedule, name: str) -> Schedule:
    return _with_wave(schedule, replace(schedule.wave(name), not_before=None))


def _with_wave(schedule: Schedule, wave: PlannedWave) -> Schedule:
    return replace(schedule, waves=tuple(wave if one.name == wave.name else one for one in schedule.waves))


def _largest(holds: Callable[[int], bool], limit: int) -> int | None:
    """The largest number up to ``limit`` for which it holds, supposing it holds below; None if not even for 0."""
    if not holds(0):
        return None
    low, high = 0, limit + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _smallest(holds: Callable[[int], bool], limit: int) -> int | None:
    """The smallest number up to ``limit`` for which it holds, supposing it holds above; None if not for ``limit``."""
    if not holds(limit):
        return None
    low, high = -1, limit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _hours(number: int) -> timedelta:
    return timedelta(seconds=number * STEP_SECONDS)


def _shown(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"
