"""A channel is told everything, in order, and once; whoever does not answer keeps nobody waiting."""

from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from migrator.adapters.clock import SystemClock
from migrator.engine.outbox import Outbox
from migrator.errors import CloudError
from migrator.model import notes
from migrator.model.happenings.happening import Journaled
from migrator.model.happenings.rollouts import NoticesStuck, SlowedDown, WaveBegun
from migrator.model.moves import LockRecord
from migrator.model.notices import Channel, Notice
from migrator.model.rhythm import Rhythm
from migrator.ports.state_store import AddJournal, Change
from migrator.testing.memory_state import MemoryStateStore
from migrator.words.journal import entry

QUICK = Rhythm(notices_seconds=0.01, longest_notices_pause_seconds=0.02, last_notices_seconds=0.3)
OPS = Channel("json webhook env:OPS", "webhook")


class Receiver:
    """Takes notices while it ``answers``; hangs while it ``hangs``."""

    def __init__(self) -> None:
        self.taken: list[Notice] = []
        self.tried = 0
        self.answers = True
        self.hangs = False

    async def send(self, notice: Notice) -> None:
        self.tried += 1
        if self.hangs:
            await asyncio.Event().wait()
        if not self.answers:
            raise CloudError("cannot notify it: it answered with status 500")
        self.taken.append(notice)

    async def close(self) -> None: ...

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.taken]


class Rollout:
    """As much of a fleet as an outbox asks for, over a state store that stays."""

    def __init__(self) -> None:
        self.state = MemoryStateStore("p")
        self.clock = SystemClock()
        now = self.clock.now()
        self.token = self.state.acquire(LockRecord("ab12", 1, "run", "ann", "box", 77, "boot", now, now, 0.0)).token
        self.told: list[object] = []
        self.world = SimpleNamespace(state=self.state, clock=self.clock, rhythm=QUICK)
        self.schedule = SimpleNamespace(name="p")

    def commit(self, *changes: Change) -> None:
        self.state.commit(list(changes), token=self.token)

    def tell(self, happening: object) -> None:
        self.told.append(happening)

    def happens(self, happening: Journaled) -> None:
        self.commit(AddJournal(entry(happening, self.clock.now(), actor="engine", wave="first")))

    def outbox(self, *channels: tuple[Channel, Receiver]) -> Outbox:
        fleet: Any = self
        return Outbox(fleet, channels)


async def until(true: Any) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for is a list
            await asyncio.sleep(0.005)


def slow(number: int) -> SlowedDown:
    return SlowedDown(f"core-{number}", 1.0)


async def test_everything_is_told_once_and_in_order() -> None:
    rollout, receiver = Rollout(), Receiver()
    rollout.happens(slow(0))
    outbox = rollout.outbox((OPS, receiver))
    outbox.begin()
    for number in range(1, 250):
        rollout.happens(slow(number))
    await until(lambda: len(receiver.taken) == 249)
    await outbox.end()
    assert [f"core-{number}" in text for number, text in enumerate(receiver.texts, 1)] == [True] * 249
    assert len({one.id for one in receiver.taken}) == 249
    assert not any("core-0 " in text for text in receiver.texts), "a new channel is told nothing of before"


async def test_what_happened_between_two_runs_is_told_by_the_next() -> None:
    rollout, receiver = Rollout(), Receiver()
    first = rollout.outbox((OPS, receiver))
    first.begin()
    await first.end()
    rollout.happens(slow(1))
    second = rollout.outbox((OPS, receiver))
    second.begin()
    await second.end()
    third = rollout.outbox((OPS, receiver))
    third.begin()
    await third.end()
    assert len(receiver.taken) == 1


async def test_a_receiver_that_was_down_gets_everything_and_that_is_said_once() -> None:
    rollout, receiver, other = Rollout(), Receiver(), Receiver()
    receiver.answers = False
    outbox = rollout.outbox((OPS, receiver), (Channel("other", "webhook"), other))
    outbox.begin()
    rollout.happens(slow(1))
    rollout.happens(slow(2))
    await until(lambda: receiver.tried >= 3)
    assert len(other.taken) == 2, "one that does not answer keeps the others waiting for nothing"
    assert [type(one) for one in rollout.told] == [NoticesStuck]
    receiver.answers = True
    await until(lambda: len(receiver.taken) == 2)
    await outbox.end()
    assert len(receiver.taken) == 2


async def test_a_receiver_that_hangs_holds_up_the_end_for_a_moment_only() -> None:
    rollout, receiver = Rollout(), Receiver()
    receiver.hangs = True
    outbox = rollout.outbox((OPS, receiver))
    outbox.begin()
    rollout.happens(slow(1))
    await until(lambda: receiver.tried == 1)
    async with asyncio.timeout(20):
        await outbox.end()
    assert receiver.taken == []
    receiver.hangs = False
    after = rollout.outbox((OPS, receiver))
    after.begin()
    await after.end()
    assert len(receiver.taken) == 1, "the next run tells it"


async def test_a_run_that_dies_before_it_wrote_that_down_tells_one_again_under_the_same_id() -> None:
    rollout, receiver = Rollout(), Receiver()
    first = rollout.outbox((OPS, receiver))
    first.begin()
    rollout.happens(slow(1))
    rollout.happens(slow(2))
    await until(lambda: len(receiver.taken) == 2)
    await first.end()
    from migrator.ports.state_store import SetNote

    rollout.commit(SetNote(notes.told(OPS.name), int(receiver.taken[0].id.split("/")[1])))
    second = rollout.outbox((OPS, receiver))
    second.begin()
    await second.end()
    assert [one.id for one in receiver.taken[1:]] == [receiver.taken[1].id] * 2


class Died(Exception):
    """The process is gone."""


@pytest.mark.parametrize("is_written", [False, True])
async def test_wherever_runs_die_each_notice_comes_and_twice_only_under_its_id(is_written: bool) -> None:
    for dies_at in range(1, 5):
        rollout, receiver = Rollout(), Receiver()
        commits, kept = 0, rollout.commit
        begun = rollout.outbox((OPS, receiver))
        begun.begin()
        await begun.end()
        for number in range(4):
            rollout.happens(slow(number))

        def commit(*changes: Change, dies_at: int = dies_at, kept: Any = kept) -> None:
            nonlocal commits
            commits += 1
            dies = commits == dies_at
            if is_written or not dies:
                kept(*changes)
            if dies:
                raise Died

        rollout.commit = commit  # type: ignore[method-assign]
        for _ in range(3):
            outbox = rollout.outbox((OPS, receiver))
            try:
                outbox.begin()
                await outbox._tell(OPS, receiver)
            except Died:
                pass
            for keeper in outbox._keepers:
                keeper.cancel()
        ids = [one.id for one in receiver.taken]
        told = dict(zip(ids, receiver.texts, strict=True))
        assert [f"core-{number}" in text for number, text in enumerate(told.values())] == [True] * 4
        assert len(ids) == (4 if is_written else 5), "what was written down is not sent again"
        assert [id for id, _ in itertools.groupby(ids)] == list(told), "a second one follows the first at once"


async def test_without_channels_nothing_is_read_or_written() -> None:
    rollout = Rollout()
    outbox = rollout.outbox()
    outbox.begin()
    rollout.happens(WaveBegun("first", 1, "pending", {}))
    await outbox.end()
    assert rollout.state.note(notes.told(OPS.name)) is None
