"""Can the gates of a move be asked? Asked once before its customers are switched: by ``plan --probe``, by ``apply``'s look, in
the preflight, and before a fence until all have answered.

Decides what an answer means before anybody soaks: what somebody has to mend first (a query that the source refuses, several
series, a name that it does not know, no right) keeps the move where it is; a source that does not answer now keeps back the
cut-over until it does; an account that is not there yet is asked about later by a preview; silence is an answer. Leaves verdicts
to ``gates.judge``: nothing is judged here, and no sample is recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from migrator.engine.checks.case import Asked, Case, of_facts
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.facts import Facts
from migrator.engine.checks.moments import RUNS, Asks, When
from migrator.engine.sampling import answer, question
from migrator.engine.world import World
from migrator.errors import MigrateError, NotFound
from migrator.gates.reach import asked_accounts, gate_findings
from migrator.gates.windows import window
from migrator.model.findings import Finding, Severity
from migrator.model.schedule import WAY_BACK_READY, Gate, PlannedMove, PlannedWave
from migrator.model.values import replace
from migrator.standing.silence import Silent, silent_gates
from migrator.transfer.together import together

AT_ONCE: Final = 8
"""Questions under way: a plan of forty areas has hundreds."""


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
    return await together(*asked)


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


def gate_answers(asked: Sequence[Asked], *, in_run: bool = False) -> list[Finding]:
    """One finding for each gate and cause, however many moves have it. ``in_run``: whoever tells it names the move."""
    causes: dict[tuple[str, str], list[Asked]] = {}
    for one in asked:
        causes.setdefault((one.gate.name, one.fault.message if one.fault else ""), []).append(one)
    return [_finding(alike, in_run=in_run) for alike in causes.values()]


def _finding(alike: Sequence[Asked], *, in_run: bool) -> Finding:
    first = alike[0]
    moves = list(dict.fromkeys(str(one.move) for one in alike))
    of = "" if in_run else " of " + ", ".join(moves[:2]) + (f" and {len(moves) - 2} more" if len(moves) > 2 else "")
    subject = f"gate {first.gate.name}"
    if first.fault is None:
        silent = sum(one.values == 0 for one in alike)
        said = "answered" if not silent else f"answered without a value for {silent} of {len(alike)} questions"
        more = f"; on_no_data says {first.gate.on_no_data}" if silent else ""
        return Finding("info", "gate-asked", subject, f"gate {first.gate.name}{of} {said}{more}")
    if isinstance(first.fault, NotFound) and not in_run:
        text = f"gate {first.gate.name}{of} was not asked: {first.fault.message}"
        return Finding("info", "gate-not-asked", subject, text)
    severity: Severity = "warning" if first.may_pass else "error"
    code = "gate-no-answer" if first.may_pass else "gate-cannot-be-asked"
    what = "does not answer" if first.may_pass else "cannot be asked"
    remedy = first.fault.hint or f"mend gate {first.gate.name} or its source {first.gate.source} in the plan"
    if first.may_pass:
        remedy = f"no cut-over begins before it answers; {remedy}"
    return Finding(severity, code, subject, f"gate {first.gate.name}{of} {what}: {first.fault.message}", remedy)


def reach(case: Case) -> Iterator[Finding]:
    """Of what the plan alone shows that it cannot be asked. A warning for whoever only writes the plan: its accounts may not
    exist yet."""
    for finding in gate_findings(case.schedule):
        yield replace(finding, severity="warning") if case.when is When.VALIDATE else finding


async def gates(case: Case) -> list[Finding]:
    """Each gate of the moves is asked once, but about no account of which the plan alone shows that it cannot be."""
    is_run = case.when in RUNS
    known = set() if is_run else {one.subject for one in gate_findings(case.schedule)}
    pairs = [(case.schedule.wave_of(move.id), move) for move in case.moves]
    asked = await ask_gates(case.ports, pairs)
    case.answers.asked += asked
    return gate_answers([one for one in asked if one.account not in known], in_run=is_run)


def way_back(case: Case) -> Iterator[Finding]:
    """A wave that wants a way back which is ready, and says nothing that makes it so, or forbids it."""
    for wave in case.schedule.waves:
        if wave.needs_way_back and wave.cutover.reverse != "continuous":
            text = f"wave {wave.name} wants gate {WAY_BACK_READY}, and nothing keeps its sources warm: its soak would never end"
            remedy = f"write `cutover: {{reverse: continuous}}` for the plan or the wave, or do without gate {WAY_BACK_READY}"
            yield Finding("error", "way-back-not-kept", f"wave {wave.name}", text, remedy)
        if wave.cutover.reverse == "continuous" and wave.cutover.canary == "target-only":
            text = f"wave {wave.name} keeps its sources warm (reverse: continuous), and may only read them (canary: target-only)"
            remedy = "say canary: both where the sources may be written, or reverse: on-demand"
            yield Finding("error", "way-back-not-kept", f"wave {wave.name}", text, remedy)


def silent(case: Case) -> Iterator[Finding]:
    """Gates that did not answer the last run, one finding for each cause: where nobody asks them now, nobody else says it."""
    if Asks.GATES in case.allowed:
        return
    causes: dict[tuple[str, str], list[str]] = {}
    first: dict[tuple[str, str], Silent] = {}
    for wave in case.schedule.waves:
        for record in (case.state.move(move.id) for move in wave.moves):
            for one in silent_gates(case.state, record, wave) if record is not None else ():
                causes.setdefault((one.gate, one.why), []).append(str(record.id) if record else "")
                first.setdefault((one.gate, one.why), one)
    for cause, moves in causes.items():
        of = ", ".join(moves[:2]) + (f" and {len(moves) - 2} more" if len(moves) > 2 else "")
        hint = f"; {first[cause].hint}" if first[cause].hint else ""
        remedy = f"`migrate plan PLAN --probe` asks it again{hint}"
        text = f"{first[cause]}; no cut-over of {of} begins before it does"
        yield Finding("warning", "gate-no-answer", f"gate {cause[0]}", text, remedy)


def known_silent(facts: Facts) -> Iterator[Finding]:
    """The same, of each move."""
    for move in facts.schedule.moves:
        for one in facts.silent.get(str(move.id), ()):
            yield Finding(
                "warning", "gate-no-answer", str(move.id), f"{one}; no cut-over begins before it does", one.hint
            )


NO_ANSWER: Final = Says(
    "gate-no-answer",
    ("warning",),
    "gate, move",
    "a gate's source does not answer now; no cut-over begins before it does",
)
CANNOT_BE_ASKED: Final = Says(
    "gate-cannot-be-asked",
    ("error", "warning"),
    "gate, account",
    "a gate can never answer as it is written: its query or its rights must be mended first",
)
CHECKS: Final = (
    Check(
        (
            Says(
                "way-back-not-kept",
                ("error",),
                "wave",
                "a wave's gates want a way back that is ready, or its plan says so, and nothing can keep its sources warm",
            ),
        ),
        frozenset({When.VALIDATE, When.PLAN}),
        way_back,
    ),
    Check(
        (CANNOT_BE_ASKED,),
        frozenset({When.VALIDATE, When.PLAN}),
        reach,
    ),
    Check(
        (
            Says("gate-asked", ("info",), "gate", "a gate was asked once, and what it said"),
            CANNOT_BE_ASKED,
            NO_ANSWER,
            Says(
                "gate-not-asked",
                ("info",),
                "gate",
                "a gate was not asked, because its account is not there yet",
                "apply asks it before the first fence",
            ),
        ),
        frozenset({When.PLAN, When.PREFLIGHT, When.FENCE}),
        gates,
        frozenset({Asks.GATES}),
    ),
    Check((NO_ANSWER,), frozenset({When.PLAN}), silent, frozenset({Asks.STATE})),
    Check((NO_ANSWER,), frozenset({When.DOCTOR}), of_facts(known_silent), frozenset({Asks.STATE})),
)
