"""How the engine and the interpreter are set for a story: sizes and intervals that make much happen in little time.

The engine's figures are handed in with its world; what is changed of the interpreter is put back afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Iterable, Iterator
from itertools import islice
from weakref import WeakSet

from migrator.model.rhythm import Rhythm, Sizes
from migrator.model.values import replace
from migrator.transfer import sorting

LOOK_SECONDS = 5.0
BOOK_SECONDS = 60.0
WARM_SECONDS = 5.0
BLOCK_BYTES = 64
"""Objects of a few hundred bytes are large here, so that they are copied in blocks."""
FEW_DELETES = 2
SMALL = Sizes(
    sync_copy_limit_bytes=2 * BLOCK_BYTES,
    server_block_bytes=BLOCK_BYTES,
    block_bytes=BLOCK_BYTES,
    most_parallel=0,
    most_parallel_blocks=0,
)
"""What is under way at once is always as much as at first."""


def rhythm_of(seed: int) -> Rhythm:
    """The engine looks for operators' wishes, and writes its counters down, less often: each time costs the simulator more than
    the story gains; and what is large begins at a few bytes. In half of the worlds ranges split at a handful of names, so that
    several are settled side by side, and listed in lanes of as few; in half of those at three. In four of seven a
    fence looks again at names one by one, not only where ten times as many lie beside them. In every fifth a few deletes are more
    than the tool carries out without being told. In every third other hands look at lanes."""
    sizes = SMALL
    if seed % 2:
        lane_names, lanes = ((1, 8), (2, 3), (4, 2))[seed // 2 % 3]
        sizes = replace(
            sizes, split_at=6, piece=3, first_piece=2, names_in_flight=9, lane_names=lane_names, lanes=lanes
        )
    if seed % 4 == 3:
        sizes = replace(sizes, split_at=3, piece=2, first_piece=1)
    if seed % 7 < 4:
        sizes = replace(sizes, named_of=1 + seed % 2)
    if seed % 5 == 0:
        sizes = replace(sizes, min_delete_cap=FEW_DELETES)
    if seed % 3 == 1:
        sizes = replace(sizes, handed_least=1, handed_most=max(4, sizes.lane_names), shown_most=4)
    return Rhythm(
        wishes_seconds=LOOK_SECONDS,
        way_back_wish_seconds=LOOK_SECONDS,
        throttle_wish_seconds=BOOK_SECONDS,
        pace_note_seconds=BOOK_SECONDS,
        counter_seconds=BOOK_SECONDS,
        warm_pass_seconds=WARM_SECONDS,
        sizes=sizes,
    )


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """A story is short, and its world is thrown away at the end: looking for garbage in between takes a tenth of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def without_register() -> Iterator[None]:
    """asyncio keeps a weak set of all tasks, for whoever asks which there are: nobody asks for those of a story, and entering
    them takes a twentieth of its time. An interpreter that keeps them in another way keeps them."""
    register = vars(asyncio.tasks).get("_all_tasks")
    if not isinstance(register, WeakSet):
        yield
        return
    register.add = lambda item: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        del register.add  # what was in the way of the method of its class


@contextlib.contextmanager
def sorted_in_memory() -> Iterator[None]:
    """Listings of a handful of names are sorted without a database: opening one takes longer than all the rest."""
    before = sorting.SortedStream._opened
    sorting.SortedStream._opened = _Rows  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        sorting.SortedStream._opened = before  # type: ignore[method-assign]


class _Rows:
    """What a sorted listing asks of its database: rows by key, the later one of a key, none any more, all in order."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}

    def executescript(self, script: str) -> None:
        """Nothing here is written to a disk."""

    def executemany(self, statement: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        self._rows.update(rows)

    def execute(self, statement: str) -> _Sorted | None:
        if statement.startswith("DELETE"):
            self._rows.clear()
        return _Sorted(sorted(self._rows.items())) if statement.startswith("SELECT") else None

    def close(self) -> None:
        """Nothing is held open."""


class _Sorted:
    """The rows that were asked for."""

    def __init__(self, rows: list[tuple[bytes, bytes]]) -> None:
        self._rows = iter(rows)

    def fetchmany(self, size: int) -> list[tuple[bytes, bytes]]:
        return list(islice(self._rows, size))
