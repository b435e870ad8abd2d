"""What passes by itself is waited out and said; only what needs a person halts. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from migrator.adapters.local import LocalStore
from migrator.adapters.routing import FileRouter
from migrator.engine import session
from migrator.errors import NotFound, StateError, StateFull, Throttled, Unreachable
from migrator.model import notes
from migrator.model.moves import Control, Direction, MoveState
from migrator.model.names import MoveId
from migrator.model.samples import Verdict
from migrator.model.schedule import Cutover
from migrator.ports.state_store import SetControl
from migrator.testing.simulation.loop import WORLD_BEGINS
from tests.scenario.weeks import HOURS, MINUTES, Weeks, slow_heart

WEB = MoveId("na", "web")
READS = ("containers", "container", "page", "head", "whole", "uncommitted")
WRITES = ("put", "copy", "delete", "create_container", "stage_block", "commit_blocks", "set_tags")


@pytest.fixture
def weeks(tmp_path: Path) -> Iterator[Weeks]:
    made = Weeks(tmp_path)
    made.wave("first", "na/web", soak_seconds=2 * HOURS, cutover=Cutover(straggler_interval_seconds=5 * MINUTES))
    made.fill(20)
    yield made
    made.end()


@pytest.fixture
def trouble(monkeypatch) -> Callable[..., None]:
    """``trouble(fault)``: before each request of the engine ``fault(account, operation)`` may raise."""

    def put(fault: Callable[[str, str], None]) -> None:
        for name in (*READS, *WRITES):
            right = getattr(LocalStore, name)

            def made(right=right, name=name):
                async def call(self, *args, **given):
                    if self._counters._caller == "engine":
                        fault(self.account, name)
                    return await right(self, *args, **given)

                return call

            monkeypatch.setattr(LocalStore, name, made())

    return put


def away(weeks: Weeks, account: str, begin: float, seconds: float) -> Callable[[str, str], None]:
    def fault(asked: str, operation: str) -> None:
        if asked == account and begin <= weeks.loop.time() < begin + seconds:
            raise Unreachable(f"cannot reach account {account}: no route to host")

    return fault


def states(weeks: Weeks) -> list[str]:
    return [text.rpartition("-> ")[2].split(" ")[0] for text in weeks.journal("state-changed")]


@pytest.mark.parametrize("account", ["src-na", "dst-na-web"])
@pytest.mark.parametrize("seconds", [60.0, 3000.0])
def test_an_account_that_is_away_while_a_move_soaks_is_an_errored_sample(weeks, trouble, account, seconds):
    """The customers are at the target: their gates are asked on, and no look is the end of the soak."""
    trouble(away(weeks, account, 1800.0, seconds))
    assert weeks.apply().code == "done"
    assert "halted" not in states(weeks)
    looks = weeks.samples("na/web", "no-stragglers")
    assert seconds < 1000 or any(one.verdict is Verdict.ERRORED for one in looks)
    rounds = weeks.samples("na/web", "app-errors")
    gaps = [(two.at - one.at).total_seconds() for one, two in pairwise(rounds)]
    assert max(gaps) < 8 * MINUTES, "its gates were not asked meanwhile"


def test_a_soak_does_not_end_before_its_last_look_could_be_made(weeks, trouble):
    trouble(away(weeks, "src-na", 600.0, 6 * HOURS))
    assert weeks.apply().code == "done"
    record = weeks.record("na/web")
    assert (record.since - WORLD_BEGINS).total_seconds() > 600 + 6 * HOURS


@pytest.mark.parametrize("account", ["src-na", "dst-na-web"])
def test_an_account_that_is_away_before_the_cut_over_is_waited_for_and_said_once(weeks, trouble, account):
    trouble(away(weeks, account, 0.0, 2 * HOURS))
    assert weeks.apply(until=WORLD_BEGINS + timedelta(hours=1)) is None
    note = weeks.state.note(notes.waits_out(WEB))
    assert note.startswith(f"account {account}, unreachable since 2026-12-01 00:00:")
    assert len(weeks.journal("waiting")) == 1
    assert weeks.record("na/web").state is MoveState.PREFLIGHT
    assert weeks.apply().code == "done"
    assert "halted" not in states(weeks)
    assert weeks.state.note(notes.waits_out(WEB)) is None


def test_a_run_that_may_not_wait_leaves_the_state_as_it_was(weeks, trouble):
    trouble(away(weeks, "src-na", 0.0, 10 * MINUTES))
    outcome = weeks.apply(wait=False)
    assert outcome.code == "error"
    assert "cannot reach account src-na" in outcome.reasons[0]
    assert weeks.record("na/web").state is MoveState.PREFLIGHT
    weeks.pass_time(10 * MINUTES)
    assert weeks.apply(wait=False).code == "waiting"
    assert weeks.record("na/web").state is MoveState.SOAKING


def test_no_wait_other_waves_go_on_beside_one_that_cannot(weeks, trouble):
    weeks.wave("second", "eu/mail", soak_seconds=2 * HOURS)
    weeks.run(_fill(weeks, "src-eu", "mail"))
    trouble(away(weeks, "src-na", 0.0, 10 * MINUTES))
    assert weeks.apply(wait=False).code == "error"
    assert weeks.record("eu/mail").state is MoveState.SOAKING


async def _fill(weeks: Weeks, account: str, container: str) -> None:
    from migrator.model.objects import CREATE, ContainerInfo
    from tests.scenario.world import shape

    store = LocalStore(account, weeks.folder / f"{account}.db", caller="app", create=True)
    await store.create_container(ContainerInfo(container))
    await store.put(container, "n", b"v", shape(), condition=CREATE)
    await store.close()


@pytest.mark.parametrize(
    ("account", "share", "begin", "minutes"),
    [
        ("src-na", 0.3, 0.0, 30),
        ("src-na", 0.3, 20.0, 30),
        ("src-na", 0.9, 0.0, 30),
        ("src-na", 0.02, 0.0, 24 * 60),
        ("dst-na-web", 0.3, 0.0, 30),
        ("dst-na-web", 0.9, 1.0, 30),
        ("", 0.3, 0.0, 30),
    ],
)
def test_a_source_that_refuses_a_third_for_half_an_hour_needs_nobody(weeks, trouble, account, share, begin, minutes):
    """Nor one that refuses more, or later, or a target, or both (``""``)."""
    random = Random(1)

    def fault(asked: str, operation: str) -> None:
        is_overloaded = begin <= weeks.loop.time() < begin + minutes * MINUTES
        if asked in (account or asked,) and is_overloaded and random.random() < share:
            raise Throttled(f"cannot {operation} {asked}: it asks for fewer requests", code="ServerBusy")

    trouble(fault)
    assert weeks.apply().code == "done"
    assert "halted" not in states(weeks)


def test_a_source_that_refuses_everything_for_a_while_is_said_to_throttle(weeks, trouble):
    def fault(asked: str, operation: str) -> None:
        if asked == "src-na" and weeks.loop.time() < 20 * MINUTES:
            raise Throttled(f"cannot {operation} {asked}: it asks for fewer requests", code="ServerBusy")

    trouble(fault)
    assert weeks.apply().code == "done"
    assert any("account src-na, throttled since" in text for text in weeks.teller.said)
    assert "halted" not in states(weeks)


def test_a_fence_is_cancelled_and_the_waiting_is_done_after_it(weeks, trouble):
    begun = []

    def fault(asked: str, operation: str) -> None:
        if weeks.record("na/web").state is MoveState.VERIFYING and not begun:
            begun.append(weeks.loop.time())
        if asked == "src-na" and begun and weeks.loop.time() < begun[0] + 10 * MINUTES:
            raise Unreachable("cannot reach account src-na: no route to host")

    trouble(fault)
    assert weeks.apply().code == "done"
    assert states(weeks).count("fencing") == 2
    assert "halted" not in states(weeks)


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_fence_over_a_source_that_refuses_a_share_ends_in_its_switch(weeks, trouble, share):
    random = Random(1)

    def fault(asked: str, operation: str) -> None:
        if asked == "src-na" and random.random() < share:
            raise Throttled(f"cannot {operation} {asked}: it asks for fewer requests", code="ServerBusy")

    trouble(fault)
    assert weeks.apply().code == "done"
    assert states(weeks).count("fencing") == 1


@pytest.mark.parametrize("account", ["src-na", "dst-na-web"])
def test_a_fence_outlives_a_network_that_is_away_for_some_seconds(weeks, trouble, account):
    begun = []

    def fault(asked: str, operation: str) -> None:
        if weeks.record("na/web").state is MoveState.VERIFYING and not begun:
            begun.append(weeks.loop.time())
        if asked == account and begun and weeks.loop.time() < begun[0] + 15:
            raise Unreachable(f"cannot reach account {account}: no route to host")

    trouble(fault)
    assert weeks.apply().code == "done"
    assert states(weeks).count("fencing") == 1


@pytest.mark.parametrize("begin", [0.0, 1.0, 10.0, 30.0, 60.0, 95.0, 130.0, 300.0, 1.5 * HOURS])
def test_a_minute_without_any_network_needs_nobody(weeks, trouble, begin, monkeypatch):
    """Accounts and routes alike, whatever the run is at."""

    def is_away() -> bool:
        return begin <= weeks.loop.time() < begin + MINUTES

    def fault(asked: str, operation: str) -> None:
        if is_away():
            raise Unreachable(f"cannot reach account {asked}: no route to host")

    trouble(fault)
    for name in ("read", "swap"):
        right = getattr(FileRouter, name)

        async def call(self, *args, right=right, **given):
            fault("control", "read")
            return await right(self, *args, **given)

        monkeypatch.setattr(FileRouter, name, call)
    assert weeks.apply().code == "done"
    assert "halted" not in states(weeks)


def test_a_container_that_vanishes_while_it_is_listed_is_looked_at_again(weeks, trouble):
    left = [3]

    def fault(asked: str, operation: str) -> None:
        if asked == "src-na" and operation == "page" and weeks.record("na/web").state is MoveState.COPYING and left[0]:
            left[0] -= 1
            raise NotFound("cannot list web: there is no such container", what="container")

    trouble(fault)
    assert weeks.apply().code == "done"
    assert "halted" not in states(weeks)


def test_interrupts_work_at_once_while_an_account_is_waited_for(weeks, trouble):
    trouble(away(weeks, "src-na", 0.0, 90 * HOURS))
    rollout = weeks.rollout()

    async def work():
        run = asyncio.create_task(rollout.apply())
        await asyncio.sleep(2 * HOURS)
        rollout.stop()
        begun = weeks.loop.time()
        return await run, weeks.loop.time() - begun

    with slow_heart():
        outcome, seconds = weeks.run(work())
    assert outcome.code == "interrupted"
    assert seconds < 1.0
    assert weeks.state.lock() is None


def test_a_way_back_can_be_asked_for_while_an_account_is_waited_for(weeks, trouble):
    trouble(away(weeks, "src-na", 0.0, 90 * HOURS))
    wish = Control(
        "rollback", "", {"wave": None, "region": None, "area": None, "on_conflict": None}, "anna", weeks.now()
    )
    weeks.loop.call_later(2 * HOURS, lambda: weeks.state.commit([SetControl(wish)], token=None))
    outcome = weeks.apply()
    assert outcome.code == "halted"
    assert "anna asked for a way back, and it is done" in outcome.reasons
    assert weeks.record("na/web").state is MoveState.REVERSED
    assert weeks.loop.time() < 2 * HOURS + 3 * MINUTES


def busy_until(weeks: Weeks, account: str, end: float, operations: tuple[str, ...]) -> Callable[[str, str], None]:
    def fault(asked: str, operation: str) -> None:
        if asked == account and operation in operations and weeks.loop.time() < end:
            raise Throttled(f"cannot {operation} {asked}: it asks for fewer requests", code="ServerBusy")

    return fault


def test_a_way_back_waits_for_a_target_that_is_overloaded_as_long_as_that_takes(weeks, trouble):
    """It is there, and its customers' writes with it: nothing to be given up."""
    weeks.apply()
    trouble(busy_until(weeks, "dst-na-web", weeks.loop.time() + 2 * HOURS, (*READS, *WRITES)))
    with slow_heart():
        assert weeks.run(weeks.rollout().rollback()).code == "done"
    assert weeks.record("na/web").state is MoveState.REVERSED
    assert "halted" not in states(weeks)


