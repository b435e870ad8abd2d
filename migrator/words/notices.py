"""The notice that a row of the journal becomes, for people who do not look at the rollout.

Decides which rows are an occasion and what operators and customers are told of each. Leaves sending to ``engine.outbox``. Rule: a
row whose happening is not in the table is nobody's notice; a text for customers says what they notice and names no account.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Template
from typing import Any, Final

from migrator.model.moves import JournalEntry
from migrator.model.notices import FOR_CUSTOMERS, Channel, Notice, Occasion
from migrator.model.units import show_duration
from migrator.model.values import replace

Facts = Mapping[str, Any]
Which = Callable[[Facts], Occasion | None]


def _always(occasion: Occasion) -> Which:
    return lambda facts: occasion


def _of_wave_begun(facts: Facts) -> Occasion | None:
    return "wave-started" if facts.get("is_first") else None


def _of_wave(facts: Facts) -> Occasion | None:
    return "wave-soaked" if facts.get("state") == "soaked" else None


def _of_move(facts: Facts) -> Occasion | None:
    """One that goes back before it has switched is back at once; of the others their switch tells."""
    if facts.get("event") == "halted":
        return "halted"
    return "rolled-back" if facts.get("event") == "rolled-back" and facts.get("state") == "reversed" else None


def _of_switch(facts: Facts) -> Occasion | None:
    return "rolled-back" if facts.get("is_back") else "cut-over-done"


def _of_way_back(facts: Facts) -> Occasion | None:
    return None if facts.get("ready") else "way-back-not-ready"


OCCASION_OF: Final[Mapping[str, Which]] = {
    "wave-begun": _of_wave_begun,
    "wave-changed": _of_wave,
    "approval-wanted": _always("approval-needed"),
    "fence-forecast": _always("cut-over-begins"),
    "switched": _of_switch,
    "fence-released": _always("cut-over-cancelled"),
    "fence-overdue": _always("fence-overdue"),
    "gate-failed": _always("gate-failed"),
    "state-changed": _of_move,
    "late": _always("deadline-at-risk"),
    "throttled": _always("throttled"),
    "waiting": _always("waiting"),
    "left-target-changed": _always("written-after-way-back"),
    "way-back": _of_way_back,
}
"""Happening -> the occasion that its facts are, or None where they are none."""

NEEDS_PERSON: Final = frozenset({"approval-needed", "fence-overdue", "halted", "written-after-way-back"})

_CUSTOMERS: Final[Mapping[Occasion, str]] = {
    "cut-over-begins": "Changes to $area in $region will be delayed for about $seconds. Reading goes on as usual.",
    "cut-over-done": "$area in $region is at its new storage. Changes were delayed for $seconds; nothing was lost.",
    "cut-over-cancelled": "Changes to $area in $region go on as before. They were delayed for $seconds; nothing was lost.",
    "fence-overdue": "Changes to $area in $region are still delayed: for $seconds by now. Reading goes on as usual.",
    "rolled-back": "$area in $region is at its earlier storage again. Changes were delayed for $seconds.",
}
_NO_PAUSE: Final[Mapping[Occasion, str]] = {
    "cut-over-begins": "Changes to $area in $region will be delayed for a short time. Reading goes on as usual.",
    "cut-over-done": "$area in $region is at its new storage. Changes were delayed for a short time; nothing was lost.",
    "cut-over-cancelled": "Changes to $area in $region go on as before. Nothing was lost.",
    "fence-overdue": "Changes to $area in $region are still delayed. Reading goes on as usual.",
    "rolled-back": "$area in $region is at its earlier storage.",
}
"""Where nobody knows for how long."""


def notice_of(row: JournalEntry, *, plan: str, lineage: str, channel: Channel) -> Notice | None:
    """What ``channel`` is told of ``row``; None if nothing."""
    which = OCCASION_OF.get(row.happening)
    occasion = which(row.evidence) if which is not None else None
    if occasion is None or occasion not in channel.occasions:
        return None
    is_for_customers = channel.audience == "customers"
    if is_for_customers and (occasion not in FOR_CUSTOMERS or row.move is None):
        return None
    seconds = row.evidence.get("fence_seconds", row.evidence.get("forecast_seconds"))
    if not isinstance(seconds, int | float):
        seconds = None  # unknown; of a whole wave it is several
    region, area = (row.move.region, row.move.area) if row.move is not None else ("", "")
    notice = Notice(
        id=f"{lineage}/{row.number}",
        occasion=occasion,
        at=row.at,
        plan=plan,
        text=row.text,
        wave=row.wave or "",
        region=region,
        area=area,
        seconds=seconds,
        needs_person=occasion in NEEDS_PERSON and not is_for_customers,
    )
    return _worded(notice, channel)


_OPERATORS: Final[Mapping[Occasion, str]] = {"wave-started": "wave $wave begins"}
"""Where the journal's sentence needs its neighbours to be understood."""


def _worded(notice: Notice, channel: Channel) -> Notice:
    template = channel.templates.get(notice.occasion, "")
    if not template and channel.audience == "customers":
        known = _CUSTOMERS if notice.seconds is not None or notice.occasion not in _NO_PAUSE else _NO_PAUSE
        template = known[notice.occasion]
    if not template and channel.audience == "operators":
        template = _OPERATORS.get(notice.occasion, "")
    if not template:
        return notice
    pause = show_duration(round(notice.seconds, 1)) if notice.seconds is not None else ""
    told = Template(template).safe_substitute(
        plan=notice.plan, wave=notice.wave, region=notice.region, area=notice.area, seconds=pause, text=notice.text
    )
    return replace(notice, text=told)
