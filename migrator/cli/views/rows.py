"""Rows of moves on a screen: what moves is on top, what rests is counted, names are cut in the middle.

Decides the order of states, which rows a screen of some height takes, and which columns say nothing. Leaves what the cells say to
``status`` and ``live``. Rule: a move whose writers wait is never off the screen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from migrator.machine.states import is_quiet
from migrator.model.moves import MoveState

T = TypeVar("T")

ORDER: Final = (
    *("halted", "fencing", "draining", "verifying", "switching"),
    *("copying", "catching-up", "preflight", "provisioning", "ready", "soaking", "retiring"),
    *("soaked", "retired", "reversed", "pending"),
)
EMPTY: Final = frozenset({"", "0", "—", "0 B", "0/s"})
FEWEST_ROWS: Final = 3
SHORTEST_NAME: Final = 28
CUT: Final = "…"


def rank(state: str) -> int:
    """The most urgent first. The way back has the same states with another direction."""
    plain = _plain(state)
    return ORDER.index(plain) if plain in ORDER else ORDER.index("soaked")


def is_of(state: str, question: Callable[[MoveState], bool]) -> bool:
    """Is the law's ``question`` true of the state in a cell? False of a cell that names none."""
    plain = _plain(state)
    return plain in ORDER and question(MoveState(plain))


def rests(state: str) -> bool:
    return is_of(state, is_quiet)


def _plain(state: str) -> str:
    return state.removesuffix(" (back)").removeprefix("reverse-").replace("_", "-")


def by_urgency(moves: Iterable[tuple[str, T]]) -> list[tuple[str, T]]:
    """Pairs of state and anything, the most urgent first; equals keep their order."""
    return sorted(moves, key=lambda one: rank(one[0]))


def fitting(moves: Iterable[tuple[str, T]], most: int) -> tuple[list[T], str]:
    """As many as ``most`` rows take, and the rest in one line: ``31 soaked, 4 pending``. What rests has a row
    only where it is little, or all there is."""
    ordered = by_urgency(moves)
    resting = sum(rests(state) for state, _ in ordered)
    if len(ordered) <= max(most, FEWEST_ROWS) and (resting <= FEWEST_ROWS or resting == len(ordered)):
        return [one for _, one in ordered], ""
    working = [one for one in ordered if not rests(one[0])]
    shown = working[: max(most - 1, FEWEST_ROWS)]
    left = working[len(shown) :] + [one for one in ordered if rests(one[0])]
    return [one for _, one in shown], counted(state for state, _ in left)


def counted(states: Iterable[str]) -> str:
    """``31 soaked, 4 pending``, in the order of urgency."""
    counts = Counter(states)
    return ", ".join(f"{number} {state}" for state, number in sorted(counts.items(), key=lambda one: rank(one[0])))


def middle(text: str, width: int) -> str:
    """``north-amer…events`` in ``width`` columns: names of one platform begin alike and end alike."""
    if len(text) <= width or width < 3:
        return text
    tail = (width - 1) * 3 // 5
    return text[: width - 1 - tail] + CUT + text[len(text) - tail :]


def without_empty(
    headings: Sequence[str], rows: Sequence[Sequence[str]], keep: Iterable[str]
) -> tuple[list[str], list[list[str]]]:
    """The table without columns in which no row says anything; those of ``keep`` stay."""
    kept = [
        column
        for column, heading in enumerate(headings)
        if heading in keep or any(row[column] not in EMPTY for row in rows)
    ]
    return [headings[column] for column in kept], [[row[column] for column in kept] for row in rows]


def fitted(
    headings: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, spare: Sequence[str], gap: int = 2
) -> tuple[list[str], list[list[str]]]:
    """The table in ``width`` columns: empty columns go first, then those of ``spare``, then names are cut in the middle."""
    here, cells = without_empty(headings, rows, keep=("MOVE", "STATE"))
    for heading in spare:
        if _width(here, cells, gap) - _to_cut(cells) <= width:
            break
        if heading in here:
            place = here.index(heading)
            here = here[:place] + here[place + 1 :]
            cells = [[*row[:place], *row[place + 1 :]] for row in cells]
    over = _width(here, cells, gap) - width
    if over > 0 and cells:
        room = max(8, max(len(row[0]) for row in cells) - over)
        cells = [[middle(row[0], room), *row[1:]] for row in cells]
    return here, cells


def _to_cut(rows: Sequence[Sequence[str]]) -> int:
    """By how much the names may be cut before a column that says something goes."""
    return max(0, max((len(row[0]) for row in rows), default=0) - SHORTEST_NAME)


def _width(headings: Sequence[str], rows: Sequence[Sequence[str]], gap: int) -> int:
    return sum(
        max([len(headings[column]), *(len(row[column]) for row in rows)]) + gap for column in range(len(headings))
    )
