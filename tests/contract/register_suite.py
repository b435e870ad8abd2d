"""What every register promises (``migrator.ports.register``), together with the entries that followers write in it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

import pytest

from migrator.client.entries import AsyncEntries
from migrator.client.errors import Unwritten
from migrator.model.register import LEFT, RollEntry, new_id
from migrator.ports.register import Register, RollUnknown

ENTRY = RollEntry("images/pod-7", 60, {"europe/images": 7})


class RegisterSuite(ABC):
    """Subclasses begin each test with an empty place."""

    crowd = 40

    @abstractmethod
    def register(self) -> Register:
        """Another one on the same place."""

    @abstractmethod
    def entries(self) -> AsyncEntries:
        """A follower's way to it."""

    @abstractmethod
    async def empty(self, generation: str) -> None:
        """What a script does that empties the place, which stays."""

    async def put(self, generation: str, entry: RollEntry = ENTRY, id: str | None = None) -> str:
        pen, is_new = self.entries(), id is None
        id = id or new_id()
        try:
            await pen.put(generation, id, entry.encode(), is_new=is_new)
        finally:
            await pen.close()
        return id

    async def test_a_register_that_nobody_made_has_no_roll_and_takes_no_entry(self) -> None:
        with pytest.raises(RollUnknown):
            await self.register().roll("nobodys")

    async def test_nobody_is_in_a_new_register(self) -> None:
        await self.register().open("first")
        assert await self.register().roll("first") == ()

    async def test_opening_twice_is_opening(self) -> None:
        await self.register().open("first")
        id = await self.put("first")
        await self.register().open("first")
        assert [one.id for one in await self.register().roll("first")] == [id]

    async def test_an_entry_is_read_as_it_was_written(self) -> None:
        await self.register().open("first")
        entry = RollEntry(
            'an "application" <&> of m\u00fcller\u2028', 12.5, {"europe/caf\u00e9 \u2028": 9, "a/b": 0, "c/d": LEFT}
        )
        id = await self.put("first", entry)
        (found,) = await self.register().roll("first")
        assert (found.id, found.entry) == (id, entry)
        assert (found.promise("a/b"), found.promise("c/d"), found.promise("nowhere")) == (0, LEFT, None)

    async def test_generations_do_not_see_each_other(self) -> None:
        for name in ("first", "firs", "second"):
            await self.register().open(name)
        id = await self.put("first")
        assert await self.register().roll("second") == await self.register().roll("firs") == ()
        assert [one.id for one in await self.register().roll("first")] == [id]

    async def test_every_writing_has_a_token_of_its_own_also_of_the_same_words(self) -> None:
        await self.register().open("first")
        id = await self.put("first")
        tokens = set()
        for _ in range(5):
            await asyncio.sleep(0.02)
            await self.put("first", id=id)
            (found,) = await self.register().roll("first")
            assert found.id == id
            tokens.add(found.token)
            assert (await self.register().roll("first"))[0].token == found.token
        assert len(tokens) == 5

    async def test_a_shorter_entry_after_a_longer_one_is_read(self) -> None:
        await self.register().open("first")
        id = await self.put("first", RollEntry("x" * 60, 60, {"europe/images": 123456}))
        await self.put("first", RollEntry("x", 60, {"europe/images": 123457}), id)
        assert [one.promise("europe/images") for one in await self.register().roll("first")] == [123457]

    async def test_who_left_is_not_in_the_roll(self) -> None:
        await self.register().open("first")
        stays, leaves = await self.put("first"), await self.put("first")
        pen = self.entries()
        for _ in range(2):
            await pen.take_back("first", leaves)
        await pen.close()
        assert [one.id for one in await self.register().roll("first")] == [stays]

    async def test_all_who_were_there_before_are_in_the_roll_while_they_write_and_others_come_and_go(self) -> None:
        await self.register().open("first")
        pen = self.entries()
        ids = [new_id() for _ in range(self.crowd)]
        for id in ids:
            await pen.put("first", id, ENTRY.encode(), is_new=True)
        is_over = False

        async def busy(number: int) -> None:
            turn = 0
            while not is_over:
                turn += 1
                for id in ids[number::4]:
                    await pen.put("first", id, RollEntry("busy", 60, {"europe/images": turn}).encode(), is_new=False)
                guest = new_id()
                await pen.put("first", guest, ENTRY.encode(), is_new=True)
                await pen.take_back("first", guest)

        tasks = [asyncio.create_task(busy(number)) for number in range(4)]
        try:
            for _ in range(15):
                assert set(ids) <= {one.id for one in await self.register().roll("first")}
        finally:
            is_over = True
            await asyncio.gather(*tasks)
            await pen.close()

    async def test_only_an_entry_that_is_as_it_was_seen_is_removed(self) -> None:
        await self.register().open("first")
        id = await self.put("first")
        (seen,) = await self.register().roll("first")
        await asyncio.sleep(0.02)
        await self.put("first", id=id)
        await self.register().remove("first", seen)
        (again,) = await self.register().roll("first")
        for _ in range(2):
            await self.register().remove("first", again)
        assert await self.register().roll("first") == ()

    async def test_what_nobody_can_read_is_in_the_roll_and_promises_nothing(self) -> None:
        await self.register().open("first")
        pen, id = self.entries(), new_id()
        await pen.put("first", id, '{"version":3}', is_new=True)
        await pen.close()
        (found,) = await self.register().roll("first")
        assert (found.id, found.entry, found.promise("any/area")) == (id, None, 0)

    async def test_a_register_that_was_emptied_has_no_roll(self) -> None:
        """Followers go on writing into it: still it says nothing of those whose entries are gone."""
        await self.register().open("first")
        await self.put("first")
        await self.empty("first")
        with pytest.raises(RollUnknown):
            await self.register().roll("first")
        await self.put("first")
        with pytest.raises(RollUnknown):
            await self.register().roll("first")


async def refused(act: Callable[[], object]) -> str:
    """What a follower is told that cannot write."""
    with pytest.raises(Unwritten) as caught:
        await act()  # type: ignore[misc]
    return str(caught.value)
