"""What an apply says to people: every event of the law has its sentence, and nothing is said twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from migrator.cli.views.progress import Note
from migrator.cli.views.telling import told
from migrator.machine.transitions import ROWS


def note(kind: str, text: str, **facts: Any) -> Note:
    return Note(datetime(2026, 11, 1, tzinfo=UTC), kind, "europe/web", f"europe/web: {text}", facts)


@pytest.mark.parametrize("event", sorted({row.event.value for row in ROWS}))
def test_every_event_of_the_law_has_its_sentence(event: str) -> None:
    line = told(note("state-changed", "here -> there", event=event, state="there"))
    assert line is None or "->" not in line


def test_a_halt_gives_its_whole_reason() -> None:
    halted = note(
        "state-changed",
        "copying -> halted (it is full (disk 1))",
        event="halted",
        state="halted",
        reason="it is full (disk 1)",
    )
    assert told(halted) == "HALTED, needs a person: it is full (disk 1)"


def test_a_way_back_says_whether_data_goes_back_too() -> None:
    soaking = note(
        "state-changed",
        "soaking -> catching-up (asked for)",
        event="rolled-back",
        state="catching-up",
        reason="asked for",
    )
    early = note("state-changed", "copying -> reversed", event="rolled-back", state="reversed")
    assert told(soaking) == "going back, data written since included (asked for)"
    assert told(early) == "nothing was switched, so it is back"


def test_a_pass_leaves_out_what_did_not_happen() -> None:
    assert (
        told(note("pass", "", scanned=2014, copied=8, marked=0, deleted=1))
        == "2,014 objects compared: 8 copied, 1 deleted"
    )
    assert told(note("pass", "", scanned=1, copied=0, marked=0, deleted=0)) == "1 object compared: nothing to do"


def test_an_event_without_a_sentence_is_shown_as_it_was_worded() -> None:
    assert told(note("state-changed", "ready -> elsewhere", event="new-event")) == "ready -> elsewhere"
    assert told(note("warning", "the disk is nearly full")) == "the disk is nearly full"
