"""Which rows of the journal become a notice, and what each audience is told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from migrator.model.happenings.fences import FenceForecast, FenceOverdue, FenceReleased, Switched
from migrator.model.happenings.happening import Journaled
from migrator.model.happenings.listed import HAPPENINGS
from migrator.model.happenings.moves import LeftTargetChanged, StateChanged
from migrator.model.happenings.rollouts import DeadlineMissed, FullPaceAgain, SlowedDown, WaveBegun, WaveChanged
from migrator.model.happenings.soaks import GateFailed, WayBackJudged
from migrator.model.happenings.waits import ApprovalWanted, TroubleMet
from migrator.model.names import MoveId
from migrator.model.notices import FOR_CUSTOMERS, OCCASIONS, Channel, Notice, Occasion, title
from migrator.words.journal import entry
from migrator.words.notices import OCCASION_OF, notice_of
from migrator.words.notices_page import page

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
WEB = MoveId("north-america", "web-tracking")
OPERATORS = Channel("json webhook env:OPS", "webhook")
CUSTOMERS = Channel("json webhook env:PAGE", "webhook", audience="customers")

STORIES: list[tuple[Occasion | None, Journaled]] = [
    ("wave-started", WaveBegun("first", 2, "pending", {}, is_first=True)),
    (None, WaveBegun("first", 2, "running", {})),
    ("wave-soaked", WaveChanged("first", "soaked", fence_seconds={"actual": 4.4, "forecast": 3.0})),
    (None, WaveChanged("first", "running")),
    ("approval-needed", ApprovalWanted("first")),
    ("cut-over-begins", FenceForecast(3.3, 2.2, False, 0)),
    ("cut-over-done", Switched("na-web", 4, 4.4)),
    ("cut-over-cancelled", FenceReleased("na-core", 5, "a hand edit", 12.0)),
    ("fence-overdue", FenceOverdue(4, 95.0)),
    ("gate-failed", GateFailed("errors", "0.7, wanted at most 0.1")),
    ("halted", StateChanged("copying", "halted", "halted", "forward", 3, "cannot copy")),
    ("rolled-back", Switched("na-core", 6, 4.4, is_back=True)),
    ("rolled-back", StateChanged("copying", "rolled-back", "reversed", "forward", 3)),
    (None, StateChanged("switching", "switched", "reversed", "reverse", 6)),
    (None, StateChanged("copying", "copied", "catching-up", "forward", 3)),
    ("deadline-at-risk", DeadlineMissed("first", "2026-12-20T00:00:00Z", "wave first is 2 d late")),
    ("throttled", SlowedDown("na-core", 40.0)),
    (None, FullPaceAgain("na-core")),
    ("waiting", TroubleMet("na-core", "cannot reach it")),
    ("way-back-not-ready", WayBackJudged(False, "not ready: 12 objects were changed at both sides")),
    (None, WayBackJudged(True, "ready, 0 objects behind, about 4 s")),
]


def told(happening: Journaled, channel: Channel = OPERATORS, move: MoveId | None = WEB) -> Notice | None:
    from migrator.model.values import replace

    row = replace(entry(happening, NOW, actor="engine", wave="first", move=move), number=18)
    return notice_of(row, plan="storage-split", lineage="abc", channel=channel)


@pytest.mark.parametrize(("occasion", "happening"), STORIES, ids=lambda one: str(one) if isinstance(one, str) else "")
def test_a_row_is_the_occasion_that_its_facts_are(occasion: Occasion | None, happening: Journaled) -> None:
    notice = told(happening)
    assert (notice.occasion if notice else None) == occasion


def test_every_occasion_has_a_happening_that_becomes_it() -> None:
    shown = {occasion for occasion, _ in STORIES if occasion} | {"written-after-way-back"}
    assert shown == set(OCCASIONS) == set(get_args(Occasion))
    assert LeftTargetChanged.kind in OCCASION_OF


def test_occasions_are_made_of_happenings_that_the_journal_has() -> None:
    journaled = {one.kind for one in HAPPENINGS if issubclass(one, Journaled)}
    assert set(OCCASION_OF) <= journaled


def test_a_notice_says_what_where_and_for_how_long() -> None:
    notice = told(Switched("na-web", 4, 4.4))
    assert notice is not None
    assert notice.as_json() == {
        "format_version": 1,
        "id": "abc/18",
        "occasion": "cut-over-done",
        "at": "2026-12-01T12:00:00Z",
        "plan": "storage-split",
        "wave": "first",
        "region": "north-america",
        "area": "web-tracking",
        "needs_person": False,
        "pause_seconds": 4.4,
        "text": "north-america/web-tracking: the route names na-web; writers paused 4.4 s",
    }
    assert notice.subject == "storage-split: north-america/web-tracking: cut-over done"


def test_the_pauses_of_a_whole_wave_are_not_one_pause() -> None:
    notice = told(WaveChanged("first", "soaked", fence_seconds={"actual": 4.4, "forecast": 3.0}), move=None)
    assert notice is not None
    assert notice.seconds is None


@pytest.mark.parametrize(
    ("happening", "text"),
    [
        (
            FenceForecast(3.3, 2.2, False, 0),
            "Changes to web-tracking in north-america will be delayed for about 3.3 s. Reading goes on as usual.",
        ),
        (
            Switched("na-web", 4, 65.0),
            "web-tracking in north-america is at its new storage. Changes were delayed for 1 min 5 s; nothing was lost.",
        ),
        (
            Switched("na-web", 4, None, "found"),
            "web-tracking in north-america is at its new storage. Changes were delayed for a short time; nothing was lost.",
        ),
    ],
)
def test_customers_are_told_what_they_notice(happening: Journaled, text: str) -> None:
    notice = told(happening, CUSTOMERS)
    assert notice is not None
    assert notice.text == text


def test_customers_hear_of_no_account_and_of_nothing_that_is_not_theirs() -> None:
    for occasion, happening in STORIES:
        notice = told(happening, CUSTOMERS)
        assert (notice is not None) == (occasion in FOR_CUSTOMERS)
        if notice is not None:
            assert not any(name in notice.text for name in ("na-web", "na-core", "epoch", "route"))


def test_a_template_takes_the_place_of_our_text() -> None:
    fill: dict[str, Any] = {"templates": {"cut-over-done": "$area in $region: $seconds ($plan, $wave) $$5: $text"}}
    notice = told(Switched("na-web", 4, 4.4), Channel("c", "webhook", **fill))
    assert notice is not None
    assert notice.text == (
        "web-tracking in north-america: 4.4 s (storage-split, first) $5: "
        "north-america/web-tracking: the route names na-web; writers paused 4.4 s"
    )


def test_a_channel_gets_the_occasions_that_it_asks_for() -> None:
    only = Channel("c", "webhook", occasions=frozenset({"halted"}))
    assert told(Switched("na-web", 4, 4.4), only) is None
    assert told(StateChanged("copying", "halted", "halted", "forward", 3, "cannot copy"), only) is not None


def test_titles_keep_the_hyphen_of_a_term() -> None:
    assert title("cut-over-cancelled") == "cut-over cancelled"
    assert title("wave-soaked") == "wave soaked"


def test_the_page_is_printed_from_the_list() -> None:
    assert (ROOT / "docs/notifications.md").read_text() == page(), (
        "python -m migrator.words.notices_page > docs/notifications.md"
    )
