"""``cutover.reverse: continuous``: the source is kept warm while customers are at the target, so that going back is short."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from migrator.adapters.local import LocalStore
from migrator.engine.rollback import Abandon
from migrator.engine.rollout import Outcome
from migrator.errors import CloudError, NotFound, Unreachable
from migrator.model.moves import Control, MoveState, Outstanding
from migrator.model.names import MoveId
from migrator.model.objects import CREATE, Condition
from migrator.model.samples import Verdict
from migrator.model.schedule import WAY_BACK_READY, Budget, Cutover
from migrator.ports.state_store import Change, SetControl
from migrator.standing.assess import assess
from migrator.standing.soak_waits import NO_STRAGGLERS
from migrator.standing.values import MoveStanding
from migrator.testing.memory_state import MemoryStateStore
from migrator.testing.simulation.loop import NODE, WORLD_BEGINS, NodeDead
from migrator.transfer import actions, subject, walk
from migrator.transfer.result import PassResult
from tests.scenario.weeks import HOURS, MINUTES, SLOW, Weeks
from tests.scenario.world import shape

HOUR = timedelta(hours=1)
WEB = "na/web"
CONTINUOUS = Cutover(straggler_interval_seconds=0.5 * HOURS, reverse="continuous")
SOURCE, TARGET = "src-na", "dst-na-web"


@pytest.fixture
def weeks(tmp_path: Path) -> Iterator[Weeks]:
    made = Weeks(tmp_path)
    yield made
    made.end()


def one(weeks: Weeks, **given: object) -> None:
    """One move, whose source is kept warm while it soaks."""
    weeks.wave("first", WEB, **{"soak_seconds": 8 * HOURS, "cutover": CONTINUOUS, **given})
    weeks.fill(20)


def at(weeks: Weeks, hours: float, act: Callable[[LocalStore], object], account: str = TARGET) -> None:
    """Customers, or strangers, do ``act`` at ``account`` so many hours after the world began."""

    async def work() -> None:
        store = LocalStore(account, weeks.folder / f"{account}.db", caller="app")
        try:
            await act(store)  # type: ignore[misc]
        finally:
            await store.close()

    weeks.loop.call_later(hours * HOURS - weeks.loop.time(), lambda: asyncio.ensure_future(work()))


def put(name: str, body: bytes, **tags: str) -> Callable[[LocalStore], object]:
    async def act(store: LocalStore) -> None:
        try:
            condition = Condition(if_match=(await store.head("web", name)).etag)
        except NotFound:
            condition = CREATE
        await store.put("web", name, body, shape(**tags), condition=condition)

    return act


def erase(*names: str) -> Callable[[LocalStore], object]:
    async def act(store: LocalStore) -> None:
        for name in names:
            await store.delete("web", name, if_match=(await store.head("web", name)).etag)

    return act


def contents(weeks: Weeks, account: str) -> dict[str, bytes]:
    async def work() -> dict[str, bytes]:
        store = LocalStore(account, weeks.folder / f"{account}.db", caller="app")
        page = await store.page("web")
        found = {}
        for blob in page.entries:
            if not blob.name.startswith(".migrate/"):
                async with store.read("web", blob.name, if_match=blob.etag) as chunks:
                    found[blob.name] = b"".join([part async for part in chunks])
        await store.close()
        return found

    result: dict[str, bytes] = weeks.run(work())
    return result


def stands(weeks: Weeks) -> MoveStanding:
    return assess("weeks", schedule=weeks.schedule, store=weeks.state, now=weeks.now()).moves[0]


def back(weeks: Weeks, **given: object) -> Outcome:
    outcome: Outcome = weeks.run(weeks.rollout().rollback(**given))  # type: ignore[arg-type]
    return outcome


def test_what_customers_change_at_the_target_is_at_the_source_before_anybody_asks(weeks: Weeks) -> None:
    one(weeks)
    at(weeks, 1, put("n1", b"changed"))
    at(weeks, 1, put("new", b"made there"))
    at(weeks, 2, put("n2", b"v", i="tagged"))
    at(weeks, 3, erase("n3"))
    weeks.apply(until=WORLD_BEGINS + 4 * HOUR)
    assert weeks.record(WEB).state is MoveState.SOAKING
    assert contents(weeks, SOURCE) == contents(weeks, TARGET)
    assert "n3" not in contents(weeks, SOURCE)
    assert weeks.state.exception_counts(MoveId("na", "web")).get("straggler", 0) == 0
    looks = weeks.samples(WEB, NO_STRAGGLERS)
    assert len(looks) > 5
    assert {look.verdict for look in looks} == {Verdict.PASSED}


def test_the_way_back_finds_nothing_to_carry(weeks: Weeks) -> None:
    one(weeks)
    for name in range(10):
        at(weeks, 1, put(f"n{name}", b"changed"))
    weeks.apply(until=WORLD_BEGINS + 2 * HOUR)
    weeks.teller.said.clear()
    begun = weeks.loop.time()
    assert back(weeks).code == "done"
    assert weeks.loop.time() - begun < 3 * MINUTES
    scans = [text for text in weeks.teller.said if "scanned" in text and "warm" not in text]
    assert all("copied 0" in text for text in scans)
    assert contents(weeks, SOURCE)["n4"] == b"changed"


def test_on_demand_writes_nothing_to_the_source(weeks: Weeks) -> None:
    one(weeks, cutover=replace(CONTINUOUS, reverse="on-demand"))
    at(weeks, 1, put("n1", b"changed"))
    weeks.apply(until=WORLD_BEGINS + 2 * HOUR)
    assert contents(weeks, SOURCE)["n1"] == b"v"
    assert stands(weeks).way_back is None
    assert back(weeks).code == "done"
    assert contents(weeks, SOURCE)["n1"] == b"changed"


def test_status_says_how_far_the_way_back_is(weeks: Weeks) -> None:
    one(weeks)
    for number in range(10):
        at(weeks, 1 + number / 10, put(f"n{number}", b"changed"))
    weeks.apply(until=WORLD_BEGINS + 2 * HOUR)
    found = stands(weeks).way_back
    assert found is not None
    assert found.is_ready
    assert found.behind is not None
    assert found.behind < 10
    assert found.seconds is not None
    assert 95 <= found.seconds < 3 * MINUTES
    assert found.in_words().startswith("ready, ")
    weeks.pass_time(3 * HOURS)
    found = stands(weeks).way_back
    assert found is not None
    assert not found.is_ready
    assert "nothing has kept it warm since" in found.why


def test_it_is_said_once_that_the_way_back_is_ready(weeks: Weeks) -> None:
    one(weeks)
    weeks.apply(until=WORLD_BEGINS + 4 * HOUR)
    assert len(weeks.journal("way-back")) == 1
    assert weeks.journal("way-back")[0].startswith("na/web: way back: ready, ")
    assert len([text for text in weeks.teller.said if "kept the source warm" in text]) > 10


def test_a_soak_can_want_a_way_back_that_is_ready(weeks: Weeks) -> None:
    one(weeks, needs_way_back=True, soak_seconds=2 * HOURS)
    outcome = weeks.apply()
    assert outcome is not None
    assert outcome.code == "done"
    samples = weeks.samples(WEB, WAY_BACK_READY)
    assert samples[0].verdict is Verdict.INCONCLUSIVE
    assert {one.verdict for one in samples[1:]} == {Verdict.PASSED}


def test_without_a_warm_source_such_a_soak_stands_still(weeks: Weeks) -> None:
    one(weeks, needs_way_back=True, soak_seconds=HOURS, cutover=replace(CONTINUOUS, reverse="on-demand"))
    weeks.apply(until=WORLD_BEGINS + 8 * HOUR)
    assert weeks.record(WEB).state is MoveState.SOAKING
    assert weeks.record(WEB).figures.soak_seconds == 0
    assert any(WAY_BACK_READY in text for text in stands(weeks).soak_waits.lacks)  # type: ignore[union-attr]


def test_what_others_write_at_the_source_is_left_and_listed(weeks: Weeks) -> None:
    """Changed there alone, created there, and changed on both sides: the soak halts for a person, and nothing is lost."""
    one(weeks)
    at(weeks, 1.01, put("n1", b"a stranger's"), SOURCE)
    at(weeks, 1.01, put("n99", b"a stranger's"), SOURCE)
    at(weeks, 1.01, put("n2", b"a stranger's"), SOURCE)
    at(weeks, 1.02, put("n2", b"a customer's"))
    weeks.apply(until=WORLD_BEGINS + 3 * HOUR)
    assert weeks.record(WEB).state is MoveState.HALTED
    assert "no-stragglers" in weeks.record(WEB).reason
    found = contents(weeks, SOURCE)
    assert found["n1"] == found["n99"] == found["n2"] == b"a stranger's"
    rows = {row.name for row in weeks.state.exceptions(MoveId("na", "web"), limit=9) if row.kind == "straggler"}
    assert rows == {"n1", "n2", "n99"}
    asked = back(weeks)
    assert asked.code == "halted"
    assert "--on-conflict" in asked.reasons[0]
    assert back(weeks, on_conflict="target").code == "done"
    assert contents(weeks, SOURCE)["n2"] == b"a customer's"
    assert contents(weeks, SOURCE)["n99"] == b"a stranger's"


def test_a_conflict_that_no_look_has_seen_yet_is_in_the_way(weeks: Weeks) -> None:
    one(weeks, cutover=replace(CONTINUOUS, straggler_interval_seconds=4 * HOURS))
    at(weeks, 1.01, put("n2", b"a stranger's"), SOURCE)
    at(weeks, 1.02, put("n2", b"a customer's"))
    weeks.apply(until=WORLD_BEGINS + 2 * HOUR)
    found = stands(weeks).way_back
    assert found is not None
    assert not found.is_ready
    assert "changed on both sides (web/n2" in found.why
    assert weeks.state.exception_counts(MoveId("na", "web")) in ({}, {"straggler": 0})


FEW = replace(SLOW, sizes=replace(SLOW.sizes, min_delete_cap=3))


def test_deletes_of_customers_have_the_cap_of_the_way_back(weeks: Weeks) -> None:
    """Beyond it nothing more is deleted at the source before a person agrees, whether it is kept warm or goes back."""
    weeks.rhythm = FEW
    one(weeks, needs_way_back=True)
    at(weeks, 1, erase("n1", "n2"))
    at(weeks, 2, erase("n3", "n4", "n5"))
    weeks.apply(until=WORLD_BEGINS + 4 * HOUR)
    assert {"n1", "n2"}.isdisjoint(contents(weeks, SOURCE))
    assert {"n3", "n4", "n5"} <= set(contents(weeks, SOURCE))
    record = weeks.record(WEB)
    assert record.state is MoveState.HALTED
    assert "--accept-deletes 5" in record.reason
    assert record.figures.deletes_counted == 2
    refused = back(weeks)
    assert refused.code == "halted"
    assert "--accept-deletes 5" in refused.reasons[0]
    assert {"n3", "n4", "n5"} <= set(contents(weeks, SOURCE))


def test_a_person_who_agrees_lets_the_source_be_kept_warm_again(weeks: Weeks) -> None:
    weeks.rhythm = FEW
    one(weeks, needs_way_back=True)
    at(weeks, 1, erase(*(f"n{number}" for number in range(5))))
    weeks.apply(until=WORLD_BEGINS + 3 * HOUR)
    weeks.run(weeks.rollout().retry(reason="customers did", who="anna", accept_deletes=5))
    weeks.apply(until=WORLD_BEGINS + 5 * HOUR)
    assert weeks.record(WEB).state is MoveState.SOAKING
    assert contents(weeks, SOURCE) == contents(weeks, TARGET)
    assert stands(weeks).way_back.is_ready  # type: ignore[union-attr]


def test_a_container_that_the_target_lost_takes_nothing_from_the_source(weeks: Weeks) -> None:
    one(weeks)

    def drop() -> None:
        with closing(sqlite3.connect(weeks.folder / f"{TARGET}.db", timeout=30)) as connection, connection:
            connection.execute("DELETE FROM containers WHERE name = 'web'")
            connection.execute("DELETE FROM blobs WHERE container = 'web'")

    weeks.loop.call_later(HOURS, drop)
    weeks.apply(until=WORLD_BEGINS + 3 * HOUR)
    assert len(contents(weeks, SOURCE)) == 20
    assert weeks.record(WEB).state is MoveState.HALTED
    found = stands(weeks).way_back
    assert found is not None
    assert not found.is_ready


def die_in_a_pass(weeks: Weeks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process dies when its pass has written to the source, and has not put that on record."""
    right = walk.Walk._checkpoint

    def checkpoint(self: walk.Walk, changes: Sequence[Change], tally: PassResult) -> None:
        if self.transfer.keeps_warm and tally.copied:
            node = NODE.get()
            assert node is not None
            node.kill()
            raise NodeDead(node.name)
        right(self, changes, tally)

    with monkeypatch.context() as patch:
        patch.setattr(walk.Walk, "_checkpoint", checkpoint)
        weeks.apply(until=WORLD_BEGINS + 2 * HOUR)


