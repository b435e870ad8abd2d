"""The forecast that a wave begins with, made when it begins: what earlier waves of the same run showed is in it.

Decides when it is made, and leaves the arithmetic to ``forecast``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from migrator.forecast.inventory import Inventory
from migrator.forecast.outlook import look_ahead, to_record
from migrator.model.names import MoveId
from migrator.model.schedule import Schedule
from migrator.ports.state_store import StateStore
from migrator.standing.inventory_notes import known_inventories
from migrator.standing.starting import starting_point


class ForecastsAtBegin(Mapping[str, Mapping[str, Any]]):
    """By wave, what is kept with it. ``inventories``: what was read just now, before what the store keeps."""

    def __init__(
        self,
        schedule: Schedule,
        state: StateStore,
        inventories: Mapping[MoveId, Inventory],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._schedule = schedule
        self._state = state
        self._inventories = inventories
        self._now = now

    def __getitem__(self, wave: str) -> Mapping[str, Any]:
        inventories = {**known_inventories(self._schedule, self._state), **self._inventories}
        outlook = look_ahead(self._schedule, inventories, starting_point(self._schedule, self._state, self._now()))
        if all(one.name != wave for one in outlook.waves):
            raise KeyError(wave)
        return to_record(outlook, wave)

    def __iter__(self) -> Iterator[str]:
        return (wave.name for wave in self._schedule.waves)

    def __len__(self) -> int:
        return len(self._schedule.waves)
