"""How a list of checks is run: what each sees, in which order they ask, what they may say, and what ends them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.engine.checks.case import Case
from migrator.engine.checks.check import Check, Says, judged, look
from migrator.engine.checks.moments import Asks, When
from migrator.errors import InternalError, Unreachable
from migrator.model.findings import Finding
from tests.unit.engine.board import mover_of
from tests.unit.engine.checks.test_doctor import record

SAYS = Says("halted", ("error", "warning"), "move", "what it says", "do this")
EVERYTHING = frozenset(Asks)


def case(when: When = When.PLAN, may_ask: frozenset[Asks] = EVERYTHING) -> Case:
    mover, _, _ = mover_of(record(), None)
    schedule, world = mover.shared.schedule, mover.world
    return Case(schedule=schedule, when=when, moves=schedule.moves, may_ask=may_ask, world=world, known=world.state)


def check(run, *asks: Asks, at: frozenset[When] = frozenset(When), says: tuple[Says, ...] = (SAYS,)) -> Check:
    return Check(says, at, run, frozenset(asks))


def says(severity: str = "error", remedy: str = "", code: str = "halted"):
    return lambda case: [Finding(severity, code, "x", "text", remedy)]


@pytest.mark.parametrize(
    ("asks", "wants"),
    [
        ((), "state"),
        ((), "routes"),
        ((Asks.STATE,), "routes"),
        ((Asks.STATE,), "ports"),
        ((Asks.ROUTES,), "state"),
    ],
)
async def test_a_check_sees_only_what_it_said_that_it_asks(asks, wants):
    with pytest.raises(InternalError, match="that did not say so"):
        await look([check(lambda case: getattr(case, wants), *asks)], case())


async def test_a_check_that_asks_for_more_than_the_moment_allows_does_not_run():
    written = check(says(), Asks.ACCOUNTS, Asks.WRITES)
    assert await look([written], case(may_ask=EVERYTHING - {Asks.WRITES})) == ()
    assert len(await look([written], case())) == 1


async def test_a_check_runs_at_its_own_moments():
    written = check(says(), at=frozenset({When.DOCTOR, When.FENCE}))
    ran = [when for when in When if await look([written], case(when))]
    assert ran == [When.FENCE, When.DOCTOR]


@pytest.mark.parametrize("finding", [says("info"), says(code="unreadable")])
async def test_what_a_check_never_declared_is_a_fault_of_ours(finding):
    with pytest.raises(InternalError, match="undeclared"):
        await look([check(finding)], case())


async def test_the_remedy_goes_without_saying_unless_the_finding_has_its_own():
    told = await look([check(says()), check(says(remedy="do that"))], case())
    assert [one.remedy for one in told] == ["do this", "do that"]


async def test_what_writes_comes_after_all_that_reads_and_is_told_in_the_order_of_the_list():
    ran = []

    def looks(name, severity="error"):
        async def run(case):
            ran.append(name)
            return [Finding(severity, "halted", name, "text")]

        return run

    listed = [
        check(looks("canary"), Asks.ACCOUNTS, Asks.WRITES),
        check(looks("gate"), Asks.GATES),
        check(looks("plan")),
    ]
    told = await look(listed, case())
    assert ran == ["plan", "gate", "canary"]
    assert [one.subject for one in told] == ["canary", "gate", "plan"]


@pytest.mark.parametrize(
    ("when", "severity", "is_written"),
    [
        (When.PLAN, "error", True),
        (When.PREFLIGHT, "error", False),
        (When.PREFLIGHT, "warning", True),
        (When.FENCE, "error", False),
        (When.FENCE, "warning", False),
    ],
)
async def test_in_a_run_nothing_is_written_once_something_stands_in_the_way(when, severity, is_written):
    ran = []
    listed = [check(says(severity), Asks.GATES), check(lambda case: ran.append("written") or [], Asks.WRITES)]
    assert len(await look(listed, case(when))) == 1
    assert bool(ran) is is_written


def test_a_check_of_facts_that_asks_somebody_is_a_fault_of_ours():
    class Answer:
        def __await__(self):
            yield

    written = check(lambda case: Answer())
    with pytest.raises(InternalError, match="asks somebody"):
        judged([written], case(When.DOCTOR))


@pytest.mark.parametrize("when", [When.PLAN, When.PREFLIGHT, When.FENCE])
async def test_an_account_that_does_not_answer_is_kept_by_a_preview_and_raised_in_a_run(when):
    asked = []

    async def away():
        asked.append("src")
        raise Unreachable("cannot reach src")

    one = case(when)
    one.world = replace(one.world, stores={"src": type("Away", (), {"containers": staticmethod(away)})})
    if when is When.PLAN:
        assert [await one.containers("src") for _ in range(2)] == [None, None]
        assert (len(asked), one.answers.faults.keys()) == (1, {"src"})
    else:
        with pytest.raises(Unreachable):
            await one.containers("src")
