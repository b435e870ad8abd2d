"""``migrate verify``: what was compared and what differs, for programs and for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from migrator.cli.views.figures import count
from migrator.cli.views.screen import Page

if TYPE_CHECKING:
    from migrator.cli.commands.verify.operation import Compared

COUNTS: Final = ("proved", "alike", "missing", "extra", "changed", "unproved")


def document(plan: str, compared: Sequence[Compared]) -> dict[str, Any]:
    """``{plan, equal, moves: [{region, area, level, live, equal, proved, ..., differences, not_compared}]}``; the first 100 by
    name. ``equal`` is null where there was nothing to compare: a script that waits for true does not go on."""
    return {
        "plan": plan,
        "equal": is_equal(compared),
        "moves": [_move(one) for one in compared],
    }


def is_equal(compared: Sequence[Compared]) -> bool | None:
    """None: nothing was compared."""
    if not all(one.comparison.is_equal for one in compared):
        return False
    return True if any(one.comparison.has_compared for one in compared) else None


def _move(one: Compared) -> dict[str, Any]:
    counts = {name: getattr(one.comparison, name) for name in COUNTS}
    return {
        "region": one.move.id.region,
        "area": one.move.id.area,
        "source": one.move.source,
        "target": one.move.target,
        "state": str(one.record.state),
        "level": one.level,
        "live": one.live,
        "equal": is_equal([one]),
        **counts,
        "differences": [
            {"kind": kind, "container": container, "name": name, "why": why}
            for kind, container, name, why in one.comparison.named
        ],
        "not_compared": one.comparison.not_compared,
    }


def show(page: Page, compared: Sequence[Compared]) -> None:
    if not compared:
        page.line("Nothing to compare: no move has begun, or what has is retired.")
        return
    page.table(
        ("MOVE", "LEVEL", "LIVE", *(name.upper() for name in COUNTS)),
        [
            (one.move.id, one.level, one.live, *(count(getattr(one.comparison, name)) for name in COUNTS))
            for one in compared
        ],
        right=frozenset(range(3, 3 + len(COUNTS))),
    )
    for one in compared:
        for kind, container, name, why in one.comparison.named:
            page.line(f"  {one.move.id}: {kind}: {container}/{name}: {why}")
        rest = _differences(one) - len(one.comparison.named)
        if rest > 0:
            page.line(f"  {one.move.id}: and {count(rest)} more")
        if one.comparison.not_compared:
            page.line(f"  {one.move.id}: {one.comparison.not_compared}")
    verdict = is_equal(compared)
    if verdict is None:
        page.line("Nothing was compared: neither end holds an object of these moves.")
    elif verdict:
        page.line("Both ends are equal.", style="green")
    else:
        page.line(
            "Both ends differ. What customers wrote at the live end since the last pass counts, too.", style="red"
        )


def _differences(one: Compared) -> int:
    found = one.comparison
    return found.missing + found.extra + found.changed + found.unproved
