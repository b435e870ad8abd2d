"""Each finding that reading the accounts, the plan and the gates can bring, made by the smallest world that has its cause."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from migrator.engine.checks import probes
from migrator.engine.checks.case import Case
from migrator.engine.checks.check import Check, Says, look
from migrator.engine.checks.facts import RoutesRead
from migrator.engine.checks.moments import Asks, When
from migrator.engine.checks.registry import CHECKS
from migrator.engine.checks.ways import streamed
from migrator.engine.preview import Desk, preview
from migrator.errors import AccessRefused, CloudError, Throttled, Unreachable
from migrator.model import notes
from migrator.model.findings import Finding
from migrator.model.moves import MoveState
from migrator.model.names import Area, Selector
from migrator.model.objects import CREATE, ContainerInfo, Features
from migrator.model.register import LEFT, RollEntry
from migrator.model.rhythm import Rhythm
from migrator.model.routes import RouteDocument, RouteRecord
from migrator.model.samples import Reading
from migrator.model.schedule import Account, Declared, PlannedMove
from migrator.model.values import replace as changed
from migrator.ports.register import Attendant
from migrator.standing.soak_waits import read
from tests.scenario.test_rollout import until
from tests.scenario.world import ID, Small, shape


class Answers:
    """A metric source that says what it is told to, and counts how often it was asked."""

    def __init__(self, *faults: Exception | None) -> None:
        self.faults = list(faults)
        self.asked = 0

    async def ask(self, question, *, begin, end):
        self.asked += 1
        fault = self.faults.pop(0) if len(self.faults) > 1 else self.faults[0]
        if fault is not None:
            raise fault
        return Reading(())

    async def close(self):
        pass


@pytest.fixture
async def small(tmp_path: Path) -> Small:
    made = Small(tmp_path)
    await made.fill(2)
    return made


async def found(small: Small, *, source=None, **options) -> dict[str, Finding]:
    world = small.rollout().world
    if source is not None:
        world.metrics = {"m": source}
    return {one.code: one for one in (await preview(small.schedule, world, **options)).findings}


async def probed(small: Small, world, moves) -> list[Finding]:
    """What sending a probe finds."""
    may_ask = frozenset({Asks.ACCOUNTS, Asks.WRITES})
    case = Case(schedule=small.schedule, when=When.PLAN, moves=moves, may_ask=may_ask, world=world)
    return list(await look(probes.CHECKS, case))


# Accounts.


async def test_objects_in_no_area_are_counted(small):
    store = small.store("src")
    await store.create_container(ContainerInfo("other"))
    await store.put("other", "x", b"12", shape(), condition=CREATE)
    await store.close()
    assert "src/other has 1 objects (2 bytes) that are in no area" in (await found(small))["in-no-area"].text


@pytest.mark.parametrize(("container", "is_said"), [("$web", True), ("$root", True), ("$logs", False)])
async def test_customers_containers_with_odd_names_do_not_stay_behind_without_a_word(small, container, is_said):
    store = small.store("src")
    await store.create_container(ContainerInfo(container))
    await store.put(container, "index.html", b"12", shape(), condition=CREATE)
    await store.close()
    said = [one for code, one in (await found(small)).items() if code == "in-no-area"]
    assert [f"src/{container} has 1 objects" in one.text for one in said] == [True] * is_said


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


@pytest.mark.parametrize("selector", [Selector("gone"), Selector("gone-*")], ids=lambda one: one.container)
async def test_a_run_refuses_a_missing_container_before_its_first_copy_in_the_words_of_plan(small, selector):
    """It may have gone since the plan was looked at."""
    move = small.schedule.waves[0].moves[0]
    small.change_wave(moves=(replace(move, area=replace(move.area, selectors=(*move.area.selectors, selector))),))
    said = (await found(small))["missing-container"]
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert f"cannot move {ID}: {said.text}; {said.remedy}" in outcome.reasons[0]
    assert await small.store("dst").containers() == [], "nothing was made or copied"


def protecting(world, account: str, **held) -> None:
    """Every container of ``account`` is ``held`` from now on."""
    store = world.stores[account]
    plain = store.containers

    async def containers(prefix=""):
        return [changed(info, **held) for info in await plain(prefix)]

    store.containers = containers


PROTECTIONS = pytest.mark.parametrize(
    ("held", "words"),
    [
        ({"has_immutability": True}, "a retention policy"),
        ({"has_legal_hold": True}, "a legal hold"),
        ({"has_version_immutability": True}, "version-level immutability"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)


@PROTECTIONS
@pytest.mark.parametrize("account", ["src", "dst"])
async def test_a_container_from_which_nobody_may_delete_is_an_error_on_either_side(small, account, held, words):
    store = small.store("dst")
    await store.create_container(ContainerInfo("web"))
    await store.close()
    world = small.rollout().world
    protecting(world, account, **held)
    seen = {one.code: one for one in (await preview(small.schedule, world)).findings}
    assert seen["protected-container"].severity == "error"
    assert f"web of {account} is under {words}" in seen["protected-container"].text


@PROTECTIONS
@pytest.mark.parametrize("account", ["src", "dst"])
async def test_no_probe_and_no_canary_is_written_where_nobody_may_delete_it(small, account, held, words):
    """It would lie there for years, and be in the way of every later run."""
    store = small.store("dst")
    await store.create_container(ContainerInfo("web"))
    await store.close()
    rollout = small.rollout()
    protecting(rollout.world, account, **held)
    (finding,) = await probed(small, rollout.world, list(small.schedule.moves))
    assert (finding.code, finding.severity) == ("not-probed", "info")
    assert "nobody may delete" in finding.text
    written = []
    for name in ("src", "dst"):
        rollout.world.stores[name].put = lambda *words, **more: written.append(words)
    outcome = await rollout.apply()
    assert outcome.code == "halted"
    assert words in outcome.reasons[0]
    assert written == []


async def test_a_probe_goes_where_it_can_be_deleted_again(small):
    for name in ("src", "dst"):
        store = small.store(name)
        for container in ("web", "web2"):
            await store.create_container(ContainerInfo(container))
        await store.close()
    move = small.schedule.waves[0].moves[0]
    small.change_wave(moves=(replace(move, area=replace(move.area, selectors=(Selector("web*"),))),))
    world = small.rollout().world
    store = world.stores["dst"]
    plain = store.containers

    async def containers(prefix=""):
        return [changed(info, has_legal_hold=info.name == "web") for info in await plain(prefix)]

    store.containers = containers
    case = Case(
        schedule=small.schedule,
        when=When.PLAN,
        moves=list(small.schedule.moves),
        may_ask=frozenset({Asks.ACCOUNTS, Asks.WRITES}),
        world=world,
    )
    await look(probes.CHECKS, case)
    assert [one.container for one in case.answers.proved] == ["web2"]


@pytest.mark.parametrize(("there", "says"), [("Cool", True), ("Hot", False), (None, False)])
async def test_another_default_tier_at_the_target_is_a_finding_of_the_probe(small, there, says):
    for name in ("src", "dst"):
        store = small.store(name)
        await store.create_container(ContainerInfo("web"))
        await store.close()
    world = small.rollout().world
    for name, tier in (("src", "Hot"), ("dst", there)):
        store = world.stores[name]

        async def head(container, name, plain=store.head, tier=tier):
            return changed(await plain(container, name), tier=tier, tier_inferred=True)

        store.head = head
    case = Case(
        schedule=small.schedule,
        when=When.PLAN,
        moves=list(small.schedule.moves),
        may_ask=frozenset({Asks.ACCOUNTS, Asks.WRITES}),
        world=world,
    )
    found = {one.code: one for one in await look(probes.CHECKS, case)}
    assert "probed" in found
    assert ("default-tier" in found) == says
    if says:
        assert "Hot at src and Cool at dst" in found["default-tier"].text
        assert "an object without a tier of its own was Hot and is Cool" in found["probed"].text


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


async def test_a_way_that_is_not_probed_says_why(small):
    store = small.store("src")
    await store.delete("web", "n000", if_match=(await store.head("web", "n000")).etag)
    area = replace(small.schedule.waves[0].moves[0].area, selectors=())
    moves = [replace(small.schedule.waves[0].moves[0], area=area)]
    world = small.rollout().world
    (finding,) = [one for one in await probed(small, world, moves) if one.severity == "info"]
    assert (finding.code, finding.severity) == ("not-probed", "info")


async def test_a_probe_that_is_refused_is_an_error(small):
    world = small.rollout().world

    async def refuse(*words, **options):
        raise AccessRefused("cannot write dst: refused")

    world.stores["dst"].create_container = refuse
    (finding,) = [one for one in await probed(small, world, list(small.schedule.moves)) if one.severity == "error"]
    assert (finding.code, finding.severity) == ("probe-failed", "error")


def read_only(store) -> list[str]:
    """From now on ``store`` takes no write; what was tried."""
    tried: list[str] = []
    for name in (
        "put",
        "delete",
        "copy",
        "create_container",
        "stage_block",
        "commit_blocks",
        "set_tags",
        "create_empty",
    ):

        async def refuse(*words, name=name, **more):
            tried.append(name)
            raise AccessRefused(f"cannot {name}: no right to write")

        setattr(store, name, refuse)
    return tried


def with_canary(small: Small, canary: str) -> None:
    small.change_wave(cutover=replace(small.schedule.waves[0].cutover, canary=canary))


async def test_a_source_that_may_only_be_read_is_moved_where_the_plan_says_so(small):
    with_canary(small, "target-only")
    rollout = small.rollout()
    tried = read_only(rollout.world.stores["src"])
    assert (await rollout.apply()).code == "done"
    assert tried == []
    store = small.store("dst")
    assert not (await store.page("web", prefix=".migrate/")).entries, "nothing is left"
    await store.close()
    said = [one.text for one in small.state().journal() if one.kind == "canary"]
    assert said
    assert all(text.endswith("the way back is not proved") for text in said)


async def test_a_source_that_may_only_be_read_stops_any_other_plan_before_the_first_copy(small):
    rollout = small.rollout()
    tried = read_only(rollout.world.stores["src"])
    outcome = await rollout.apply()
    assert (outcome.code, tried) == ("halted", ["put"])
    assert "no right to write" in outcome.reasons[0]


@pytest.mark.parametrize("objects", [0, 2])
async def test_a_probe_of_a_source_that_may_only_be_read(small, objects):
    with_canary(small, "target-only")
    world = small.rollout().world
    store = small.store("src")
    for number in range(2 - objects):
        name = f"n{number:03}"
        await store.delete("web", name, if_match=(await store.head("web", name)).etag)
    await store.close()
    tried = read_only(world.stores["src"])
    (finding,) = [one for one in await probed(small, world, list(small.schedule.moves)) if one.code == "probed"]
    assert "the way back was not tried" in finding.text
    assert tried == []


async def test_a_plan_that_leaves_the_way_back_unproved_is_warned_of(small):
    assert "way-back-unproved" not in await found(small)
    with_canary(small, "target-only")
    assert (await found(small))["way-back-unproved"].severity == "warning"


async def test_a_canary_that_arrives_changed_is_no_proof(small):
    with_canary(small, "target-only")
    world = small.rollout().world
    plain = world.stores["dst"].whole

    async def whole(*words, **more):
        return changed(await plain(*words, **more), body=b"something else")

    world.stores["dst"].whole = whole
    (finding,) = [one for one in await probed(small, world, list(small.schedule.moves)) if one.severity == "error"]
    assert "a canary arrived changed" in finding.text


async def test_one_account_under_two_addresses_is_seen_without_writing_to_the_source(small):
    with_canary(small, "target-only")
    world = small.rollout().world
    world.stores["dst"] = world.stores["src"]
    (finding,) = [one for one in await probed(small, world, list(small.schedule.moves)) if one.severity == "error"]
    assert "they are one account" in finding.remedy


# Gates.


@pytest.mark.parametrize("reverse", ["on-demand", "continuous"])
async def test_a_gate_for_the_way_back_wants_something_that_makes_it_ready(small, reverse):
    wave = small.schedule.waves[0]
    small.change_wave(needs_way_back=True, cutover=replace(wave.cutover, reverse=reverse))
    found = [
        one
        for one in (await preview(small.schedule, small.rollout().world)).findings
        if one.code == "way-back-not-kept"
    ]
    assert [(one.severity, one.subject) for one in found] == (
        [("error", "wave first")] if reverse == "on-demand" else []
    )


async def test_sources_that_may_only_be_read_cannot_be_kept_warm(small):
    wave = small.schedule.waves[0]
    small.change_wave(cutover=replace(wave.cutover, reverse="continuous", canary="target-only"))
    (found,) = [
        one
        for one in (await preview(small.schedule, small.rollout().world)).findings
        if one.code == "way-back-not-kept"
    ]
    assert (found.severity, found.subject) == ("error", "wave first")


async def test_a_gate_without_the_place_of_its_account_is_an_error_without_asking(small):
    accounts = {name: Account(name, "azure", endpoint=f"https://{name}.example") for name in ("src", "dst")}
    small.schedule = replace(
        small.schedule, accounts=accounts, metrics={"m": replace(small.schedule.metrics["m"], kind="azure-monitor")}
    )
    source = Answers(None)
    world = Small(small.folder).rollout().world
    world.metrics = {"m": source}
    seen = {one.code: one for one in (await preview(small.schedule, world)).findings}
    assert seen["gate-cannot-be-asked"].severity == "error"
    assert seen["gate-cannot-be-asked"].subject == "dst"
    assert source.asked == 0


@pytest.mark.parametrize(
    ("fault", "code", "severity"),
    [
        (None, "gate-asked", "info"),
        (CloudError("cannot ask: it refused the query"), "gate-cannot-be-asked", "error"),
        (CloudError("cannot judge the query: it gives 3 series"), "gate-cannot-be-asked", "error"),
        (AccessRefused("cannot ask: 403"), "gate-cannot-be-asked", "error"),
        (Unreachable("cannot reach it: nothing listens there"), "gate-no-answer", "warning"),
        (Throttled("cannot ask: fewer requests"), "gate-no-answer", "warning"),
    ],
)
async def test_what_asking_a_gate_once_shows(small, fault, code, severity):
    source = Answers(fault)
    assert not [one for one in await found(small, source=source) if one.startswith("gate-")]
    assert source.asked == 0, "a preview that is not told to asks nobody"
    seen = await found(small, source=source, with_gates=True)
    assert seen[code].severity == severity
    assert source.asked == 1


async def test_an_account_that_is_not_there_yet_is_asked_about_later(small):
    from migrator.errors import NotFound

    source = Answers(NotFound("account dst is not there", what="account"))
    assert (await found(small, source=source, with_gates=True))["gate-not-asked"].severity == "info"


async def test_many_moves_with_one_cause_are_one_finding(small):
    wave = small.schedule.waves[0]
    moves = tuple(replace(wave.moves[0], id=replace(ID, area=f"a{n}")) for n in range(9))
    small.change_wave(moves=moves)
    world = small.rollout().world
    world.metrics = {"m": Answers(CloudError("cannot ask: it refused the query"))}
    seen = [one for one in (await preview(small.schedule, world, with_gates=True)).findings if one.severity == "error"]
    assert len([one for one in seen if one.code == "gate-cannot-be-asked"]) == 1
    assert "europe/a0, europe/a1 and 7 more" in seen[-1].text


async def test_a_gate_that_can_never_answer_halts_before_anything_is_written(small):
    rollout = small.rollout()
    rollout.world.metrics = {"m": Answers(CloudError("cannot ask: it refused the query (parse error)"))}
    outcome = await rollout.apply()
    assert outcome.code == "halted"
    assert "gate errors cannot be asked" in small.state().move(ID).reason
    assert await small.store("dst").containers() == []


async def test_a_gate_that_breaks_after_the_copy_halts_before_the_fence(small):
    """The first question is answered in the preflight of a run that is then stopped; the next run asks again."""
    held = small.rollout()
    held.world.metrics = {"m": Answers(None)}
    small.change_wave(cutover=replace(small.schedule.waves[0].cutover, hold=True))
    held = small.rollout()
    held.world.metrics = {"m": Answers(None)}
    assert (await held.apply(wait=False)).code == "waiting"
    small.change_wave(cutover=replace(small.schedule.waves[0].cutover, hold=False))
    broken = small.rollout()
    broken.world.metrics = {"m": Answers(CloudError("cannot ask: it refused the query (parse error)"))}
    assert (await broken.apply()).code == "halted"
    assert (await small.route()).account == "src"
    assert (await small.route()).mode == "read-write"


async def test_a_source_that_is_away_keeps_the_cut_over_back_until_it_answers(small):
    small.rhythm = Rhythm(kept_back_seconds=0.05)
    rollout = small.rollout()
    away = Unreachable("cannot reach it: nothing listens there")
    source = Answers(away, away, away, None)
    rollout.world.metrics = {"m": source}
    work = asyncio.create_task(rollout.apply())
    await until(lambda: source.asked >= 3)
    assert not work.done()
    assert (await small.route()).account == "src"
    await until(lambda: small.state().move(ID).state is MoveState.SOAKING)
    assert any("does not answer" in text for kind, _, text in rollout.world.reporter.events if kind == "waiting")
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


# What a soak waits for.


async def test_a_soak_on_silence_that_wants_a_value_says_so_and_what_to_do(small):
    gate = replace(small.schedule.waves[0].gates[0], on_no_data="pass", min_samples=1)
    small.change_wave(gates=(gate,))
    rollout = small.rollout()
    rollout.world.metrics = {"m": Answers(None)}
    work = asyncio.create_task(rollout.apply())
    state = small.state()
    interval = small.schedule.waves[0].interval_seconds
    for _ in range(400):
        record = state.move(ID)
        waits = read(record, state.note(notes.soak_waits(ID))) if record is not None else None
        if waits is not None and waits.stands_still(rollout.world.clock.now(), interval) and waits.left_seconds == 0:
            break
        await asyncio.sleep(0.02)
    assert not work.done()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert waits.gates[0].verdict == "silent"
    assert "min_samples: 0" in waits.gates[0].remedy
    assert "samples with a value of gate errors (0 of 1)" in waits.lacks


async def test_a_soak_whose_gate_errors_says_so_and_one_that_comes_on_does_not(small):
    rollout = small.rollout()
    source = Answers(None, Unreachable("cannot reach it: nothing listens there"))
    rollout.world.metrics = {"m": source}
    work = asyncio.create_task(rollout.apply())
    state, waits = small.state(), None
    for _ in range(400):
        record = state.move(ID)
        waits = read(record, state.note(notes.soak_waits(ID))) if record is not None else None
        if waits is not None and waits.gates:
            break
        await asyncio.sleep(0.02)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert waits.gates[0].verdict == "errored"
    assert waits.gates[0].remedy.startswith("mend gate errors: the source could not be asked")
    assert not waits.stands_still(waits.still_since + timedelta(seconds=0.1), 0.05), "a blip is not a standstill"
    assert waits.stands_still(waits.still_since + timedelta(seconds=1), 0.05)
    other = changed(state.move(ID), epoch=state.move(ID).epoch + 2)
    assert read(other, state.note(notes.soak_waits(ID))) is None, "another stay"


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


# Areas that hold nothing, accounts that are one.


def with_area(small: Small, *selectors: Selector, declared: Declared | None = None) -> None:
    area = Area("web", selectors)
    small.change_wave(moves=(PlannedMove(ID, area, "src", "dst", declared=declared),))


@pytest.mark.parametrize("mode", ["full", "sample"])
@pytest.mark.parametrize("prefix", ["n*", "/n", "n ", "N"])
async def test_a_prefix_that_matches_nothing_is_an_error_before_the_first_copy(small, prefix, mode):
    with_area(small, Selector("web", prefix))
    finding = (await found(small, mode=mode))["empty-area"]
    assert finding.severity == "error"
    assert "web holds objects of no area, such as n000" in finding.text
    assert "inventory: {web: {objects: 0}}" in finding.remedy


async def test_an_area_whose_containers_hold_only_what_is_in_other_areas_is_a_warning(small):
    await small.erase("src", "n000")
    await small.erase("src", "n001")
    assert (await found(small))["empty-area"].severity == "warning"


async def test_a_glob_that_matches_no_container_is_an_error(small):
    with_area(small, Selector("web-*"))
    finding = (await found(small))["missing-container"]
    assert (finding.severity, finding.text) == ("error", "no container of src is named like web-*")


@pytest.mark.parametrize("selector", [Selector("web", "n*"), Selector("web-*")])
async def test_the_plans_own_word_that_an_area_is_empty_is_enough(small, selector):
    with_area(small, selector, declared=Declared(0, 0.0))
    assert not {"empty-area", "missing-container"} & (await found(small)).keys()


async def test_an_area_that_is_on_its_way_is_not_asked(small):
    await small.rollout().apply()
    for name in ("n000", "n001"):
        await small.erase("src", name)
    assert "empty-area" not in await found(small)


async def test_what_a_move_copied_before_it_went_back_is_its_own_and_stands_not_in_the_way(small):
    await small.rollout().apply()
    await small.rollout().rollback()
    await small.rollout().retry(reason="mended", who="me")
    assert small.state().move(ID).state is MoveState.PREFLIGHT
    assert "target-not-empty" not in await found(small)
    assert (await small.rollout().apply()).code == "done"


class SameAccount:
    """Two names of one account, behind doors that say nothing of it."""

    def __init__(self, small: Small) -> None:
        self.store = small.store("src")

    async def preview(self, small: Small) -> dict[str, Finding]:
        kinds = {name: changed(account, kind="azure") for name, account in small.schedule.accounts.items()}
        small.schedule = changed(small.schedule, accounts=kinds)
        world = small.rollout().world
        world.stores = {"src": self.store, "dst": small.store("src")}
        return {one.code: one for one in (await preview(small.schedule, world)).findings}


async def test_one_account_under_two_addresses_is_never_told_to_be_emptied(small):
    said = await SameAccount(small).preview(small)
    assert "target-not-empty" not in said
    assert said["same-account"].severity == "error"
    assert "with the same ETags" in said["same-account"].text
    assert "remove nothing" in said["same-account"].remedy


async def test_objects_of_others_at_the_target_are_not_told_to_be_emptied(small):
    target = small.store("dst")
    await target.create_container(ContainerInfo("web"))
    await target.put("web", "theirs", b"12", shape(), condition=CREATE)
    await target.close()
    finding = (await found(small))["target-not-empty"]
    assert "empty it" not in finding.remedy
    assert "find out whose they are" in finding.remedy


async def test_a_probe_that_is_seen_at_the_other_side_says_that_it_is_one_account(small):
    """Also where nothing lies in the area yet."""
    world = small.rollout().world
    world.stores = {"src": small.store("src", "engine"), "dst": small.store("src", "engine")}
    said = {one.code: one for one in await probed(small, world, small.schedule.moves)}["probe-failed"]
    assert "what is written to one is seen at the other" in said.text
    assert "remove nothing" in said.remedy


async def test_a_move_between_two_names_of_one_account_halts_before_it_copies(small):
    source = small.schedule.accounts["src"]
    small.schedule = changed(small.schedule, accounts={"src": source, "dst": changed(source, name="dst")})
    rollout = small.rollout()
    await rollout.apply()
    record = rollout.world.state.move(ID)
    assert record.state is MoveState.HALTED
    assert "is seen at the other" in record.reason
    assert len(await small.contents("src")) == 2
