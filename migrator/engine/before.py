"""What a move looks at before its first copy and before each fence forward: the checks of these moments, out of the one list.

Decides what a finding means to a run: an error halts the move; a warning is told before the first copy, and keeps a fence back
until it is gone; a fault of an account goes up to the move's patience. Leaves each finding to the checks (``checks.registry``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from migrator.engine import silence
from migrator.engine.checks.case import Case
from migrator.engine.checks.check import look
from migrator.engine.checks.moments import Asks, When
from migrator.engine.checks.registry import CHECKS
from migrator.engine.context import Halt
from migrator.engine.mover import Mover
from migrator.model.findings import Finding
from migrator.model.happenings.moves import CanaryReturned, CanaryStayed, CheckWarned

_ALWAYS: Final = frozenset({Asks.STATE, Asks.ESTATE, Asks.ACCOUNTS, Asks.WRITES})


async def first_copy(mover: Mover) -> None:
    """Raises Halt: something stands in the way that a person must mend."""
    for finding in await _look(mover, When.PREFLIGHT):
        if finding.severity == "warning":
            mover.tell(CheckWarned(finding.code, _told(finding)))


async def keeps_back(mover: Mover) -> str | None:
    """Why the move cannot cut over now; None if nothing stands in the way, at this moment.

    Raises:
        Halt: what only a person can mend, such as a gate that can never answer as it is written: the soak would never end.
    """
    again = mover.looked_at + mover.world.rhythm.kept_back_seconds
    if mover.kept_back and mover.world.clock.monotonic() < again:
        return mover.kept_back
    await _look(mover, When.FENCE)
    return mover.kept_back or None


async def _look(mover: Mover, when: When) -> tuple[Finding, ...]:
    clock = mover.world.clock
    asks_gates = bool(mover.wave.gates) and not mover.have_gates_answered
    case = Case(
        schedule=mover.shared.schedule,
        when=when,
        moves=[mover.plan],
        may_ask=_ALWAYS | {Asks.GATES} if asks_gates else _ALWAYS,
        known=mover.world.state,
        world=replace(mover.world, stores={name: mover.store(name) for name in (mover.plan.source, mover.plan.target)}),
        making=lambda container: mover.transfer().visible(container, "", "create"),
    )
    found = await look(CHECKS, case)
    for proved in case.answers.proved:
        source, target = mover.plan.source, mover.plan.target
        if proved.back:
            mover.commit(CanaryReturned(source, target, proved.container, proved.forward, proved.back))
        else:
            mover.commit(CanaryStayed(source, target, proved.container, proved.forward))
    errors = [finding for finding in found if finding.severity == "error"]
    if errors:
        raise Halt(f"cannot move {mover.id}: {'; '.join(_told(finding) for finding in errors)}")
    if asks_gates and case.answers.asked:
        lacking = {one.gate.name: (one.fault.message, one.fault.hint) for one in case.answers.asked if one.fault}
        silence.keep(mover, lacking)
    warnings = [finding for finding in found if finding.severity == "warning"]
    mover.have_gates_answered |= asks_gates and not warnings
    if when is When.FENCE:
        mover.kept_back, mover.looked_at = "; ".join(finding.text for finding in warnings), clock.monotonic()
    return found


def _told(finding: Finding) -> str:
    return f"{finding.text}; {finding.remedy}" if finding.remedy else finding.text
