"""Branch coverage by room of the product, against floors that only rise.

Decides what a room's figure is, which rooms are below their floor, and which floors may rise. Measuring is `coverage`'s business.
A floor is a whole per cent in `floors.json`. A figure shows where to look, not what is good: the floor is there so that a check
which nobody calls any more, or a test that was dropped, does not go unnoticed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLOORS = Path(__file__).with_name("floors.json")
ROOT_ROOM = "migrator"
MARGIN = 1
"""A floor rises to this many per cent below what was measured: what depends on the moment is not measured alike twice."""


@dataclass(frozen=True)
class Figure:
    """Statements and branches of a room, all and those that ran."""

    all: int = 0
    ran: int = 0

    @property
    def percent(self) -> float:
        return 100.0 * self.ran / self.all if self.all else 100.0

    def __add__(self, other: Figure) -> Figure:
        return Figure(self.all + other.all, self.ran + other.ran)


def room_of(path: str) -> str:
    """`migrator/engine/steps/cut.py` -> engine; a module beside the rooms belongs to the root."""
    parts = Path(path).parts
    return parts[1] if len(parts) > 2 else ROOT_ROOM


def figures(report: Mapping[str, Any]) -> Mapping[str, Figure]:
    """Room -> figure, out of the report that `coverage json` writes."""
    found: dict[str, Figure] = {}
    for path, file in report["files"].items():
        summary = file["summary"]
        room = room_of(path)
        found[room] = found.get(room, Figure()) + Figure(
            summary["num_statements"] + summary["num_branches"],
            summary["covered_lines"] + summary["covered_branches"],
        )
    return dict(sorted(found.items()))


def faults(measured: Mapping[str, Figure], floors: Mapping[str, int]) -> list[str]:
    """One sentence for each room below its floor, without one, or gone."""
    found = []
    for room, figure in measured.items():
        if room not in floors:
            found.append(f"{room} has no floor: run `make coverage RAISE=1`")
        elif figure.percent < floors[room]:
            found.append(f"{room} is below its floor: expected {floors[room]} %, found {figure.percent:.1f} %")
    return found + [f"{room} has a floor and was not measured" for room in floors if room not in measured]


def raised(measured: Mapping[str, Figure], floors: Mapping[str, int]) -> Mapping[str, int]:
    """The floors after this measurement: none is lower than before; a room that is gone has none."""
    return {room: max(int(figure.percent) - MARGIN, floors.get(room, 0)) for room, figure in measured.items()}


def read() -> Mapping[str, int]:
    floors: Mapping[str, int] = json.loads(FLOORS.read_text())
    return floors


def write(floors: Mapping[str, int]) -> None:
    FLOORS.write_text(json.dumps(floors, indent=2, sort_keys=True) + "\n")
