"""How the engine and the interpreter are set for a story: sizes and intervals that make much happen in little time.

Decides figures only, no behaviour; every one is put back afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
from collections.abc import Iterator
from weakref import WeakSet

from migrator.engine import claim as claim_module
from migrator.engine import context as context_module
from migrator.engine import rollback as rollback_module
from migrator.engine import rollout as rollout_module
from migrator.engine import throttle as throttle_module
from migrator.engine.steps import carry as carry_module
from migrator.transfer import actions as actions_module
from migrator.transfer import copying as copying_module
from migrator.transfer import hands as hands_module
from migrator.transfer import listing as listing_module
from migrator.transfer import saving as saving_module
from migrator.transfer import subject as subject_module
from migrator.transfer import walk as walk_module

LOOK_SECONDS = 5.0
BOOK_SECONDS = 60.0
BLOCK_BYTES = 64
"""Objects of a few hundred bytes are large here, so that they are copied in blocks."""
FEW_DELETES = 2


@contextlib.contextmanager
def slow_looks() -> Iterator[None]:
    """The engine looks for operators' wishes, and writes its counters down, less often: each time costs the simulator more than
    the story gains; and what is large begins at a few bytes."""
    slow = [
        (module, "CONTROL_SECONDS", LOOK_SECONDS)
        for module in (rollback_module, context_module, claim_module, carry_module)
    ]
    slow += [(throttle_module, "CONTROL_SECONDS", BOOK_SECONDS), (throttle_module, "NOTE_SECONDS", BOOK_SECONDS)]
    slow.append((rollout_module, "COUNTER_SECONDS", BOOK_SECONDS))
    small = {"BLOCK_BYTES": BLOCK_BYTES, "SERVER_BLOCK_BYTES": BLOCK_BYTES, "SYNC_COPY_LIMIT_BYTES": 2 * BLOCK_BYTES}
    for module in (copying_module, saving_module, hands_module, actions_module):
        slow += [(module, name, size) for name, size in small.items() if name in vars(module)]
    with contextlib.ExitStack() as stack:
        for module, name, seconds in slow:
            stack.callback(setattr, module, name, vars(module)[name])
            setattr(module, name, seconds)
        yield


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
    """Listings of a handful of names are sorted by the same database, without a file and a folder of its own for each."""
    before = listing_module.SortedStream._opened
    listing_module.SortedStream._opened = _in_memory  # type: ignore[method-assign]
    try:
        yield
    finally:
        listing_module.SortedStream._opened = before  # type: ignore[method-assign]


def _in_memory(self: listing_module.SortedStream) -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


@contextlib.contextmanager
def small_ranges(seed: int) -> Iterator[None]:
    """In half of the worlds ranges split at a handful of names, so that several are settled side by side; in every fifth a few
    deletes are more than the tool carries out without being told."""
    before = (walk_module.SPLIT_AT, walk_module.PIECE, walk_module.FIRST_PIECE, walk_module.NAMES_IN_FLIGHT)
    cap = subject_module.MIN_DELETE_CAP
    if seed % 2:
        walk_module.SPLIT_AT, walk_module.PIECE, walk_module.FIRST_PIECE, walk_module.NAMES_IN_FLIGHT = 6, 3, 2, 9
    if seed % 5 == 0:
        subject_module.MIN_DELETE_CAP = FEW_DELETES
    try:
        yield
    finally:
        walk_module.SPLIT_AT, walk_module.PIECE, walk_module.FIRST_PIECE, walk_module.NAMES_IN_FLIGHT = before
        subject_module.MIN_DELETE_CAP = cap
