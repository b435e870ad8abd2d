"""``migrate history``: the journal, for programs and for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from migrator.cli.settings import Settings
from migrator.cli.views.figures import instant
from migrator.cli.views.screen import Page
from migrator.model.moves import JournalEntry


def document(plan: str, entries: Sequence[JournalEntry]) -> dict[str, Any]:
    """``{plan, entries: [{number, at, actor, kind, happening, version, text, wave, move, run, evidence}]}``, oldest first."""
    return {"plan": plan, "entries": [_entry(entry) for entry in entries]}


def _entry(entry: JournalEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": entry.at,
        "actor": entry.actor,
        "kind": entry.kind,
        "happening": entry.happening,
        "version": entry.version,
        "text": entry.text,
        "wave": entry.wave,
        "move": str(entry.move) if entry.move else None,
        "run": entry.run,
        "evidence": dict(entry.evidence),
    }


def show(plan: str, entries: Sequence[JournalEntry], settings: Settings, where: Sequence[str] = ()) -> None:
    """One line an entry, oldest first. ``where``: which store that is, said first."""
    page = Page(settings)
    for line in where:
        page.line(line)
    if not entries:
        page.line(f"Nothing has happened to {plan} yet.")
    for entry in entries:
        about = str(entry.move) if entry.move else (f"wave {entry.wave}" if entry.wave else "")
        where = f"{about}: " if about and about not in entry.text else ""  # most name it themselves
        page.line(f"{entry.number:>5}  {instant(entry.at)}  {entry.actor}  {where}{entry.text}")
