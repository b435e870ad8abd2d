"""What probes and canaries find, and where none may be written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.engine.checks import probes
from migrator.engine.checks.check import look
from migrator.engine.preview import preview
from migrator.errors import AccessRefused
from migrator.model.names import Selector
from migrator.model.objects import ContainerInfo
from migrator.model.values import replace as changed
from tests.scenario.findings.asking import found, probed, probing
from tests.scenario.world import Small


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
    (finding,) = await probed(small, rollout.world)
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
    case = probing(small, world)
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
    found = {one.code: one for one in await probed(small, world)}
    assert "probed" in found
    assert ("default-tier" in found) == says
    if says:
        assert "Hot at src and Cool at dst" in found["default-tier"].text
        assert "an object without a tier of its own was Hot and is Cool" in found["probed"].text


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
    (finding,) = [one for one in await probed(small, world) if one.severity == "error"]
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
    (finding,) = [one for one in await probed(small, world) if one.code == "probed"]
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
    (finding,) = [one for one in await probed(small, world) if one.severity == "error"]
    assert "a canary arrived changed" in finding.text


async def test_one_account_under_two_addresses_is_seen_without_writing_to_the_source(small):
    with_canary(small, "target-only")
    world = small.rollout().world
    world.stores["dst"] = world.stores["src"]
    (finding,) = [one for one in await probed(small, world) if one.severity == "error"]
    assert "they are one account" in finding.remedy


async def test_sources_that_may_only_be_read_cannot_be_kept_warm(small):
    wave = small.schedule.waves[0]
    small.change_wave(cutover=replace(wave.cutover, reverse="continuous", canary="target-only"))
    (found,) = [
        one
        for one in (await preview(small.schedule, small.rollout().world)).findings
        if one.code == "way-back-not-kept"
    ]
    assert (found.severity, found.subject) == ("error", "wave first")


async def test_a_probe_that_is_seen_at_the_other_side_says_that_it_is_one_account(small):
    """Also where nothing lies in the area yet."""
    world = small.rollout().world
    world.stores = {"src": small.store("src", "engine"), "dst": small.store("src", "engine")}
    said = {one.code: one for one in await probed(small, world)}["probe-failed"]
    assert "what is written to one is seen at the other" in said.text
    assert "remove nothing" in said.remedy
