"""The desks of a rollout: one for each document that its routes are kept in, and which of them a move's record is at.

Decides nothing about a record: ``routes`` does, per document. Rule: regions that share a document share its desk, so every
version of a document is known to one desk and all its fences.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from migrator.engine.routes import RouteDesk
from migrator.model.names import MoveId
from migrator.model.routes import RouteRecord
from migrator.ports.router import Router, one_of_each


class RouteDesks:
    """All moves of a run share them."""

    def __init__(self, router: Router, regions: Iterable[str], open_desk: Callable[[str], RouteDesk]) -> None:
        """
        Args:
            regions: of all moves of the plan.
            open_desk: by one region of its document.
        """
        regions = sorted(set(regions))
        self._by_document = {name: open_desk(region) for name, region in one_of_each(router, regions).items()}
        self._by_region = {region: self._by_document[router.document_of(region)] for region in regions}

    @property
    def all(self) -> tuple[RouteDesk, ...]:
        """One for each document."""
        return tuple(self._by_document.values())

    def of(self, move: MoveId) -> RouteDesk:
        """The desk that writes the record of ``move``."""
        return self._by_region[move.region]

    def named_runs(self) -> Collection[str] | None:
        """The runs that records of any document name; None where that is not known of all of them."""
        named = [desk.named_runs() for desk in self.all]
        return None if any(runs is None for runs in named) else {run for runs in named for run in runs or ()}

    async def routes(self) -> Mapping[str, RouteRecord]:
        """The records of all documents; a document that is not there has none."""
        found: dict[str, RouteRecord] = {}
        for desk in self.all:
            document = await desk.document()
            found |= document.routes if document is not None else {}
        return found

    async def to_release(self, *, is_patient: bool = False) -> Mapping[str, RouteRecord]:
        """All records that are whole, also of documents that cannot be decoded."""
        found: dict[str, RouteRecord] = {}
        for desk in self.all:
            found |= await desk.to_release(is_patient=is_patient)
        return found

    async def publish(self, first: Mapping[MoveId, RouteRecord]) -> None:
        """Make all these records, those of one document in one swap. Raises as ``RouteDesk.publish``; what was made before that
        stays."""
        for desk in self.all:
            mine = {str(move): record for move, record in first.items() if self.of(move) is desk}
            if mine:
                await desk.publish(mine)
