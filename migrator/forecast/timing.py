"""How long will a move take, and how long will its writers pause? A simple forecast from an inventory and the budget.

Decides by counting requests and bytes on both accounts; the slower of the four bounds is the time. Leaves change windows,
prices and measured rates to others. Rule: a figure that cannot be known is None, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from migrator.model.findings import Finding
from migrator.model.names import MoveId
from migrator.model.objects import BLOCK_BYTES, LIST_PAGE, SYNC_COPY_LIMIT_BYTES
from migrator.model.schedule import Budget, PlannedMove, PlannedWave, Schedule
from migrator.model.units import show_duration

PASSES_BEFORE_READY: Final = 2
"""The copy, and at least one pass over later changes."""
FENCE_SCANS: Final = 2
"""One that may find differences, one that must find none."""
UNLIMITED_REQUESTS_PER_SECOND: Final = 500.0
"""Where the budget sets no pace; about what one process does through the SDK."""
LIST_LATENCY_SECONDS: Final = 0.2
"""A full page of a listing comes no faster than this; pages are counted one after the other, which errs on the long side."""
LARGE_ABOVE_BYTES: Final = SYNC_COPY_LIMIT_BYTES
"""Objects above this are copied in blocks: what ``large_objects`` of an inventory counts."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the source holds of one move. ``large_bytes`` is the part in objects above the size of a one-request copy,
    ``large_objects`` how many those are; both are in ``objects`` and ``bytes`` too. ``prefixes`` is how many listings a
    pass consists of."""

    objects: int
    bytes: int
    large_objects: int = 0
    large_bytes: int = 0
    prefixes: int = 1


@dataclass(frozen=True, slots=True)
class MoveForecast:
    """Requests until ``ready`` on each side, the time that takes under the budget, and the writers' pause.

    ``bound_by`` says which bound decides: "requests of ACCOUNT" or "bytes of ACCOUNT".
    """

    id: MoveId
    source_requests: int
    target_requests: int
    copy_seconds: float
    fence_seconds: float
    fence_timeout_seconds: float
    bound_by: str

    @property
    def copy_hours(self) -> float:
        return self.copy_seconds / 3600.0

    @property
    def requests(self) -> int:
        return self.source_requests + self.target_requests

    @property
    def fence_fits(self) -> bool:
        """Is the pause, beyond the drain that nothing shortens, within ``fence_timeout``?"""
        return self.fence_seconds <= self.fence_timeout_seconds


def forecast_move(schedule: Schedule, move: PlannedMove, inventory: Inventory) -> MoveForecast:
    """The forecast of a move that has the whole budget of both accounts.

    Returns:
        ``fence_seconds``: drain (ttl + max_write + clock_margin), the scans of the barrier, and the largest lag with which
        a fence may begin.
    """
    source, target = schedule.budget(move.source), schedule.budget(move.target)
    pages = _pages(inventory)
    transfers = _transfers(inventory)
    source_requests = transfers + PASSES_BEFORE_READY * pages
    target_requests = transfers + inventory.large_objects + PASSES_BEFORE_READY * pages
    copy_seconds, bound_by = max(
        (source_requests / _pace(source), f"requests of {move.source}"),
        (target_requests / _pace(target), f"requests of {move.target}"),
        (_bytes_seconds(inventory.bytes, source), f"bytes of {move.source}"),
        (_bytes_seconds(inventory.bytes, target), f"bytes of {move.target}"),
    )
    cutover = schedule.wave_of(move.id).cutover
    pace = min(_pace(source), _pace(target))
    scans = FENCE_SCANS * max(pages / pace, pages * LIST_LATENCY_SECONDS)
    lag = min(cutover.max_lag_objects, inventory.objects)
    lag_bytes = lag * inventory.bytes / inventory.objects if inventory.objects else 0.0
    lag_seconds = max(lag / pace, _bytes_seconds(lag_bytes, source), _bytes_seconds(lag_bytes, target))
    drain = schedule.routing.drain_seconds
    return MoveForecast(
        id=move.id,
        source_requests=source_requests,
        target_requests=target_requests,
        copy_seconds=copy_seconds,
        fence_seconds=drain + scans + lag_seconds,
        fence_timeout_seconds=drain + cutover.fence_timeout_seconds,
        bound_by=bound_by,
    )


def forecast_wave(
    schedule: Schedule, wave: PlannedWave, inventories: Mapping[MoveId, Inventory]
) -> tuple[MoveForecast, ...]:
    """The forecast of each move of a wave; moves without an inventory are left out.

    Moves run side by side and share the budget of an account they have in common, so each of them ends no sooner than that
    account's share of work is done; with ``max_moves`` they queue, which ends no later.
    """
    alone = {
        move.id: forecast_move(schedule, move, inventories[move.id]) for move in wave.moves if move.id in inventories
    }
    shared = {
        account: _account_seconds(schedule, account, wave.moves, inventories, alone)
        for move in wave.moves
        for account in (move.source, move.target)
    }
    return tuple(_together(alone[move.id], move, shared) for move in wave.moves if move.id in alone)


def wave_seconds(forecasts: Iterable[MoveForecast], wave: PlannedWave) -> float:
    """From the wave's begin to its last move soaked, if nothing waits: the slowest move, and the soak."""
    return max((one.copy_seconds + one.fence_seconds for one in forecasts), default=0.0) + wave.soak_seconds


