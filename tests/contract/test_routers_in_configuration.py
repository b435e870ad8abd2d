"""The router in App Configuration keeps the promises of the port, through the real SDK, on the double of the service."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from migrator.adapters.routing.configuration import MOST_BYTES, ConfigurationRouter, open_configuration
from migrator.errors import AccessRefused, CloudError, OutcomeUnknown, RouteChanged, Throttled, Unreachable
from migrator.kinds import ROUTING
from migrator.model.routes import MAX_EPOCH, READ_ONLY, Damaged, RouteDocument
from migrator.model.schedule import Routing
from migrator.ports.router import Router, RouteSnapshot
from migrator.testing.estate import Configuration, Estate, running
from migrator.testing.estate.configuration import KeyValue
from tests.contract.router_suite import EMPTY, RECORD, RouterSuite


@pytest.fixture(scope="module")
def served() -> Iterator[Estate]:
    with running(Estate()) as estate:
        yield estate


class TestConfigurationRouter(RouterSuite):
    swaps = 8

    @pytest.fixture(autouse=True)
    async def place(self, served: Estate) -> AsyncIterator[None]:
        served.stores.clear()
        self.endpoint = f"{served.public}/appconfig/routing"
        self.store: Configuration = served.store("routing")
        self.opened: list[ConfigurationRouter] = []
        yield
        for router in self.opened:
            await router.close()

    def open(self) -> Router:
        self.opened.append(
            open_configuration(self.endpoint, "migrate", connection=self.store.connection_string(self.endpoint))
        )
        return self.opened[-1]

    async def overwrite(self, raw: bytes) -> None:
        key = ("migrate/europe", None)
        number = len(self.store.seen) + len(self.store.values)
        was = self.store.values.get(key)
        version = f"by-hand-{number}-{was.version if was else ''}"
        self.store.values[key] = KeyValue(*key, raw.decode("utf-8", "replace"), version, "now")

    async def test_an_oversized_document_is_a_plain_error(self) -> None:
        await self.overwrite(b" " * (4 * 1024 * 1024 + 1))
        with pytest.raises(CloudError, match="more than 4194304"):
            await self.open().read("europe")

    async def test_each_region_is_a_key_of_its_own(self) -> None:
        router = self.open()
        etag = await router.swap("europe", EMPTY.with_record("europe/web", RECORD), expected_etag=None)
        assert await router.read("asia") == RouteSnapshot(None, None)
        await router.swap("asia", EMPTY, expected_etag=None)
        assert sorted(key for key, _ in self.store.values) == ["migrate/asia", "migrate/europe"]
        assert (await router.read("europe")).etag == etag
        assert router.document_of("europe") != router.document_of("asia")

    async def test_a_swap_is_one_request_with_a_condition(self) -> None:
        router = self.open()
        etag = await router.swap("europe", EMPTY, expected_etag=None)
        await router.swap("europe", EMPTY, expected_etag=etag)
        assert self.store.seen == [("PUT", "migrate/europe", 200)] * 2

    async def test_what_the_store_cannot_hold_is_never_sent(self) -> None:
        routes = {f"europe/area-{number}": RECORD for number in range(100)}
        with pytest.raises(CloudError, match=f"more than {MOST_BYTES:,}"):
            await self.open().swap("europe", replace(EMPTY, routes=routes), expected_etag=None)
        assert self.store.seen == []

    async def test_as_many_areas_as_are_taken_can_be_fenced_in_one_region(self) -> None:
        """Whatever a fence changes: what was published can be fenced and released."""
        router, most = self.open(), 0
        document = EMPTY
        while True:
            more = document.with_record(f"north-america/some-area-{most:02}", RECORD)
            try:
                more.encode(most_bytes=MOST_BYTES)
            except ValueError:
                break
            document, most = more, most + 1
        assert most >= 15
        etag = await router.swap("europe", document, expected_etag=None)
        for key, record in document.routes.items():
            at = "2026-11-24T00:00:00+00:00"
            fence = replace(record, mode=READ_ONLY, epoch=MAX_EPOCH, run="r" * 40, updated=at)
            document = document.with_record(key, fence)
        assert await router.swap("europe", document, expected_etag=etag)

    async def test_a_release_writes_one_record_of_a_damaged_document(self) -> None:
        router = self.open()
        broken = json.loads(EMPTY.with_record("europe/web", RECORD).encode())
        broken["routes"]["europe/mail"] = 7
        await self.overwrite(json.dumps(broken).encode())
        with pytest.raises(CloudError) as caught:
            await router.read("europe")
        damaged, etag = caught.value.damaged, caught.value.etag  # type: ignore[attr-defined]
        assert isinstance(damaged, Damaged)
        await router.swap("europe", damaged.with_record("europe/web", replace(RECORD, epoch=2)), expected_etag=etag)
        assert json.loads(self.store.values["migrate/europe", None].value)["routes"]["europe/mail"] == 7

    async def test_too_many_requests_are_said_with_the_wish_of_the_store(self) -> None:
        router = self.open()
        self.store.throttled = 2
        with pytest.raises(Throttled) as caught:
            await router.read("europe")
        assert caught.value.retry_after_seconds == pytest.approx(0.1)
        with pytest.raises(Throttled):
            await router.swap("europe", EMPTY, expected_etag=None)
        assert [status for _, _, status in self.store.seen] == [429, 429]
        assert self.store.values == {}

    async def test_a_key_of_another_store_is_refused_and_not_shown(self) -> None:
        wrong = self.store.connection_string(self.endpoint)
        self.store.secret = "bm90IHRoZSBrZXk="
        router = open_configuration(self.endpoint, "migrate", connection=wrong)
        self.opened.append(router)
        for doing in (router.read("europe"), router.prove_writable("europe")):
            with pytest.raises(AccessRefused) as caught:
                await doing
            assert wrong.rpartition("Secret=")[2] not in str(caught.value)


@pytest.mark.parametrize(
    ("connection", "told"),
    [
        ("nonsense", "no connection string"),
        ("Endpoint=https://other.azconfig.io;Id=x;Secret=c2VjcmV0", "of another store"),
        ("Endpoint=https://routes.azconfig.io;Id=x", "no connection string"),
    ],
)
def test_a_variable_that_does_not_open_the_store_is_refused_by_its_name_alone(connection: str, told: str) -> None:
    kind = ROUTING["app-configuration"]
    routing = Routing("app-configuration", endpoint="https://routes.azconfig.io", credential="env:ROUTES")
    with pytest.raises(AccessRefused, match=told) as caught:
        kind.open(routing, {}, environ={"ROUTES": connection}, cloud={})
    assert "c2VjcmV0" not in str(caught.value)
    with pytest.raises(AccessRefused, match="ROUTES is not set"):
        kind.open(routing, {}, environ={}, cloud={})


@pytest.mark.parametrize("closes", [b"", b"HTTP/1.1 500 Bad\r\ncontent-length: 0\r\n\r\n"], ids=["cut", "failed"])
async def test_a_swap_that_is_not_answered_may_have_been_written(closes: bytes) -> None:
    import asyncio

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(closes)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    router = open_configuration(endpoint, "migrate", connection=f"Endpoint={endpoint};Id=x;Secret=c2VjcmV0")
    try:
        with pytest.raises(OutcomeUnknown):
            await router.swap("europe", EMPTY, expected_etag=None)
        with pytest.raises(Unreachable):
            await router.read("europe")
        with pytest.raises(Unreachable):
            await router.prove_writable("europe")
        server.close()
        await server.wait_closed()
        with pytest.raises(Unreachable):
            await router.swap("europe", EMPTY, expected_etag=None)
    finally:
        server.close()
        await router.close()


async def test_a_swap_where_no_store_answers_is_an_error_of_ours() -> None:
    import asyncio

    async def nothing_here(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(nothing_here, "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    router = open_configuration(endpoint, "migrate", connection=f"Endpoint={endpoint};Id=x;Secret=c2VjcmV0")
    try:
        for expected in (None, "an-etag"):
            with pytest.raises(CloudError, match="status 404"):
                await router.swap("europe", EMPTY, expected_etag=expected)
        with pytest.raises(CloudError, match="status 404"):
            await router.prove_writable("europe")
    finally:
        server.close()
        await router.close()


async def test_a_stale_swap_is_not_an_answer_to_a_lost_one(served: Estate) -> None:
    store = served.store("other")
    endpoint = f"{served.public}/appconfig/other"
    router = open_configuration(endpoint, "routes", connection=store.connection_string(endpoint))
    try:
        etag = await router.swap("europe", EMPTY, expected_etag=None)
        await router.swap("europe", RouteDocument(31, 60), expected_etag=etag)
        with pytest.raises(RouteChanged):
            await router.swap("europe", RouteDocument(32, 60), expected_etag=etag)
    finally:
        await router.close()
