"""A drain ends early when every follower has answered, and in no other case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.engine.steps import cut
from migrator.errors import Unreachable
from migrator.machine.events import Event
from migrator.model.happenings.fences import Drained
from migrator.model.moves import MoveRecord, MoveState, RouteIntent
from migrator.model.register import LEFT, RollEntry
from migrator.model.routes import READ_WRITE, RouteDocument
from migrator.testing.register import MemoryRegister
from migrator.words.happenings import in_words
from tests.unit.engine.board import ID, before, fence, mover_of

KEY = str(ID)
DRAIN = 95.0
INTENT = RouteIntent(replace(before(), run="run-2"), replace(fence(), run="run-2"))


class Fenced:
    """A mover in its drain, and its register; for a whole drain the document has named it."""

    def __init__(self, *, version: int = 2) -> None:
        self.register = MemoryRegister()
        generation = "g" if version == 2 else None
        record = MoveRecord(
            ID, "first", "src", "dst", state=MoveState.DRAINING, intent=INTENT, epoch=7, ever_routed=True
        )
        self.mover, self.board, self.clock = mover_of(
            record, INTENT.fence, register=self.register, generation=generation
        )

    async def begin(self, *, waits: bool = True) -> Fenced:
        await self.register.open("g")
        await self.mover.desk.document()
        self.clock.at += DRAIN if waits else 0.0
        return self

    def says(self, id: str, epoch: int, *, label: str = "", generation: str = "g") -> None:
        self.register.put(generation, id, RollEntry(label, 60.0, {KEY: epoch}).encode())

    async def drain(self) -> tuple[float, Drained]:
        """How long it took, and what was said of it."""
        begun = self.clock.at
        assert await cut.drain(self.mover) is Event.DRAINED
        changes, _ = self.mover.take_pending()
        drained = next(one for one in changes if isinstance(one, Drained))
        return self.clock.at - begun, drained


async def test_it_ends_once_all_have_answered():
    fenced = await Fenced().begin()
    fenced.says("a", 7)
    fenced.says("b", 9)
    seconds, said = await fenced.drain()
    assert seconds < 2.0
    assert in_words(said).startswith("drained by roll-call after")
    assert in_words(said).endswith("2 of 2 followers answered")


async def test_it_ends_at_once_where_nobody_may_write():
    seconds, said = await (await Fenced().begin()).drain()
    assert seconds < 2.0
    assert "no follower may write" in in_words(said)


async def test_it_takes_as_long_as_ever_while_one_has_not_answered():
    fenced = await Fenced().begin()
    fenced.says("a", 7)
    fenced.says("b", 6, label="images/pod-7")
    seconds, said = await fenced.drain()
    assert DRAIN <= seconds < DRAIN + 2.0
    assert in_words(said) == f"full drain of {said.seconds:.1f} s: follower images/pod-7 did not answer"


async def test_it_is_not_shortened_before_the_leases_of_an_earlier_document_have_ended():
    fenced = await Fenced().begin(waits=False)
    fenced.clock.at += 10.0
    seconds, _ = await fenced.drain()
    assert DRAIN - 10.0 <= seconds < DRAIN


async def test_a_document_of_version_1_has_no_roll_call():
    fenced = await Fenced(version=1).begin()
    seconds, said = await fenced.drain()
    assert seconds >= DRAIN
    assert "the route document is of version 1" in in_words(said)


async def test_a_register_that_is_lost_tells_nothing():
    fenced = await Fenced().begin()
    fenced.says("a", 0)
    fenced.register.lose("g")
    seconds, said = await fenced.drain()
    assert seconds >= DRAIN
    assert "could not be read" in in_words(said)


async def test_a_register_of_another_generation_counts_only_after_a_whole_drain():
    fenced = await Fenced().begin()
    await fenced.register.open("h")
    fenced.board.document = replace(fenced.board.document, register="h")
    await fenced.mover.desk.document()
    seconds, _ = await fenced.drain()
    assert seconds >= DRAIN


async def test_one_that_vanished_in_the_fence_is_awaited():
    fenced = await Fenced().begin()
    fenced.says("a", 0, label="images/pod-7")
    assert await fenced.mover.shared.rolls.look()
    fenced.register.take_back("g", "a")
    seconds, said = await fenced.drain()
    assert seconds >= DRAIN
    assert said.awaited == ("images/pod-7",)


async def test_a_register_that_does_not_answer_is_asked_again():
    fenced = await Fenced().begin()
    fenced.says("a", 7)
    right, fenced.silent = fenced.register.roll, 5

    async def roll(generation):
        fenced.silent -= 1
        if fenced.silent > 0:
            raise Unreachable("cannot read the register: no answer")
        return await right(generation)

    fenced.register.roll = roll
    seconds, _ = await fenced.drain()
    assert 1.0 < seconds < 10.0


async def test_a_document_that_somebody_else_wrote_is_no_longer_all_that_clients_go_by():
    fenced = await Fenced().begin()
    desk = fenced.mover.desk
    fenced.board.document = replace(fenced.board.document, ttl_seconds=30)
    fenced.board.version += 1
    await desk.document()
    assert desk.all_entered_at >= fenced.clock.at + DRAIN


# The register itself.


async def test_a_first_register_is_open_before_the_document_names_it():
    fenced = Fenced(version=1)
    await fenced.mover.desk.document()
    await fenced.mover.shared.rolls.prepare()
    document = fenced.board.document
    assert document.version == 2
    assert await fenced.register.roll(document.register) == ()
    assert document.routes[KEY] == INTENT.fence


async def test_a_lost_register_is_replaced_by_another_one_outside_fences():
    fenced = await Fenced().begin()
    rolls = fenced.mover.shared.rolls
    await rolls.prepare()
    fenced.register.lose("g")
    await rolls.prepare()
    await rolls.prepare()
    found = fenced.board.document.register
    assert found != "g"
    assert await fenced.register.roll(found) == ()
    assert await rolls.look()
    assert rolls.roll(ID).why_not.startswith("clients may still go by an earlier route document")


async def test_no_register_is_replaced_in_a_fence():
    fenced = await Fenced().begin()
    fenced.board.document = RouteDocument(30, 60, {KEY: INTENT.before}, version=2, register="g")
    desk, rolls = fenced.mover.desk, fenced.mover.shared.rolls
    await desk.change(ID, INTENT.before, INTENT.fence)
    await rolls.prepare()
    fenced.register.lose("g")
    await rolls.prepare()
    await rolls.prepare()
    assert fenced.board.document.register == "g"


async def test_what_says_nothing_any_more_is_swept():
    fenced = await Fenced().begin()
    fenced.says("gone", LEFT)
    fenced.says("here", 0)
    await fenced.mover.shared.rolls.prepare()
    assert [one.id for one in await fenced.register.roll("g")] == ["here"]


# Before the fence.


@pytest.fixture
async def near():
    fenced = Fenced()
    fenced.board.document = replace(fenced.board.document, routes={KEY: INTENT.before})
    record = replace(fenced.mover.record, state=MoveState.READY, intent=None, epoch=6)
    fenced.mover.record = record
    await fenced.begin()
    await fenced.mover.shared.rolls.look()
    return fenced


async def wait(fenced) -> float:
    from migrator.engine.nearing import seconds_to_fence

    begun = fenced.clock.at
    while (left := await seconds_to_fence(fenced.mover)) > 0:
        await fenced.clock.sleep(min(left, 1.0))
    return fenced.clock.at - begun


async def test_followers_are_told_and_get_the_time_to_see_it(near):
    near.says("a", 0)
    await near.mover.shared.rolls.look()
    assert 15.0 < await wait(near) < 20.0
    found = near.board.document.routes[KEY]
    assert (found.mode, found.epoch, found.look_seconds) == (READ_WRITE, 6, 0.5)
    assert await wait(near) < 0.1  # once


async def test_nobody_waits_where_nobody_follows(near):
    assert await wait(near) == 0.0


async def test_nobody_waits_for_somebody_who_is_silent(near):
    near.says("a", 0)
    await near.mover.shared.rolls.look()
    near.clock.at += 61.0
    await near.mover.shared.rolls.look()
    assert await wait(near) == 0.0


async def test_many_followers_look_less_often(near):
    for number in range(900):
        near.says(f"{number:032x}", 0)
    await near.mover.shared.rolls.look()
    await wait(near)
    assert near.board.document.routes[KEY].look_seconds == 3.0


async def test_it_waits_for_the_leases_of_before_the_register(near):
    near.board.version += 1  # somebody else wrote it: that begins anew
    await near.mover.desk.document()
    assert DRAIN - 1.0 < await wait(near) < DRAIN + 3.0


async def test_a_fence_says_nothing_of_being_near(near):
    near.says("a", 0)
    await near.mover.shared.rolls.look()
    await wait(near)
    desk, found = near.mover.desk, near.board.document.routes[KEY]
    assert desk.fenced(ID, found).look_seconds is None
    assert desk.released(ID, found).look_seconds is None
    assert desk.stamped(found).look_seconds is None
