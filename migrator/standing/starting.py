"""Where the recorded rollout stands, as a forecast of the rest of it needs to know. Reads the state store and decides nothing."""

from __future__ import annotations

from datetime import datetime

from migrator.forecast import StartingPoint
from migrator.forecast.means import means_from_note
from migrator.machine.waiting import is_approved
from migrator.model import notes
from migrator.model.schedule import Schedule
from migrator.ports.state_store import StateStore
from migrator.standing.authors import approvals_that_count
from migrator.standing.traffic_notes import known_traffic


def starting_point(schedule: Schedule, state: StateStore | None, now: datetime) -> StartingPoint:
    """Where the recorded rollout stands; nothing has begun without a store."""
    if state is None:
        return StartingPoint(now)
    approvals = approvals_that_count(schedule, state)
    wishes = {one.scope for one in state.controls() if one.kind in ("hold", "pause") and one.value}
    return StartingPoint(
        now=now,
        moves={record.id: record for record in state.moves()},
        waves={record.name: record for record in state.waves()},
        held=frozenset(wave.name for wave in schedule.waves if wishes & {"", f"wave:{wave.name}"}),
        approved=frozenset(wave.name for wave in schedule.waves if is_approved(wave, approvals)),
        traffic=known_traffic(schedule, state),
        means=means_from_note(state.note(notes.MEANS)),
    )