def timing_findings(forecasts: Iterable[MoveForecast]) -> tuple[Finding, ...]:
    """A warning for each move whose writers would wait longer than ``fence_timeout`` allows: such a fence never begins."""
    return tuple(
        Finding(
            "warning",
            "fence-too-long",
            str(one.id),
            f"the writers of {one.id} would pause {show_duration(one.fence_seconds)}, and fence_timeout allows "
            f"{show_duration(one.fence_timeout_seconds)}",
            "raise cutover.fence_timeout, lower max_lag_objects, raise the budget, or split the area by prefix",
        )
        for one in forecasts
        if not one.fence_fits
    )


def _account_seconds(
    schedule: Schedule,
    account: str,
    moves: Iterable[PlannedMove],
    inventories: Mapping[MoveId, Inventory],
    alone: Mapping[MoveId, MoveForecast],
) -> tuple[float, str]:
    requests = sum(
        alone[move.id].source_requests if move.source == account else alone[move.id].target_requests
        for move in moves
        if move.id in alone and account in (move.source, move.target)
    )
    size = sum(
        inventories[move.id].bytes for move in moves if move.id in alone and account in (move.source, move.target)
    )
    budget = schedule.budget(account)
    return max(
        (requests / _pace(budget), f"requests of {account}"), (_bytes_seconds(size, budget), f"bytes of {account}")
    )


def _together(forecast: MoveForecast, move: PlannedMove, shared: Mapping[str, tuple[float, str]]) -> MoveForecast:
    seconds, bound_by = max(
        (forecast.copy_seconds, forecast.bound_by), shared[move.source], shared[move.target], key=lambda one: one[0]
    )
    return replace(forecast, copy_seconds=seconds, bound_by=bound_by)


def _transfers(inventory: Inventory) -> int:
    """Requests of a first copy on each side: one for an ordinary object, one a block for a large one."""
    return inventory.objects - inventory.large_objects + math.ceil(inventory.large_bytes / BLOCK_BYTES)


def _pages(inventory: Inventory) -> int:
    """Listing requests of one pass on one side."""
    return max(math.ceil(inventory.objects / LIST_PAGE), inventory.prefixes, 1)


def _pace(budget: Budget) -> float:
    return budget.requests_per_minute / 60.0 if budget.requests_per_minute else UNLIMITED_REQUESTS_PER_SECOND


def _bytes_seconds(size: float, budget: Budget) -> float:
    return size / budget.bytes_per_second if budget.bytes_per_second else 0.0