def test_a_canary_that_is_refused_for_being_one_too_many_leaves_the_move_as_it_is(weeks, trouble):
    trouble(busy_until(weeks, "src-na", 20 * MINUTES, ("put",)))
    outcome = weeks.apply(wait=False)
    assert outcome.code == "error"
    assert weeks.record("na/web").state is MoveState.PREFLIGHT
    assert weeks.apply().code == "done"
    assert "halted" not in states(weeks)


def test_a_way_back_waits_some_minutes_for_its_target_and_then_names_the_other_way(weeks, trouble):
    weeks.apply()
    begin = weeks.loop.time()
    trouble(away(weeks, "dst-na-web", begin, 2 * MINUTES))
    with slow_heart():
        assert weeks.run(weeks.rollout().rollback()).code == "done"
    assert weeks.record("na/web").direction is Direction.REVERSE


# The state store.


class Busy:
    """Commits and heartbeats are refused in stretches of virtual time."""

    def __init__(self, weeks: Weeks, monkeypatch) -> None:
        self.stretches: list[tuple[float, float]] = []
        self.refused = 0
        self.after = ""
        self.seconds = 0.0
        self.fault = StateError("cannot write the state store: another program keeps it locked")
        state = weeks.state
        commit, heartbeat = state.commit, state.heartbeat

        def check() -> None:
            if any(begin <= weeks.loop.time() < end for begin, end in self.stretches):
                self.refused += 1
                raise self.fault

        def committed(changes, *, token):
            if token is not None:
                check()
            commit(changes, token=token)
            said = [one.entry.text for one in changes if hasattr(one, "entry")]
            if self.after and any(self.after in text for text in said):
                self.stretches.append((weeks.loop.time(), weeks.loop.time() + self.seconds))
                self.after = ""

        def beat(token, at):
            check()
            heartbeat(token, at)

        monkeypatch.setattr(state, "commit", committed)
        monkeypatch.setattr(state, "heartbeat", beat)


