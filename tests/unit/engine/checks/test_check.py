"""How a list of checks is run: what each sees, in which order they ask, what they may say, and what ends them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

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
ROOT = Path(__file__).resolve().parents[4]
SAYS_IT = """
from migrator.engine.checks.case import Case
from migrator.engine.checks.check import Check, Says, judged
from migrator.engine.checks.moments import When
from migrator.model.findings import Finding

SAYS = Says("halted", ("error",), "move", "what it says")

def test_says_it():
    one = Check((SAYS,), frozenset({When.DOCTOR}), lambda case: [Finding("info", "halted", "x", "text")])
    assert judged([one], Case(schedule=None, when=When.DOCTOR))

def test_of_something_else():
    pass
"""


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
@pytest.mark.parametrize("when", When)
async def test_what_a_check_never_declared_is_told_all_the_same_and_does_not_pass_our_tests(finding, when, undeclared):
    (told,) = await look([check(finding)], case(when))
    assert told.text == "text"
    assert judged([check(finding)], case(when)) == (told,)
    assert undeclared == [f"the check of halted says {told.severity} {told.code}, undeclared"] * 2
    undeclared.clear()


async def test_what_it_declared_is_no_news(undeclared):
    assert len(await look([check(says()), check(says("warning"))], case())) == 2
    assert undeclared == []


def test_a_test_in_which_a_check_says_what_it_never_declared_is_red(tmp_path):
    """Also where nobody looks at what was found, or it was said by a fixture."""
    (tmp_path / "test_it.py").write_text(SAYS_IT)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.undeclared", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stdout
    assert "2 passed, 1 error" in done.stdout
    assert "the check of halted says info halted, undeclared" in done.stdout


def test_an_operator_is_not_told_whose_fault_it_is(tmp_path):
    (tmp_path / "it.py").write_text(SAYS_IT + "\ntest_says_it()\n")
    command = [sys.executable, str(tmp_path / "it.py")]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


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
