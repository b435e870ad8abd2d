"""One desk for each route document: what one region's document does is nothing to the fences of another."""

from __future__ import annotations

import pytest

from migrator.engine.desks import RouteDesks
from migrator.engine.routes import RouteDesk
from migrator.errors import RouteChanged
from migrator.model.names import MoveId
from migrator.model.routes import READ_ONLY, RouteDocument
from migrator.model.schedule import Routing
from migrator.ports.router import RouteSnapshot, one_of_each, read_all
from tests.unit.engine.board import LINEAGE, Jumping

EUROPE, ASIA = MoveId("europe", "web"), MoveId("asia", "web")


class Boards:
    """A document for each region."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[RouteDocument, int]] = {}

    def document_of(self, region: str) -> str:
        return f"routes of {region}"

    async def read(self, region: str) -> RouteSnapshot:
        document, version = self.held.get(region, (None, 0))
        return RouteSnapshot(document, f"v{version}" if document else None)

    async def swap(self, region: str, document: RouteDocument, *, expected_etag: str | None) -> str:
        if (await self.read(region)).etag != expected_etag:
            raise RouteChanged("changed")
        version = self.held[region][1] + 1 if region in self.held else 1
        self.held[region] = (document, version)
        return f"v{version}"

    async def prove_writable(self, region: str) -> None: ...

    async def close(self) -> None: ...


def desks_on(boards: Boards) -> RouteDesks:
    def open_desk(region: str) -> RouteDesk:
        return RouteDesk(boards, Jumping(), Routing("file"), lineage=LINEAGE, run="run-2", region=region)

    return RouteDesks(boards, ["europe", "asia"], open_desk)


async def published() -> tuple[Boards, RouteDesks]:
    boards = Boards()
    desks = desks_on(boards)
    await desks.publish({move: desks.of(move).first("src", "https://src") for move in (EUROPE, ASIA)})
    return boards, desks


async def test_each_region_has_its_records_in_its_own_document() -> None:
    boards, desks = await published()
    assert {region: sorted(held.routes) for region, (held, _) in boards.held.items()} == {
        "asia": ["asia/web"],
        "europe": ["europe/web"],
    }
    assert sorted(await desks.routes()) == ["asia/web", "europe/web"]


async def test_what_somebody_else_writes_for_one_region_breaks_no_fence_of_another() -> None:
    boards, desks = await published()
    desk, record = desks.of(EUROPE), await desks.of(EUROPE).record(EUROPE)
    assert record is not None
    await desk.change(EUROPE, record, desk.fenced(EUROPE, record))
    stranger, version = boards.held["asia"]
    boards.held["asia"] = (stranger, version + 1)
    await desks.routes()
    assert not desk.is_broken(EUROPE)
    known, version = boards.held["europe"]
    boards.held["europe"] = (known, version + 1)
    await desks.routes()
    assert desk.is_broken(EUROPE)


async def test_regions_that_share_a_document_share_its_desk() -> None:
    boards = Boards()
    boards.document_of = lambda region: "routes.json"  # type: ignore[method-assign]
    desks = desks_on(boards)
    assert desks.of(EUROPE) is desks.of(ASIA)
    assert len(desks.all) == 1


async def test_a_release_sees_the_records_of_all_documents() -> None:
    _, desks = await published()
    desk, record = desks.of(ASIA), await desks.of(ASIA).record(ASIA)
    assert record is not None
    await desk.change(ASIA, record, desk.fenced(ASIA, record))
    seen = await desks.to_release()
    assert [seen[str(move)].mode for move in (EUROPE, ASIA)] == ["read-write", READ_ONLY]


async def test_all_documents_are_read_as_one_with_the_longest_durations() -> None:
    boards = Boards()
    assert await read_all(boards, ["europe", "asia"]) is None
    await boards.swap("europe", RouteDocument(30, 90), expected_etag=None)
    assert await read_all(boards, ["europe", "asia"]) == RouteDocument(30, 90)
    await boards.swap("asia", RouteDocument(60, 10), expected_etag=None)
    assert await read_all(boards, ["europe", "asia"]) == RouteDocument(60, 90)


@pytest.mark.parametrize(
    ("regions", "expected"), [([], {}), (["b", "a", "b"], {"routes of a": "a", "routes of b": "b"})]
)
def test_one_region_stands_for_each_document(regions: list[str], expected: dict[str, str]) -> None:
    assert one_of_each(Boards(), regions) == expected
