"""What people are told of a rollout who do not look at it: the occasions, and one notice.

Decides which occasions there are and what a notice holds; ``words.notices`` makes them of the journal's rows. Rule: an occasion
is never renamed, for receivers filter by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Final, Literal

from migrator.model.values import value

Audience = Literal["operators", "customers"]
Occasion = Literal[
    "wave-started",
    "approval-needed",
    "cut-over-begins",
    "cut-over-done",
    "cut-over-cancelled",
    "fence-overdue",
    "gate-failed",
    "halted",
    "rolled-back",
    "wave-soaked",
    "deadline-at-risk",
    "throttled",
    "waiting",
    "written-after-way-back",
    "way-back-not-ready",
]

OCCASIONS: Final[Mapping[Occasion, str]] = {
    "wave-started": "a wave begins",
    "approval-needed": "a wave is ready to cut over and waits for an approval",
    "cut-over-begins": "writers of an area are about to wait",
    "cut-over-done": "an area is at its new account; with the writers' pause",
    "cut-over-cancelled": "a cut-over was taken back: writers go on at the old account",
    "fence-overdue": "writers wait longer than their fence should last: the route document does not answer",
    "gate-failed": "a gate failed for as long as it may",
    "halted": "a move needs a person",
    "rolled-back": "an area is back at its old account",
    "wave-soaked": "a wave has soaked: it is done",
    "deadline-at-risk": "a wave is not complete at its promised date",
    "throttled": "an account refuses requests, so migration goes slower",
    "waiting": "a move waits for something that passes by itself",
    "written-after-way-back": "objects were changed at a target after customers had left it",
    "way-back-not-ready": "a source that is kept warm has fallen behind, so the way back would take longer than wanted",
}
"""Occasion -> when it comes, as the page has it."""

_TERMS: Final = ("cut-over",)
"""Words of ours that keep their hyphen."""


def title(occasion: Occasion) -> str:
    """``cut-over done``, for a subject."""
    told = occasion.replace("-", " ")
    for term in _TERMS:
        told = told.replace(term.replace("-", " "), term)
    return told


FOR_CUSTOMERS: Final[frozenset[Occasion]] = frozenset(
    {"cut-over-begins", "cut-over-done", "cut-over-cancelled", "fence-overdue", "rolled-back"}
)
"""What customers of an area can notice; the others are operators' business."""

FILLED_IN: Final = ("plan", "wave", "region", "area", "seconds", "text")
"""What a template may name, as ``$area``."""


@value(frozen=True, slots=True)
class Notice:
    """One occasion, for one channel.

    ``id``: the same however often it is sent, and no other notice's. ``text``: one plain sentence or two. ``seconds``: the
    writers' pause, where the occasion has one. Never holds a secret.
    """

    id: str
    occasion: Occasion
    at: datetime
    plan: str
    text: str
    wave: str = ""
    region: str = ""
    area: str = ""
    seconds: float | None = None
    needs_person: bool = False

    @property
    def subject(self) -> str:
        """``storage-split: north-america/web-tracking: cut-over done``."""
        where = f"{self.region}/{self.area}" if self.area else self.wave
        return ": ".join(part for part in (self.plan, where, title(self.occasion)) if part)

    def as_json(self) -> dict[str, Any]:
        """For programs; the form is documented in ``docs/notifications.md``."""
        return {
            "format_version": 1,
            "id": self.id,
            "occasion": self.occasion,
            "at": self.at.isoformat().replace("+00:00", "Z"),
            "plan": self.plan,
            "wave": self.wave or None,
            "region": self.region or None,
            "area": self.area or None,
            "needs_person": self.needs_person,
            "pause_seconds": self.seconds,
            "text": self.text,
        }


@value(frozen=True, slots=True)
class Channel:
    """Where notices go. ``options``: what the plan says under the keys of its kind. ``name``: how people and the state store tell
    it from others; two channels of one plan differ in it."""

    name: str
    kind: str
    audience: Audience = "operators"
    occasions: frozenset[Occasion] = frozenset(OCCASIONS)
    templates: Mapping[Occasion, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
