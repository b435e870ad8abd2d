"""How long does a first copy take, and each pass after it? From an inventory, the budgets and the means.

Decides the slowest of what holds a pass up: requests and bytes of an account, copies under way at once, listings, this machine's
work; and how often a pass follows until the lag is small. Leaves what a whole move and a fence make of it to ``timing``, and the
comparison alone to ``scans``.
"""

from __future__ import annotations

import math
from typing import Final

from migrator.forecast.inventory import Inventory
from migrator.forecast.means import Means
from migrator.model.objects import LIST_PAGE
from migrator.model.rhythm import USUAL
from migrator.model.values import value

HEADROOM: Final = 0.97
"""Part of a budget that is granted. Source: ``transfer.limits``; a test holds both together."""
UNDER_WAY: Final = 64
"""Copies of one process at first, twice as many after each ``WIDER_SECONDS`` while that pays, up to ``MOST_UNDER_WAY``. Source:
``adapters.workers.inline`` and ``model.window``."""
MOST_UNDER_WAY: Final = 1_024
WIDER_SECONDS: Final = 0.5
"""A try takes 0.2 s of answers, and not each of them pays. Source: ``model.window``; ``python -m tests.forecasts``, quiet."""
HAND_SECONDS: Final = 30e-6
"""Of one core for a copy between served accounts: its request, its answer. Source: ``make bench ROWS=copy``."""
SETTLING_SECONDS: Final = 25e-6
"""Of this process for a name that is copied: listed, decided, settled, written down."""
COMMITS_OF_RANGE: Final = 4
"""Of a range of names that is copied: what is about to be written, what was, its end and the figures."""
BYTE_SECONDS: Final = 8e-9
"""Of one core for a byte between embedded accounts."""


@value(frozen=True, slots=True)
class Bound:
    """``what`` holds it up, and for how long."""

    seconds: float
    what: str


def under_way_seconds(copies: float, copy_seconds: float, means: Means) -> float:
    """Until so many copies of ``copy_seconds`` each are done, if nothing but the number under way holds them up."""
    hands = max(1, means.processes)
    window, most, spent = UNDER_WAY * hands, MOST_UNDER_WAY * hands, 0.0
    step = max(WIDER_SECONDS * means.slowness, 3.0 * copy_seconds)
    while window < most and copies > (carried := window * step / copy_seconds):
        copies, spent, window = copies - carried, spent + step, min(most, 2 * window)
    return spent + math.ceil(max(1.0, copies) / window) * copy_seconds if copies else 0.0


def machine_seconds(inventory: Inventory, means: Means, *, is_embedded: bool) -> float:
    """This machine's own work on a first copy."""
    ranges = max(1, inventory.prefixes) + inventory.objects / USUAL.sizes.piece
    commits = COMMITS_OF_RANGE * ranges * means.commit_seconds
    if is_embedded:
        work = inventory.objects * means.embedded_seconds + inventory.bytes * BYTE_SECONDS * means.slowness
        return work + max(1, inventory.prefixes) * COMMITS_OF_RANGE * means.commit_seconds
    together = (HAND_SECONDS + SETTLING_SECONDS) / max(1, min(means.cores, means.processes + 1))
    return inventory.objects * max(SETTLING_SECONDS, together) * means.slowness + commits


def first_parts(inventory: Inventory) -> int:
    """Listings of a first copy on each side: containers, large ones in parts that an inventory saw."""
    sizes, whole = USUAL.sizes, max(1, inventory.prefixes)
    return whole * max(1, min(sizes.most_lanes, inventory.objects // whole // sizes.lane_names))


def first_lanes(inventory: Inventory) -> int:
    """How many of them are under way at once: nobody knows how long they are, so each may have four full pages in memory."""
    sizes = USUAL.sizes
    return max(1, min(first_parts(inventory), sizes.lanes, sizes.names_listed // (4 * LIST_PAGE)))


def first_listing_seconds(inventory: Inventory, page_seconds: float, copy_seconds: float) -> float:
    """Each of a first copy's listings goes page after page, and ends with the copies of its last page."""
    parts = first_parts(inventory)
    pages = max(1, math.ceil(inventory.objects / parts / LIST_PAGE))
    rounds = math.ceil(parts / first_lanes(inventory))
    return rounds * (pages * page_seconds + copy_seconds)


def beginning_seconds(inventory: Inventory, page_seconds: float) -> float:
    """What a first copy in parts costs beside its listings: is the destination empty, and does each account list from a name on?
    The pass that follows asks the destination."""
    return 3.0 * page_seconds if first_parts(inventory) > max(1, inventory.prefixes) else 0.0


@value(frozen=True, slots=True)
class CatchingUp:
    """``passes`` after the first copy, what they carry over, and how long all of them take; ``last_seconds`` the last one."""

    passes: int
    changes: float
    seconds: float
    last_seconds: float


MOST_PASSES: Final = 50
"""More are not forecast: a lag that does not shrink by then halts a move."""


def catching_up(
    first_seconds: float, scan_seconds: float, change_seconds: float, per_second: float, most_lag: float
) -> CatchingUp:
    """Passes until one carries no more than ``most_lag``. What changes while one looks is carried over by the next.

    Args:
        change_seconds: of one object that changed.
        per_second: objects that customers change.
    """
    before, changes, spent = first_seconds, 0.0, 0.0
    for passes in range(1, MOST_PASSES + 1):  # noqa: B007
        found = per_second * before
        before = scan_seconds + found * change_seconds
        changes, spent = changes + found, spent + before
        if found <= most_lag:
            break
    return CatchingUp(passes, changes, spent, before)
