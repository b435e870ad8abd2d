"""Can the gates of a move be asked? Asked once before its customers are switched, by ``plan --probe`` and by ``apply``'s preview.

Decides what an answer means before anybody soaks: what somebody has to mend first (a query that the source refuses, several
series, a name that it does not know, no right) keeps the move where it is; a source that does not answer now keeps back the
cut-over until it does; an account that is not there yet is asked about later; silence is an answer. Leaves verdicts to
``gates.judge``: nothing is judged here, and no sample is recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from migrator.engine import silence
from migrator.engine.mover import Halt, Mover
from migrator.engine.sampling import answer, question, window
from migrator.engine.world import World
from migrator.errors import MigrateError, NotFound, Throttled, Unreachable
from migrator.gates.reach import asked_accounts
from migrator.model.findings import Finding, Severity
from migrator.model.names import MoveId
from migrator.model.schedule import Gate, PlannedMove, PlannedWave
from migrator.model.values import value

AT_ONCE: Final = 8
"""Questions under way: a plan of forty areas has hundreds."""
AGAIN_SECONDS: Final = 30.0
"""A source that did not answer is asked again after this long."""


@value(frozen=True, slots=True)
class Asked:
    """What one question came to. ``fault``: why there was no answer; ``values``: how many figures the answer had."""

    gate: Gate
    move: MoveId
    account: str
    values: int = 0
    fault: MigrateError | None = None

    @property
    def may_pass(self) -> bool:
        """The source did not answer now; nobody has to mend the gate for that."""
        return isinstance(self.fault, (Unreachable, Throttled))


async def ask_gates(world: World, pairs: Iterable[tuple[PlannedWave, PlannedMove]]) -> list[Asked]:
    """Ask every gate of these moves once, about its newest settled window and every account that it will be asked about."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(gate: Gate, move: PlannedMove, account: str) -> Asked:
        async with turns:
            return await _ask(world, gate, move, account)

    asked = [
        one(gate, move, account)
        for wave, move in pairs
        for gate in wave.gates
        for account in asked_accounts(gate, move)
    ]
    return list(await asyncio.gather(*asked))


async def _ask(world: World, gate: Gate, move: PlannedMove, account: str) -> Asked:
    source = world.metrics.get(gate.source)
    if source is None:
        fault = world.unasked.get(gate.source) or MigrateError(f"its metric source {gate.source} is not there")
        return Asked(gate, move.id, account, fault=fault)
    begin, end = window(gate, world.clock.now())
    try:
        reading = await answer(source, gate, question(gate, move.id, account), begin, end)
    except MigrateError as fault:
        return Asked(gate, move.id, account, fault=fault)
    return Asked(gate, move.id, account, values=len(reading.points))


def gate_answers(asked: Sequence[Asked]) -> list[Finding]:
    """One finding for each gate and cause, however many moves have it."""
    causes: dict[tuple[str, str], list[Asked]] = {}
    for one in asked:
        causes.setdefault((one.gate.name, one.fault.message if one.fault else ""), []).append(one)
    return [_finding(alike) for alike in causes.values()]


def _finding(alike: Sequence[Asked]) -> Finding:
    first = alike[0]
    moves = list(dict.fromkeys(str(one.move) for one in alike))
    of = ", ".join(moves[:2]) + (f" and {len(moves) - 2} more" if len(moves) > 2 else "")
    subject = f"gate {first.gate.name}"
    if first.fault is None:
        silent = sum(one.values == 0 for one in alike)
        said = "answered" if not silent else f"answered without a value for {silent} of {len(alike)} questions"
        more = f"; on_no_data says {first.gate.on_no_data}" if silent else ""
        return Finding("info", "gate-asked", subject, f"gate {first.gate.name} of {of} {said}{more}")
    if isinstance(first.fault, NotFound):
        text = f"gate {first.gate.name} of {of} was not asked: {first.fault.message}"
        return Finding("info", "gate-not-asked", subject, text, "apply asks it before the first fence")
    severity: Severity = "warning" if first.may_pass else "error"
    code = "gate-no-answer" if first.may_pass else "gate-cannot-be-asked"
    what = "does not answer" if first.may_pass else "cannot be asked"
    remedy = first.fault.hint or f"mend gate {first.gate.name} or its source {first.gate.source} in the plan"
    if first.may_pass:
        remedy = f"no cut-over begins before it answers; {remedy}"
    return Finding(severity, code, subject, f"gate {first.gate.name} of {of} {what}: {first.fault.message}", remedy)


async def keeps_back(mover: Mover) -> str | None:
    """Why the gates forbid the move to cut over now; None once all of them have answered, and they are not asked again.

    Raises:
        Halt: a gate that can never answer as it is written: the soak would never end.
    """
    clock = mover.world.clock
    if mover.have_gates_answered or not mover.wave.gates:
        return None
    if clock.monotonic() < mover.gates_asked_at + AGAIN_SECONDS:
        return mover.gates_silent
    asked = await ask_gates(mover.world, [(mover.wave, mover.plan)])
    mover.gates_asked_at = clock.monotonic()
    lacking = [one for one in asked if one.fault is not None]
    for one in lacking:
        if one.fault is not None and not one.may_pass:
            hint = one.fault.hint or "mend it in the plan"
            raise Halt(f"cannot move {mover.id}: gate {one.gate.name} cannot be asked: {one.fault.message}; {hint}")
    silence.keep(
        mover, {one.gate.name: (one.fault.message, one.fault.hint) for one in lacking if one.fault is not None}
    )
    mover.have_gates_answered = not lacking
    mover.gates_silent = "; ".join(
        f"gate {one.gate.name} does not answer: {one.fault.message}" for one in lacking if one.fault is not None
    )
    return mover.gates_silent or None
