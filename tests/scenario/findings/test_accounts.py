"""What reading accounts, routes and followers brings to light before anything is copied."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest

from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.facts import RoutesRead
from migrator.engine.checks.moments import Asks, When
from migrator.engine.checks.registry import CHECKS
from migrator.engine.checks.ways import streamed
from migrator.engine.preview import Desk, preview
from migrator.errors import Unreachable
from migrator.model.findings import Finding
from migrator.model.names import Area, Selector
from migrator.model.objects import CREATE, ContainerInfo, Features
from migrator.model.register import LEFT, RollEntry
from migrator.model.routes import RouteDocument, RouteRecord
from migrator.model.schedule import PlannedMove
from migrator.model.values import replace as changed
from migrator.ports.register import Attendant
from tests.scenario.findings.asking import found
from tests.scenario.world import ID, shape


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("snapshots", "not-kept-snapshots"),
        ("versions", "not-kept-versions"),
        ("leased", "not-kept-leased"),
        ("immutable", "not-kept-immutable"),
        ("encryption_scoped", "not-kept-encryption_scoped"),
        ("archived", "archived"),
        ("customer_keyed", "customer-keyed"),
        ("directories", "directories"),
        ("tagged", "tags-unreadable"),
        ("long_addressed", "long-address"),
    ],
)
async def test_what_cannot_be_kept_is_said_with_its_count(small, kind, code):
    world = small.rollout().world
    store = world.stores["src"]
    plain = store.survey

    async def survey(*words, **options):
        return changed(await plain(*words, **options), features=Features(**{kind: 3}, named={kind: ("one", "two")}))

    store.survey = survey
    seen = {one.code: one for one in (await preview(small.schedule, world)).findings}
    assert "has 3 " in seen[code].text
    assert seen[code].text.endswith(" (such as one, two)")


async def test_what_the_routes_say_is_said_instead_of_calling_a_live_target_full(small):
    """Customers use that target: it is not one to be emptied."""
    store = small.store("dst")
    await store.create_container(ContainerInfo("web"))
    await store.put("web", "x", b"12", shape(), condition=CREATE)
    await store.close()
    assert (await found(small))["target-not-empty"].severity == "error"
    route = RouteRecord("dst", "https://dst", "read-write", 9, "t", "f" * 16, "r")
    document = RouteDocument(30, 60, {str(ID): route})
    said = await found(small, desk=Desk(routes=RoutesRead(document)))
    assert "target-not-empty" not in said
    assert "--adopt-route" in said["route-disagrees"].remedy
    full = await found(small, desk=Desk(routes=RoutesRead(unreadable=Unreachable("cannot read the routes"))))
    assert {"target-not-empty", "routes-unreadable"} <= full.keys(), "nothing is concluded from what cannot be read"


def follower(clear: dict[str, int], age_seconds: float = 5.0) -> Attendant:
    return Attendant("0" * 32, "1", RollEntry("pod-7", 60.0, clear), age_seconds)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (RoutesRead(), "in about 3 s, and after 1 min 35 s at the latest: the next apply makes the register"),
        (RoutesRead(roll=()), "at the latest: nobody has entered the register"),
        (RoutesRead(roll=(follower({str(ID): 1}), follower({str(ID): LEFT}, 900.0))), "1 followers have entered"),
        (
            RoutesRead(roll=(follower({str(ID): 1}, 240.0),)),
            "takes its whole drain of 1 min 35 s: 1 of 1 followers are silent (pod-7, 4 min ago)",
        ),
        (
            RoutesRead(roll_error=Unreachable("no answer")),
            "its whole drain of 1 min 35 s: the register of followers cannot",
        ),
        (RoutesRead(unreadable=Unreachable("cannot read the routes")), None),
    ],
)
async def test_which_drain_to_expect_is_said_and_why(small, seen, said):
    whole = replace(small.schedule.routing, ttl_seconds=30, max_write_seconds=60, clock_margin_seconds=5)
    small.schedule = replace(small.schedule, routing=whole)
    assert "drain-expected" not in await found(small, desk=Desk(routes=seen)), "of version 1 the steps say enough"
    small.schedule = replace(small.schedule, routing=replace(whole, protocol=2))
    finding = (await found(small, desk=Desk(routes=seen))).get("drain-expected")
    assert (said in finding.text and finding.severity == "info") if said else finding is None


async def test_a_new_check_is_one_value_that_plan_the_preflight_and_the_look_before_a_fence_run(small, monkeypatch):
    asked = []

    async def run(case):
        asked.append(case.when)
        there = await case.at_source(case.moves[0])
        return [Finding("info" if case.when is When.PREFLIGHT else "error", "tried", str(ID), f"{len(there)} there")]

    says = Says("tried", ("error", "info"), "move", "what a trial finds", "do this")
    new = Check((says,), frozenset({When.PLAN, When.PREFLIGHT, When.FENCE}), run, frozenset({Asks.ACCOUNTS}))
    for room in ("preview", "before"):
        monkeypatch.setattr(f"migrator.engine.{room}.CHECKS", (*CHECKS, new))
    assert ((await found(small))["tried"].text, (await found(small))["tried"].remedy) == ("1 there", "do this")
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert f"cannot move {ID}: 1 there; do this" in outcome.reasons[0]
    assert (await small.route()).mode == "read-write", "nothing was fenced"
    assert [when for when in asked if when is not When.PLAN] == [When.PREFLIGHT, When.FENCE]


async def test_nothing_known_of_a_size_is_a_warning(small):
    assert (await found(small, mode="cached"))["inventory-unknown"].severity == "warning"


async def test_a_key_that_is_not_built_is_an_error(small):
    small.schedule = replace(small.schedule, not_built=("retire",))
    assert (await found(small))["not-built"].severity == "error"


def test_objects_that_go_through_this_machine_are_said():
    class Store:
        endpoint = "https://src.example"

        def __init__(self, lends: bool) -> None:
            self.lends = lends

        def can_copy_from(self, other) -> bool:
            return self.lends

    class Doors:
        unopened: ClassVar[dict] = {}

        def __init__(self, lends: bool) -> None:
            self.stores = {"src": Store(lends), "dst": Store(True)}

    moves = [PlannedMove(ID, Area("web", (Selector("web"),)), "src", "dst")]
    (finding,) = streamed(Doors(False), moves)
    assert (finding.code, finding.severity, finding.subject) == ("streamed", "warning", "dst -> src")
    assert list(streamed(Doors(True), moves)) == []
