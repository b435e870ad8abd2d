"""Route and state disagree: a restored store, a copied or second store, a hand edit - and the way out, ``--adopt-route``."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from migrator.adapters.routing import FileRouter
from migrator.adapters.state import open_store
from migrator.errors import JudgementError, UsageError
from migrator.model.moves import Direction, LockRecord, MoveState, WaveState
from migrator.model.routes import READ_ONLY
from migrator.model.schedule import Cutover
from migrator.ports.state_store import SaveMove
from tests.scenario.test_rollout import until
from tests.scenario.world import ID, Small


@pytest.fixture
def small(tmp_path):
    return Small(tmp_path)


async def edit(small: Small, **changes) -> None:
    """What a hand does to the record."""
    router = FileRouter(str(small.folder / "routes.json"))
    seen = await router.read("europe")
    record = replace(seen.document.routes[str(ID)], **changes)
    await router.swap("europe", seen.document.with_record(str(ID), record), expected_etag=seen.etag)


async def forget(small: Small) -> None:
    """The record is gone."""
    router = FileRouter(str(small.folder / "routes.json"))
    seen = await router.read("europe")
    await router.swap("europe", replace(seen.document, routes={}), expected_etag=seen.etag)


async def to(small: Small, account: str) -> None:
    """A hand sends the customers to ``account``, in a way that they follow."""
    await edit(small, account=account, endpoint=small.store(account).endpoint, epoch=(await small.route()).epoch + 1)


def put(small: Small, *, soak_seconds: float | None = None, **changes) -> None:
    """Put the move's record as a run would have left it."""
    state = small.state()
    record = replace(state.move(ID), **changes)
    if soak_seconds is not None:
        record = replace(record, figures=replace(record.figures, soak_seconds=soak_seconds))
    now = datetime.now(UTC)
    lock = state.acquire(LockRecord("nonce", 1, "by-hand", "me", "here", 1, "boot", now, now, 0.0))
    state.commit([SaveMove(record)], token=lock.token)
    state.give_back(lock.token)


def adopt(small: Small, **scope):
    return small.rollout().retry(reason="the document is right", who="me", adopt_route=True, **scope)


async def copied_and_held(small: Small) -> None:
    """Everything is copied, and the move waits in ready."""
    small.change_wave(cutover=Cutover(hold=True))
    assert (await small.rollout().apply(wait=False)).code == "waiting"
    small.change_wave(cutover=Cutover())


async def test_a_store_restored_from_before_the_switch_learns_that_the_target_is_live_and_copies_nothing_over_it(small):
    await small.fill(8)
    await copied_and_held(small)
    backup = small.folder / "backup"
    shutil.copytree(small.folder / "state", backup)
    await small.write("src", "n001", b"written after the backup")
    await small.rollout().apply()
    await small.write("dst", "n002", b"a customer's, after the switch")
    shutil.rmtree(small.folder / "state")
    shutil.copytree(backup, small.folder / "state")

    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert "route and state disagree" in outcome.reasons[0]
    assert "--adopt-route" in outcome.reasons[0]
    refused = await small.rollout().retry(reason="no", who="me")
    assert refused.code == "halted"
    assert "--adopt-route" in refused.reasons[0], "a plain retry cannot help, and says so"

    before = await small.route()
    assert (await adopt(small)).code == "done"
    record = small.state().move(ID)
    assert (record.state, record.direction) == (MoveState.SOAKING, Direction.FORWARD)
    assert record.figures.soak_seconds == 0.0
    assert (await small.route()).epoch == before.epoch + 1
    assert (await small.rollout().apply()).code == "done"
    assert small.state().move(ID).state is MoveState.SOAKED
    assert (await small.contents("dst"))["n002"][0] == b"a customer's, after the switch"
    assert small.state().exceptions(ID) == [], "n001 was equal on both sides: adopted"

    assert (await small.rollout().rollback()).code == "done"
    assert (await small.contents("src"))["n002"][0] == b"a customer's, after the switch"


async def put_back_and_adopted(small):
    """The state store of the backup takes over, and adopts the route that was switched since."""
    shutil.rmtree(small.folder / "state")
    shutil.copytree(small.folder / "backup", small.folder / "state")
    await small.rollout().apply()
    await adopt(small)
    assert (await small.rollout().apply()).code == "done"


