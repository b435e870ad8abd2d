"""What a page that is made again and again need not read again: what the state store only adds to.

Decides what is new at a look: rows of the journal by their number, samples of a move whose gates have a newer one, requests of
the last minutes. Leaves what is made of them to the other rooms. Rules: the first look reads everything; now and then all samples
and requests are read again, because a clock that was set back records times of before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from migrator.model.schedule import PlannedWave
from migrator.ports.state_store import StateStore
from migrator.report.gate_history import GateHistory, histories
from migrator.report.history import History, read_on
from migrator.standing.values import MoveStanding

AGAIN: Final = timedelta(minutes=10)
OPEN_MINUTES: Final = 10
"""Requests of a minute are still counted for a while after it."""


class Remembered:
    """Of one plan in one store; another one is read from its beginning."""

    def __init__(self) -> None:
        self._of = ("", "")
        self._whole: datetime | None = None
        self._history = History()
        self._gates: dict[str, tuple[Any, tuple[GateHistory, ...]]] = {}
        self._minutes: dict[str, dict[int, int]] = {}

    def begin(self, store: StateStore, now: datetime) -> None:
        """A look of ``now``."""
        if (store.lineage, store.plan_name) != self._of:
            self._of, self._history, self._whole = (store.lineage, store.plan_name), History(), None
        if self._whole is None or not timedelta() <= now - self._whole < AGAIN:
            self._whole = now
            self._gates.clear()
            self._minutes.clear()

    def history(self, store: StateStore) -> History:
        return read_on(store, self._history)

    def gates(self, store: StateStore, move: MoveStanding, wave: PlannedWave | None) -> tuple[GateHistory, ...]:
        """What its gates have seen; read where one of them has a newer sample, or the move is elsewhere. Without a wave of the
        plan nobody says which sample is the newest."""
        id, record = str(move.record.id), move.record
        known = (record.state, record.since, record.switched_at, record.epoch, move.gates, wave)
        if wave is None or id not in self._gates or self._gates[id][0] != known:
            self._gates[id] = known, histories(store.samples(record.id), wave)
        return self._gates[id][1]

    def minutes(self, store: StateStore, account: str, first: int, last: int) -> Mapping[int, int]:
        """Own requests by minute."""
        found = self._minutes.setdefault(account, {})
        since = max(first, max(found) - OPEN_MINUTES) if found else first
        found.update(store.requests_by_minute(account, first_minute=since, last_minute=last))
        return found
