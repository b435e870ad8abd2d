"""Approvals: who, when, why, bound to the fingerprint of the wave; recorded and journaled in one commit.

Rule: like a wish it needs no lock, so that it can be given while a run is at work and waits for it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from migrator.cli.identity import user
from migrator.cli.loading import load_plan, state_of
from migrator.cli.scope import wave_of
from migrator.cli.settings import Settings
from migrator.errors import UsageError
from migrator.model.moves import Approval, JournalEntry
from migrator.ports.state_store import AddApproval, AddJournal


def give_approval(plan: Path, settings: Settings, *, wave: str, reason: str) -> tuple[Approval, bool]:
    """Record it; the approval that holds, and whether it is new.

    Raises:
        UsageError: no such wave, a wave that asks for no approval, no reason.
    """
    schedule = load_plan(plan)
    planned = wave_of(schedule, wave)
    if not planned.approval_required:
        raise UsageError(
            f"cannot approve wave {wave}: it asks for no approval", hint="`approval: required` in the plan makes it ask"
        )
    if not reason.strip():
        raise UsageError(f"cannot approve wave {wave}: the reason is empty", hint="say why with --reason TEXT")
    with state_of(settings, schedule, create=True) as store:
        for known in store.approvals():
            if known.wave == wave and known.fingerprint == planned.fingerprint:
                return known, False
        given = Approval(wave, planned.fingerprint, user(), reason.strip(), datetime.now(UTC))
        text = f"approved: {given.reason}"
        entry = JournalEntry(
            given.at, given.who, "approval", text, wave=wave, evidence={"fingerprint": planned.fingerprint}
        )
        store.commit([AddApproval(given), AddJournal(entry)], token=None)
    return given, True
