"""Where a gate's figures come from."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from migrator.model.discovered import Holding
from migrator.model.samples import Question, Reading


class MetricSource(Protocol):
    async def ask(self, question: Question, *, begin: datetime, end: datetime) -> Reading:
        """What the source knows of [begin, end). A source that has nothing answers a Reading without points, never
        zeros of its own invention. Raises CloudError if it cannot be asked."""
        ...

    async def close(self) -> None: ...


class AccountMeter(MetricSource, Protocol):
    """One that also knows what accounts hold."""

    async def holds(self, account: str, now: datetime) -> Holding | None:
        """None: it says nothing of the account. Raises as ``ask``."""
        ...