async def test_what_only_the_old_side_has_is_listed_once_and_fails_no_sample(small):
    await small.fill(5)
    await copied_and_held(small)
    shutil.copytree(small.folder / "state", small.folder / "backup")
    await small.rollout().apply()
    await small.write("src", "late", b"by a writer without a lease")
    await put_back_and_adopted(small)
    assert [(row.name, row.kind) for row in small.state().exceptions(ID)] == [("late", "foreign")]
    assert (await small.contents("src"))["late"][0] == b"by a writer without a lease"


async def test_what_only_the_old_side_had_and_somebody_deletes_there_is_a_straggler(small):
    await small.fill(3)
    await copied_and_held(small)
    shutil.copytree(small.folder / "state", small.folder / "backup")
    await small.rollout().apply()
    await small.write("src", "late", b"by a writer without a lease")
    await small.write("dst", "late", b"the truth")
    await put_back_and_adopted(small)
    assert [(row.name, row.kind) for row in small.state().exceptions(ID)] == [("late", "foreign")]

    small.change_wave(soak_seconds=30.0, cutover=Cutover(straggler_interval_seconds=0.1))
    put(small, state=MoveState.SOAKING)
    await small.erase("src", "late")
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert "late: deleted on src after the switch" in outcome.reasons[0]
    assert [(row.name, row.kind) for row in small.state().exceptions(ID)] == [("late", "straggler")]


async def test_a_second_store_takes_over_a_move_in_the_middle_of_its_copy_without_a_second_copy(small):
    await small.fill(8)
    await copied_and_held(small)
    shutil.rmtree(small.folder / "state")

    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert "another state store" in outcome.reasons[0]
    assert (await adopt(small)).code == "done"
    assert small.state().move(ID).state is MoveState.CATCHING_UP
    assert (await small.route()).lineage == small.state().lineage
    assert (await small.rollout().apply()).code == "done"
    record = small.state().move(ID)
    assert record.state is MoveState.SOAKED
    assert record.figures.objects_copied == 0
    assert await small.contents("dst") == await small.contents("src")


async def test_a_second_store_adopts_before_its_first_apply(small):
    await small.fill(3)
    await small.rollout().apply()
    shutil.rmtree(small.folder / "state")
    assert (await adopt(small)).code == "done"
    assert small.state().move(ID).state is MoveState.SOAKING
    assert (await small.rollout().apply()).code == "done"


@pytest.mark.parametrize("moment", [MoveState.PREFLIGHT, MoveState.PROVISIONING])
async def test_a_store_restored_from_before_its_first_look_at_the_route_adopts_it_too(small, moment):
    await small.fill(3)
    await small.rollout().apply()
    lineage = small.state().lineage
    put(small, state=moment, ever_routed=False, epoch=0, switched_at=None, soak_seconds=0.0)

    assert (await adopt(small)).code == "done"
    record = small.state().move(ID)
    assert (record.state, record.direction) == (MoveState.SOAKING, Direction.FORWARD)
    assert small.state().lineage == lineage
    assert (await small.rollout().apply()).code == "done"


async def test_the_target_s_own_objects_are_foreign_and_nothing_is_overwritten_until_they_are_gone(small):
    await small.fill(4)
    await copied_and_held(small)
    shutil.rmtree(small.folder / "state")
    await small.write("dst", "n001", b"not what the source has")
    await small.write("dst", "own", b"only here")
    await small.rollout().apply()
    await adopt(small)
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert "2 objects that were not copied" in outcome.reasons[0]
    target = await small.contents("dst")
    assert (target["n001"][0], target["own"][0]) == (b"not what the source has", b"only here")
    assert (await small.route()).account == "src"
    await small.erase("dst", "n001")
    await small.erase("dst", "own")
    await small.rollout().retry(reason="emptied", who="me")
    assert (await small.rollout().apply()).code == "done"
    assert await small.contents("dst") == await small.contents("src")


async def test_two_engines_on_a_store_and_its_copy_the_first_stops_and_the_second_goes_on(small):
    await small.fill(6)
    small.change_wave(soak_seconds=60.0)
    first = small.rollout()
    run = asyncio.ensure_future(first.apply())
    await until(lambda: small.state().move(ID).state is MoveState.SOAKING)
    shutil.copytree(small.folder / "state", small.folder / "copy")
    copy = open_store(f"sqlite:///{small.folder}/copy/m.db", "s")
    second = small.rollout(copy)
    other = asyncio.ensure_future(second.apply())
    outcome = await asyncio.wait_for(run, 20)
    assert outcome.code == "halted"
    assert "route and state disagree" in outcome.reasons[0]
    second.stop()
    await other
    assert copy.move(ID).state is MoveState.SOAKING


