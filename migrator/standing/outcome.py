"""The outcome of a wave, read from the state store. Decides only what to read; ``forecast.outcome`` compares."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from migrator.forecast.outcome import Comparison, compare, from_evidence
from migrator.model.moves import MoveRecord, WaveRecord
from migrator.ports.state_store import StateStore

OUTCOME: Final = "outcome"
"""Under this key the forecast of a wave that is over holds what became of it."""


def compared(state: StateStore, wave: WaveRecord, moves: Iterable[MoveRecord], now: datetime) -> Comparison | None:
    """A wave that has begun, beside its forecast; None before. One that is over says what was written down at its end.

    Requests are counted by account and minute, so those of another wave that shares an account at the same time are in it. A wave
    that has begun has sent some: as long as none is counted, nobody knows how many.
    """
    if wave.begun_at is None:
        return None
    if wave.ended_at is not None and (kept := from_evidence(wave.forecast.get(OUTCOME, {}))):
        return kept
    recorded = list(moves)
    first, last = _minute(wave.begun_at), _minute(wave.ended_at or now)
    accounts = {name for move in recorded for name in (move.source, move.target)}
    counts = [state.requests(name, first_minute=first, last_minute=last) for name in sorted(accounts)]
    return compare(wave.forecast, recorded, sum(sum(one.values()) for one in counts) or None)


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // 60
