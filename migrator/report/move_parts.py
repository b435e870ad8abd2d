"""One move on the page: how far it is, how long its writers waited, what was proved, and whether it could go back.

Decides what is said of each and from which record it comes. Rule: a proof names the row of the journal that has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from migrator.machine.states import has_lost_source, is_before_copy, is_copying, is_quiet
from migrator.machine.transitions import live_side
from migrator.model.moves import Direction, ExceptionRow, JournalEntry, MoveRecord, MoveState
from migrator.model.units import show_bytes, show_duration
from migrator.model.values import value
from migrator.report.facts import ReportFacts
from migrator.report.gate_history import GateHistory
from migrator.report.history import MovePast
from migrator.report.plain_words import Tone, stages_of, state_words, tone_of, wait_words
from migrator.report.story import count, exact, many
from migrator.standing.values import MoveStanding, WaveStanding

_LISTED: Final[Mapping[str, str]] = {
    "foreign": "written at the new account by somebody else",
    "straggler": "written at the account that customers have left",
    "conflict": "changed on both sides",
    "kept": "left as it is on purpose",
    "decided": "decided by an operator",
    "failed": "could not be copied",
    "unproved": "could not be compared",
}


@value(frozen=True, slots=True)
class Fact:
    """A line of a move: what, and what is said of it."""

    name: str
    said: str


@value(frozen=True, slots=True)
class MovePart:
    """``progress``: of the copy, 0 to 1, None where the total is not known. ``anchor``: where the page has it."""

    anchor: str
    id: str
    wave: str
    source: str
    target: str
    words: str
    state: str
    tone: Tone
    stages: tuple[tuple[str, str], ...]
    progress: float | None
    copied: str
    pause: str
    proved: str
    way_back: str
    reason: str
    facts: tuple[Fact, ...]
    listed: tuple[tuple[ExceptionRow, str], ...]
    listed_total: int
    gates: tuple[GateHistory, ...]
    is_open: bool


def move_part(facts: ReportFacts, wave: WaveStanding, move: MoveStanding, number: int) -> MovePart:
    """``number``: of the move on the page."""
    record = move.record
    past = facts.history.of(str(record.id))
    total = sum(move.listed_counts.values())
    return MovePart(
        anchor=f"move-{number}",
        id=str(record.id),
        wave=wave.name,
        source=record.source,
        target=record.target,
        words=state_words(record),
        state=str(record.state),
        tone=tone_of(record),
        stages=stages_of(record),
        progress=_progress(facts, record),
        copied=_copied(facts, record),
        pause=_pause(move),
        proved=_proved(past),
        way_back=_way_back(facts, wave, move, past),
        reason=record.reason or move.disagreement,
        facts=tuple(_facts(facts, wave, move, past)),
        listed=tuple((row, _LISTED.get(row.kind, row.kind)) for row in move.listed),
        listed_total=total,
        gates=facts.gates.get(str(record.id), ()),
        is_open=bool(record.reason or move.disagreement or total or move.is_fenced or not is_quiet(record.state)),
    )


def _expected(facts: ReportFacts, record: MoveRecord) -> int | None:
    inventory = facts.inventories.get(record.id)
    return inventory.objects if inventory is not None else None


def _progress(facts: ReportFacts, record: MoveRecord) -> float | None:
    """Of the first copy alone: later passes copy what changed, and have no end to be a share of."""
    if record.state is not MoveState.COPYING:
        return None
    expected = _expected(facts, record)
    return min(1.0, record.figures.objects_copied / expected) if expected else None


def _copied(facts: ReportFacts, record: MoveRecord) -> str:
    expected, figures = _expected(facts, record), record.figures
    if is_before_copy(record.state) and not figures.objects_copied:
        return f"none of about {count(expected)} yet" if expected else "none yet"
    of = f" of about {count(expected)}" if expected and record.state is MoveState.COPYING else ""
    return f"{count(figures.objects_copied)}{of} ({show_bytes(figures.bytes_copied)})"


def _pause(move: MoveStanding) -> str:
    if move.is_fenced:
        age = "" if move.fence_seconds is None else f", {show_duration(move.fence_seconds)} so far"
        return f"writers wait now{age}"
    seconds = move.record.figures.fence_seconds
    return "none yet" if seconds is None else show_duration(seconds)


def _proved(past: MovePast) -> str:
    row = past.barrier
    if row is None:
        return "not yet"
    if row.happening == "barrier-skipped":
        return "not compared"
    scanned = row.evidence.get("scanned")
    return many(int(scanned), "object") if isinstance(scanned, int | float) else row.text


def _way_back(facts: ReportFacts, wave: WaveStanding, move: MoveStanding, past: MovePast) -> str:
    """Can customers go back, and how quickly?"""
    record = move.record
    if has_lost_source(record.state):
        return "none any more: the old data is being deleted"
    if record.state is MoveState.REVERSED:
        return "done: customers are at the old account"
    if record.direction is Direction.REVERSE:
        return "under way"
    if move.way_back is not None:
        return move.way_back.in_words()
    if live_side(record) == "source":
        return "not needed: customers are still at the old account"
    return "on demand: what was written since is carried back first"


def _facts(facts: ReportFacts, wave: WaveStanding, move: MoveStanding, past: MovePast) -> Iterator[Fact]:
    record, figures = move.record, move.record.figures
    yield Fact("From, to", f"{record.source} → {record.target}")
    live = record.source if live_side(record) == "source" else record.target
    yield Fact("Customers use", f"{live}{_since_switch(record)}")
    yield Fact("State", f"{state_words(record)} (`{record.state}`){_since(record.since)}")
    waits = [wait_words(wait) for wait in move.waits if wait.kind not in ("soak", "gate")]
    if waits:
        yield Fact("Waits for", "; ".join(waits))
    yield Fact("Copied", f"{_copied(facts, record)}{_copy_time(facts, wave, record)}")
    if figures.objects_deleted:
        yield Fact("Deleted at the target", f"{count(figures.objects_deleted)}, because customers deleted them")
    if is_copying(record.state) or figures.lag_objects:
        lag = f"{many(figures.lag_objects, 'object')} ({show_bytes(figures.lag_bytes)}) had changed, by the newest look at all"
        yield Fact("Changed meanwhile", lag)
    yield Fact("Writers' pause", _pause_facts(facts, wave, move, past))
    yield Fact("Proved equal", _evidence(past))
    yield Fact("Way back", _way_back(facts, wave, move, past) + _canary(past))
    if move.soak_left_seconds is not None:
        wanted = f" of {show_duration(move.soak_wanted_seconds)}" if move.soak_wanted_seconds else ""
        healthy = f"{show_duration(figures.soak_seconds)}{wanted} healthy, {show_duration(move.soak_left_seconds)} left"
        yield Fact("Watch", f"{healthy}{_stands(move)}")
    elif figures.soak_seconds:
        yield Fact("Watch", f"{show_duration(figures.soak_seconds)} of healthy time")
    if move.streamed is not None:
        yield Fact("Copies go", f"through this machine: {move.streamed.why}")
    if record.dirty:
        yield Fact("Left behind", record.dirty)


def _stands(move: MoveStanding) -> str:
    waits = move.soak_waits
    if waits is None or not waits.gates:
        return ""
    return f"; kept by {', '.join(f'{one.gate}: {one.reason}' for one in waits.gates)}"


def _since(at: datetime | None) -> str:
    return f" since {exact(at)} UTC" if at is not None else ""


def _since_switch(record: MoveRecord) -> str:
    return _since(record.switched_at)


def _forecast(facts: ReportFacts, wave: WaveStanding, record: MoveRecord, key: str) -> float | None:
    """What was forecast of the move when its wave began."""
    kept = facts.waves.get(wave.name)
    found = ((kept.forecast.get("moves") or {}) if kept is not None else {}).get(str(record.id), {}).get(key)
    return float(found) if isinstance(found, int | float) else None


def _copy_time(facts: ReportFacts, wave: WaveStanding, record: MoveRecord) -> str:
    if not record.figures.copy_seconds:
        return ""
    forecast = _forecast(facts, wave, record, "copy_seconds")
    beside = "" if forecast is None else f" (forecast {show_duration(forecast)})"
    return f" in {show_duration(record.figures.copy_seconds)}{beside}"


def _pause_facts(facts: ReportFacts, wave: WaveStanding, move: MoveStanding, past: MovePast) -> str:
    forecast = past.forecast_pause or _forecast(facts, wave, move.record, "fence_seconds")
    said = [_pause(move)]
    if forecast is not None:
        said.append(f"forecast {show_duration(forecast)}")
    if past.fences_released:
        calls = "once" if past.fences_released == 1 else f"{count(past.fences_released)} times"
        said.append(f"called off {calls} before")
    return ", ".join(said)


def _evidence(past: MovePast) -> str:
    row = past.barrier
    if row is None:
        return "not yet: it is done while writers wait, just before the switch"
    if row.happening == "barrier-skipped":
        return f"not compared: {_without_move(row)} ({_row(row)})"
    scanned, held, share = (row.evidence.get(key) or 0 for key in ("scanned", "held", "content_share"))
    by = "by their attributes (size, type, settings)"
    if share:
        by = (
            "by their content"
            if share >= 1
            else f"{share:.0%} of them by their content, the others by their attributes"
        )
    held_words = f"; {many(int(held), 'object')} differ as listed" if held else ""
    return f"{many(int(scanned), 'object')} on both sides, {by}{held_words}, at {exact(row.at)} UTC ({_row(row)})"


def _canary(past: MovePast) -> str:
    row = past.canary
    if row is None:
        return ""
    if row.happening == "canary":
        return f"; a test object went there and back at {exact(row.at)} UTC ({_row(row)})"
    return f"; a test object went there, and not back, since nothing may be written at the source ({_row(row)})"


def _row(row: JournalEntry) -> str:
    return f"row {row.number} of the journal"


def _without_move(row: JournalEntry) -> str:
    return row.text.removeprefix(f"{row.move}: ")


def most_first(moves: Sequence[MovePart], most: int) -> tuple[MovePart, ...]:
    """The first ``most`` that a reader wants in full: what needs somebody, then what is at work, in the page's order each."""
    order = {"bad": 0, "back": 1, "busy": 2, "good": 3, "quiet": 4}
    first = sorted(moves, key=lambda one: order[one.tone])[:most]
    wanted = {one.id for one in first}
    return tuple(one for one in moves if one.id in wanted)