async def test_a_hand_that_put_the_route_back_to_the_source(small):
    await small.fill(4)
    await small.rollout().apply()
    await small.write("dst", "n001", b"written at the target")
    route = await small.route()
    await edit(small, account="src", endpoint=small.store("src").endpoint, epoch=route.epoch + 1)
    assert (await adopt(small)).code == "done"
    assert small.state().move(ID).state is MoveState.CATCHING_UP
    outcome = await small.rollout().apply()
    assert outcome.code == "halted", "what was written at the target meanwhile is not thrown away"
    assert (await small.contents("dst"))["n001"][0] == b"written at the target"


async def test_a_read_only_record_of_nobody_is_released(small):
    await small.fill(3)
    await copied_and_held(small)
    route = await small.route()
    await edit(small, mode=READ_ONLY, epoch=route.epoch + 5, lineage="f" * 16)
    await small.rollout().apply()
    assert small.state().move(ID).state is MoveState.HALTED
    assert (await adopt(small)).code == "done"
    route = await small.route()
    assert (route.account, route.mode) == ("src", "read-write")
    assert (await small.rollout().apply()).code == "done"


async def test_an_epoch_that_went_back_is_adopted_above_everything_a_client_may_have_seen(small):
    await small.fill(3)
    await small.rollout().apply()
    seen = (await small.route()).epoch
    await edit(small, epoch=1)
    assert (await adopt(small)).code == "done"
    assert (await small.route()).epoch == seen + 1


async def test_a_fence_that_a_hand_put_under_a_later_epoch_is_opened_by_its_own_run(small):
    await small.fill(4)
    small.schedule = replace(small.schedule, routing=replace(small.schedule.routing, clock_margin_seconds=30.0))
    rollout = small.rollout()
    run = asyncio.ensure_future(rollout.apply())
    await until(lambda: small.state().move(ID).state is MoveState.DRAINING)
    epoch = (await small.route()).epoch + 3
    await edit(small, epoch=epoch)
    rollout.stop()
    await run
    record, route = small.state().move(ID), await small.route()
    assert (record.state, record.intent) == (MoveState.CATCHING_UP, None)
    assert (route.account, route.mode) == ("src", "read-write")
    assert route.epoch > epoch, "clients have seen that one with writers waiting"


async def test_a_cut_over_that_the_route_does_not_explain_is_left_alone_until_it_is_adopted(small):
    await small.fill(4)
    small.schedule = replace(small.schedule, routing=replace(small.schedule.routing, clock_margin_seconds=30.0))
    rollout = small.rollout()
    run = asyncio.ensure_future(rollout.apply())
    await until(lambda: small.state().move(ID).state is MoveState.DRAINING)
    route = await small.route()
    await edit(small, account="dst", endpoint=small.store("dst").endpoint, mode="read-write", epoch=route.epoch + 3)
    rollout.stop()
    await run
    before = await small.route()
    assert (await small.rollout().retry(reason="no flag", who="me")).code == "halted"
    assert small.state().move(ID).intent is not None
    assert await small.route() == before, "nothing is compensated"
    assert (await adopt(small)).code == "done"
    record = small.state().move(ID)
    assert (record.state, record.intent) == (MoveState.SOAKING, None)


async def test_a_record_that_is_gone_or_names_a_third_account_is_not_adopted(small):
    await small.fill(3)
    await small.rollout().apply()
    await edit(small, account="elsewhere")
    with pytest.raises(JudgementError, match="neither src nor dst"):
        await adopt(small)
    await edit(small, account="dst", endpoint="https://elsewhere.example")
    await edit(small, epoch=1)
    with pytest.raises(JudgementError, match=r"sends its customers to https://elsewhere\.example"):
        await adopt(small)
    await forget(small)
    with pytest.raises(JudgementError, match="no record of it"):
        await adopt(small)


