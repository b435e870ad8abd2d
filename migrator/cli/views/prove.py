"""``migrate prove``: what was asked and what is not so, for programs and for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from migrator.cli.views.screen import Page
from migrator.model.proved import PromiseKept, ProvedPair


def document(plan: str, found: Sequence[ProvedPair], file: Path) -> dict[str, Any]:
    """``{plan, kept, file, pairs: [{accounts, promises, broken, unasked, throttled}]}``; ``kept``: all that is relied on."""
    return {
        "plan": plan,
        "kept": not any(one.is_relied_on for pair in found for one in pair.broken),
        "file": str(file),
        "pairs": [
            {
                "accounts": [pair.first.name, pair.second.name],
                "promises": len(pair.promises),
                "broken": [_answer(one) for one in pair.broken],
                "unasked": [_answer(one) for one in pair.promises if one.word == "unasked"],
                "throttled": dict(pair.throttled),
            }
            for pair in found
        ],
    }


def _answer(one: PromiseKept) -> dict[str, Any]:
    return {"promise": one.promise, "place": one.place, "relied_on": one.is_relied_on, "found": one.found}


def tell(page: Page, one: PromiseKept) -> None:
    """As it is answered, what is not kept."""
    if one.word == "kept":
        return
    word = "not asked" if one.word == "unasked" else "broken" if one.is_relied_on else "other than on the real service"
    page.line(f"{one.place}: {one.promise}: {word}: {one.found}")


def show(page: Page, found: Sequence[ProvedPair], file: Path, *, is_named: bool) -> None:
    for pair in found:
        words = Counter(one.word for one in pair.promises)
        relied = sum(one.is_relied_on for one in pair.broken)
        said = f"{words['kept']:,} promises kept, {words['broken']:,} broken"
        said += f" ({relied:,} of them relied on)" if words["broken"] else ""
        said += f", {words['unasked']:,} not asked" if words["unasked"] else ""
        page.line(f"{pair.first.name} and {pair.second.name}: {said}.")
        if pair.throttled:
            met = ", ".join(f"{code} {count:,} times" for code, count in sorted(pair.throttled.items()))
            page.line(f"  Throttled meanwhile: {met}.")
    page.line(f"The result is in {file}; it holds no secret.")
    if not is_named:
        page.line(
            f"next: write `proved: {file}` into the plan, and `migrate plan` and `apply` hold it against every move."
        )
