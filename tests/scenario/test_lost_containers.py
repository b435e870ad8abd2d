"""Somebody drops a whole container of the account that customers use: nothing follows from that until a person speaks."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

import pytest

from migrator.engine.rollout import Abandon
from migrator.errors import UsageError
from migrator.machine.transitions import AT_REST
from migrator.model.moves import MoveState
from migrator.model.objects import ContainerInfo
from migrator.model.samples import Verdict
from migrator.model.schedule import Cutover
from tests.scenario.world import ID, Small


@pytest.fixture
def small(tmp_path):
    small = Small(tmp_path)
    small.change_wave(soak_seconds=0.4, interval_seconds=0.1, cutover=Cutover(straggler_interval_seconds=0.1))
    return small


def taken(small, account):
    """Take the container ``web`` away, with all that is in it; what gives it back."""
    file = small.folder / f"{account}.db"
    with contextlib.closing(sqlite3.connect(file, timeout=30)) as connection, connection:
        box = connection.execute("SELECT * FROM containers WHERE name = 'web'").fetchall()
        blobs = connection.execute("SELECT * FROM blobs WHERE container = 'web'").fetchall()
        connection.execute("DELETE FROM containers WHERE name = 'web'")
        connection.execute("DELETE FROM blobs WHERE container = 'web'")

    def give_back():
        with contextlib.closing(sqlite3.connect(file, timeout=30)) as connection, connection:
            connection.executemany("INSERT INTO containers VALUES (?, ?, ?)", box)
            connection.executemany(f"INSERT INTO blobs VALUES ({', '.join('?' * 12)})", blobs)

    return give_back


async def soaking(small):
    """A run that has reached its soak."""
    run = asyncio.create_task(small.rollout().apply())
    await until((small.folder / "state" / "m.db").exists)
    await until(lambda: record(small) is not None and record(small).state is MoveState.SOAKING)
    return run


async def until(holds):
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - another process would have no event either
            await asyncio.sleep(0.02)


def record(small):
    return small.state().move(ID)


def last(small):
    return small.state().last_samples(ID).get("live-containers")


async def test_the_way_back_asks_before_its_first_step(small):
    await small.fill(20)
    before = await small.contents("src")
    assert (await small.rollout().apply()).code == "done"
    taken(small, "dst")
    outcome = await small.rollout().rollback()
    assert outcome.code == "halted"
    assert "dst has lost its container web" in outcome.reasons[0]
    assert "--accept-container web" in outcome.reasons[0]
    assert "--abandon-target-writes" in outcome.reasons[0]
    assert (await small.contents("src"), (await small.route()).account) == (before, "dst")
    assert record(small).state is MoveState.HALTED
    again = await small.rollout().rollback()
    assert (again.code, await small.contents("src")) == ("halted", before)


async def test_a_target_that_was_made_anew_as_a_whole_is_asked_about_too(small):
    await small.fill(10)
    before = await small.contents("src")
    await small.rollout().apply()
    for file in small.folder.glob("dst.db*"):
        file.unlink()
    outcome = await small.rollout().rollback()
    assert (outcome.code, await small.contents("src")) == ("halted", before)
    assert (await small.route()).account == "dst"


async def test_a_container_that_was_made_anew_empty_is_asked_about_too(small):
    await small.fill(15)
    before = await small.contents("src")
    await small.rollout().apply()
    taken(small, "dst")
    store = small.store("dst")
    await store.create_container(ContainerInfo("web"))
    await store.close()
    outcome = await small.rollout().rollback()
    assert (outcome.code, await small.contents("src")) == ("halted", before)
    assert (await small.route()).account == "dst"


async def test_what_a_person_says_lets_the_way_back_carry_it_out(small):
    await small.fill(20)
    await small.rollout().apply()
    taken(small, "dst")
    await small.rollout().rollback()
    outcome = await small.rollout().retry(reason="the last customer left", who="me", accept_containers=["web"])
    assert outcome.code == "done"
    assert "dst may be without web" in " ".join(outcome.reasons)
    assert (await small.rollout().rollback()).code == "done"
    assert (await small.contents("src"), (await small.route()).account) == ({}, "src")
    assert "the last customer left" in " ".join(one.text for one in small.state().journal())


async def test_the_way_back_without_the_target_needs_no_word_for_its_containers(small):
    await small.fill(5)
    before = await small.contents("src")
    await small.rollout().apply()
    taken(small, "dst")
    assert (await small.rollout().rollback(abandon=Abandon("it is lost", "me"))).code == "done"
    assert (await small.contents("src"), (await small.route()).account) == (before, "src")


async def test_a_failed_gate_takes_nobody_back_by_itself_to_an_account_that_it_would_empty(small):
    small.change_wave(soak_seconds=60.0)
    await small.fill(20)
    before, run = await small.contents("src"), await soaking(small)
    taken(small, "dst")
    small.figure.value = 99.0
    outcome = await asyncio.wait_for(run, 60)
    assert outcome.code == "halted"
    assert "dst has lost its container web" in " ".join(outcome.reasons)
    assert (await small.contents("src"), (await small.route()).account) == (before, "dst")


async def test_a_soak_begins_again_when_a_container_was_away(small):
    small.change_wave(gates=(), interval_seconds=0.5, soak_seconds=1.0)
    await small.fill(5)
    run = await soaking(small)
    await until(lambda: last(small) is not None)
    give_back = taken(small, "dst")
    await until(lambda: last(small).verdict is Verdict.FAILED)
    assert "dst has lost its container web" in last(small).reason
    assert record(small).figures.soak_seconds == 0.0
    give_back()
    assert (await asyncio.wait_for(run, 60)).code == "done"
    assert record(small).state in AT_REST


async def test_a_soak_without_a_container_needs_a_person(small):
    small.change_wave(gates=(), soak_seconds=60.0)
    await small.fill(5)
    run = await soaking(small)
    taken(small, "dst")
    outcome = await asyncio.wait_for(run, 60)
    assert outcome.code == "halted"
    assert "gate live-containers failed 3 times in a row: dst has lost its container web" in outcome.reasons[0]
    small.change_wave(gates=(), soak_seconds=0.2)
    await small.rollout().retry(reason="nobody needs it", who="me", accept_containers=["web"])
    assert (await small.rollout().apply()).code == "done"
    assert record(small).state is MoveState.SOAKED


async def test_a_word_for_a_container_can_be_given_while_nothing_is_halted(small):
    small.change_wave(gates=(), interval_seconds=0.5)
    await small.fill(5)
    run = await soaking(small)
    await until(lambda: last(small) is not None)
    taken(small, "dst")
    await until(lambda: last(small).verdict is Verdict.FAILED)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert record(small).state is MoveState.SOAKING
    await small.rollout().retry(reason="nobody needs it", who="me", accept_containers=["web"])
    assert (await small.rollout().apply()).code == "done"
    assert record(small).state is MoveState.SOAKED


async def test_a_word_for_a_container_of_no_move_is_refused(small):
    await small.fill(5)
    await small.rollout().apply()
    with pytest.raises(UsageError, match="no move in that scope has one of that name"):
        await small.rollout().retry(reason="x", who="me", accept_containers=["wep"])


async def test_the_source_loses_its_container_before_the_switch(small):
    small.change_wave(cutover=Cutover(hold=True))
    await small.fill(20)
    assert (await small.rollout().apply(wait=False)).code == "waiting"
    copied = await small.contents("dst")
    give_back = taken(small, "src")
    outcome = await small.rollout().apply(wait=False)
    assert outcome.code == "halted"
    assert "src has lost its container web" in outcome.reasons[0]
    assert await small.contents("dst") == copied
    give_back()
    small.change_wave(cutover=Cutover())
    await small.rollout().retry(reason="it is back", who="me")
    assert (await small.rollout().apply()).code == "done"
    assert await small.contents("dst") == copied
