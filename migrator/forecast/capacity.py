"""Will the new accounts carry the load, and how much of it leaves the old ones with each wave?

Decides from the plan's ``traffic`` and ``requests_per_minute`` alone: requests a minute of customers, not of migration. Rule: an
account without a limit or an area without a forecast is said to be unknown, never taken to be fine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from migrator.forecast.measured import MeasuredTraffic
from migrator.model.findings import Finding
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedMove, Schedule
from migrator.model.units import show_count, show_ratio
from migrator.model.values import value

COMFORT_RATIO: Final = 0.9
"""Above this share of its limit an account has no room for a busy day: a warning."""
PLAN_RATIO: Final = 0.85
"""The remedy fills each account no further than this, so that the split is not needed twice."""


@value(frozen=True, slots=True)
class AccountLoad:
    """What the moves of the plan bring to ``account`` once all of them have switched.

    Rates are requests a minute. ``unknown``: the moves without a forecast, which are not
    in ``load_per_minute``.
    """

    account: str
    load_per_minute: float
    limit_per_minute: float | None
    moves: tuple[PlannedMove, ...]
    unknown: tuple[PlannedMove, ...] = ()

    @property
    def used_ratio(self) -> float | None:
        """Load as a share of the limit; None without one."""
        return None if self.limit_per_minute is None else self.load_per_minute / self.limit_per_minute

    @property
    def headroom_per_minute(self) -> float | None:
        """What is left, below zero if it is too little; None without a limit."""
        return None if self.limit_per_minute is None else self.limit_per_minute - self.load_per_minute

    @property
    def is_over(self) -> bool:
        return self.used_ratio is not None and self.used_ratio > 1.0


@value(frozen=True, slots=True)
class Relief:
    """What of the plan's traffic is still at a source, in requests a minute: ``before`` the first wave, and ``after`` each
    wave that takes something away (its name, what is left). What no move takes away is not in it."""

    account: str
    before_per_minute: float
    after: tuple[tuple[str, float], ...]
    limit_per_minute: float | None


def reliefs(schedule: Schedule) -> tuple[Relief, ...]:
    """Every source whose moves have a traffic forecast, by name."""
    leaving: dict[str, dict[str, float]] = {}
    for wave in schedule.waves:
        for move in wave.moves:
            if move.traffic_per_minute:
                by_wave = leaving.setdefault(move.source, {})
                by_wave[wave.name] = by_wave.get(wave.name, 0.0) + move.traffic_per_minute
    return tuple(_relief(schedule, account, leaving[account]) for account in sorted(leaving))


def _relief(schedule: Schedule, account: str, leaving: Mapping[str, float]) -> Relief:
    before = left = sum(leaving.values())
    after = []
    for wave, leaves in leaving.items():
        left -= leaves
        after.append((wave, max(0.0, left)))
    return Relief(account, before, tuple(after), schedule.accounts[account].requests_per_minute)


def loads(schedule: Schedule) -> tuple[AccountLoad, ...]:
    """The load of every target account, by name."""
    arriving: dict[str, list[PlannedMove]] = {}
    for move in schedule.moves:
        arriving.setdefault(move.target, []).append(move)
    return tuple(_load(schedule, account, tuple(arriving[account])) for account in sorted(arriving))


def accounts_needed(load_per_minute: float, limit_per_minute: float) -> int:
    """How many accounts of this limit carry the load, none above ``PLAN_RATIO`` of it."""
    return max(1, math.ceil(round(load_per_minute / (limit_per_minute * PLAN_RATIO), 9)))


def capacity_findings(
    schedule: Schedule, measured: Mapping[MoveId, MeasuredTraffic] | None = None
) -> tuple[Finding, ...]:
    """One finding for each target account that is over its limit (error), near it (warning), or unknown (info), and for each area
    whose traffic is to be measured and could not be (``measured`` says why) or was not yet."""
    found: list[Finding] = []
    for load in loads(schedule):
        found += _judge(load)
        found += (_unmeasured(move, (measured or {}).get(move.id)) for move in load.moves if move.is_measured)
    return tuple(one for one in found if one.text)


def _unmeasured(move: PlannedMove, known: MeasuredTraffic | None) -> Finding:
    """Without a text: there is a figure of today's."""
    if known is None:
        text = f"the traffic of {move.id} is to be measured, and nobody has asked its meter yet"
        return Finding("info", "traffic-unmeasured", move.target, text, "`migrate plan PLAN` asks it")
    if not known.why_not:
        return Finding("info", "traffic-unmeasured", move.target, "")
    since = f"; the figure is of {known.at:%Y-%m-%d %H:%M} UTC" if known.peak is not None else ""
    text = f"the traffic of {move.id} cannot be measured: {known.why_not}{since}"
    remedy = "write a figure in its place: of the applications' own, or of the account's logs by container"
    return Finding("warning", "traffic-unmeasured", move.target, text, remedy)


def _load(schedule: Schedule, account: str, moves: tuple[PlannedMove, ...]) -> AccountLoad:
    return AccountLoad(
        account=account,
        load_per_minute=sum(move.traffic_per_minute or 0.0 for move in moves),
        limit_per_minute=schedule.accounts[account].requests_per_minute,
        moves=moves,
        unknown=tuple(move for move in moves if move.traffic_per_minute is None),
    )


def _judge(load: AccountLoad) -> Iterable[Finding]:
    if load.limit_per_minute is None or load.used_ratio is None:
        if load.load_per_minute:
            yield Finding(
                "info",
                "account-limit-unknown",
                load.account,
                f"account {load.account} is to take {_both(load.load_per_minute)}, and the plan does not say what it can",
                f"give account {load.account} its requests_per_minute",
            )
        return
    if load.is_over:
        yield Finding("error", "account-overloaded", load.account, _too_much(load, "over"), _remedy(load))
    elif load.used_ratio > COMFORT_RATIO:
        text = f"{_too_much(load, 'near')}: {show_ratio(round(load.used_ratio, 3))} of it"
        yield Finding("warning", "account-near-limit", load.account, text, _remedy(load))
    if silent := [move for move in load.unknown if not move.is_measured]:
        names = ", ".join(str(move.id) for move in silent)
        text = f"account {load.account} takes {names} too, whose traffic the plan does not forecast"
        yield Finding("info", "traffic-unknown", load.account, text)


def _too_much(load: AccountLoad, how: str) -> str:
    limit = load.limit_per_minute or 0.0
    areas = ", ".join(str(move.id) for move in load.moves if move.traffic_per_minute)
    return (
        f"account {load.account} is to take {_both(load.load_per_minute)} of {areas}, {how} its limit of {_both(limit)}"
    )


def _remedy(load: AccountLoad) -> str:
    """More accounts for each area that is too large alone; an account of its own for each that is not."""
    limit = load.limit_per_minute or 1.0
    parts = []
    for move in load.moves:
        if not move.traffic_per_minute:
            continue
        number = accounts_needed(move.traffic_per_minute, limit)
        if number > 1:
            parts.append(
                f"area {move.id.area} needs {number} accounts of this size in {move.id.region}: split it by container or "
                f"prefix into {number} areas, each with an account of its own"
            )
        elif len(load.moves) > 1:
            parts.append(f"give area {move.id.area} an account of its own in {move.id.region}")
    return "; ".join(parts) or "move some of the load to another account"


def _both(per_minute: float) -> str:
    """``183,333 requests/s (11 M a minute)``."""
    return f"{per_minute / 60:,.0f} requests/s ({show_count(per_minute)} a minute)"
