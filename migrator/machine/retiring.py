"""When what a wave has left at its sources may be deleted: the law of it.

Rules: a wave is retired as a whole, for a rollback takes it back as a whole; not while anybody wants a way back; and not before
its watch is over, which begins with the soak's end and again with each change that is seen at a source. Who reads there is for
the gates, and what may go of the names is for ``transfer.retiring``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from migrator.machine.states import has_lost_source, has_soaked
from migrator.model.moves import MoveRecord
from migrator.model.names import MoveId


def what_keeps(records: Sequence[MoveRecord], wanted_back: Collection[MoveId]) -> str:
    """Why no data of this wave may go, as a clause; empty if the states allow it.

    Args:
        wanted_back: moves of which a way back is on record.
    """
    for record in records:
        if not has_soaked(record.state):
            return f"{record.id} is {record.state}, and a wave is retired when all of it has soaked"
        if record.id in wanted_back:
            return f"a way back of {record.id} is on record"
    return ""


def watched_until(record: MoveRecord, watch_seconds: float, last_change: datetime | None) -> datetime | None:
    """When the watch of a soaked move is over; None where its data may be gone already.

    Args:
        last_change: when a change at the source was last seen.
    """
    if has_lost_source(record.state) or record.since is None:
        return None
    begun = record.since if last_change is None else max(record.since, last_change)
    return begun + timedelta(seconds=watch_seconds)


def no_way_back(record: MoveRecord) -> str:
    """Why there is none, once data of the source may be gone: a sentence."""
    return f"cannot roll back {record.id}: it is {record.state}, data of {record.source} is deleted, and there is no way back"
