"""Both shells beside a register of files: they enter, answer a fence by themselves, and leave. In real time, and quickly."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from migrator.adapters.routing import FileRegister, FileRouter
from migrator.client import RouteFenced, Routes, SyncRoutes
from migrator.client.errors import Unwritten
from migrator.client.lease import monotonic
from migrator.model.hosts import Hosts
from migrator.model.register import LEFT
from migrator.model.routes import READ_ONLY, READ_WRITE, Mode, RouteDocument, RouteRecord
from migrator.ports.register import Attendant

REGION, AREA = "europe", "images"
KEY = f"{REGION}/{AREA}"
GENERATION = "3f9c"
SOON = 3.0
"""Seconds in which a fence is answered, on a busy machine."""


class Place:
    """A document and its register, as an engine keeps them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.router = FileRouter(path)
        self.register = FileRegister(path)
        self.etag: str | None = None

    async def publish(
        self,
        mode: Mode,
        epoch: int,
        *,
        version: int = 2,
        generation: str | None = GENERATION,
        look: float | None = None,
    ) -> None:
        record = RouteRecord("old", "https://old.blob.core.windows.net", mode, epoch, "lineage", "", "", look)
        document = RouteDocument(4, 5, {KEY: record}, version, generation)
        self.etag = await self.router.swap("europe", document, expected_etag=self.etag)

    async def roll(self) -> tuple[Attendant, ...]:
        return await self.register.roll(GENERATION)

    async def promises(self) -> list[int | None]:
        return [one.promise(KEY) for one in await self.roll()]

    async def until(self, wanted: Callable[[list[int | None]], bool], seconds: float = SOON) -> float:
        """How long it takes."""
        begun = time.monotonic()
        while not wanted(await self.promises()):
            assert time.monotonic() < begun + seconds, await self.promises()
            await asyncio.sleep(0.02)
        return time.monotonic() - begun


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    place = Place(tmp_path / "routes.json")
    await place.register.open(GENERATION)
    await place.publish(READ_WRITE, 7)
    return place


class Shell:
    """The same calls on either."""

    def __init__(self, kind: str, place: Place, **options: Any) -> None:
        self.is_async = kind == "async"
        maker: Any = Routes if self.is_async else SyncRoutes
        self.routes: Any = maker.from_url(str(place.path), **({"label": "images"} | options))

    async def __call__(self, name: str, *args: Any, **options: Any) -> Any:
        call = getattr(self.routes, name)
        return await call(*args, **options) if self.is_async else await asyncio.to_thread(call, *args, **options)

    async def write(self) -> Any:
        return await self("write", REGION, AREA)


Begin = Callable[..., Shell]


@pytest.fixture(params=["async", "sync"])
async def begin(request: pytest.FixtureRequest, place: Place) -> AsyncIterator[Begin]:
    begun: list[Shell] = []

    def start(**options: Any) -> Shell:
        begun.append(Shell(request.param, place, **options))
        return begun[-1]

    yield start
    for shell in begun:
        await shell("close")


async def test_the_first_lease_enters_and_reads_the_document_after_that(place: Place, begin: Begin) -> None:
    shell = begin()
    assert await place.roll() == ()
    before = monotonic()
    lease = await shell.write()
    (found,) = await place.roll()
    assert found.entry is not None
    assert (found.entry.label, found.promise(KEY), lease.epoch) == ("images", 7, 7)
    assert before < lease.expires <= monotonic() + 4
    await shell.write()
    assert len(await place.roll()) == 1


async def test_readers_do_not_enter(place: Place, begin: Begin) -> None:
    shell = begin()
    assert (await shell("resolve", REGION, AREA)).account == "old"
    assert await place.roll() == ()


async def test_a_fence_is_answered_though_nobody_asks(place: Place, begin: Begin) -> None:
    with await begin().write():
        pass
    await place.publish(READ_ONLY, 8)
    assert await place.until(lambda found: found == [8]) < SOON


