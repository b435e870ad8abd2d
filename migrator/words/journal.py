"""The journal's row of a happening. No row is made anywhere else, so that none is of a kind that no list has."""

from __future__ import annotations

from datetime import datetime

from migrator.model.happenings.happening import VERSION, Journaled, facts_of, row_of
from migrator.model.moves import JournalEntry
from migrator.model.names import MoveId
from migrator.words.happenings import sentence


def entry(
    happening: Journaled,
    at: datetime,
    *,
    actor: str,
    wave: str | None = None,
    move: MoveId | None = None,
    run: str = "",
) -> JournalEntry:
    """The row for the journal; its number is given by the store.

    Args:
        actor: ``engine``, or the login of whoever asked for it.
    """
    return JournalEntry(
        at,
        actor,
        row_of(happening),
        sentence(happening, move),
        wave=wave,
        move=move,
        run=run,
        evidence=facts_of(happening),
        happening=happening.kind,
        version=VERSION,
    )
