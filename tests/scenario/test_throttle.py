"""A running apply keeps to what operators and services ask of it, and says so."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from migrator.errors import Throttled
from migrator.model import notes
from migrator.model.moves import Control
from migrator.model.pace import AccountPace, Pace, from_note, retuned, to_note
from migrator.model.rhythm import USUAL
from migrator.model.schedule import Budget
from migrator.ports.state_store import SetControl, SetNote
from migrator.transfer.limits import HEADROOM
from tests.contract.state_store_suite import lock
from tests.scenario.world import Small

WISH = Control("throttle", "account:dst", {"requests_per_minute": 60.0}, "ann", datetime(2026, 12, 1, tzinfo=UTC))


@pytest.fixture
def small(tmp_path):
    return Small(tmp_path)


async def test_a_running_apply_obeys_a_throttle_and_its_end(small):
    await small.fill(40)
    small.state().commit([SetControl(WISH)], token=None)
    work = asyncio.ensure_future(small.rollout().apply())
    pace = await noted(small, work)
    assert (pace.accounts["dst"].brake, pace.accounts["src"].pace_per_second) == ("budget", None)
    assert pace.accounts["dst"].pace_per_second == pytest.approx(HEADROOM)
    small.state().commit([SetControl(replace(WISH, value={}))], token=None)
    assert (await work).code == "done"


async def noted(small, work) -> Pace:
    for _ in range(1_500):
        pace = from_note(small.state().note(notes.PACE))
        if pace is not None and pace.accounts["dst"].brake:
            return pace
        assert not work.done()
        await asyncio.sleep(0.02)
    raise AssertionError("nothing was written down")


async def test_a_run_goes_on_at_the_pace_that_the_service_had_asked_for(small):
    before = Pace(datetime.now(UTC), {"dst": AccountPace(5.0, 7.0, "service"), "src": AccountPace(5.0, 7.0)}, {})
    store = small.state()
    token = store.acquire(lock()).token
    store.commit([SetNote(notes.PACE, to_note(before))], token=token)
    rollout = small.rollout(store)
    rollout._pacing.begin()
    assert 7.0 <= rollout._limits.account("dst").pace_per_second < 300.0
    assert rollout._limits.account("src").pace_per_second is None


async def test_since_when_a_service_asks_for_less_is_written_down(small):
    await small.fill(40)
    small.rhythm = replace(USUAL, throttle_wish_seconds=0.02, pace_note_seconds=0.02)
    rollout = small.rollout()
    store = rollout.world.stores["src"]
    plain, refused = store.page, []

    async def page(*words, **more):
        if len(refused) < 3:
            refused.append(datetime.now(UTC))
            raise Throttled("cannot list src: it asks for fewer requests", code="ServerBusy")
        return await plain(*words, **more)

    store.page = page
    work = asyncio.ensure_future(rollout.apply())
    pace = None
    for _ in range(1_500):
        pace = from_note(small.state().note(notes.PACE))
        if work.done() or (pace is not None and pace.accounts["src"].since is not None):
            break
        await asyncio.sleep(0.02)
    assert pace is not None
    assert pace.accounts["src"].brake == "service"
    assert abs((pace.accounts["src"].since - refused[0]).total_seconds()) < 30
    assert (await work).code == "done"


def test_a_wish_for_an_account_comes_before_one_for_all():
    everybody = replace(WISH, scope="", value={"requests_per_minute": 100.0, "bytes_per_second": 5.0})
    plan = Budget(requests_per_minute=1_000.0)
    assert retuned(plan, "dst", [WISH, everybody]) == Budget(60.0, 5.0)
    assert retuned(plan, "src", [WISH, everybody]) == Budget(100.0, 5.0)
    assert retuned(plan, "src", [WISH]) == plan


def test_a_pace_is_read_as_it_was_written_and_a_damaged_one_is_none():
    begun = datetime.now(UTC) - timedelta(hours=3)
    accounts = {"a": AccountPace(1.5, None, "budget"), "b": AccountPace(1.5, 3.0, "service", begun)}
    pace = Pace(datetime.now(UTC) - timedelta(seconds=3), accounts, {"r/a": 2.0}, 288)
    assert from_note(to_note(pace)) == pace
    note = to_note(pace)
    note["accounts"] = {name: fields[:3] for name, fields in note["accounts"].items()}
    del note["window"]
    assert from_note(note) is not None, "an older program wrote it"
    assert [from_note(bad) for bad in (None, 3, {}, {"at": "x", "accounts": {}, "moves": {}})] == [None] * 4
