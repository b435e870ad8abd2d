"""What a wave left at its sources is deleted: only what is surely at the target, only when it may, and only once asked for."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from migrator.engine.world import Outcome
from migrator.errors import FindingsError, JudgementError, UsageError
from migrator.model.moves import LockRecord, MoveState, Outstanding, WaveState
from migrator.model.schedule import Gate, Retire
from migrator.ports.state_store import PutOutstanding, SetControl
from migrator.standing.retiring import may_retire, retired_of
from migrator.transfer.retiring import Leaving, count
from tests.scenario.world import ID, Small


@pytest.fixture
def small(tmp_path):
    made = Small(tmp_path)
    made.schedule = replace(made.schedule, retire=Retire(watch_seconds=0.0))
    return made


async def soaked(small, objects=6):
    await small.fill(objects)
    assert (await small.rollout().apply()).code == "done"


async def counted(small):
    stores = small.store("src"), small.store("dst")
    found = await count(Leaving(ID, small.schedule.areas["web"], *stores, small.state()))
    for store in stores:
        await store.close()
    return found


async def retire(small, *, most=None, reads_unproved=True) -> Outcome:
    allowed = (await counted(small)).objects if most is None else most
    return await small.rollout().retire("first", most={ID: allowed}, reads_unproved=reads_unproved, who="ada")


async def names(small, account):
    store = small.store(account)
    try:
        return [one.name for one in (await store.page("web")).entries if not one.name.startswith(".migrate/")]
    finally:
        await store.close()


def rows(small, happening):
    return [row for row in small.state().journal() if row.happening == happening]


async def test_what_is_equal_at_the_target_goes_and_all_of_it_is_told(small):
    await soaked(small)
    outcome = await retire(small)
    assert outcome == Outcome("done", ("europe/web: 6 objects of src deleted (12 B)",))
    assert await names(small, "src") == []
    assert len(await names(small, "dst")) == 6
    record = small.state().move(ID)
    assert record.state is MoveState.RETIRED
    assert retired_of(small.state(), record).objects == 6
    assert [wave.state for wave in small.state().waves()] == [WaveState.RETIRED]
    assert [row.actor for row in rows(small, "retire-begun")] == ["ada"]
    assert rows(small, "retire-begun")[0].evidence["reads_unproved"] is True
    assert [row.evidence["objects"] for row in rows(small, "source-deleted")] == [6]
    assert [row.evidence["objects"] for row in rows(small, "retire-ended")] == [6]


async def test_what_is_not_surely_at_the_target_is_kept_and_said(small):
    await soaked(small, objects=8)
    await small.erase("dst", "n000")  # customers did, or an accident
    await small.write("dst", "n001", b"newer at the target")
    await small.write("dst", "n002", b"v2", marked="later")  # the same bytes, other tags
    source = small.store("src")
    await source.set_tags("web", "n003", {"by": "a writer without a lease"})
    await source.close()
    await small.write("src", "n004", b"changed at the source")
    await small.write("src", "stranger", b"never copied")
    found = await counted(small)
    assert (found.objects, dict(found.kept)) == (3, {"missing": 1, "different": 2, "changed": 2, "unknown": 1})
    first = await retire(small)
    assert first.code == "waiting"  # the source changed: it is watched again, and nothing was deleted
    assert "3 objects were changed at src after the switch" in first.reasons[0]
    assert len(await names(small, "src")) == 9
    assert small.state().move(ID).state is MoveState.SOAKED
    assert len(rows(small, "retire-watch-restarted")) == 1
    again = await retire(small)
    assert again.code == "done"
    assert "3 objects of src deleted" in again.reasons[0]
    assert "2 changed there after the switch" in again.reasons[0]
    assert "web/n003: changed, web/n004: changed" in again.reasons[0]
    assert "1 not at the target" in again.reasons[0]
    assert await names(small, "src") == ["n000", "n001", "n002", "n003", "n004", "stranger"]
    assert len(await names(small, "dst")) == 7


async def test_the_watch_begins_with_the_soak_and_again_with_every_change(small, monkeypatch):
    small.schedule = replace(small.schedule, retire=Retire(watch_seconds=3600.0))
    await soaked(small)
    with pytest.raises(FindingsError, match="its sources are watched until"):
        await retire(small)
    wave, record = small.schedule.waves[0], small.state().move(ID)
    first = may_retire(small.schedule, wave, small.state(), [record]).since
    assert (first - record.since).total_seconds() == 3600.0
    small.schedule = replace(small.schedule, retire=Retire(watch_seconds=0.0))
    await small.write("src", "n004", b"changed")
    assert (await retire(small)).code == "waiting"
    small.schedule = replace(small.schedule, retire=Retire(watch_seconds=3600.0))
    again = may_retire(small.schedule, wave, small.state(), [record]).since
    assert again > first
    # Beyond the cap of rows a change is only counted, and has no time: the watch begins again all the same.
    monkeypatch.setattr(type(small.state()), "exceptions", lambda self, move, *, limit=0: [])
    assert may_retire(small.schedule, wave, small.state(), [record]).since >= again
    with pytest.raises(FindingsError, match="watched until"):
        await retire(small)


async def test_reads_have_to_have_ended_or_somebody_says_that_nothing_shows_it(small):
    await soaked(small)
    with pytest.raises(UsageError, match="nothing shows that reads of src have ended") as refused:
        await retire(small, reads_unproved=False)
    assert "--reads-unproved" in refused.value.hint
    still = Gate("no-reads", "m", "fail", metric="requests_per_minute", account="source", max=0.0)
    still = replace(still, window_seconds=0.01, settle_seconds=0.0)
    small.schedule = replace(small.schedule, retire=Retire(0.0, (still,)))
    small.figure.value = 12.0
    for unproved in (False, True):
        with pytest.raises(FindingsError, match="gate no-reads does not show that reads of src have ended"):
            await retire(small, reads_unproved=unproved)
    assert len(await names(small, "src")) == 6
    assert small.state().move(ID).state is MoveState.SOAKED
    small.figure.value = 0.0
    assert (await retire(small, reads_unproved=False)).code == "done"
    assert rows(small, "retire-begun")[0].evidence["gates"]


async def test_a_wave_that_has_not_soaked_or_is_wanted_back_is_left_alone(small):
    await small.fill(3)
    with pytest.raises(FindingsError, match="is pending"):
        await retire(small)
    assert (await small.rollout().apply()).code == "done"
    steer = small.rollout().steer(wave=None, region=None, area=None, on_conflict=None, who="eve")
    with pytest.raises(FindingsError, match="a way back of europe/web is on record"):
        await retire(small)
    small.state().commit([SetControl(replace(steer, value={}))], token=None)
    assert (await small.rollout().rollback()).code == "done"
    with pytest.raises(FindingsError, match="is reversed"):
        await retire(small)
    assert len(await names(small, "src")) == 3


async def test_no_way_leads_back(small):
    await soaked(small)
    assert (await retire(small)).code == "done"
    outcome = await small.rollout().rollback()
    assert outcome.code == "halted"
    assert outcome.reasons == (
        "cannot roll back europe/web: it is retired, data of src is deleted, and there is no way back",
    )
    assert (await small.rollout().apply()).code == "done"
    assert await names(small, "src") == []
    assert small.state().move(ID).state is MoveState.RETIRED


async def test_a_route_that_names_the_source_again_keeps_everything(small):
    await soaked(small)
    document = small.folder / "routes.json"
    document.write_text(document.read_text().replace('"account": "dst"', '"account": "src"'))
    with pytest.raises(FindingsError, match="is halted"):
        await retire(small)
    assert len(await names(small, "src")) == 6


async def test_no_more_goes_than_was_said(small):
    await soaked(small)
    with pytest.raises(JudgementError, match="more than the 2 objects that were said"):
        await retire(small, most=2)
    assert len(await names(small, "src")) == 6
    assert small.state().move(ID).state is MoveState.RETIRING
    outcome = await small.rollout().apply()  # no apply deletes anything
    assert outcome.code == "done"
    assert len(await names(small, "src")) == 6
    assert (await small.rollout().rollback()).code == "halted"
    assert (await retire(small)).code == "done"
    assert await names(small, "src") == []


async def test_unanswered_writes_of_earlier_runs_are_outlived_and_then_keep_nothing(small):
    await soaked(small)
    allowed = (await counted(small)).objects
    name = (await names(small, "src"))[0]
    ghost = Outstanding("source", "web", name, "create", None, datetime.now(UTC), 0.4)
    state, now = small.state(), datetime.now(UTC)
    lock = state.acquire(LockRecord("nonce", 1, "by-hand", "me", "here", 1, "boot", now, now, 0.0))
    state.commit([PutOutstanding(ID, ghost)], token=lock.token)
    state.give_back(lock.token)
    rollout = small.rollout()
    begun = time.monotonic()
    outcome = await rollout.retire("first", most={ID: allowed}, reads_unproved=True, who="ada")
    assert outcome == Outcome("done", ("europe/web: 6 objects of src deleted (12 B)",))
    assert time.monotonic() - begun >= 0.4
    assert await names(small, "src") == []