async def test_where_a_cut_over_is_near_within_a_second_or_so(place: Place, begin: Begin) -> None:
    with await begin().write():
        pass
    await place.publish(READ_WRITE, 7, look=0.5)
    await asyncio.sleep(2.2)
    await place.publish(READ_ONLY, 8)
    assert await place.until(lambda found: found == [8]) < 1.5


async def test_it_is_answered_when_the_last_write_has_ended(place: Place, begin: Begin) -> None:
    shell = begin()
    lease = await shell.write()
    request = lease.request()
    lease.close()
    await place.publish(READ_ONLY, 8)
    await asyncio.sleep(SOON)
    with pytest.raises(RouteFenced):
        await shell.write()
    assert await place.promises() == [7]
    request.done()
    assert await place.until(lambda found: found == [8]) < 1


async def test_a_write_that_nobody_ends_is_waited_for_to_its_bound(place: Place, begin: Begin) -> None:
    lease = await begin().write()
    request = lease.request()
    lease.close()
    await place.publish(READ_ONLY, 8)
    await place.until(lambda found: found == [8], 9)
    assert request.remaining() == 0


async def test_a_lease_that_is_not_given_back_is_waited_for(place: Place, begin: Begin) -> None:
    shell = begin()
    lease = await shell.write()
    await place.publish(READ_ONLY, 8)
    await place.until(lambda found: found == [8], 12)
    assert lease.remaining() == 0
    assert monotonic() >= lease.expires + lease.max_write_seconds


async def test_whoever_closes_says_that_it_left(place: Place, begin: Begin) -> None:
    """Though no fence is near: an engine that has seen it waits in the next fence for an entry that only vanished."""
    shell = begin()
    (await shell.write()).close()
    await shell("close")
    assert await place.promises() == [LEFT]


async def test_whoever_closes_inside_a_fence_says_so(place: Place, begin: Begin) -> None:
    shell = begin()
    (await shell.write()).close()
    await place.publish(READ_ONLY, 8)
    await place.until(lambda found: found == [8])
    await shell("close")
    assert await place.promises() == [LEFT]


async def test_without_the_right_to_enter_there_is_no_lease_and_the_cause_is_said(
    place: Place, begin: Begin, tmp_path: Path
) -> None:
    (tmp_path / "routes.json.register").rename(tmp_path / "elsewhere")
    shell = begin()
    with pytest.raises(
        RouteFenced, match=r"not entered in the register: .* cannot be written \(no such file"
    ) as caught:
        await shell.write()
    assert caught.value.reason == "unregistered"
    (tmp_path / "elsewhere").rename(tmp_path / "routes.json.register")
    lease = await shell("writable", REGION, AREA, timeout=5)
    assert lease.epoch == 7


async def test_beside_a_document_of_version_1_it_enters_without_making_anybody_wait(place: Place, begin: Begin) -> None:
    await place.publish(READ_WRITE, 7, version=1)
    with await begin().write() as lease:
        assert lease.epoch == 7
    await place.until(lambda found: found == [7])


async def test_beside_a_document_that_names_no_register_it_does_nothing(place: Place, begin: Begin) -> None:
    await place.publish(READ_WRITE, 7, version=1, generation=None)
    with await begin().write():
        pass
    await asyncio.sleep(0.3)
    assert await place.roll() == ()


async def test_a_new_register_is_entered_before_the_next_lease(place: Place, begin: Begin) -> None:
    """The old one was lost; who is in the new one is asked from now on."""
    shell = begin()
    (await shell.write()).close()
    await place.register.open("second")
    await place.publish(READ_WRITE, 7, generation="second")
    await shell("look_again")
    (await shell.write()).close()
    assert len(await place.register.roll("second")) == 1


