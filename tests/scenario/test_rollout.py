"""Whole rollouts on embedded accounts: each test is one story of an operator."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from migrator.adapters.clock import SystemClock
from migrator.engine.steps import carry
from migrator.errors import LockedError
from migrator.model.moves import Direction, MoveState
from migrator.model.names import Selector
from migrator.model.objects import ContainerInfo
from migrator.model.schedule import Cutover
from migrator.transfer import passes
from migrator.transfer.subject import Transfer
from tests.scenario.world import ID, Small


@pytest.fixture
def small(tmp_path):
    return Small(tmp_path)


async def test_apply_moves_everything_and_the_route_names_the_target(small):
    await small.fill()
    outcome = await small.rollout().apply()
    assert outcome.code == "done"
    record = small.state().move(ID)
    assert record.state is MoveState.SOAKED
    assert record.figures.objects_copied == 30
    assert record.figures.fence_seconds > 0.1
    assert await small.contents("dst") == await small.contents("src")
    route = await small.route()
    assert (route.account, route.mode, route.epoch) == ("dst", "read-write", 3)


async def test_a_second_apply_has_nothing_to_do(small):
    await small.fill(3)
    await small.rollout().apply()
    before = len(small.state().journal())
    assert (await small.rollout().apply()).code == "done"
    assert len(small.state().journal()) == before


async def test_rollback_brings_back_what_was_written_since(small):
    await small.fill()
    await small.rollout().apply()
    epoch = (await small.route()).epoch
    await small.write("dst", "new", b"new")
    await small.write("dst", "n001", b"changed")
    await small.write("dst", "n002", b"v2", i="retagged")
    await small.erase("dst", "n003")
    assert (await small.rollout().rollback()).code == "done"
    source = await small.contents("src")
    assert source["new"][0] == b"new"
    assert source["n001"][0] == b"changed"
    assert source["n002"] == (b"v2", {"i": "retagged"})
    assert "n003" not in source
    route = await small.route()
    assert (route.account, route.mode) == ("src", "read-write")
    assert route.epoch > epoch


async def test_after_a_rollback_only_retry_starts_again(small):
    await small.fill(5)
    await small.rollout().apply()
    await small.rollout().rollback()
    assert (await small.rollout().apply()).code == "halted"
    await small.rollout().retry(reason="mended", who="me")
    assert (await small.rollout().apply()).code == "done"
    assert small.state().move(ID).state is MoveState.SOAKED


async def test_a_target_with_foreign_data_halts_before_any_fence(small):
    await small.fill(5)
    dst = small.store("dst")
    await dst.create_container(ContainerInfo("web"))
    await dst.close()
    await small.write("dst", "n001", b"foreign")
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert "not copied from src" in outcome.reasons[0]
    assert (await small.contents("dst"))["n001"][0] == b"foreign"
    assert (await small.route()).epoch == 1


async def test_a_conflict_is_listed_and_nothing_is_overwritten_until_decided(small):
    await small.fill(5)
    await small.rollout().apply()
    await small.write("dst", "n001", b"at the target")
    await small.write("src", "n001", b"at the source")
    outcome = await small.rollout().rollback()
    assert outcome.code == "halted"
    assert (await small.contents("src"))["n001"][0] == b"at the source"
    decided = await small.rollout().rollback(on_conflict="target")
    assert decided.code == "done"
    assert "1 object was saved under .migrate/saved before losing" in decided.reasons[0]
    assert (await small.contents("src"))["n001"][0] == b"at the target"
    saved = [b async for b in _saved(small)]
    assert saved == [b"at the source"]


async def test_more_strangers_objects_than_a_barrier_compares_halt_the_way_back_before_its_fence(small, monkeypatch):
    monkeypatch.setattr(carry, "EXCEPTION_CAP", 2)
    await small.fill(5)
    await small.rollout().apply()
    for name in ("n001", "n002", "stray"):
        await small.write("src", name, b"at the source")
    outcome = await small.rollout().rollback()
    assert outcome.code == "halted"
    assert "3 objects of src were written there by strangers" in outcome.reasons[0]
    assert "more than the 2" in outcome.reasons[0]
    route = await small.route()
    assert (route.account, route.mode, route.epoch) == ("dst", "read-write", 3)
    await small.erase("src", "stray")
    assert (await small.rollout().rollback()).code == "done"
    assert (await small.contents("src"))["n001"][0] == b"at the source"


async def _saved(small):
    store = small.store("src")
    for blob in (await store.page("web", prefix=".migrate/saved/")).entries:
        async with store.read("web", blob.name, if_match=blob.etag) as chunks:
            yield b"".join([chunk async for chunk in chunks])
    await store.close()


async def test_a_write_without_a_lease_after_the_switch_halts_and_is_listed(small):
    await small.fill(5)
    small.change_wave(soak_seconds=60.0, cutover=Cutover(straggler_interval_seconds=0.05))
    rollout = small.rollout()
    run = asyncio.ensure_future(rollout.apply())
    await until(lambda: small.state().move(ID).state is MoveState.SOAKING)
    await small.write("src", "n001", b"straggler")
    outcome = await asyncio.wait_for(run, 20)
    assert outcome.code == "halted"
    rows = small.state().exceptions(ID)
    assert [(row.name, row.kind) for row in rows] == [("n001", "straggler")]


async def test_a_failed_gate_takes_the_wave_back(small):
    await small.fill(5)
    small.figure.value = 0.9
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert "errors" in outcome.reasons[0]
    assert small.state().move(ID).state is MoveState.REVERSED
    assert (await small.route()).account == "src"


async def test_stop_in_the_fence_releases_it(small):
    await small.fill(5)
    routing = replace(small.schedule.routing, clock_margin_seconds=30.0)
    small.schedule = replace(small.schedule, routing=routing)
    rollout = small.rollout()
    run = asyncio.ensure_future(rollout.apply())
    await until(lambda: small.state().move(ID).state is MoveState.DRAINING)
    assert (await small.route()).mode == "read-only"
    rollout.stop()
    assert (await asyncio.wait_for(run, 5)).code == "interrupted"
    route = await small.route()
    assert (route.account, route.mode) == ("src", "read-write")
    assert small.state().move(ID).state is MoveState.CATCHING_UP


async def test_a_signal_in_the_end_of_a_run_changes_nothing_of_it(small):
    await small.fill(3)
    rollout = small.rollout()
    right = rollout._end_counting

    async def end():
        rollout.stop()
        await right()

    rollout._end_counting = end
    assert (await rollout.apply()).code == "done"
    assert small.state().lock() is None


async def test_two_applies_at_once_the_second_names_the_holder(small):
    await small.fill(5)
    small.change_wave(soak_seconds=60.0)
    first = small.rollout()
    run = asyncio.ensure_future(first.apply())
    await until(lambda: small.state().lock() is not None)
    second = small.rollout()
    second.world.is_dead = lambda lock: False
    second.world.reporter.events.clear()
    with pytest.raises(LockedError, match="tester"):
        await second.apply()
    first.stop()
    await run


class Died(BaseException):
    """Stands for SIGKILL: nothing after it has any effect."""


class Mortal:
    """A state store that dies before or after its n-th commit."""

    def __init__(self, inner, at: int, after: bool) -> None:
        self._inner, self._left, self._after = inner, at, after
        self.is_dead = False

    def __getattr__(self, name):
        if self.is_dead:
            raise Died
        return getattr(self._inner, name)

    def commit(self, changes, *, token):
        if self.is_dead:
            raise Died
        self._left -= 1
        if self._left == 0 and not self._after:
            self.is_dead = True
            raise Died
        self._inner.commit(changes, token=token)
        if self._left == 0:
            self.is_dead = True
            raise Died


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 26))
async def test_death_around_any_commit_ends_in_the_same_place(small, at, after):
    await small.fill(4)
    state = Mortal(small.state(), at, after)
    rollout = small.rollout(state)
    task = asyncio.ensure_future(rollout.apply())
    try:
        await asyncio.wait({task}, timeout=20)
        if task.done() and not task.cancelled():
            task.exception()
    finally:
        await asyncio.sleep(0)
    assert state.is_dead, "the run had fewer commits: this death was never tried"
    outcome = await small.rollout().apply()
    assert outcome.code == "done", outcome
    assert small.state().move(ID).state is MoveState.SOAKED
    assert await small.contents("dst") == await small.contents("src")
    route = await small.route()
    assert (route.account, route.mode) == ("dst", "read-write")
    assert [entry.number for entry in small.state().journal()] == list(range(1, len(small.state().journal()) + 1))


async def test_a_watch_of_the_old_side_creates_nothing_at_the_new_one(small):
    await small.fill(3)
    await small.rollout().apply()
    source = small.store("src")
    await source.create_container(ContainerInfo("web2"))
    await source.close()
    move = small.schedule.moves[0]
    area = replace(move.area, selectors=(Selector("web*"),))
    transfer = Transfer(
        ID,
        area,
        Direction.FORWARD,
        small.store("src"),
        small.store("dst"),
        small.state(),
        SystemClock(),
        lambda changes, tally: None,
        nothing,
        bound_seconds=0.0,
        inherited_seconds=lambda: 0.0,
    )
    assert (await passes.watch(transfer)).stragglers_new == 0
    assert [info.name for info in await small.store("dst").containers()] == ["web"]


async def nothing(*_) -> None:
    pass


async def until(true, seconds: float = 10.0) -> None:
    for _ in range(int(seconds / 0.02)):
        try:
            if true():
                return
        except AttributeError:
            pass
        await asyncio.sleep(0.02)
    raise AssertionError("it never came")
