"""The waves on the page: what was forecast of each when it began, what became of it, and what is expected now.

Decides where a phase of a wave begins and ends. Rule: what was forecast is what was kept with the wave when it began; before that
it is the forecast of now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from migrator.forecast.outcome import told
from migrator.forecast.timeline import WaveTimes
from migrator.forecast.told import ranges_of
from migrator.machine.states import keeps_wave
from migrator.model.moves import WaveRecord
from migrator.model.units import show_duration
from migrator.model.values import value
from migrator.report.charts import Span
from migrator.report.facts import ReportFacts
from migrator.report.plain_words import Tone, wait_words, wave_tone, wave_words
from migrator.report.story import count
from migrator.standing.values import WaveStanding


@value(frozen=True, slots=True)
class Milestones:
    """Ascending; None: not known, or not yet."""

    begun: datetime | None = None
    copied: datetime | None = None
    switched: datetime | None = None
    complete: datetime | None = None

    @property
    def in_order(self) -> tuple[datetime | None, ...]:
        return (self.begun, self.copied, self.switched, self.complete)


@value(frozen=True, slots=True)
class WaveSection:
    """``expected``: as of now, where something is still to come. ``outcome``: forecast against actual, in words. ``stopped``:
    since when it waits for a person, or is back."""

    name: str
    words: str
    state: str
    tone: Tone
    moves: str
    forecast: Milestones
    actual: Milestones
    expected: Milestones
    complete_by: datetime | None
    spare: str
    is_late: bool
    waits: tuple[str, ...]
    reason: str
    outcome: str
    likely: str = ""
    """Of a wave that has not begun: from where to where its figures may lie, and what earlier outcomes corrected."""
    stopped: datetime | None = None


def wave_part(facts: ReportFacts, wave: WaveStanding) -> WaveSection:
    times = _times(facts, wave.name)
    record = facts.waves.get(wave.name)
    actual = _actual(facts, wave, record)
    late = times is not None and (times.slack_seconds or 0.0) < 0
    return WaveSection(
        name=wave.name,
        words=wave_words(wave.state),
        state=str(wave.state),
        tone=wave_tone(wave.state),
        moves=count(len(wave.moves)),
        forecast=_forecast(record, times),
        actual=actual,
        expected=_expected(wave, times, actual),
        complete_by=times.complete_by if times is not None else None,
        spare=_spare(times),
        is_late=late,
        waits=tuple(wait_words(wait) for wait in wave.waits),
        reason=wave.reason,
        outcome=told(wave.outcome) if wave.outcome is not None else "",
        likely=_likely(facts, times),
        stopped=_stopped(wave),
    )


def _times(facts: ReportFacts, name: str) -> WaveTimes | None:
    waves = facts.standing.outlook.waves if facts.standing.outlook is not None else ()
    return next((one for one in waves if one.name == name), None)


def _likely(facts: ReportFacts, times: WaveTimes | None) -> str:
    outlook = facts.standing.outlook
    if outlook is None or times is None or times.is_begun or not (said := ranges_of(outlook, times.name)):
        return ""
    learned = outlook.learned.in_words()
    return f"{said} (corrected: {learned})" if learned else said


def _spare(times: WaveTimes | None) -> str:
    if times is None or times.slack_seconds is None:
        return ""
    if times.slack_seconds < 0:
        return f"{show_duration(-times.slack_seconds)} late"
    return "in time" if times.is_done else f"{show_duration(times.slack_seconds)} to spare"


def _forecast(record: WaveRecord | None, times: WaveTimes | None) -> Milestones:
    if record is not None and record.begun_at is not None and record.forecast:
        kept = record.forecast
        ready, switched, soaked = (_moment(kept, key) for key in ("ready", "switched", "soaked"))
        begins = _moment(kept, "begins") or record.begun_at  # forecasts of before do not say when it would begin
        return Milestones(min(begins, ready) if ready is not None else begins, ready, switched, soaked)
    if times is None or times.is_begun:
        return Milestones()
    return Milestones(times.begins, times.ready, times.switched, times.soaked)


def _moment(kept: Mapping[str, object], key: str) -> datetime | None:
    found = kept.get(key)
    try:
        return datetime.fromisoformat(found) if isinstance(found, str) else None
    except ValueError:
        return None


def _actual(facts: ReportFacts, wave: WaveStanding, record: WaveRecord | None) -> Milestones:
    if record is None or record.begun_at is None:
        return Milestones()
    pasts = [facts.history.of(str(move.record.id)).entered for move in wave.moves]
    return Milestones(
        record.begun_at,
        _last([past.get("ready") for past in pasts]),
        _last([past.get("soaking") for past in pasts]),
        _last([past.get("soaked") for past in pasts]),
    )


def _last(moments: Sequence[datetime | None]) -> datetime | None:
    """When all of them have come; None as long as one has not."""
    known = [one for one in moments if one is not None]
    return max(known) if known and len(known) == len(moments) else None


def _expected(wave: WaveStanding, times: WaveTimes | None, actual: Milestones) -> Milestones:
    if times is None or not times.is_begun or times.is_done or any(keeps_wave(move.record) for move in wave.moves):
        return Milestones()
    ahead = (None, times.ready, times.switched, times.soaked)
    return Milestones(*(None if was else will for was, will in zip(actual.in_order, ahead, strict=True)))


def _stopped(wave: WaveStanding) -> datetime | None:
    """When the last of its moves came to rest, of a wave that goes on by a person's word alone."""
    if not any(keeps_wave(move.record) for move in wave.moves):
        return None
    return max((move.record.since for move in wave.moves if move.record.since is not None), default=None)


def spans(waves: Iterable[WaveSection], now: datetime) -> tuple[Span, ...]:
    """The bars of the timeline."""
    return tuple(span for wave in waves for span in _spans(wave, now))


def _spans(wave: WaveSection, now: datetime) -> Iterator[Span]:
    yield from _bars(wave.name, "forecast", wave.forecast)
    reached = wave.actual
    if reached.begun is None:
        return
    stops = [one for one in reached.in_order if one is not None]
    yield from _bars(wave.name, "actual", reached, until=wave.stopped or now)
    if wave.expected.complete is not None:
        yield from _bars(wave.name, "actual", _from(now, wave.expected, len(stops)), is_past=False)


def _from(now: datetime, ahead: Milestones, reached: int) -> Milestones:
    """What is still to come, begun now: ``reached`` milestones lie behind."""
    moments: list[datetime | None] = [now if place < reached else at for place, at in enumerate(ahead.in_order)]
    return Milestones(*moments)


def _bars(
    row: str, lane: str, stones: Milestones, *, until: datetime | None = None, is_past: bool | None = None
) -> Iterator[Span]:
    past = lane == "actual" if is_past is None else is_past
    since = stones.begun
    for phase, at in zip(("copy", "wait", "watch"), stones.in_order[1:], strict=True):
        if since is None:
            return
        end = at if at is not None else until
        if end is not None and end > since:
            yield Span(row, "forecast" if lane == "forecast" else "actual", phase, since, end, past)
        since = at