def test_what_a_dead_run_wrote_back_is_no_strangers(weeks: Weeks, monkeypatch: pytest.MonkeyPatch) -> None:
    one(weeks)
    for number in range(6):
        at(weeks, 1, put(f"n{number}", b"changed"))
    die_in_a_pass(weeks, monkeypatch)
    assert contents(weeks, SOURCE)["n1"] == b"changed"
    at(weeks, weeks.loop.time() / HOURS, put("n2", b"and again"))
    weeks.pass_time(1.0)
    weeks.apply(until=WORLD_BEGINS + 4 * HOUR)
    assert weeks.record(WEB).state is MoveState.SOAKING
    assert {look.verdict for look in weeks.samples(WEB, NO_STRAGGLERS)} == {Verdict.PASSED}
    assert contents(weeks, SOURCE) == contents(weeks, TARGET)


def test_nor_is_it_after_an_edit_that_keeps_nothing_warm_any_more(
    weeks: Weeks, monkeypatch: pytest.MonkeyPatch
) -> None:
    one(weeks)
    at(weeks, 1, put("n1", b"changed"))
    die_in_a_pass(weeks, monkeypatch)
    weeks.change_wave("first", cutover=replace(CONTINUOUS, reverse="on-demand"))
    at(weeks, 2.5, put("n2", b"changed"))
    weeks.apply(until=WORLD_BEGINS + 4 * HOUR)
    assert weeks.record(WEB).state is MoveState.SOAKING
    assert {look.verdict for look in weeks.samples(WEB, NO_STRAGGLERS)} == {Verdict.PASSED}
    found = contents(weeks, SOURCE)
    assert (found["n1"], found["n2"]) == (b"changed", b"v")