@pytest.fixture
def busy(weeks, monkeypatch) -> Busy:
    return Busy(weeks, monkeypatch)


AFTER = (
    "pending -> preflight",
    "preflight -> copying",
    "copying -> catching-up",
    "catching-up -> ready",
    "ready -> fencing",
    "fencing -> draining",
    "draining -> verifying",
    "verifying -> switching",
    "switching -> soaking",
)


@pytest.mark.parametrize("seconds", [0.5, 20.0, 600.0])
@pytest.mark.parametrize("after", AFTER)
def test_a_store_that_is_busy_in_any_state_is_waited_for(weeks, busy, after, seconds):
    busy.after, busy.seconds = after, seconds
    assert weeks.apply().code == "done"
    assert busy.refused or seconds < 1
    assert "halted" not in states(weeks)
    assert weeks.state.lock() is None


FULL = StateFull("cannot write the state store: the disk is full")


@pytest.mark.parametrize("after", AFTER[:4] + AFTER[7:])
def test_a_store_that_is_full_is_waited_for_where_no_writer_is(weeks, busy, after):
    busy.after, busy.seconds, busy.fault = after, 600.0, FULL
    assert weeks.apply().code == "done"
    assert busy.refused
    assert "halted" not in states(weeks)


@pytest.mark.parametrize("after", AFTER[4:7])
def test_a_store_that_is_full_in_a_fence_keeps_no_writer_out_and_ends_the_run(weeks, busy, after):
    """Policies may still be revoked, which the guardian puts back when the run has ended; the next one goes on."""
    busy.after, busy.seconds, busy.fault = after, HOURS, FULL
    with pytest.raises(StateFull, match="the disk is full"):
        weeks.apply()
    assert any("writes go on at src-na" in text for text in weeks.teller.said)
    begin, _ = busy.stretches[0]
    drain = 0.0 if after.endswith("verifying") else 30.0 + 60.0 + 5.0
    assert weeks.loop.time() - begin < drain + 5.0
    weeks.pass_time(HOURS)
    assert weeks.apply().code == "done"
    assert "halted" not in states(weeks)


