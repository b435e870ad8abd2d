"""Who the plan's author is: whoever applied it first, or applied its last edit.

Decides where that is kept, and which approvals count by it. Leaves who may approve to ``machine.waiting``.
"""

from __future__ import annotations

from migrator.machine.waiting import counted
from migrator.model import notes
from migrator.model.moves import Approval
from migrator.model.schedule import Schedule
from migrator.ports.state_store import SetNote, StateStore


def now_by(who: str) -> SetNote:
    """The plan is being written down, as ``who`` applies it."""
    return SetNote(notes.AUTHOR, {"who": who})


def author_of(state: StateStore) -> str | None:
    """None before the first apply, and in stores of older versions."""
    kept = state.note(notes.AUTHOR)
    return str(kept["who"]) if kept else None


def approvals_that_count(schedule: Schedule, state: StateStore) -> tuple[Approval, ...]:
    return counted(schedule.waves, state.approvals(), author_of(state))
