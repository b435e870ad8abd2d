"""What a wave's sources still hold, as far as that is recorded: from when on it may be deleted, and what a deletion came to.

Decides the note that a deletion keeps, and reads the law of it (``machine.retiring``) from the store. Asks no account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any

from migrator.machine.retiring import watched_until, what_keeps
from migrator.machine.states import has_lost_source
from migrator.model import notes
from migrator.model.moves import Control, MoveRecord
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedWave, Schedule
from migrator.model.values import value
from migrator.ports.state_store import SetNote, StateStore

MOST_ROWS = 100_000


@value(frozen=True, slots=True)
class Retired:
    """What was deleted at the source of a move so far, and what the last deletion kept there: counts by reason, some names."""

    objects: int = 0
    bytes: int = 0
    kept: Mapping[str, int] = field(default_factory=dict)
    named: Sequence[str] = ()


@value(frozen=True, slots=True)
class MayRetire:
    """``since``: from when on, None where nothing but a person is waited for; ``why``: what keeps it whenever that is."""

    since: datetime | None
    why: str = ""


def retired_of(store: StateStore, record: MoveRecord) -> Retired | None:
    """None before its first deletion."""
    note: Any = store.note(notes.retired(record.id))
    if note is None or not has_lost_source(record.state):
        return None
    return Retired(note["objects"], note["bytes"], note["kept"], tuple(note["named"]))


def kept(move: MoveId, retired: Retired) -> SetNote:
    """The note."""
    return SetNote(
        notes.retired(move),
        {
            "objects": retired.objects,
            "bytes": retired.bytes,
            "kept": dict(retired.kept),
            "named": list(retired.named),
        },
    )


def last_change(store: StateStore, move: MoveId) -> datetime | None:
    """When a look last found that its source had changed after the switch. What is only counted, beyond the cap of rows, has no
    time of its own: so the looks that begin a watch again leave a note."""
    rows = store.exceptions(move, limit=MOST_ROWS)
    times = [row.at for row in rows if row.kind == "straggler" and row.at is not None]
    if (noted := store.note(notes.source_changed(move))) is not None:
        times.append(datetime.fromisoformat(noted))
    return max(times, default=None)


def changed(move: MoveId, now: datetime) -> SetNote:
    """The note of a look that found a change."""
    return SetNote(notes.source_changed(move), now.isoformat())


def may_retire(schedule: Schedule, wave: PlannedWave, store: StateStore, records: Sequence[MoveRecord]) -> MayRetire:
    """Of ``wave``, whose moves' ``records`` these are."""
    if len(records) < len(wave.moves):
        return MayRetire(None, f"wave {wave.name} has not begun")
    if why := what_keeps(records, wanted_back(schedule, store.controls())):
        return MayRetire(None, why)
    watch = schedule.retire.watch_seconds
    ends = [watched_until(record, watch, last_change(store, record.id)) for record in records]
    return MayRetire(max((end for end in ends if end is not None), default=None))


def refusal(wave: PlannedWave, found: MayRetire, now: datetime) -> str:
    """Why the wave may not be retired now, a sentence; empty if it may."""
    if found.why:
        return f"cannot retire wave {wave.name}: {found.why}"
    if found.since is not None and now < found.since:
        return f"cannot retire wave {wave.name}: its sources are watched until {found.since:%Y-%m-%d %H:%M:%S} UTC"
    return ""


def wanted_back(schedule: Schedule, controls: Sequence[Control]) -> set[MoveId]:
    """The moves of which a way back is on record; where it names none, all in its scope."""
    found: set[MoveId] = set()
    for control in controls:
        if control.kind != "rollback" or not control.value:
            continue
        wish, named = control.value, control.value.get("moves")
        for wave in schedule.waves:
            for move in wave.moves:
                if named is not None:
                    is_meant = str(move.id) in named
                else:
                    scope = (wish.get("wave"), wish.get("region"), wish.get("area"))
                    own = (wave.name, move.id.region, move.id.area)
                    is_meant = all(wanted in (None, has) for wanted, has in zip(scope, own, strict=True))
                if is_meant:
                    found.add(move.id)
    return found
