"""Wishes of an operator that a running apply obeys: set, removed and journaled in one commit.

Leaves the obeying to the engine. Rule: a wish needs no lock, so that it can be uttered while a run is at work.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from migrator.cli.identity import user
from migrator.cli.loading import load_plan, state_of
from migrator.cli.scope import wave_of
from migrator.cli.settings import Settings
from migrator.cli.wishes import store_for_wishes
from migrator.machine.states import is_in_fence
from migrator.model.happenings.wishes import ControlSet
from migrator.model.moves import Control
from migrator.ports.state_store import AddJournal, SetControl
from migrator.words.journal import entry


def set_control(
    plan: Path, settings: Settings, *, kind: str, wave: str | None, text: str, reason: str | None = None
) -> bool:
    """Record the wish ``kind``; False if it was there already. ``text`` says what it means, for the journal."""
    return _change(plan, settings, kind, wave, wanted=True, text=text, reason=reason)


def remove_control(
    plan: Path, settings: Settings, *, kind: str, wave: str | None, text: str, reason: str | None = None
) -> bool:
    """Take the wish back; False if there was none."""
    return _change(plan, settings, kind, wave, wanted=False, text=text, reason=reason)


def fenced_now(plan: Path, settings: Settings) -> list[str]:
    """The moves that are inside a fence at this moment: a wish does not reach into it."""
    schedule = load_plan(plan)
    with state_of(settings, schedule, create=False) as store:
        return [str(move.id) for move in store.moves() if move.intent is not None and is_in_fence(move.state)]


def held_now(plan: Path, settings: Settings) -> list[str]:
    """The scopes of the holds that stand: "" for the whole plan, ``wave:NAME`` for a wave."""
    schedule = load_plan(plan)
    with state_of(settings, schedule, create=False) as store:
        return sorted(control.scope for control in store.controls() if control.kind == "hold" and control.value)


def _change(
    plan: Path, settings: Settings, kind: str, wave: str | None, *, wanted: bool, text: str, reason: str | None
) -> bool:
    schedule = load_plan(plan)
    scope = f"wave:{wave_of(schedule, wave).name}" if wave is not None else ""
    opened = store_for_wishes(settings, schedule) if wanted else state_of(settings, schedule, create=False)
    with opened as store:
        is_there = any(control.kind == kind and control.scope == scope for control in store.controls())
        if is_there == wanted:
            return False
        now, who = datetime.now(UTC), user()
        why = {"reason": reason} if reason else {}
        control = Control(kind, scope, {"on": True, **why} if wanted else {}, who, now)
        row = entry(ControlSet(kind, wanted, text, reason or ""), now, actor=who, wave=wave)
        store.commit([SetControl(control), AddJournal(row)], token=None)
    return True