async def test_adoption_is_in_the_journal_with_who_why_and_what_was_found(small):
    await small.fill(3)
    await small.rollout().apply()
    await edit(small, epoch=1)
    await adopt(small)
    entry = next(one for one in small.state().journal() if one.kind == "route-adopted")
    assert entry.actor == "me"
    assert entry.evidence["reason"] == "the document is right"
    assert entry.evidence["route"]["epoch"] == 1
    assert entry.evidence["known"]["epoch"] == 3


async def test_where_route_and_state_agree_there_is_nothing_to_adopt(small):
    await small.fill(3)
    await small.rollout().apply()
    with pytest.raises(UsageError, match="every route agrees"):
        await adopt(small)


async def test_a_route_that_went_on_without_us_during_the_soak_begins_the_soak_again(small):
    await small.fill(3)
    small.change_wave(soak_seconds=60.0)
    assert (await small.rollout().apply(wait=False)).code == "waiting"
    before = small.state().move(ID)
    await edit(small, epoch=before.epoch + 2)  # away and back: another store's rollback and second try
    assert (await small.rollout().apply(wait=False)).code == "waiting"
    after = small.state().move(ID)
    assert (after.state, after.epoch) == (MoveState.SOAKING, before.epoch + 2)
    assert after.switched_at > before.switched_at
    assert after.figures.soak_seconds < 1.0


async def written_while_a_hand_had_them_at_the_source(small: Small) -> None:
    """Customers who follow the route: a new object, a newer one, one that is deleted. Acknowledged, every one."""
    await small.write("src", "new", b"a customer's, at the source")
    await small.write("src", "n001", b"a customer's, at the source")
    await small.erase("src", "n002")


ALL_THREE = {"new", "n001", "n002"}


async def soaks_once_more_and_names_what_was_written(small: Small) -> None:
    """The next apply looks at the source before it calls the move soaked again, and asks a person about what it found."""
    state = small.state()
    assert (state.move(ID).state, state.move(ID).figures.soak_seconds) == (MoveState.SOAKING, 0.0)
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert all(f"{name}: " in outcome.reasons[0] for name in ALL_THREE)
    assert {(row.name, row.kind) for row in state.exceptions(ID)} == {(name, "straggler") for name in ALL_THREE}
    assert (await small.rollout().retry(reason="brought over by hand", who="me")).code == "done"
    assert (await small.rollout().apply()).code == "done"
    assert state.move(ID).state is MoveState.SOAKED
    assert state.move(ID).figures.soak_seconds >= small.schedule.waves[0].soak_seconds


async def test_what_customers_wrote_at_the_source_while_a_hand_had_them_there_is_listed_after_a_retry(small):
    await small.fill(5)
    await small.rollout().apply()
    await to(small, "src")
    assert (await small.rollout().apply()).code == "halted"
    await written_while_a_hand_had_them_at_the_source(small)
    await to(small, "dst")
    assert (await small.rollout().retry(reason="the hand put it back", who="me")).code == "done"
    await soaks_once_more_and_names_what_was_written(small)


async def test_so_it_is_where_no_run_saw_the_route_away(small):
    await small.fill(5)
    await small.rollout().apply()
    await to(small, "src")
    await written_while_a_hand_had_them_at_the_source(small)
    await to(small, "dst")
    assert (await small.rollout().apply(wait=False)).code in ("halted", "waiting")
    rows = {row.name for row in small.state().exceptions(ID)}
    assert rows == ALL_THREE


async def test_so_it_is_where_the_hand_put_back_the_very_record_it_had_found(small):
    await small.fill(5)
    await small.rollout().apply()
    route = await small.route()
    await to(small, "src")
    assert (await small.rollout().apply()).code == "halted"
    await written_while_a_hand_had_them_at_the_source(small)
    await edit(small, account=route.account, endpoint=route.endpoint, epoch=route.epoch)
    assert (await small.rollout().retry(reason="the hand put it back", who="me")).code == "done"
    await soaks_once_more_and_names_what_was_written(small)


