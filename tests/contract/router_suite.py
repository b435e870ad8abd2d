"""What every router promises (``migrator.ports.router``). An adapter's test class inherits it and says how to open one."""

from __future__ import annotations

import asyncio
import sys
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from migrator.errors import CloudError, RouteChanged
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteDocument, RouteRecord
from migrator.ports.router import Router, RouteSnapshot

RECORD = RouteRecord("na-core", "https://nacore.example", READ_WRITE, 1, "3f9c", "2026-11-24T00:00:00Z", "run-1")
EMPTY = RouteDocument(30, 60)
ROOT = Path(__file__).parents[2]
WORKERS = 3
SWAPS = 15

WORKER = """
import asyncio, sys
from tests.contract.router_suite import add_records
from migrator.ports.router import Router
{opening}
asyncio.run(add_records(open_router(), sys.argv[1]))
"""


async def add_records(router: Router, who: str, count: int = SWAPS) -> None:
    """Add ``count`` records of my own, each by compare-and-swap, again after each refusal."""
    for number in range(count):
        while True:
            seen = await router.read("europe")
            document = (seen.document or EMPTY).with_record(f"region/{who}-{number}", RECORD)
            try:
                await router.swap("europe", document, expected_etag=seen.etag)
            except RouteChanged:
                await asyncio.sleep(0)
            else:
                break
    await router.close()


class RouterSuite(ABC):
    """Subclasses begin each test with an empty place."""

    swaps = SWAPS
    """Of each worker; what the place holds of."""

    @abstractmethod
    def open(self) -> Router:
        """Another router on the same place."""

    @abstractmethod
    async def overwrite(self, raw: bytes) -> None:
        """Put any bytes where the document is, as a hand edit does."""

    async def test_proving_that_it_may_be_written_changes_nothing(self) -> None:
        await self.open().prove_writable("europe")
        assert await self.open().read("europe") == RouteSnapshot(None, None)
        etag = await self.open().swap("europe", EMPTY.with_record("a/b", RECORD), expected_etag=None)
        await self.open().prove_writable("europe")
        assert (await self.open().read("europe")).etag == etag

    async def test_a_place_without_a_document_is_read_as_none(self) -> None:
        assert await self.open().read("europe") == RouteSnapshot(None, None)

    async def test_what_was_swapped_in_is_read_by_everybody(self) -> None:
        document = EMPTY.with_record("europe/café", RECORD)
        etag = await self.open().swap("europe", document, expected_etag=None)
        assert await self.open().read("europe") == RouteSnapshot(document, etag)

    async def test_a_swap_follows_the_one_before_by_its_etag(self) -> None:
        """The engine swaps on without reading in between."""
        router, etag = self.open(), None
        for ttl in (10, 20, 30):
            etag = await router.swap("europe", RouteDocument(ttl, 60), expected_etag=etag)
        assert await router.read("europe") == RouteSnapshot(RouteDocument(30, 60), etag)

    async def test_a_stale_swap_is_refused_and_changes_nothing(self) -> None:
        router = self.open()
        first = await router.swap("europe", EMPTY, expected_etag=None)
        second = await router.swap("europe", EMPTY.with_record("a/b", RECORD), expected_etag=first)
        with pytest.raises(RouteChanged):
            await self.open().swap("europe", EMPTY, expected_etag=first)
        assert (await router.read("europe")).etag == second

    async def test_a_second_create_is_refused(self) -> None:
        await self.open().swap("europe", EMPTY, expected_etag=None)
        with pytest.raises(RouteChanged):
            await self.open().swap("europe", RouteDocument(1, 1), expected_etag=None)
        assert (await self.open().read("europe")).document == EMPTY

    async def test_of_many_creates_at_once_one_wins(self) -> None:
        documents = [RouteDocument(ttl, 60) for ttl in range(1, 9)]
        answers = await asyncio.gather(
            *(self.open().swap("europe", document, expected_etag=None) for document in documents),
            return_exceptions=True,
        )
        winners = [
            (document, answer) for document, answer in zip(documents, answers, strict=True) if isinstance(answer, str)
        ]
        assert len(winners) == 1
        assert all(isinstance(answer, str | RouteChanged) for answer in answers)
        assert await self.open().read("europe") == RouteSnapshot(*winners[0])

    async def test_a_swap_of_a_document_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(RouteChanged):
            await self.open().swap("europe", EMPTY, expected_etag="0x8D")
        assert await self.open().read("europe") == RouteSnapshot(None, None)

    async def test_an_edit_there_and_back_is_noticed(self) -> None:
        """Equal bytes are not an equal version: somebody was here while a fence was open."""
        router = self.open()
        fenced = EMPTY.with_record("a/b", RouteRecord("x", "https://x", READ_ONLY, 2, "3f", "", ""))
        etag = await router.swap("europe", fenced, expected_etag=None)
        await self.overwrite(EMPTY.encode())
        await self.overwrite(fenced.encode())
        assert (await router.read("europe")).etag != etag
        with pytest.raises(RouteChanged):
            await router.swap("europe", EMPTY, expected_etag=etag)

    @pytest.mark.parametrize(
        "raw", [b"", b"\xff\xfe", b"{", b"[]", b'{"version": 2}', EMPTY.encode().replace(b"30", b"-1")]
    )
    async def test_a_damaged_document_is_a_plain_error(self, raw: bytes) -> None:
        await self.open().swap("europe", EMPTY, expected_etag=None)
        await self.overwrite(raw)
        with pytest.raises(CloudError, match=r"cannot read the routes in .*: the route document") as caught:
            await self.open().read("europe")
        assert caught.value.hint

    async def test_an_oversized_document_is_a_plain_error(self) -> None:
        await self.overwrite(b" " * (4 * 1024 * 1024 + 1))
        with pytest.raises(CloudError, match="more than 4194304"):
            await self.open().read("europe")

    async def test_concurrent_tasks_lose_nothing(self) -> None:
        await asyncio.gather(*(add_records(self.open(), str(who), self.swaps) for who in range(WORKERS)))
        await self._expect_all()

    async def _expect_all(self) -> None:
        document = (await self.open().read("europe")).document
        assert document is not None
        assert set(document.routes) == {
            f"region/{who}-{number}" for who in range(WORKERS) for number in range(self.swaps)
        }


class SharedRouterSuite(RouterSuite):
    """For places that several processes can reach."""

    @abstractmethod
    def opening(self) -> str:
        """Python source that defines ``open_router()`` for another process."""

    async def test_concurrent_processes_lose_nothing(self) -> None:
        code = WORKER.format(opening=self.opening())
        processes = [
            await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(who), cwd=ROOT)
            for who in range(WORKERS)
        ]
        assert [await process.wait() for process in processes] == [0] * WORKERS
        await self._expect_all()
