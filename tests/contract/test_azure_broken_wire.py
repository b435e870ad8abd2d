"""The store's promise about writes, on a wire that breaks anywhere: a proxy before the real service cuts connections after
so many bytes of the request or of the answer, and the service itself is asked what happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from migrator.adapters.azure import open_store
from migrator.adapters.azure.object_store import AzureStore
from migrator.errors import NotFound, OutcomeUnknown, Unreachable
from migrator.model.objects import CREATE, Condition, ContainerInfo
from migrator.model.schedule import Account
from migrator.ports.object_store import Origin
from tests.azurite.server import Azurite
from tests.contract.object_store_suite import PLAIN, content


@dataclass
class Cutter:
    """Passes bytes on. After ``cut`` each connection, kept or new, ends when so many more bytes went its requests' or its
    answers' way, at the first byte beyond them."""

    target: int
    port: int = 0
    way: str = ""
    most: int = 0
    is_once: bool = False
    cuts: int = 0

    def cut(self, way: str, most: int, *, is_once: bool = False) -> None:
        """``is_once``: only the next connection that comes so far is cut."""
        self.way, self.most, self.is_once = way, most, is_once
        self.cuts += 1

    def mend(self) -> None:
        self.way = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        both = (writer, far_writer)

        async def pass_on(way: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            passed = cuts = 0
            try:
                while piece := await source.read(65536):
                    if cuts != self.cuts:
                        passed, cuts = 0, self.cuts
                    whole = len(piece)
                    if way == self.way:
                        piece = piece[: max(0, self.most - passed)]
                    passed += len(piece)
                    sink.write(piece)
                    await sink.drain()
                    if len(piece) < whole:
                        self.way = "" if self.is_once else self.way
                        break
            except ConnectionError:
                pass
            for one in both:
                one.close()

        await asyncio.gather(pass_on("up", reader, far_writer), pass_on("down", far_reader, writer))


@asynccontextmanager
async def cutting(port: int) -> AsyncIterator[Cutter]:
    cutter = Cutter(port)
    listening = await asyncio.start_server(cutter.serve, "127.0.0.1", 0)
    cutter.port = listening.sockets[0].getsockname()[1]
    yield cutter
    listening.close()


@dataclass
class Scene:
    """``plain`` reaches the service straight; ``opened`` makes a store that goes through ``cutter``."""

    plain: AzureStore
    cutter: Cutter
    opened: Callable[[], AzureStore]


@pytest.fixture
async def scene(azurite: Azurite) -> AsyncIterator[Scene]:
    own = azurite.take()
    environ = {"K": azurite.key(own)}
    async with cutting(azurite.ports["Blob"]) as cutter:

        def opened(port: int) -> AzureStore:
            account = Account("web", "azure", endpoint=f"http://127.0.0.1:{port}/{own}", credential="env:K")
            return open_store(account, environ=environ)

        plain = opened(azurite.ports["Blob"])
        await plain.create_container(ContainerInfo("box"))
        yield Scene(plain, cutter, lambda: opened(cutter.port))
        await plain.close()


async def exists(store: AzureStore, name: str) -> bool:
    try:
        await store.head("box", name)
    except NotFound:
        return False
    return True


CUTS = [("up", cut) for cut in (0, 1, 20, 100, 200, 300)] + [("down", cut) for cut in (0, 1, 12, 40, 150, 300)]


@pytest.mark.parametrize(("way", "cut"), CUTS)
@pytest.mark.parametrize("is_kept", [False, True], ids=["fresh", "kept"])
async def test_what_a_write_says_is_what_happened(scene: Scene, way: str, cut: int, is_kept: bool) -> None:
    store = scene.opened()
    if is_kept:
        await store.containers()
    scene.cutter.cut(way, cut)
    with pytest.raises((Unreachable, OutcomeUnknown)) as failure:
        await store.put("box", "n", b"body", PLAIN, condition=CREATE)
    if way == "down" or not isinstance(failure.value, Unreachable):
        assert isinstance(failure.value, OutcomeUnknown)
    else:
        assert not await exists(scene.plain, "n")
    scene.cutter.mend()
    written = await store.put("box", "other", b"body", PLAIN, condition=CREATE)
    assert (await scene.plain.head("box", "other")).etag == written.etag
    await store.close()


WRITES: dict[str, Callable[[AzureStore, Origin], Awaitable[object]]] = {
    "create": lambda store, known: store.put("box", "new", b"two", PLAIN, condition=CREATE),
    "replace": lambda store, known: store.put("box", "n", b"two", PLAIN, condition=Condition(if_match=known.etag)),
    "copy": lambda store, known: store.copy(known, "box", "new", PLAIN, condition=CREATE),
    "delete": lambda store, known: store.delete("box", "n", if_match=known.etag),
}


@pytest.mark.parametrize("kind", WRITES)
@pytest.mark.parametrize("is_kept", [False, True], ids=["fresh", "kept"])
async def test_a_write_whose_answer_is_lost_was_applied_once_and_is_not_called_anothers(
    scene: Scene, kind: str, is_kept: bool
) -> None:
    """Sent twice, the second would find its condition refused by the first: our own success taken for a stranger's."""
    written = await scene.plain.put("box", "n", b"one", PLAIN, condition=CREATE)
    store = scene.opened()
    if is_kept:
        await store.containers()
    scene.cutter.cut("down", 0, is_once=True)
    with pytest.raises(OutcomeUnknown):
        await WRITES[kind](store, Origin(scene.plain, "box", "n", written.etag))
    name = "n" if kind in ("replace", "delete") else "new"
    assert await exists(scene.plain, name) == (kind != "delete")
    if kind == "replace":
        assert (await scene.plain.head("box", "n")).etag != written.etag
    await store.close()


@pytest.mark.parametrize("cut", [0, 1, 100, 400, 50_000, 99_000])
@pytest.mark.parametrize("is_kept", [False, True], ids=["fresh", "kept"])
async def test_a_read_that_is_cut_is_an_error_and_never_a_shorter_blob(scene: Scene, cut: int, is_kept: bool) -> None:
    body = bytes(range(250)) * 400
    written = await scene.plain.put("box", "n", body, PLAIN, condition=CREATE)
    store = scene.opened()
    if is_kept:
        await store.containers()
    scene.cutter.cut("down", cut)
    with pytest.raises(Unreachable):
        async with store.read("box", "n", if_match=written.etag) as chunks:
            [chunk async for chunk in chunks]
    scene.cutter.mend()
    assert await content(store, "box", "n") == body
    await store.close()


async def test_a_read_whose_kept_connection_ends_unanswered_is_sent_on_a_fresh_one(scene: Scene) -> None:
    store = scene.opened()
    await store.containers()
    scene.cutter.cut("down", 0, is_once=True)
    assert (await store.page("box")).entries == ()
    await store.close()


async def test_a_listing_that_is_cut_is_never_a_shorter_one(scene: Scene) -> None:
    for number in range(20):
        await scene.plain.put("box", f"n{number:02}", b"", PLAIN, condition=CREATE)
    store = scene.opened()
    refused = 0
    for cut in range(0, 12_000, 997):
        scene.cutter.cut("down", cut)
        try:
            found = await store.page("box")
        except Unreachable:
            refused += 1
        else:
            assert len(found.entries) == 20
    assert refused > 5
    scene.cutter.mend()
    assert len((await store.page("box")).entries) == 20
    await store.close()
