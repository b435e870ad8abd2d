"""Both shells on a scripted document and a clock that the test moves: when they fetch, how they wait, what they raise."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from migrator.client import (
    OutcomeUnknown,
    RestartUpload,
    RouteFenced,
    Routes,
    RouteUnpublished,
    RouteUnusable,
    SyncRoutes,
)
from migrator.client.blob import _answer
from migrator.client.errors import Unfetched
from migrator.errors import OutcomeUnknown as CommonOutcomeUnknown
from migrator.errors import UsageError
from migrator.model.routes import READ_ONLY, READ_WRITE, Mode, RouteDocument, RouteRecord

REGION, AREA = "europe", "images"


def document(account: str, mode: Mode, epoch: int) -> bytes:
    record = RouteRecord(account, f"https://{account}.blob.core.windows.net", mode, epoch, "lineage", "", "")
    return RouteDocument(30, 60, {f"{REGION}/{AREA}": record}).encode()


class World:
    """A clock, a document that changes at given times, and what was asked of it."""

    def __init__(self, *changes: tuple[float, bytes | Exception | None]) -> None:
        self.now = 100.0
        self.changes = list(changes)
        self.fetches: list[float] = []
        self.place = "the place"
        self.delay = 0.0
        """How long an answer takes."""

    def clock(self) -> float:
        return self.now

    def fetch(self) -> bytes | None:
        self.fetches.append(self.now)
        current = [seen for at, seen in self.changes if at <= self.now][-1]
        self.now += self.delay
        if isinstance(current, Exception):
            raise current
        return current

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def close(self) -> None:
        self.place = "closed"


class AsyncWorld:
    def __init__(self, world: World) -> None:
        self.world = world
        self.place = world.place

    async def fetch(self) -> bytes | None:
        await asyncio.sleep(0)
        return self.world.fetch()

    async def sleep(self, seconds: float) -> None:
        self.world.pass_time(seconds)
        await asyncio.sleep(0)

    async def close(self) -> None:
        self.world.close()


class Shell:
    """The same calls on either shell."""

    def __init__(self, kind: str, world: World) -> None:
        self.world = world
        self.routes: Any
        if kind == "sync":
            self.routes = SyncRoutes(world, clock=world.clock, sleep=world.pass_time, chance=lambda: 0.5)
        else:
            outside = AsyncWorld(world)
            self.routes = Routes(outside, clock=world.clock, sleep=outside.sleep, chance=lambda: 0.5)
        self.is_async = kind == "async"

    async def __call__(self, name: str, *args: Any, **options: Any) -> Any:
        answer = getattr(self.routes, name)(*args, **options)
        return await answer if self.is_async else answer

    async def write(self) -> Any:
        return await self("write", REGION, AREA)

    async def resolve(self) -> Any:
        return await self("resolve", REGION, AREA)

    async def commit(self, upload: Any) -> Any:
        answer = upload.commit()
        return await answer if self.is_async else answer


Start = Callable[..., Shell]


@pytest.fixture(params=["async", "sync"])
def start(request: pytest.FixtureRequest) -> Start:
    return lambda *changes: Shell(request.param, World(*changes))


RW7, RO8, NEW9, OLD9 = (
    document("old", READ_WRITE, 7),
    document("old", READ_ONLY, 8),
    document("new", READ_WRITE, 9),
    document("old", READ_WRITE, 9),
)
LOST = Unfetched("the place cannot be reached")
BUSY = Unfetched("the place answers with status 503", is_busy=True)


async def test_a_lease_counts_from_the_sending(start: Start) -> None:
    shell = start((0, RW7))
    shell.world.delay = 10
    lease = await shell.write()
    assert (lease.expires, lease.remaining(), lease.epoch, lease.endpoint) == (
        130.0,
        20.0,
        7,
        "https://old.blob.core.windows.net",
    )


async def test_an_answer_slower_than_ttl_grants_nothing(start: Start) -> None:
    shell = start((0, RW7))
    shell.world.delay = 31
    with pytest.raises(RouteFenced) as caught:
        await shell.write()
    assert caught.value.reason == "expired"


async def test_the_document_is_read_once_in_half_a_ttl(start: Start) -> None:
    """A million writes a minute must not become a million reads of the routes."""
    shell = start((0, RW7))
    for _ in range(1000):
        await shell.write()
        await shell.resolve()
    assert shell.world.fetches == [100.0]
    shell.world.now = 115
    assert (await shell.write()).expires == 145
    assert shell.world.fetches == [100.0, 115.0]


async def test_the_lease_goes_on_while_the_document_cannot_be_read_and_then_ends(start: Start) -> None:
    shell = start((0, RW7), (101, LOST))
    await shell.write()
    shell.world.now = 129
    assert (await shell.write()).expires == 130
    shell.world.now = 131
    with pytest.raises(RouteFenced, match="the place cannot be reached") as caught:
        await shell.write()
    assert caught.value.reason == "expired"


async def test_one_refused_read_costs_no_lease_and_the_lease_counts_from_the_answered_one(start: Start) -> None:
    shell = start((0, BUSY), (100.05, RW7))
    lease = await shell.write()
    assert shell.world.fetches == pytest.approx([100.0, 100.1])
    assert lease.expires == pytest.approx(130.1)


async def test_a_service_that_stays_busy_is_asked_three_times_and_named(start: Start) -> None:
    shell = start((0, BUSY))
    with pytest.raises(RouteFenced, match="status 503"):
        await shell.write()
    assert shell.world.fetches == pytest.approx([100.0, 100.1, 100.4])


async def test_what_cannot_be_reached_is_not_asked_again_at_once(start: Start) -> None:
    shell = start((0, LOST))
    with pytest.raises(RouteFenced):
        await shell.write()
    assert shell.world.fetches == [100.0]


@pytest.mark.parametrize(("status", "is_busy"), [(503, True), (429, True), (500, True), (403, False), (400, False)])
def test_which_answers_are_of_one_request_only(status: int, is_busy: bool) -> None:
    fault = HttpResponseError("no")
    fault.status_code = status
    with pytest.raises(Unfetched) as caught:
        _answer(fault, "https://x/routing/routes.json")
    assert caught.value.is_busy is is_busy


async def test_a_lease_in_hand_ends_by_itself(start: Start) -> None:
    """No later call is needed to end it: check() knows the time."""
    shell = start((0, RW7))
    lease = await shell.write()
    request = lease.request()
    lease.check()
    shell.world.now = 130
    with pytest.raises(RouteFenced):
        lease.check()
    with pytest.raises(RouteFenced):
        lease.request()
    with pytest.raises(RouteFenced):
        request.check()


async def test_a_request_ends_within_max_write(start: Start) -> None:
    shell = start((0, RW7))
    request = (await shell.write()).request()
    assert (request.deadline, request.timeout_seconds) == (160.0, 50)
    shell.world.now = 158.5
    assert request.timeout_seconds == 1
    shell.world.now = 159.2
    with pytest.raises(RouteFenced) as caught:
        _ = request.timeout_seconds
    assert caught.value.reason == "late"


async def test_a_fenced_writer_waits_and_goes_on_at_the_new_account(start: Start) -> None:
    shell = start((0, RO8), (107, NEW9))
    with pytest.raises(RouteFenced, match="its route is read-only"):
        await shell.write()
    lease = await shell("writable", REGION, AREA)
    assert (lease.account, lease.epoch) == ("new", 9)
    assert 107 <= shell.world.now <= 108.5
    pauses = [b - a for a, b in zip(shell.world.fetches, shell.world.fetches[1:], strict=False)]
    assert len(shell.world.fetches) <= 12
    assert max(pauses) <= 1.25


async def test_waiting_ends_after_the_timeout_and_says_why(start: Start) -> None:
    shell = start((0, RO8))
    with pytest.raises(RouteFenced, match=r"read-only.*still so after 5 s") as caught:
        await shell("writable", REGION, AREA, timeout=5)
    assert caught.value.reason == "read-only"
    assert shell.world.now == pytest.approx(105)


async def test_waiting_survives_a_document_that_cannot_be_read_for_a_while(start: Start) -> None:
    shell = start((0, LOST), (103, RW7))
    assert (await shell("writable", REGION, AREA)).epoch == 7


EMPTY = RouteDocument(30, 60).encode()


async def test_a_record_that_was_never_there_is_not_waited_for_without_end(start: Start) -> None:
    """Its name may be misspelt."""
    shell = start((0, EMPTY))
    with pytest.raises(RouteUnpublished, match="no record"):
        await shell("writable", REGION, AREA)


@pytest.mark.parametrize("before", [EMPTY, None], ids=["no record", "no document"])
async def test_a_record_that_is_not_published_yet_is_waited_for(start: Start, before: bytes | None) -> None:
    shell = start((0, before), (160, RW7))
    assert (await shell("writable", REGION, AREA, timeout=300)).epoch == 7
    assert len(shell.world.fetches) < 100, "gently"


async def test_the_wait_for_a_record_ends(start: Start) -> None:
    shell = start((0, EMPTY))
    with pytest.raises(RouteUnpublished, match="no record of it, still so after 20 s"):
        await shell("writable", REGION, AREA, timeout=20)
    assert 120 <= shell.world.now < 122


async def test_a_record_that_vanished_is_not_waited_for(start: Start) -> None:
    shell = start((0, RW7), (110, EMPTY))
    await shell.write()
    shell.world.now = 120
    with pytest.raises(RouteUnusable, match="no record") as caught:
        await shell("writable", REGION, AREA, timeout=300)
    assert not isinstance(caught.value, RouteUnpublished)
    assert shell.world.now < 122


async def test_a_document_of_another_format_is_like_one_that_cannot_be_read(start: Start) -> None:
    """A torn hand edit does not stop writers before their lease ends."""
    shell = start((0, RW7), (110, b"{ torn"))
    await shell.write()
    shell.world.now = 120
    assert (await shell.write()).expires == 130
    shell.world.now = 130
    with pytest.raises(RouteFenced, match="not JSON"):
        await shell.write()


async def test_an_epoch_that_went_back_stops_writers_and_not_readers(start: Start) -> None:
    shell = start((0, OLD9), (110, RW7))
    await shell.write()
    shell.world.now = 116
    with pytest.raises(RouteUnusable, match="its epoch went back from 9 to 7"):
        await shell.write()
    found = await shell.resolve()
    assert (found.account, found.epoch, found.stale) == ("old", 9, True)


async def test_readers_see_a_switch_within_two_seconds(start: Start) -> None:
    shell = start((0, RO8), (101, NEW9))
    assert (await shell.resolve()).mode == READ_ONLY
    shell.world.now = 103
    found = await shell.resolve()
    assert (found.account, found.stale) == ("new", False)


async def test_readers_go_on_stale_and_ask_at_most_once_a_second(start: Start) -> None:
    shell = start((0, RW7), (101, LOST))
    await shell.resolve()
    shell.world.now = 140
    for _ in range(100):
        found = await shell.resolve()
        assert (found.account, found.stale) == ("old", True)
    assert shell.world.fetches == [100.0, 140.0]
    shell.world.now = 141
    await shell.resolve()
    assert len(shell.world.fetches) == 3


async def test_a_reader_that_never_read_anything_is_told_why(start: Start) -> None:
    shell = start((0, LOST))
    with pytest.raises(RouteUnusable, match="no route could be read yet: the place cannot be reached"):
        await shell.resolve()


async def test_an_upload_is_committed_where_its_blocks_are(start: Start) -> None:
    shell = start((0, RW7), (110, RO8), (112, OLD9))
    upload = await shell("upload", REGION, AREA)
    shell.world.now = 131
    assert (await shell.commit(upload)).epoch == 9


async def test_an_upload_begins_again_after_a_switch(start: Start) -> None:
    shell = start((0, RW7), (110, RO8), (150, NEW9))
    upload = await shell("upload", REGION, AREA)
    assert (upload.endpoint, upload.account) == ("https://old.blob.core.windows.net", "old")
    shell.world.now = 131
    with pytest.raises(RestartUpload) as caught:
        await shell.commit(upload)
    assert caught.value.endpoint == "https://new.blob.core.windows.net"


async def test_a_source_that_breaks_in_an_unforeseen_way_stops_no_reader(start: Start) -> None:
    shell = start((0, RW7), (101, RuntimeError("boom")))
    await shell.resolve()
    shell.world.now = 140
    assert (await shell.resolve()).stale
    with pytest.raises(RouteFenced, match="RuntimeError"):
        await shell.write()


async def test_one_fetch_serves_all_areas(start: Start) -> None:
    both = RouteDocument.decode(RW7)
    both = both.with_record("europe/other", both.routes["europe/images"])
    shell = start((0, both.encode()))
    await shell.write()
    await shell("write", "europe", "other")
    assert len(shell.world.fetches) == 1


async def test_renew_is_for_the_same_record(start: Start) -> None:
    shell = start((0, RW7), (105, NEW9))
    lease = await shell.write()
    shell.world.now = 120
    assert (await shell("renew", lease)).account == "new"


async def test_tasks_share_one_fetch_and_a_cancelled_one_does_not_stop_it() -> None:
    world = World((0, RW7))
    gate = asyncio.Event()

    class Slow(AsyncWorld):
        async def fetch(self) -> bytes | None:
            await gate.wait()
            return self.world.fetch()

    async with Routes(Slow(world), clock=world.clock) as routes:
        writers = [asyncio.create_task(routes.write(REGION, AREA)) for _ in range(20)]
        await asyncio.sleep(0)
        writers[0].cancel()
        await asyncio.sleep(0)
        gate.set()
        answers = await asyncio.gather(*writers, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert [getattr(answer, "epoch", answer) for answer in answers[1:]] == [7] * 19
    assert len(world.fetches) == 1
    assert world.place == "closed"


async def test_a_fetch_without_end_is_given_up() -> None:
    world = World((0, RW7))

    class Hanging(AsyncWorld):
        async def fetch(self) -> bytes | None:
            await asyncio.sleep(3600)
            return None

    async with Routes(Hanging(world), timeout_seconds=0.01) as routes:
        with pytest.raises(RouteFenced, match=r"no answer within 0\.01 s"):
            await routes.write(REGION, AREA)


def test_threads_share_one_fetch() -> None:
    world = World((0, RW7))
    inside, go = threading.Event(), threading.Event()

    class Slow(World):
        def fetch(self) -> bytes | None:
            inside.set()
            go.wait(10)
            return world.fetch()

    with SyncRoutes(Slow(), clock=world.clock) as routes:
        epochs: list[int] = []
        threads = [threading.Thread(target=lambda: epochs.append(routes.write(REGION, AREA).epoch)) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert inside.wait(10)
        go.set()
        for thread in threads:
            thread.join(10)
    assert epochs == [7] * 8
    assert len(world.fetches) == 1


def test_a_thread_with_a_good_lease_does_not_wait_for_the_one_that_refreshes() -> None:
    world = World((0, RW7))
    inside, go = threading.Event(), threading.Event()

    class Slow(World):
        def fetch(self) -> bytes | None:
            if world.now > 100:
                inside.set()
                go.wait(10)
            return world.fetch()

    with SyncRoutes(Slow(), clock=world.clock) as routes:
        routes.write(REGION, AREA)
        world.now = 120
        refreshing = threading.Thread(target=lambda: routes.write(REGION, AREA))
        refreshing.start()
        assert inside.wait(10)
        assert routes.write(REGION, AREA).expires == 130  # would hang if it waited
        go.set()
        refreshing.join(10)
        assert routes.write(REGION, AREA).expires == 150


@pytest.mark.parametrize("form", ["{path}", "file://{path}", "file://localhost{path}"])
async def test_a_file_is_followed_by_path_or_url(tmp_path: Path, form: str) -> None:
    path = tmp_path / "routes of day.json"
    path.write_bytes(RW7)
    url = form.format(path=path if form == "{path}" else str(path).replace(" ", "%20"))
    async with Routes.from_url(url) as routes:
        assert (await routes.writable(REGION, AREA)).account == "old"
    with SyncRoutes.from_url(url) as sync:
        assert sync.resolve(REGION, AREA).account == "old"
        assert sync.place == str(path)


async def test_a_file_that_is_not_there_has_no_record(tmp_path: Path) -> None:
    async with Routes.from_url(str(tmp_path / "none.json")) as routes:
        with pytest.raises(RouteUnusable, match="there is no route document"):
            await routes.write(REGION, AREA)


async def test_a_directory_cannot_be_read(tmp_path: Path) -> None:
    async with Routes.from_url(str(tmp_path)) as routes:
        with pytest.raises(RouteFenced, match="is a directory"):
            await routes.write(REGION, AREA)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host/x", "not a file and not the address of a blob"),
        ("http://account.blob.core.windows.net/c/n?sig=secret", "only https is safe"),
        ("https://account.blob.core.windows.net/only?sig=secret", "needs a container and a blob name"),
        ("http://127.0.0.1:10000/account/container?sig=secret", "needs a container and a blob name"),
        ("file://otherhost/x", "begins with file:///"),
        ("https://account.blob.core.windows.net/c/n", "the variable ROUTES_SECRET_NOT_SET is not set"),
    ],
)
def test_an_address_that_cannot_be_followed_is_refused_without_its_secret(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        SyncRoutes.from_url(url, credential="env:ROUTES_SECRET_NOT_SET")
    assert "secret" not in str(caught.value)


def test_errors_of_the_client_are_one_family() -> None:
    """``except LeaseError`` catches all of them, and an unknown outcome is also the one the engine knows."""
    assert issubclass(OutcomeUnknown, CommonOutcomeUnknown)
    fault = OutcomeUnknown("cannot tell", hint="look")
    assert (fault.hint, fault.code, str(fault)) == ("look", "", "cannot tell; look")
