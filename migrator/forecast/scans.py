"""How long does one comparison of both sides take? From an inventory, the budget, the means and how long a page takes.

Decides the slowest of three bounds: the budget's requests, the pages that are under way at once, and this machine's work on each
name. Leaves what a fence and a copy make of it to ``timing``. Rule: what was measured (``Inventory.page_seconds``, ``Means``)
counts before what is assumed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from migrator.forecast.inventory import Inventory
from migrator.forecast.means import UNMEASURED, Means
from migrator.model.objects import LIST_PAGE
from migrator.model.rhythm import USUAL, Sizes
from migrator.model.schedule import Account

PAGE_SECONDS: Final = 0.2
"""Of a full page of a listing that nobody has measured. Source: seen of real accounts, 0.1 to 0.3 s."""
LISTS_FROM_A_NAME: Final = "2026-02-06"
"""The version from which the service lists from a name on. Source: Azure "Version 2026-02-06"."""
NAME_SECONDS: Final = 16e-6
"""Of one core for a name that both sides hold: read on both sides, joined, and held against its evidence. Source:
``make bench ROWS=pause``."""
SAME_SECONDS: Final = 2e-6
"""The same, in a range of evidence that both sides list as in the pass before, byte for byte: its text is hashed, not read.
Source: 1.2 us for a blob of 1.1 kB of text on each side, pages in memory; and what it takes to receive them."""
HANDED_WORTH: Final = 100_000
"""Names that are worth a process that looks. Source: ``adapters.workers.pool``."""
HANDED_LEAST: Final = 2_500
"""Names of a lane that is worth handing out. Source: ``Sizes``."""
EMBEDDED_NAME_PART: Final = 0.12
"""What a name of an embedded account costs to compare, as a part of what it costs to copy."""


def pages_of(inventory: Inventory) -> int:
    """Listing requests of one pass on one side: each listing has a page at least."""
    return max(math.ceil(inventory.objects / LIST_PAGE), inventory.prefixes, 1)


def page_seconds_of(inventory: Inventory) -> float:
    return inventory.page_seconds or PAGE_SECONDS


def lanes_of(inventory: Inventory, sizes: Sizes = USUAL.sizes) -> int:
    """How many listings are under way at once on each side, as ``transfer.lanes`` makes them: parts of large containers, or small
    ones beside each other, as many as there is room for their pages."""
    whole = max(1, inventory.prefixes)
    parts = whole * min(sizes.most_lanes, max(1, inventory.objects // whole // sizes.lane_names))
    names = min(2 * inventory.objects // parts, 4 * LIST_PAGE)
    held = max(names, sizes.names_listed // sizes.lanes, 1)
    return max(1, min(parts, sizes.lanes, sizes.names_listed // held))


def handed_lanes(inventory: Inventory, means: Means, sizes: Sizes = USUAL.sizes) -> int:
    """How many listings worker processes have under way at once on each side; 0 where they look at none: there are none of them,
    or too few names in each lane."""
    whole = max(1, inventory.prefixes)
    if inventory.objects < HANDED_WORTH or inventory.objects // whole < HANDED_LEAST:
        return 0
    parts = whole * max(1, inventory.objects // whole // (2 * sizes.lane_names))
    return min(parts, means.looks * means.processes)


def second_look(inventory: Inventory, changes: float, sizes: Sizes = USUAL.sizes) -> float:
    """Part of all names that a fence looks at twice: ranges of evidence in which some of so many ``changes`` are, which may be
    anywhere."""
    ranges = max(1.0, inventory.objects / sizes.piece)
    return 1.0 - (1.0 - 1.0 / ranges) ** changes if ranges > 1.0 else min(1.0, changes)


def has_lanes(accounts: Iterable[Account]) -> bool:
    """May parts of a container be listed side by side? Where the plan names an older version, nobody asks the service."""
    return all(one.api_version is None or one.api_version >= LISTS_FROM_A_NAME for one in accounts)


def tells_texts(accounts: Iterable[Account]) -> bool:
    """Are listings of all of them told as texts, which are known again? A file of this machine tells values."""
    return all(one.path is None for one in accounts)


def scan_seconds(
    inventory: Inventory,
    pace: float,
    *,
    in_lanes: bool = True,
    known: float = 0.0,
    means: Means = UNMEASURED,
    is_embedded: bool = False,
) -> float:
    """From the first request to the last name; the containers are listed first.

    Args:
    pace: requests a second of the slower account.
    in_lanes: else each container is listed page after page.
    known: part of the names that are in ranges which look as in the pass before.
    is_embedded: between files of this machine, whose pages take no time but this machine's.
    """
    if is_embedded:
        return max((pages_of(inventory) + 1) / pace, EMBEDDED_NAME_PART * means.embedded_seconds * inventory.objects)
    pages, page = pages_of(inventory), page_seconds_of(inventory)
    lanes = lanes_of(inventory) if in_lanes else min(max(1, inventory.prefixes), USUAL.sizes.lanes)
    work = inventory.objects * (known * SAME_SECONDS + (1.0 - known) * NAME_SECONDS) * means.slowness
    if in_lanes and (hands := handed_lanes(inventory, means)):
        lanes, work = hands, work / max(1, min(means.cores, means.processes))
    rounds = math.ceil(pages / lanes)
    # What came with the last pages is looked at when they are there, and nothing before the first of them.
    return max((pages + 1) / pace, page + rounds * page + work / rounds, 2.0 * page + work)
