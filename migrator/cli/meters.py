"""Asks the meter of each account that customers use: Azure Monitor, or an embedded account's own counters.

Decides which source of figures is asked for an account. Leaves what of it is one area's to ``forecast.measured``. Only reads.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

from migrator.cli.doors import Doors
from migrator.errors import CloudError, MigrateError
from migrator.forecast.measured import MeasuredTraffic, Peak, busiest, shared, sharers
from migrator.kinds import METRICS
from migrator.model.names import MoveId
from migrator.model.samples import Question
from migrator.model.schedule import Account, Metric
from migrator.model.values import value
from migrator.ports.metric_source import MetricSource

FIGURE: Final = "requests_per_minute"
WEEK_HOURS: Final = 168
"""What forecasts are made of: a week has its busiest day."""
MINUTES_UP_TO_HOURS: Final = 48
"""Beyond that the hours of the clock will do: a week of minutes is a long answer."""


@value(frozen=True, slots=True)
class Meter:
    """What one account measured. ``moves``: whose customers use it; ``why_not``: why there is no figure, "" if there is one;
    ``is_quiet``: it answered, and nobody had asked it for anything."""

    account: str
    moves: tuple[MoveId, ...]
    peak: Peak | None = None
    why_not: str = ""
    is_quiet: bool = False

    @property
    def is_shared(self) -> bool:
        return len(self.moves) > 1


async def measure(doors: Doors, hours: int, only: Collection[MoveId] | None = None) -> tuple[Meter, ...]:
    """Of every account that customers use now, ascending; what cannot be asked says why. ``only``: accounts of these moves."""
    try:
        document = await doors.routes()
    except MigrateError:
        document = None  # before the first apply, or from a machine that may not read it: customers are at the sources
    found = sharers(doors.schedule.moves, document.routes if document is not None else {})
    asked = {name: moves for name, moves in found.items() if only is None or any(move in only for move in moves)}
    return tuple(await asyncio.gather(*(_ask(doors, account, moves, hours) for account, moves in asked.items())))


async def measured(doors: Doors) -> dict[MoveId, MeasuredTraffic]:
    """The traffic of each move of which the plan leaves it to the meter."""
    wanted = {move.id for move in doors.schedule.moves if move.is_measured}
    if not wanted:
        return {}
    now = datetime.now(UTC).replace(microsecond=0)
    found: dict[MoveId, MeasuredTraffic] = {}
    for meter in await measure(doors, WEEK_HOURS, wanted):
        why_not = meter.why_not or (shared(meter.account, len(meter.moves)) if meter.is_shared else "")
        peak = None if why_not else meter.peak
        found |= {move: MeasuredTraffic(meter.account, now, WEEK_HOURS, peak, why_not) for move in meter.moves}
    return {move: one for move, one in found.items() if move in wanted}


async def _ask(doors: Doors, name: str, moves: tuple[MoveId, ...], hours: int) -> Meter:
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    try:
        source, is_ours = _source(doors, doors.schedule.accounts[name])
        try:
            reading = await source.ask(
                Question(moves[0], name, FIGURE, None, is_hourly=hours > MINUTES_UP_TO_HOURS),
                begin=end - timedelta(hours=hours),
                end=end,
            )
        finally:
            if is_ours:
                await source.close()
    except MigrateError as fault:
        return Meter(name, moves, why_not=str(fault))
    peak = busiest(reading.points, minutes=reading.minutes)
    return Meter(name, moves, peak, "" if peak else f"it had no request in the last {hours} h", is_quiet=peak is None)


def _source(doors: Doors, account: Account) -> tuple[MetricSource, bool]:
    """Of the plan if it has one that knows such accounts, else one by the credential ``default``; is it to be closed here?"""
    schedule = doors.schedule
    for name, metric in sorted(schedule.metrics.items()):
        kind = METRICS[metric.kind]
        if kind.asks == "metric" and kind.cannot_tell(account.kind) is None:
            return doors.metrics(name), False
    for kind in METRICS:
        if kind.asks != "metric" or kind.cannot_tell(account.kind) is not None:
            continue
        if lacking := [key for key in kind.account_keys if account.said(key) is None]:
            raise CloudError(
                f"cannot ask {kind.title} about account {account.name}: the plan does not say its {', '.join(lacking)}",
                hint="add it to the account",
            )
        metric = Metric("traffic", kind.name)
        return kind.open(metric, schedule.accounts, environ=os.environ, cloud=schedule.cloud), True
    raise CloudError(f"cannot measure account {account.name}: no source of figures knows accounts of its kind")