async def test_a_forked_process_is_not_entered_by_the_entry_of_its_parent(place: Place) -> None:
    """The parent may answer while the child writes."""
    with SyncRoutes.from_url(str(place.path)) as routes:
        routes.write(REGION, AREA).close()
        assert len(await place.roll()) == 1
        child = os.fork()
        if child == 0:
            code = 1
            try:
                lease = routes.write(REGION, AREA)
                code = 0 if lease.epoch == 7 else 2
            finally:
                os._exit(code)
        assert await asyncio.to_thread(exit_code, child) == 0
        assert len(await place.roll()) == 2


def exit_code(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


class Slow:
    """Writings that a test lets through, one by one."""

    place = "slow"

    def __init__(self) -> None:
        self.asked: list[tuple[float, str | None]] = []
        self.answer: Exception | None = None

    async def put(self, generation: str, id: str, text: str, *, is_new: bool) -> None:
        self.asked.append((time.monotonic(), text))
        if self.answer is not None:
            raise self.answer

    async def take_back(self, generation: str, id: str) -> None:
        self.asked.append((time.monotonic(), None))

    async def close(self) -> None: ...


@pytest.mark.parametrize("fault", [Unwritten("no"), OSError("odd"), TimeoutError()])
async def test_a_register_that_does_not_answer_is_asked_once_a_second(place: Place, fault: Exception) -> None:
    slow = Slow()
    slow.answer = fault
    source = Routes.from_url(str(place.path))._source
    routes = Routes(source, hosts=Hosts.of(), entries=lambda: slow)
    begun = time.monotonic()
    while time.monotonic() < begun + 2.5:
        with pytest.raises(RouteFenced, match="register"):
            await routes.write(REGION, AREA)
        await asyncio.sleep(0.01)
    assert 2 <= len(slow.asked) <= 4
    slow.answer = None
    assert (await routes.writable(REGION, AREA, timeout=5)).epoch == 7
    await routes.close()
    assert len(slow.asked) <= 6


async def test_an_idle_process_costs_nothing(place: Place, begin: Begin) -> None:
    """It looks every half ``ttl`` and otherwise sleeps."""
    with await begin().write():
        pass
    begun = time.process_time()
    await asyncio.sleep(2)
    assert time.process_time() - begun < 0.5


class SlowDocument:
    """One whose reads take a while."""

    def __init__(self, path: Path, seconds: float = 0.3) -> None:
        self.place = str(path)
        self.reads = 0
        self.seconds = seconds

    async def fetch(self) -> bytes | None:
        self.reads += 1
        await asyncio.sleep(self.seconds)
        return Path(self.place).read_bytes()  # noqa: ASYNC240 - small, and local

    async def close(self) -> None: ...


async def test_a_read_that_was_under_way_when_it_entered_does_not_count_and_another_follows(place: Place) -> None:
    source = SlowDocument(place.path)
    routes = Routes(source, hosts=Hosts.of(), entries=Slow)
    await routes.resolve(REGION, AREA)
    reading = asyncio.create_task(routes.look_again())
    await asyncio.sleep(0.1)
    assert (await routes.write(REGION, AREA)).epoch == 7
    assert source.reads == 3
    await reading
    await routes.close()


async def test_writers_that_wait_in_a_fence_leave_the_looking_to_one_and_see_its_end_at_once(place: Place) -> None:
    """However many they are; each of them asked once a second."""
    source = SlowDocument(place.path, 0)
    routes = Routes(source, hosts=Hosts.of(), entries=Slow)
    with await routes.write(REGION, AREA):
        pass
    await place.publish(READ_ONLY, 8)
    await routes.look_again()
    waiting = [asyncio.create_task(routes.writable(REGION, AREA, timeout=30)) for _ in range(50)]
    await asyncio.sleep(0.2)
    before = source.reads
    await asyncio.sleep(4)
    assert 3 <= source.reads - before <= 7
    await place.publish(READ_WRITE, 9)
    begun = time.monotonic()
    assert {(await one).epoch for one in waiting} == {9}
    assert time.monotonic() - begun < 1.8
    await routes.close()
