"""Traffic that was measured, kept in the state store: what an earlier look at the meters left there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from migrator.forecast.measured import MeasuredTraffic, Peak
from migrator.model import notes
from migrator.model.names import MoveId
from migrator.model.schedule import Schedule
from migrator.ports.state_store import SetNote, StateStore


def known_traffic(schedule: Schedule, state: StateStore | None) -> dict[MoveId, MeasuredTraffic]:
    """Of the moves whose traffic the plan leaves to the meter."""
    if state is None:
        return {}
    found = {move.id: state.note(notes.traffic(move.id)) for move in schedule.moves if move.is_measured}
    return {move: _from_note(note) for move, note in found.items() if note is not None}


def kept_traffic(found: Mapping[MoveId, MeasuredTraffic]) -> tuple[SetNote, ...]:
    """What the state store is to keep of a look."""
    return tuple(SetNote(notes.traffic(move), _to_note(one)) for move, one in found.items())


def _to_note(one: MeasuredTraffic) -> dict[str, Any]:
    peak = one.peak
    hour = [peak.per_minute, peak.begin.isoformat(), peak.minutes] if peak is not None else None
    return {"account": one.account, "at": one.at.isoformat(), "hours": one.hours, "peak": hour, "why_not": one.why_not}


def _from_note(note: Any) -> MeasuredTraffic:
    hour = note["peak"]
    peak = Peak(float(hour[0]), datetime.fromisoformat(hour[1]), hour[2]) if hour is not None else None
    return MeasuredTraffic(note["account"], datetime.fromisoformat(note["at"]), note["hours"], peak, note["why_not"])
