"""The rows of the table, by the name they are asked for with; each is a function from a Bench to its Rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.install import Tools
from tests.benchmarks.measure import Row


@dataclass(frozen=True, slots=True)
class Bench:
    """What a row needs. ``objects``, ``runs`` and ``peers_at`` are None where the row's own numbers hold."""

    tools: Tools
    folder: Path
    objects: int | None = None
    runs: int | None = None
    peers_at: tuple[int, ...] | None = None

    def count(self, usual: int) -> int:
        return self.objects or usual

    def turns(self, usual: int) -> int:
        return self.runs or usual

    def transfers(self, usual: tuple[int, ...]) -> tuple[int, ...]:
        """With how many requests under way each peer is run."""
        return self.peers_at or usual

    def room(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        return place


RowMaker = Callable[[Bench], list[Row]]


def rows() -> Mapping[str, RowMaker]:
    """Every row, in the order of the table. ``memory`` is long, so it has to be asked for."""
    from tests.benchmarks.rows import azurite, copying, distance, lanes, memory, pause, streaming, verifying

    return {
        "copy": copying.plain,
        "copy-tls": copying.over_tls,
        "azurite": azurite.side_by_side,
        "verify": verifying.attributes,
        "memory": memory.flat,
        "streaming": streaming.between_two,
        "distance": distance.there,
        "pause": pause.of_writers,
        "lanes": lanes.of_a_barrier,
    }


USUAL = ("copy", "copy-tls", "azurite", "verify", "streaming", "distance", "pause", "lanes")