@pytest.mark.parametrize("is_same", [True, False])
async def test_a_soak_that_halts_because_the_route_is_away_begins_again_when_it_is_back(small, is_same):
    await small.fill(3)
    small.change_wave(soak_seconds=60.0)
    run = asyncio.ensure_future(small.rollout().apply())
    await until(lambda: small.state().move(ID).figures.soak_seconds > 0.0)
    route = await small.route()
    await to(small, "src")
    assert (await asyncio.wait_for(run, 20)).code == "halted"
    before = small.state().move(ID)
    await to(small, "dst")
    if is_same:
        await edit(small, epoch=route.epoch, run=route.run)
    assert (await small.rollout().retry(reason="it is back", who="me")).code == "done"
    record = small.state().move(ID)
    assert (record.state, record.figures.soak_seconds) == (MoveState.SOAKING, 0.0)
    assert record.switched_at > before.since, "no sample of before counts"


async def test_a_soak_that_halted_for_a_gate_keeps_its_healthy_time(small):
    await small.fill(3)
    small.change_wave(soak_seconds=60.0)
    assert (await small.rollout().apply(wait=False)).code == "waiting"
    put(small, state=MoveState.HALTED, resume_from=MoveState.SOAKING, soak_seconds=7.0)
    before = small.state().move(ID)
    assert (await small.rollout().retry(reason="the gate is right again", who="me")).code == "done"
    after = small.state().move(ID)
    assert (after.figures.soak_seconds, after.switched_at) == (7.0, before.switched_at)
    put(small, state=MoveState.HALTED, resume_from=MoveState.SOAKING)
    await edit(small, epoch=after.epoch + 2)
    assert (await small.rollout().retry(reason="and this time the route was away", who="me")).code == "done"
    after = small.state().move(ID)
    assert (after.figures.soak_seconds, after.switched_at > before.switched_at) == (0.0, True)


@pytest.mark.parametrize(
    "rests", [{"state": MoveState.HALTED, "resume_from": MoveState.CATCHING_UP}, {"state": MoveState.REVERSED}]
)
async def test_a_retry_writes_down_the_epoch_that_it_went_by(small, rests):
    """Whatever is put back into the document after it: nobody writes an epoch again that clients have seen."""
    await small.fill(3)
    await copied_and_held(small)
    put(small, **rests)
    old = await small.route()
    await edit(small, epoch=old.epoch + 7)
    assert (await small.rollout().retry(reason="the hand only counted on", who="me")).code == "done"
    assert small.state().move(ID).epoch == old.epoch + 7
    await edit(small, epoch=old.epoch)
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert f"this store knows src, epoch {old.epoch + 7}" in outcome.reasons[0]
    assert (await small.route()).epoch == old.epoch


async def test_a_move_that_an_earlier_version_halted_when_it_was_soaked_soaks_again(small):
    await small.fill(3)
    await small.rollout().apply()
    put(small, state=MoveState.HALTED, resume_from=MoveState.SOAKED)
    assert (await small.rollout().retry(reason="go on", who="me")).code == "done"
    record = small.state().move(ID)
    assert (record.state, record.figures.soak_seconds) == (MoveState.SOAKING, 0.0)


async def test_a_soaked_move_whose_route_went_on_without_us_soaks_again(small):
    """The backup says soaked; since then the move went back and came again, which the route's epoch shows."""
    await small.fill(3)
    await small.rollout().apply()
    before = small.state().move(ID)
    assert (before.state, before.figures.soak_seconds > 0.0) == (MoveState.SOAKED, True)
    await edit(small, epoch=before.epoch + 4)
    small.change_wave(soak_seconds=60.0)
    assert (await small.rollout().apply(wait=False)).code == "waiting"
    after = small.state().move(ID)
    assert (after.state, after.epoch) == (MoveState.SOAKING, before.epoch + 4)
    assert after.figures.soak_seconds < 1.0
    assert after.switched_at > before.switched_at
    assert [one.state for one in small.state().waves()] == [WaveState.SOAKING]
    assert any(one.kind == "soak-restarted" for one in small.state().journal())
    small.change_wave(soak_seconds=0.1)
    assert (await small.rollout().apply()).code == "done"
    assert small.state().move(ID).state is MoveState.SOAKED


async def test_the_wave_of_a_move_that_soaks_again_says_so_whatever_command_found_out(small):
    await small.fill(3)
    await small.rollout().apply()
    await edit(small, epoch=small.state().move(ID).epoch + 4)
    with pytest.raises(UsageError, match="no move in that scope is halted"):
        await small.rollout().retry(reason="nothing to retry", who="me")
    assert [one.state for one in small.state().waves()] == [WaveState.SOAKING]
