"""Load, relief, requests and cost of a forecast, for programs and for people.

Decides tables and words; every figure comes from ``migrator.forecast``. The timeline has a file of its own.
"""

from __future__ import annotations

from typing import Any, Final

from migrator.cli.views.figures import count, instant, stamp
from migrator.cli.views.screen import Page
from migrator.forecast import AccountLoad, Outlook, Relief
from migrator.forecast.requests import Cost
from migrator.model.units import show_count, show_ratio

MOST_LOADS: Final = 12
"""Accounts of one forecast that a terminal shows."""
_CLASSES: Final = ("list", "read", "write", "delete", "other")


def load_document(load: AccountLoad) -> dict[str, Any]:
    """Requests a minute; null where nobody said."""
    return {
        "account": load.account,
        "load_per_minute": load.load_per_minute,
        "limit_per_minute": load.limit_per_minute,
        "headroom_per_minute": load.headroom_per_minute,
        "used_ratio": load.used_ratio,
        "unknown": [str(move.id) for move in load.unknown],
    }


def relief_document(relief: Relief) -> dict[str, Any]:
    """Requests a minute of the plan's areas that are still at the source."""
    return {
        "account": relief.account,
        "before_per_minute": relief.before_per_minute,
        "limit_per_minute": relief.limit_per_minute,
        "after": [{"wave": wave, "left_per_minute": left} for wave, left in relief.after],
    }


def cost_document(cost: Cost | None) -> dict[str, Any] | None:
    if cost is None:
        return None
    parts = {name: round(getattr(cost.requests, name), 4) for name in _CLASSES}
    return {
        "currency": cost.currency,
        "total": round(cost.total, 4),
        "requests": parts,
        "data": round(cost.gib, 4),
        "retrieval": round(cost.tiers.retrieval, 4),
        "early_deletion_at_most": round(cost.tiers.early_deletion, 4),
        "not_priced_gib": {key: round(gib, 4) for key, gib in cost.tiers.unpriced.items()},
    }


def measured_document(outlook: Outlook) -> list[dict[str, Any]]:
    """``[{region, area, account, requests_per_minute, hour, hours, at, why_not}]`` of the areas whose traffic is measured."""
    return [
        {
            "region": move.region,
            "area": move.area,
            "account": one.account,
            "requests_per_minute": round(one.peak.per_minute, 1) if one.peak is not None else None,
            "hour": stamp(one.peak.begin) if one.peak is not None else None,
            "hours": one.hours,
            "at": stamp(one.at),
            "why_not": one.why_not or None,
        }
        for move, one in sorted(outlook.here.traffic.items(), key=lambda pair: str(pair[0]))
    ]


def show_measured(page: Page, outlook: Outlook) -> None:
    """The traffic that the plan leaves to the meter, and when it was asked; nothing without any."""
    known = [(str(move), one) for move, one in sorted(outlook.here.traffic.items(), key=lambda pair: str(pair[0]))]
    if not any(one.peak for _, one in known):
        return
    page.line("Traffic that was measured, requests a minute in the busiest hour, everybody's")
    page.table(
        ("MOVE", "REQUESTS/MIN", "HOUR", "METER", "ASKED"),
        [
            (move, show_count(one.peak.per_minute), instant(one.peak.begin), one.account, instant(one.at))
            for move, one in known
            if one.peak is not None
        ],
        right=frozenset({1}),
    )


def show_loads(page: Page, outlook: Outlook) -> None:
    """New accounts against their limits, then what leaves the old ones; nothing without any forecast of traffic."""
    known = [load for load in outlook.loads if load.load_per_minute]
    if not known:
        return
    page.line("Load of the new accounts, requests a minute")
    shown = known
    if page.is_terminal and len(known) > MOST_LOADS + 1:  # the fullest are what a person looks for
        shown = sorted(known, key=lambda load: load.used_ratio or 0.0, reverse=True)[:MOST_LOADS]
    page.table(
        ("ACCOUNT", "LOAD", "LIMIT", "USED", "HEADROOM"),
        [_load_row(load) for load in shown],
        right=frozenset({1, 2, 3, 4}),
    )
    if len(shown) < len(known):
        page.line(f"  and {len(known) - len(shown)} more, each used less; --json has all of them", style="dim")
    page.line("Load left at the old accounts, requests a minute")
    for relief in outlook.reliefs:
        steps = "".join(f", {show_count(left)} after {wave}" for wave, left in relief.after)
        limit = "" if relief.limit_per_minute is None else f" (its limit is {show_count(relief.limit_per_minute)})"
        page.line(f"  {relief.account}: {show_count(relief.before_per_minute)} now{steps}{limit}")


def _load_row(load: AccountLoad) -> tuple[str, ...]:
    unknown = " or more" if load.unknown else ""
    if load.limit_per_minute is None or load.used_ratio is None:
        return load.account, show_count(load.load_per_minute) + unknown, "—", "—", "—"
    return (
        load.account,
        show_count(load.load_per_minute) + unknown,
        show_count(load.limit_per_minute),
        show_ratio(round(load.used_ratio, 2)),
        "none" if load.is_over else show_count(load.headroom_per_minute or 0.0),
    )


def show_requests(page: Page, outlook: Outlook) -> None:
    """Requests of migration itself by wave, and what they cost; nothing where no inventory is known."""
    rows = []
    for wave in outlook.waves:
        requests = outlook.requests_of(wave.name)
        if requests.total:
            rows.append(
                (
                    wave.name,
                    *(count(getattr(requests, name)) for name in ("list", "read", "write")),
                    count(requests.total),
                )
            )
    if not rows:
        return
    page.line("Requests of the migration itself, both sides, soaks included")
    page.table(("WAVE", "LIST", "READ", "WRITE", "ALL"), rows, right=frozenset({1, 2, 3, 4}))
    if outlook.cost is not None:
        page.line(f"  cost: {_cost(outlook.cost)}")
        for key, gib in outlook.cost.tiers.unpriced.items():
            page.line(f"  not in it: {_unpriced(key, gib)} (prices: {key})")


def _cost(cost: Cost) -> str:
    parts = [(name, getattr(cost.requests, name)) for name in _CLASSES] + [("data", cost.gib)]
    parts += [("retrieval", cost.tiers.retrieval), ("early deletion at most", cost.tiers.early_deletion)]
    told = ", ".join(f"{name} {value:,.2f}" for name, value in parts if round(value, 2))
    currency = f" {cost.currency}" if cost.currency else ""
    return f"{cost.total:,.2f}{currency}" + (f" ({told})" if told else "")


def _unpriced(key: str, gib: float) -> str:
    tier, what = key.split("_")[:2]
    where = "the archive" if tier == "archive" else f"the {tier} tier"
    if what == "month":
        return f"early deletion from {where}, {gib:,.2f} GiB-months at most"
    return f"{'rehydrating' if tier == 'archive' else 'reading'} {gib:,.2f} GiB of {where}"
