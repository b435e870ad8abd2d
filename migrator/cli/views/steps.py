"""The steps that are left of each move, as ``migrate plan`` shows them.

Decides which moves are shown as one, and what is not said again. Leaves the words to the steps themselves. Rule: moves are one
group if they are told the same once names and amounts are left out, which the table above has; of a line that stands above
already, for the same state, only the state is shown. JSON has every line of every move, with names and amounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from migrator.cli.calls import spelled
from migrator.cli.views.figures import many
from migrator.cli.views.safe import safe
from migrator.cli.views.screen import Page
from migrator.cli.views.wrapping import wrapped
from migrator.engine.teller import Steps, Told
from migrator.model.moves import Direction
from migrator.model.schedule import Schedule

NAMED_MOVES: Final = 3
"""Of a group, in full."""
MOST_GROUPS: Final = 12
ABOVE: Final = "as above"
_GAP: Final = 2


def document(told: Iterable[Told]) -> list[dict[str, Any]]:
    """Of one move, in the run's order."""
    return [{"state": str(one.state), "direction": str(one.direction), "text": one.text} for one in told]


def lines(steps: Iterable[Steps]) -> list[str]:
    """One line for each step of each move."""
    return [f"{one.move}: {told.state}: {told.text}" for one in steps for told in one.told]


def show(page: Page, schedule: Schedule, steps: Sequence[Steps]) -> None:
    """Nothing, where nothing is left to do."""
    groups = _groups(steps)
    if not groups:
        return
    shown: dict[str, str] = {}
    width = max(len(str(told.state)) for group in groups for told in group[0].alike) + _GAP
    for group in groups[:MOST_GROUPS]:
        page.line(f"Steps of {_names(schedule, group)}:", style="bold")
        for states, text in _folded(group[0].alike, shown):
            _show_line(page, states, text, width)
    if rest := [one for group in groups[MOST_GROUPS:] for one in group]:
        page.line(f"  and of {many(len(rest), 'more move')}, which --json shows", style="dim")


def _groups(steps: Iterable[Steps]) -> list[list[Steps]]:
    found: dict[tuple[Told, ...], list[Steps]] = {}
    for one in steps:
        if one.alike:
            found.setdefault(one.alike, []).append(one)
    return list(found.values())


def _names(schedule: Schedule, group: Sequence[Steps]) -> str:
    back = ", on the way back" if group[0].alike[0].direction is Direction.REVERSE else ""
    if len(group) == 1:
        move = schedule.move(group[0].move)
        return f"{move.id} ({move.source} -> {move.target}){back}"
    names = ", ".join(str(one.move) for one in group[:NAMED_MOVES])
    more = len(group) - NAMED_MOVES
    return f"{names}{f' and {more} more' if more > 0 else ''}{back}"


def _folded(told: Sequence[Told], shown: dict[str, str]) -> Iterator[tuple[str, str]]:
    """States and text of each line; neighbours whose text stands above are one."""
    before: Mapping[str, str] = dict(shown)
    for is_above, part in groupby(told, key=lambda one: before.get(_key(one)) == one.text):
        lines = list(part)
        if is_above:
            yield " to ".join(dict.fromkeys([str(lines[0].state), str(lines[-1].state)])), ABOVE
            continue
        for one in lines:
            shown[_key(one)] = one.text
            yield str(one.state), one.text


def _key(told: Told) -> str:
    return f"{told.direction} {told.state}"


def _show_line(page: Page, states: str, text: str, width: int) -> None:
    if text == ABOVE:
        page.line(f"  {states}: {text}", style="dim")
        return
    line = f"  {states.ljust(width)}{safe(spelled(text))}"
    for part in wrapped(line, page.width, indent=_GAP + width) if page.is_terminal else [line]:
        page.line(part)
