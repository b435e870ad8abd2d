"""``migrate throttle``: an operator's wish for the budgets of a running apply, recorded, shown and taken back.

Leaves the obeying to the engine. Rules: the wish stays until it is cleared, also for later runs; a new figure leaves the other
one of the same scope as it was.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from migrator.cli.identity import user
from migrator.cli.loading import load_plan, state_of
from migrator.cli.scope import account_of
from migrator.cli.settings import Settings
from migrator.cli.views.throttle import told, whom
from migrator.cli.wishes import store_for_wishes
from migrator.errors import UsageError
from migrator.model.happenings.wishes import ThrottleSet
from migrator.model.moves import Control
from migrator.model.pace import THROTTLE
from migrator.model.units import parse_count, parse_size
from migrator.model.values import value
from migrator.ports.state_store import AddJournal, SetControl
from migrator.words.journal import entry


@value(frozen=True, slots=True)
class Wish:
    """``account`` None is every account; the figures are as typed."""

    account: str | None
    requests_per_minute: str | None = None
    bytes_per_second: str | None = None

    @property
    def scope(self) -> str:
        return "" if self.account is None else f"account:{self.account}"

    def figures(self) -> dict[str, float]:
        """By name, those that were given. UsageError for one that is no quantity or nothing."""
        wanted = (
            ("requests_per_minute", self.requests_per_minute, parse_count),
            ("bytes_per_second", self.bytes_per_second, parse_size),
        )
        return {name: _quantity(name, text, parse) for name, text, parse in wanted if text is not None}


def throttle(plan: Path, settings: Settings, wish: Wish, reason: str | None = None) -> str:
    """Record the wish; what is wished for by now, for people. UsageError if it means nothing."""
    figures = wish.figures()
    if not figures:
        raise UsageError(
            "cannot throttle: no figure is given",
            hint="say --requests-per-minute N, --bytes-per-second N or --clear",
        )
    schedule = load_plan(plan)
    if wish.account is not None:
        account_of(schedule, wish.account, "throttle")
    with store_for_wishes(settings, schedule) as store:
        before = next((c.value for c in store.controls() if (c.kind, c.scope) == (THROTTLE, wish.scope)), {})
        control = Control(THROTTLE, wish.scope, {**before, **figures}, user(), datetime.now(UTC))
        text = told(control)
        store.commit([SetControl(control), _entry(control, f"throttle: {text}", reason)], token=None)
    return text


def clear(plan: Path, settings: Settings, account: str | None, reason: str | None = None) -> bool:
    """Take the wishes for ``account`` back, or all; False if there was none."""
    schedule = load_plan(plan)
    if account is not None:
        account_of(schedule, account, "throttle")
    with state_of(settings, schedule, create=False) as store:
        mine = [
            Control(THROTTLE, control.scope, {}, user(), datetime.now(UTC))
            for control in store.controls()
            if control.kind == THROTTLE and control.scope in (f"account:{account}", *([control.scope] * (not account)))
        ]
        for control in mine:
            text = f"throttle of {whom(control.scope)} cleared"
            store.commit([SetControl(control), _entry(control, text, reason)], token=None)
    return bool(mine)


def _entry(control: Control, text: str, reason: str | None) -> AddJournal:
    wish = ThrottleSet(THROTTLE, control.scope, text, reason=reason or "", **control.value)
    return AddJournal(entry(wish, control.at, actor=control.who))


def _quantity(name: str, text: str, parse: Any) -> float:
    option = f"--{name.replace('_', '-')}"
    try:
        number = float(parse(text))
    except ValueError as fault:
        raise UsageError(f"cannot throttle: {option}: {fault}") from fault
    if number <= 0:
        raise UsageError(f"cannot throttle: {option} is {text}", hint="migrate pause sends nothing at all")
    return number
