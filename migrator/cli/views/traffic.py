"""``migrate traffic``: what the meters said, as lines for the plan, and what they cannot say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from migrator.cli.meters import WEEK_HOURS, Meter
from migrator.cli.settings import Settings
from migrator.cli.views.figures import instant, stamp
from migrator.cli.views.screen import Page
from migrator.model.units import show_count


def document(plan: str, hours: int, meters: Sequence[Meter]) -> dict[str, Any]:
    """``{plan, hours, accounts: [{account, areas, requests_per_minute, hour, splits, why_not}]}``: ``splits`` false where several
    areas share the figure, ``hour`` when the busiest one began."""
    rows = [
        {
            "account": one.account,
            "areas": [str(move) for move in one.moves],
            "requests_per_minute": round(one.peak.per_minute, 1) if one.peak else None,
            "hour": stamp(one.peak.begin) if one.peak else None,
            "splits": not one.is_shared,
            "why_not": one.why_not or None,
        }
        for one in meters
    ]
    return {"plan": plan, "hours": hours, "accounts": rows}


def show(hours: int, meters: Sequence[Meter], settings: Settings) -> None:
    page = Page(settings)
    known = [one for one in meters if one.peak is not None]
    if known:
        page.line(f"Requests a minute in the busiest hour of the last {hours} h, everybody's:")
        page.table(
            ("ACCOUNT", "REQUESTS/MIN", "HOUR", "AREAS"),
            [
                (
                    one.account,
                    show_count(one.peak.per_minute),
                    instant(one.peak.begin),
                    ", ".join(map(str, one.moves)),
                )
                for one in known
                if one.peak is not None
            ],
            right=frozenset({1}),
        )
    single = [one for one in known if not one.is_shared]
    if single:
        page.line()
        page.line("For the plan, where an account is one area's:")
        for line in _lines(single):
            page.line(line)
    for one in known:
        if one.is_shared:
            page.line()
            page.line(
                f"Cannot split {one.account}: {len(one.moves)} areas share it, and its meter knows no containers. Ask the"
                " applications' own figures, or its logs by container."
            )
    if known:
        page.line()
    for one in meters:
        if one.why_not:
            page.line(f"No figure of {one.account}: {one.why_not}.")
    for line in _next_steps(hours, meters):
        page.line(line)


def _next_steps(hours: int, meters: Sequence[Meter]) -> Iterator[str]:
    """For those of which there is no figure."""
    missing = [one for one in meters if one.peak is None]
    if any(one.is_quiet for one in missing) and hours < WEEK_HOURS:
        yield f"next: `migrate traffic PLAN --hours {WEEK_HOURS}` looks at a week."
    elif missing:
        yield (
            "next: write what the applications' own figures say as `traffic` of the region, such as {web-tracking: 60k};"
            " without it no account is checked against its limit."
        )


def _lines(meters: Iterable[Meter]) -> list[str]:
    """YAML under `regions`."""
    by_region: dict[str, list[str]] = {}
    for one in meters:
        assert one.peak is not None
        (move,) = one.moves
        by_region.setdefault(move.region, []).append(f"{move.area}: {show_count(one.peak.per_minute).replace(' ', '')}")
    lines = ["  regions:"]
    for region, areas in sorted(by_region.items()):
        lines += [f"    {region}:", f"      traffic: {{{', '.join(sorted(areas))}}}"]
    return lines
