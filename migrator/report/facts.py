"""What a page is made of: the standing of a rollout, and what the state store has of its past.

Decides what is read, and that each thing is read once. Leaves the present to ``migrator.standing``, and to ``remembered`` what
need not be read again. Rule: figures of the page are those of the state store; what is worked out of them is worked out where
``status`` does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Final

from migrator.forecast.capacity import AccountLoad, Relief
from migrator.forecast.inventory import Inventory
from migrator.model.findings import Finding
from migrator.model.moves import WaveRecord
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedWave, Schedule
from migrator.model.values import value
from migrator.ports.state_store import StateStore
from migrator.report.gate_history import GateHistory
from migrator.report.history import History
from migrator.report.remembered import Remembered
from migrator.standing.inventory_notes import known_inventories
from migrator.standing.values import Standing

MOST_MOVES: Final = 60
"""Moves that a page shows in full, those first that need somebody; the others are rows of a table."""
MOST_ACCOUNTS: Final = 40
"""Accounts whose requests a page draws."""


@value(frozen=True, slots=True)
class AccountLoads:
    """Own requests of one account by minute (Unix time // 60), and what the plan lets migration use of it."""

    account: str
    minutes: Mapping[int, int]
    budget_per_minute: float | None

    @property
    def total(self) -> int:
        return sum(self.minutes.values())


@value(frozen=True, slots=True)
class ReportFacts:
    """``next_action``: the safe thing to do now, in words; ``place``: which state store it is, a clause."""

    standing: Standing
    next_action: str
    place: str
    schedule: Schedule | None = None
    history: History = field(default_factory=History)
    waves: Mapping[str, WaveRecord] = field(default_factory=dict)
    gates: Mapping[str, tuple[GateHistory, ...]] = field(default_factory=dict)
    requests: tuple[AccountLoads, ...] = ()
    inventories: Mapping[MoveId, Inventory] = field(default_factory=dict)

    @property
    def loads(self) -> tuple[AccountLoad, ...]:
        return self.standing.outlook.loads if self.standing.outlook is not None else ()

    @property
    def reliefs(self) -> tuple[Relief, ...]:
        return self.standing.outlook.reliefs if self.standing.outlook is not None else ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.standing.outlook.findings if self.standing.outlook is not None else ()

    def planned(self, wave: str) -> PlannedWave | None:
        if self.schedule is None:
            return None
        return next((one for one in self.schedule.waves if one.name == wave), None)


def gather(
    standing: Standing,
    *,
    next_action: str,
    place: str,
    schedule: Schedule | None,
    store: StateStore | None,
    remembered: Remembered | None = None,
) -> ReportFacts:
    """Everything for one page. StateError if the store cannot be read. ``remembered``: of the looks before this one."""
    if store is None:
        return ReportFacts(standing, next_action, place, schedule)
    remembered = remembered or Remembered()
    remembered.begin(store, standing.now)
    return ReportFacts(
        standing=standing,
        next_action=next_action,
        place=place,
        schedule=schedule,
        history=remembered.history(store),
        waves={wave.name: wave for wave in store.waves()},
        gates={
            str(move.record.id): remembered.gates(store, move, _planned(schedule, wave.name))
            for wave in standing.waves
            for move in wave.moves
            if move.record.switched_at is not None
        },
        requests=_requests(standing, schedule, store, remembered),
        inventories=known_inventories(schedule, store) if schedule is not None else {},
    )


def _planned(schedule: Schedule | None, wave: str) -> PlannedWave | None:
    return next((one for one in schedule.waves if one.name == wave), None) if schedule is not None else None


def _requests(
    standing: Standing, schedule: Schedule | None, store: StateStore, remembered: Remembered
) -> tuple[AccountLoads, ...]:
    """Of every account of a move that has begun, from the first wave's beginning on; those with most requests first."""
    begun = [wave.begun_at for wave in store.waves() if wave.begun_at is not None]
    if not begun:
        return ()
    first, last = _minute(min(begun)), _minute(standing.now)
    accounts = {name for move in standing.moves for name in (move.record.source, move.record.target)}
    counted = (
        AccountLoads(
            name,
            remembered.minutes(store, name, first, last),
            schedule.budget(name).requests_per_minute if schedule is not None else None,
        )
        for name in sorted(accounts)
    )
    return tuple(sorted((one for one in counted if one.minutes), key=lambda one: -one.total))


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // 60
