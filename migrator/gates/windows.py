"""The stretch of time that one sample of a gate is about. Metrics of Azure count whole minutes, and so do their windows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from migrator.model.schedule import Gate

MINUTE_SECONDS: Final = 60.0


def window(gate: Gate, now: datetime) -> tuple[datetime, datetime]:
    """[begin, end) of the newest window that has settled."""
    end = now - timedelta(seconds=gate.settle_seconds)
    if gate.metric is not None and gate.window_seconds >= MINUTE_SECONDS:
        end = end.replace(second=0, microsecond=0)
    return end - timedelta(seconds=gate.window_seconds), end


def first_at(gate: Gate, since: datetime) -> datetime:
    """When the gate can first be asked about a window that begins after the switch."""
    rounding = MINUTE_SECONDS if gate.metric is not None and gate.window_seconds >= MINUTE_SECONDS else 0.0
    return since + timedelta(seconds=gate.window_seconds + gate.settle_seconds + rounding)
