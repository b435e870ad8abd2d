"""Approvals: who, when, why, bound to the fingerprint of the wave; recorded and journaled in one commit.

Rules: like a wish it needs no lock, so that it can be given while a run is at work and waits for it; who gives it is what the
system says of the process, and what Microsoft Entra ID says where the wave names approvers by it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from migrator.cli import wiring
from migrator.cli.identity import person
from migrator.cli.loading import load_plan
from migrator.cli.scope import wave_of
from migrator.cli.settings import Settings
from migrator.cli.wishes import store_for_wishes
from migrator.errors import UsageError
from migrator.machine.waiting import may_approve
from migrator.model.happenings.wishes import WaveApproved
from migrator.model.moves import Approval
from migrator.model.people import Person
from migrator.model.schedule import PlannedWave, Schedule
from migrator.model.values import replace
from migrator.ports.state_store import AddApproval, AddJournal
from migrator.standing.authors import approvals_that_count, author_of
from migrator.words.journal import entry

_OBJECT_ID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def give_approval(plan: Path, settings: Settings, *, wave: str, reason: str) -> tuple[Approval, bool]:
    """Record it; the approval that holds, and whether it is new.

    Raises:
        UsageError: no such wave, a wave that asks for no approval, no reason, or the wave asks for somebody else.
    """
    schedule = load_plan(plan)
    planned = wave_of(schedule, wave)
    if not planned.approval_required:
        raise UsageError(
            f"cannot approve wave {wave}: it asks for no approval", hint="`approval: required` in the plan makes it ask"
        )
    if not reason.strip():
        raise UsageError(f"cannot approve wave {wave}: the reason is empty", hint="say why with --reason TEXT")
    who = _person(schedule, planned)
    with store_for_wishes(settings, schedule) as store:
        for known in approvals_that_count(schedule, store):
            if known.wave == wave and known.fingerprint == planned.fingerprint:
                return known, False
        _refuse(planned, who, author_of(store))
        given = Approval(wave, planned.fingerprint, str(who), reason.strip(), datetime.now(UTC))
        approved = WaveApproved(given.reason, planned.fingerprint, **who.evidence())
        row = entry(approved, given.at, actor=given.who, wave=wave)
        store.commit([AddApproval(given), AddJournal(row)], token=None)
    return given, True


def _person(schedule: Schedule, wave: PlannedWave) -> Person:
    """Microsoft Entra ID is asked only where the wave's approvers are named by it: an approval needs no network otherwise."""
    who = person()
    if any("@" in one or _OBJECT_ID.fullmatch(one) for one in wave.approval_by):
        return replace(who, entra=wiring.run_async(wiring.entra_names(schedule)))
    return who


def _refuse(wave: PlannedWave, who: Person, author: str | None) -> None:
    if not may_approve(wave, who):
        raise UsageError(
            f"cannot approve wave {wave.name}: you are {who}, and it asks for one of {', '.join(wave.approval_by)}",
            hint="let one of them run the same command",
        )
    if not may_approve(wave, who, author):
        raise UsageError(
            f"cannot approve wave {wave.name}: you are {who}, and the plan was applied or edited by {author}",
            hint="somebody else has to approve it: `not_the_author: true`",
        )
