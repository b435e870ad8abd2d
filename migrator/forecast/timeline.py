"""When does each wave begin, cut over and end: forecasts laid into the calendar, from where the rollout stands.

Decides the earliest dates if nothing goes wrong. What is recorded is history; what is not begun follows these rules:

1. A wave begins when every wave it comes ``after`` has soaked, and not before ``not_before``.
2. Its moves copy side by side, ``max_moves`` at once; one that is ready makes room for the next.
3. A cut-over waits for a change window, outside every freeze, that stays open for its whole fence; ``max_moves`` cut over at
   once, those first that are ready first.
4. A soak begins with the first window of its gates that lies after the switch, and counts whole intervals of samples.
5. Approvals, releases of holds and retries are taken to be given at once; each one so taken is named in ``assumes``.

A move without an inventory is taken to copy in no time: ``is_lower_bound`` says that the dates are lower bounds then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime

from migrator.forecast.means import UNMEASURED, Means
from migrator.forecast.measured import MeasuredTraffic
from migrator.forecast.move_times import MoveTimes, Yard, stage_of
from migrator.forecast.timing import MoveForecast
from migrator.machine.states import has_soaked, is_before_copy, is_past_switch, keeps_wave
from migrator.model.moves import MoveRecord, WaveRecord
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedWave, Schedule
from migrator.model.values import value


@value(frozen=True, slots=True)
class StartingPoint:
    """Where the rollout stands at ``now`` (UTC): recorded moves and waves, waves with a valid approval, waves that an operator
    holds or pauses, the traffic that was measured, and with what means it goes on."""

    now: datetime
    moves: Mapping[MoveId, MoveRecord] = field(default_factory=dict)
    waves: Mapping[str, WaveRecord] = field(default_factory=dict)
    approved: Collection[str] = ()
    held: Collection[str] = ()
    traffic: Mapping[MoveId, MeasuredTraffic] = field(default_factory=dict)
    means: Means = UNMEASURED


@value(frozen=True, slots=True)
class Assumption:
    """What is taken to be done at once, of whom: ``what`` has ``{who}`` where the name stands."""

    what: str
    who: str

    def __str__(self) -> str:
        return self.what.replace("{who}", self.who)


@value(frozen=True, slots=True)
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
    assumptions: tuple[Assumption, ...] = ()

    @property
    def assumes(self) -> tuple[str, ...]:
        """The assumptions, a sentence each."""
        return tuple(map(str, self.assumptions))

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


def timeline(
    schedule: Schedule, forecasts: Mapping[MoveId, MoveForecast], here: StartingPoint
) -> tuple[WaveTimes, ...]:
    """The dates of every wave, in the plan's order."""
    done: dict[str, WaveTimes] = {}
    for wave in _in_order(schedule.waves):
        done[wave.name] = _wave(schedule, wave, forecasts, here, done)
    return tuple(done[wave.name] for wave in schedule.waves)


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
    here: StartingPoint,
    earlier: Mapping[str, WaveTimes],
) -> WaveTimes:
    records = {move.id: here.moves.get(move.id) for move in wave.moves}
    record = here.waves.get(wave.name)
    is_begun = any(one is not None and not is_before_copy(one.state) for one in records.values())
    start, after = _start(wave, here.now, earlier)
    begins = start
    if is_begun:
        start, after, begins = here.now, "", (record.begun_at if record else None) or here.now
    times: tuple[MoveTimes, ...] = ()
    if start is not None:
        times = tuple(Yard(schedule, wave, forecasts, here.now).moves(start, records))
    states = [one.state for one in records.values() if one is not None]
    return WaveTimes(
        name=wave.name,
        begins=begins,
        moves=times,
        after=after,
        complete_by=wave.complete_by,
        not_before=wave.not_before,
        is_begun=is_begun,
        is_done=len(states) == len(wave.moves) and all(map(has_soaked, states)),
        is_lower_bound=any(earlier[name].is_lower_bound for name in wave.after)
        or any(move.id not in forecasts and _needs_forecast(records[move.id]) for move in wave.moves),
        assumptions=tuple(_assumed(wave, here, list(records.values()))),
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


def _assumed(wave: PlannedWave, here: StartingPoint, records: Sequence[MoveRecord | None]) -> Iterator[Assumption]:
    is_ahead = any(_needs_forecast(record) for record in records)  # a cut-over needs the approval, copying does not
    if wave.approval_required and is_ahead and wave.name not in here.approved:
        yield Assumption("wave {who} is approved at once", wave.name)
    if wave.cutover.hold and is_ahead:
        yield Assumption("the plan's hold of wave {who} is lifted at once", wave.name)
    if wave.name in here.held and is_ahead:
        yield Assumption("wave {who}, which an operator holds or pauses, is let go at once", wave.name)
    for record in records:
        if record is not None and keeps_wave(record):
            yield Assumption(f"{{who}} ({record.state}) is retried at once", str(record.id))


def _needs_forecast(record: MoveRecord | None) -> bool:
    return not is_past_switch(stage_of(record))


def _last(moments: Sequence[datetime | None]) -> datetime | None:
    """The latest; None if there is none, or if one of them never comes."""
    known = [moment for moment in moments if moment is not None]
    return max(known) if known and len(known) == len(moments) else None