@pytest.mark.parametrize("seconds", [20.0, 600.0])
def test_a_store_that_is_busy_now_and_then_in_a_soak_costs_time_only(weeks, busy, seconds):
    busy.stretches = [(at, at + seconds) for at in (1000.0, 3000.0, 5000.0)]
    assert weeks.apply().code == "done"
    assert "halted" not in states(weeks)


def test_a_run_whose_last_commits_are_refused_gives_its_lock_back(weeks, busy, monkeypatch):
    right = session.Session.close

    async def close(self):
        busy.stretches.append((weeks.loop.time(), weeks.loop.time() + 5.0))
        await right(self)

    monkeypatch.setattr(session.Session, "close", close)
    assert weeks.apply().code == "done"
    assert busy.refused
    assert weeks.state.lock() is None


def test_a_run_whose_last_counts_are_refused_has_its_outcome_and_gives_its_lock_back(weeks, monkeypatch):
    from migrator.engine.own_traffic import OwnTraffic

    def end(self):
        raise StateError("cannot write the state store: another program keeps it locked")

    monkeypatch.setattr(OwnTraffic, "end", end)
    assert weeks.apply().code == "done"
    assert weeks.state.lock() is None
    assert any("the last requests were not counted" in text for text in weeks.teller.said)


@pytest.mark.parametrize("hours_ahead", [-24.0, -1.0, 1.0, 24.0])
def test_a_lock_of_a_machine_whose_clock_was_wrong_is_taken_when_it_is_silent(weeks, monkeypatch, hours_ahead):
    weeks.apply(until=WORLD_BEGINS + timedelta(minutes=30), host="there", skew_seconds=hours_ahead * HOURS)
    weeks.pass_time(10.0)
    rollout = weeks.rollout()
    rollout.world.is_dead = lambda lock: False

    async def work():
        begun = weeks.loop.time()
        outcome = await rollout.apply(wait=False)
        return outcome, weeks.loop.time() - begun

    outcome, seconds = weeks.run(work())
    assert outcome.code == "waiting"
    assert 29.0 < seconds < 300.0
    assert any("watching for 30 s" in text for text in weeks.teller.said)


