"""What ``plan`` tells of a move is what ``apply`` then does: the same states in the same order, and the same words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from migrator.engine.ahead import ahead_of
from migrator.engine.teller import tell
from migrator.model.moves import MoveState
from migrator.model.names import Area, MoveId, Selector
from migrator.model.objects import CREATE, ContainerInfo
from migrator.model.schedule import Cutover, PlannedMove, Verify
from migrator.words.happenings import sentence
from tests.scenario.world import ID, Small, shape


@pytest.fixture
def small(tmp_path):
    return Small(tmp_path)


class Words:
    """Keeps what a run says."""

    def __init__(self):
        self.said = []

    def event(self, happening, move=None):
        self.said.append(sentence(happening, move))

    def progress(self, move, **figures): ...


def told_of(small):
    return tell(ahead_of(small.schedule, small.state(), {}, datetime.now(UTC))[ID])


def states_since(small, number=0):
    """The states that the move entered, by the journal."""
    entries = [one for one in small.state().journal() if one.kind == "state-changed" and one.number > number]
    return [one.evidence["state"] for one in entries]


def said_by_a_run(rollout):
    rollout.world.reporter = words = Words()
    return words.said


OPTIONS = {
    "plain": {},
    "content": {"verify": Verify("content")},
    "no gates": {"gates": ()},
    "one at a time": {"max_moves": 1},
    "no lag": {"cutover": Cutover(max_lag_objects=0)},
    "a date that has come": {"not_before": datetime(2020, 1, 1, tzinfo=UTC)},
}


@pytest.mark.parametrize("options", OPTIONS)
async def test_the_told_steps_are_the_states_that_a_real_apply_goes_through(small, options):
    small.change_wave(**OPTIONS[options])
    await small.fill()
    told = told_of(small)
    rollout = small.rollout()
    said = said_by_a_run(rollout)
    assert (await rollout.apply()).code == "done"
    entered = states_since(small)
    assert [str(one.state) for one in told] == ["pending", *entered[:-1]]
    assert entered[-1] == "soaked"
    assert told_of(small) == ()
    by_state = {str(one.state): one.text for one in told}
    fence, _, _ = by_state["fencing"].partition(":")
    assert any(text.endswith(fence) for text in said)
    journal = " ".join(one.text for one in small.state().journal())
    assert by_state["switching"] in journal
    how = by_state["verifying"].partition("objects proved equal ")[2].partition(")")[0]
    assert f"objects proved equal {how})" in journal
    assert by_state["draining"].partition(" for ")[2] in journal


async def test_what_is_left_is_told_where_a_run_stopped(small):
    """A hold keeps the move ready; the next run goes on from there, and tells nothing of what is done."""
    small.change_wave(cutover=Cutover(hold=True))
    await small.fill()
    assert (await small.rollout().apply(wait=False)).code == "waiting"
    small.change_wave(cutover=Cutover())
    number = max(one.number for one in small.state().journal())
    told = told_of(small)
    assert str(told[0].state) == small.state().move(ID).state
    assert "pending" not in [str(one.state) for one in told]
    assert (await small.rollout().apply()).code == "done"
    assert [str(one.state) for one in told] == [str(told[0].state), *states_since(small, number)[:-1]]


async def test_a_way_back_goes_through_what_is_told_of_it(small):
    await small.fill()
    await small.rollout().apply()
    number = max(one.number for one in small.state().journal())
    record = small.state().move(ID)
    begun = ahead_of(small.schedule, small.state(), {}, datetime.now(UTC))[ID]
    assert (await small.rollout().rollback()).code == "done"
    entered = states_since(small, number)
    back = replace(record, state=MoveState.CATCHING_UP, direction="reverse")
    assert [str(one.state) for one in tell(replace(begun, record=back))] == entered[:-1]
    assert entered[-1] == "reversed"
    (told,) = told_of(small)
    assert told.text.startswith("it is back at src")


async def test_a_soak_under_way_tells_what_is_left_and_a_halt_asks_for_a_person(small):
    small.change_wave(soak_seconds=3600.0, interval_seconds=0.05)
    await small.fill(3)
    assert (await small.rollout().apply(wait=False)).code == "waiting"
    (told,) = told_of(small)
    assert str(told.state) == "soaking"
    assert "of healthy time left" in told.text
    small.change_wave(on_failure="halt", gates=(replace(small.schedule.waves[0].gates[0], failure_limit=1),))
    small.figure.value = 1.0
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    (told,) = told_of(small)
    assert told.text.startswith("a person is needed: `migrate retry PLAN --reason TEXT` goes on from soaking")


async def test_a_move_beside_one_that_stopped_is_told_to_wait_and_does(small):
    """``apply`` leaves the whole wave of a halted move; what is told of the others says so."""
    beside = MoveId("eu", "mail")
    first = small.schedule.waves[0].moves[0]
    moves = (first, PlannedMove(beside, Area("mail", (Selector("mail"),)), "src", "dst"))
    small.change_wave(moves=moves, cutover=Cutover(hold=True))
    await small.fill(3)
    for account, container in (("src", "mail"), ("dst", "web")):
        store = small.store(account)
        await store.create_container(ContainerInfo(container))
        await store.put(container, "foreign", b"x", shape(), condition=CREATE)
        await store.close()
    assert (await small.rollout().apply(wait=False)).code == "halted"
    small.change_wave(cutover=Cutover())
    known = ahead_of(small.schedule, small.state(), {}, datetime.now(UTC))
    stopped, waits = (tell(known[id]) for id in (ID, beside))
    assert stopped[0].text.startswith("a person is needed")
    before = small.state().move(beside).state
    assert str(waits[0].state) == before
    assert waits[0].text.startswith("wait for wave first, which stopped, to be put in order")
    assert (await small.rollout().apply()).code == "halted"
    assert small.state().move(beside).state is before
