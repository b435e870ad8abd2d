"""How far away accounts are: asked where much is to be moved, by the median of small questions; no answer is no obstacle."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from migrator.engine.checks.case import Case, Proved
from migrator.engine.checks.moments import Asks, When
from migrator.engine.distance import ASKED, means_of, with_copies
from migrator.errors import AccessRefused, NotFound
from migrator.forecast.inventory import Inventory
from migrator.forecast.means import UNMEASURED, Means, pair
from migrator.model.objects import ContainerInfo
from migrator.model.schedule import Account
from tests.unit.forecast.worlds import schedule

PLAN = schedule({"web": ("new", None)})
MOVE = PLAN.moves[0]


class Store:
    """Answers after each of ``took`` seconds of the clock that it moves."""

    def __init__(self, clock: Any, took: list[float], fault: Exception) -> None:
        self.clock, self.took, self.fault, self.asked = clock, list(took), fault, 0

    async def head(self, container: str, name: str) -> None:
        self.asked += 1
        self.clock.at += self.took.pop(0)
        raise self.fault


def case_of(objects: int, *, fault: Exception | None = None, absent: bool = False) -> tuple[Case, dict[str, Store]]:
    clock = SimpleNamespace(at=0.0, monotonic=lambda: clock.at)
    gone = fault or NotFound("there is no such object", what="blob")
    stores = {name: Store(clock, [0.5, 0.02, 0.03], gone) for name in ("old", "new")}
    world: Any = SimpleNamespace(stores=stores, clock=clock)
    case = Case(
        schedule=PLAN, when=When.PLAN, moves=[MOVE], may_ask=frozenset({Asks.ACCOUNTS, Asks.LISTINGS}), world=world
    )
    case.answers.inventories[MOVE.id] = Inventory(objects, 0)
    case.answers.containers.update({"old": [ContainerInfo("web")], "new": [] if absent else [ContainerInfo("web")]})
    case.answers.took.update({"old": 0.2, "new": 0.1})
    return case, stores


def test_the_median_of_some_small_questions_is_how_far_an_account_is() -> None:
    case, stores = case_of(1_000)
    means = asyncio.run(means_of(case, UNMEASURED))
    assert {name: one.asked for name, one in stores.items()} == {"old": ASKED, "new": ASKED}
    assert set(means.answers) == {"old", "new"}
    assert all(seconds >= 0.02 for seconds in means.answers.values())
    assert means.containers == {"old": 0.2, "new": 0.1}


def test_little_is_not_worth_a_question_and_what_was_known_stays() -> None:
    case, stores = case_of(999)
    known = Means(answers={"old": 0.7})
    assert asyncio.run(means_of(case, known)).answers == {"old": 0.7}
    assert not any(one.asked for one in stores.values())


def test_an_account_without_containers_or_an_answer_is_no_obstacle() -> None:
    case, stores = case_of(1_000, absent=True)
    assert set(asyncio.run(means_of(case, UNMEASURED)).answers) == {"old"}
    assert stores["new"].asked == 0
    refused, stores = case_of(1_000, fault=AccessRefused("cannot look at it"))
    assert asyncio.run(means_of(refused, UNMEASURED)).answers == {}
    assert stores["old"].asked == 1


def test_files_of_this_machine_are_not_far() -> None:
    case, stores = case_of(1_000)
    case.schedule = replace(PLAN, accounts={name: Account(name, "local", path=name) for name in PLAN.accounts})
    assert asyncio.run(means_of(case, UNMEASURED)).answers == {}
    assert not any(one.asked for one in stores.values())


def test_a_canary_tells_how_long_a_copy_takes() -> None:
    proved = Proved(MOVE, "web", "by the service", "", made=False, copy_seconds=0.03)
    means = with_copies(UNMEASURED, [proved])
    assert means.copies == {pair("old", "new"): 0.03}
    assert means.copy_seconds(MOVE) == pytest.approx(0.03)
    assert UNMEASURED.copy_seconds(MOVE) == pytest.approx(0.016)
    assert Means(answers={"new": 0.05}).copy_seconds(MOVE) == pytest.approx(0.05), "no copy is quicker than an answer"