def test_a_machine_whose_clock_is_behind_the_switch_says_why_the_soak_stands_still(weeks):
    weeks.apply(until=WORLD_BEGINS + timedelta(minutes=10), skew_seconds=3 * HOURS)
    outcome = weeks.apply(wait=False)
    assert "a clock that has passed the switch (this machine's is 2 h" in "".join(outcome.reasons)


def test_a_halted_move_is_not_kept_back_by_runs_that_nobody_remembers(weeks, monkeypatch):
    """Its record names the run that halted it; two hundred runs of cron ended in order since."""
    from migrator.engine import lingering

    monkeypatch.setattr(lingering, "ACCOUNTED_RUNS", 3)
    weeks.app.figure = lambda at: 9.0
    weeks.change_wave("first", on_failure="halt")
    weeks.cron(times=6)
    assert weeks.record("na/web").state is MoveState.HALTED
    weeks.cron(times=20)
    weeks.app.figure = lambda at: 0.0
    rollout = weeks.rollout()
    rollout.world.write_bounds = {**rollout.world.write_bounds, "dst-na-web": 30 * 24 * HOURS}
    rollout._session._bound = 30 * 24 * HOURS
    weeks.run(rollout.retry(reason="mended", who="anna"))
    rollout = weeks.rollout()
    rollout._session._bound = 30 * 24 * HOURS

    async def work():
        outcome = await rollout.apply(wait=False)
        return outcome, rollout._session.lingering.seconds

    assert weeks.run(work())[1] == 0.0