@pytest.mark.parametrize("how", ["plain", "given up"])
def test_a_way_back_follows_a_run_that_died_in_a_pass(weeks: Weeks, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    one(weeks)
    at(weeks, 1, put("n1", b"changed"))
    die_in_a_pass(weeks, monkeypatch)
    abandon = Abandon("the region is gone", "anna") if how == "given up" else None
    outcome = back(weeks, abandon=abandon)
    assert outcome.code == "done"
    assert contents(weeks, SOURCE)["n1"] == b"changed"
    if abandon:
        (row,) = weeks.state.exceptions(MoveId("na", "web"), limit=9)
        assert (row.name, row.kind) == ("n1", "unproved")


def test_a_target_that_is_given_up_says_from_when_on_its_writes_are_lost(weeks: Weeks) -> None:
    one(weeks)
    weeks.apply(until=WORLD_BEGINS + 2 * HOUR)
    warm = stands(weeks).way_back
    assert warm is not None
    assert warm.as_of is not None
    assert warm.as_of > WORLD_BEGINS + 1.5 * HOUR
    outcome = back(weeks, abandon=Abandon("the region is gone", "anna"))
    assert f"since {warm.as_of:%Y-%m-%d %H:%M:%S} UTC was left behind" in outcome.reasons[0]


def test_a_target_that_does_not_answer_leaves_a_source_that_says_how_old_it_is(
    weeks: Weeks, monkeypatch: pytest.MonkeyPatch
) -> None:
    one(weeks)
    right = LocalStore.containers

    async def containers(self: LocalStore, prefix: str = "") -> object:
        if self.account == TARGET and weeks.now() > WORLD_BEGINS + HOUR:
            raise Unreachable(f"cannot reach {TARGET}: no answer")
        return await right(self, prefix)

    monkeypatch.setattr(LocalStore, "containers", containers)
    weeks.apply(until=WORLD_BEGINS + 2 * HOUR)
    assert weeks.record(WEB).state is MoveState.SOAKING
    found = stands(weeks).way_back
    assert found is not None
    assert not found.is_ready
    assert found.as_of is not None
    assert found.as_of < WORLD_BEGINS + HOUR
    assert f"cannot reach {TARGET}" in found.why
    halted = back(weeks)
    assert halted.code == "halted"
    assert f"{SOURCE} has what was written there before {found.as_of:%Y-%m-%d %H:%M:%S} UTC" in halted.reasons[0]


def test_a_scheduler_keeps_the_source_warm(weeks: Weeks) -> None:
    one(weeks)
    at(weeks, 0.5, put("n1", b"changed"))
    weeks.cron(every=10 * MINUTES, times=8)
    assert contents(weeks, SOURCE)["n1"] == b"changed"
    assert stands(weeks).way_back.is_ready  # type: ignore[union-attr]


def wish(weeks: Weeks, hours: float, kind: str) -> None:
    def act() -> None:
        weeks.state.commit([SetControl(Control(kind, "", {"on": True}, "anna", weeks.now()))], token=None)

    weeks.loop.call_later(hours * HOURS, act)


def test_a_pause_sends_nothing_and_a_hold_keeps_on(weeks: Weeks) -> None:
    one(weeks)
    wish(weeks, 0.5, "hold")
    at(weeks, 0.8, put("n1", b"changed"))
    wish(weeks, 1.2, "pause")
    at(weeks, 1.3, put("n2", b"changed"))
    weeks.apply(until=WORLD_BEGINS + 3 * HOUR)
    found = contents(weeks, SOURCE)
    assert (found["n1"], found["n2"]) == (b"changed", b"v")


def test_another_machine_takes_over_and_keeps_on(weeks: Weeks) -> None:
    one(weeks)
    weeks.apply(until=WORLD_BEGINS + HOUR, host="here")
    at(weeks, 1.2, put("n1", b"changed"))
    weeks.apply(until=WORLD_BEGINS + 3 * HOUR, host="there")
    assert contents(weeks, SOURCE)["n1"] == b"changed"
    assert weeks.record(WEB).state is MoveState.SOAKING


AREAS = ("web", "mail", "files", "images")
HOURLY = 5
"""Objects of each area that customers change in an hour."""


def seconds_back_after_four_days(folder: Path, reverse: Literal["on-demand", "continuous"]) -> float:
    """How long a wave of four is on its way back, whose customers have changed some two thousand objects at the targets, within
    a budget of twenty requests a second."""
    folder.mkdir()
    rhythm = replace(
        SLOW, warm_pass_seconds=2 * HOURS, wishes_seconds=600, way_back_wish_seconds=600, counter_seconds=600
    )
    weeks = Weeks(folder, budget=Budget(requests_per_minute=1_200), rhythm=rhythm)
    try:
        cutover = Cutover(straggler_interval_seconds=12 * HOURS, reverse=reverse)
        weeks.wave(
            "first",
            *(f"na/{area}" for area in AREAS),
            soak_seconds=200 * HOURS,
            interval_seconds=6 * HOURS,
            cutover=cutover,
        )
        weeks.fill(3)

        async def busy(area: str) -> None:
            store = LocalStore(f"dst-na-{area}", folder / f"dst-na-{area}.db", caller="app")
            for hour in range(1, 96):
                await asyncio.sleep(HOURS)
                for number in range(HOURLY):
                    await store.put(area, f"made {hour:02d} {number:03d}", b"by a customer", shape(), condition=CREATE)
            await store.close()

        for area in AREAS:
            weeks.loop.call_later(0.5 * HOURS, lambda area=area: asyncio.ensure_future(busy(area)))
        weeks.apply(until=WORLD_BEGINS + 96 * HOUR)
        begun = weeks.loop.time()
        assert back(weeks).code == "done"
        return weeks.loop.time() - begun
    finally:
        weeks.end()


def test_after_four_days_a_wave_of_four_is_back_within_three_minutes(tmp_path: Path) -> None:
    """On demand it would have to carry all of that back first, which takes longer than these."""
    assert seconds_back_after_four_days(tmp_path / "warm", "continuous") <= 3 * MINUTES


@pytest.mark.parametrize("grace", [30.0, 0.0])
def test_a_way_back_in_the_middle_of_a_pass_finds_its_writes_answered(
    weeks: Weeks, monkeypatch: pytest.MonkeyPatch, grace: float
) -> None:
    """The pass begins no more, and ends once what it has sent is answered: what is cut off is waited for much longer."""
    weeks.rhythm = replace(SLOW, way_back_wish_seconds=1.0, warm_ending_seconds=grace)
    one(weeks)
    right, cut_off, asked = LocalStore.copy, list[object](), list[object]()

    async def slowly(self: LocalStore, *words: Any, **options: Any) -> object:
        if self.account == SOURCE and weeks.now() > WORLD_BEGINS + HOUR and not asked:
            asked.append(weeks.rollout().steer(wave=None, region=None, area=None, on_conflict=None, who="anna"))
        await asyncio.sleep(5.0)
        return await right(self, *words, **options)

    def leave(self: subject.Transfer, writes: Sequence[object]) -> None:
        cut_off.extend(writes)

    monkeypatch.setattr(LocalStore, "copy", slowly)
    monkeypatch.setattr(subject.Transfer, "leave", leave)
    for number in range(20):
        at(weeks, 1, put(f"n{number}", b"changed"))
    weeks.apply(until=WORLD_BEGINS + 3 * HOUR)
    assert asked
    assert weeks.record(WEB).state is MoveState.REVERSED
    assert bool(cut_off) is (grace == 0.0)


@pytest.mark.parametrize("has_unanswered", [False, True], ids=["", "an old write of it was never answered"])
def test_what_no_pass_can_settle_needs_a_person(
    weeks: Weeks, monkeypatch: pytest.MonkeyPatch, has_unanswered: bool
) -> None:
    """A dead run wrote there, customers wrote on, and now the object is leased: nobody can tell, and time does not help."""
    one(weeks)
    at(weeks, 1, put("n1", b"changed"))
    die_in_a_pass(weeks, monkeypatch)
    known = MemoryStateStore.outstanding
    if has_unanswered:  # it cannot be applied any more, and stays on record until its name is settled
        old = Outstanding("source", "web", "n1", "create", None, WORLD_BEGINS, 0.0)
        monkeypatch.setattr(MemoryStateStore, "outstanding", lambda self, move: [*known(self, move), old])
    at(weeks, weeks.loop.time() / HOURS, put("n1", b"and again"))
    right = actions.Action._copy

    async def refused(self: actions.Action, condition: Condition) -> None:
        if self.walk.transfer.keeps_warm:
            raise CloudError("cannot write src-na/'n1': it is leased", code="LeaseIdMissing")
        await right(self, condition)

    monkeypatch.setattr(actions.Action, "_copy", refused)
    weeks.apply(until=WORLD_BEGINS + 4 * HOUR)
    assert weeks.record(WEB).state is MoveState.HALTED
    assert "it is leased" in weeks.record(WEB).reason
    monkeypatch.setattr(MemoryStateStore, "outstanding", known)
    monkeypatch.setattr(actions.Action, "_copy", right)
    weeks.run(weeks.rollout().retry(reason="the lease is broken", who="anna"))
    weeks.apply(until=WORLD_BEGINS + 6 * HOUR)
    assert weeks.record(WEB).state is MoveState.SOAKING
    assert contents(weeks, SOURCE)["n1"] == b"and again"
