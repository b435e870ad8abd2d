"""Whoever watches cannot slow the work, and misses nothing without being told."""

from __future__ import annotations

import io
import json
import threading
from datetime import UTC, datetime

from migrator.cli.settings import Settings
from migrator.cli.views import progress
from migrator.cli.views.lines import JsonLines, PlainLines, figures_line
from migrator.cli.views.live import LiveTable
from migrator.cli.views.progress import Courier, Note
from migrator.cli.views.rates import Rates
from migrator.model.happenings.fences import FenceBegun
from migrator.model.happenings.moves import FaultMet, StateChanged
from migrator.ports.reporter import Reporter

warning = FaultMet


class Recorder:
    """A display that shows nothing before ``gate`` opens."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.started = threading.Event()
        self.shown = threading.Event()
        self.notes: list[Note] = []

    def open(self) -> None:
        self.started.set()
        self.gate.wait(10)

    def event(self, note: Note) -> None:
        self.notes.append(note)
        self.shown.set()

    def progress(self, note: Note) -> None:
        self.notes.append(note)

    def tick(self) -> None: ...

    def close(self) -> None: ...


class Broken(Recorder):
    def event(self, note: Note) -> None:
        raise BrokenPipeError


def test_events_arrive_in_order() -> None:
    display = Recorder()
    display.gate.set()
    with Courier(display) as courier:
        reporter: Reporter = courier
        for number in range(100):
            reporter.event(warning(str(number)))
    assert [note.text for note in display.notes] == [str(number) for number in range(100)]


def test_a_display_that_hangs_does_not_hold_up_the_engine_and_the_loss_is_told() -> None:
    display = Recorder()
    with Courier(display) as courier:
        display.started.wait(10)
        for number in range(progress.QUEUE_NOTES + 50):
            courier.event(warning(str(number)))  # would block for ever if it waited
        display.gate.set()
        assert display.shown.wait(10)
        courier.event(warning("last"))
    assert any(note.facts.get("lost") == 50 for note in display.notes)
    assert display.notes[-1].text == "last"


def test_progress_leaves_room_for_events() -> None:
    display = Recorder()
    with Courier(display) as courier:
        for _ in range(progress.QUEUE_NOTES):
            courier.progress("r/a", objects_copied=1)
        courier.event(FenceBegun(3), "r/a")
        display.gate.set()
    assert [note.kind for note in display.notes].count("fence") == 1


def test_a_closed_pipe_ends_the_display_and_not_the_work() -> None:
    display = Broken()
    display.gate.set()
    with Courier(display) as courier:
        for _ in range(10):
            courier.event(warning("x"))


def test_json_events_are_one_object_a_line() -> None:
    out = io.StringIO()
    with Courier(JsonLines(out)) as courier:
        courier.event(StateChanged("copying", "halted", "halted", "forward", 3, "full\ndisk"), "na/web")
        courier.progress("na/web", objects_copied=3)
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert first["format_version"] == 1
    assert (first["kind"], first["happening"], first["move"]) == ("state-changed", "state-changed", "na/web")
    assert first["text"] == "na/web: copying -> halted (full\ndisk)"
    assert first["facts"] == {
        "before": "copying",
        "event": "halted",
        "state": "halted",
        "direction": "forward",
        "epoch": 3,
        "reason": "full\ndisk",
    }
    assert second["kind"] == "progress"
    assert second["facts"]["objects_copied"] == 3


def test_plain_progress_is_one_line_now_and_then_with_its_day() -> None:
    out = io.StringIO()
    display = PlainLines(out, interval_seconds=3600)
    for number in range(5):
        display.progress(note("progress", state="copying", objects_copied=number))
    display.event(note("fence", "na/web: writers are paused"))
    assert out.getvalue().splitlines() == [
        "2026-01-01 00:00:00Z na/web: copying, 1 object copied, 0 B",
        "2026-01-01 00:00:00Z na/web: writers are paused",
    ]


def test_plain_progress_says_nothing_twice() -> None:
    out = io.StringIO()
    display = PlainLines(out, interval_seconds=0)
    for _ in range(3):
        display.progress(note("progress", state="ready", objects_copied=5))
    assert out.getvalue().count("\n") == 1


def test_a_line_of_figures_says_what_is_known() -> None:
    facts = {
        "state": "copying",
        "objects_copied": 1200,
        "expected": 5000,
        "bytes_copied": 2048,
        "objects_deleted": 2,
        "lag_objects": 7,
        "scanned": 5000,
    }
    assert figures_line(facts) == (
        "copying, 1,200 of 5,000 objects (24 %) copied, 2 KiB, 5,000 scanned, 2 deleted, 7 behind"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_live_table_shows_moves_and_lets_events_scroll(monkeypatch) -> None:
    out = Terminal()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setenv("TERM", "xterm")
    display = LiveTable(Settings())
    display.open()
    display.progress(note("progress", state="copying", objects_copied=1200, expected=5000))
    display.event(note("warning", "first pass complete [bold]\x1b[2J"))
    display.progress(note("progress", state="catching-up", objects_copied=5000, expected=5000))
    display.tick()
    display.close()
    text = out.getvalue()
    assert "24 %" in text
    assert "first pass complete [bold]\\x1b[2J" in text
    assert "catching-up" in text


def test_a_rate_is_taken_over_seconds_and_survives_a_new_direction() -> None:
    rates = Rates(window_seconds=5)
    rates.add("m", 0, 0)
    rates.add("m", 4, 400)
    assert rates.of("m") is None
    rates.add("m", 5, 1000)
    assert rates.of("m") == 200
    rates.add("m", 6, 0)
    assert rates.of("m") == 200
    rates.add("m", 16, 100)
    assert rates.of("m") == 10


def note(kind: str, text: str = "", **facts: object) -> Note:
    return Note(datetime(2026, 1, 1, tzinfo=UTC), kind, "na/web", text, facts)


def test_a_display_is_told_that_time_goes_on(monkeypatch) -> None:
    class Patient(Recorder):
        def tick(self) -> None:
            self.shown.set()

    monkeypatch.setattr(progress, "TICK_SECONDS", 0.01)
    display = Patient()
    display.gate.set()
    with Courier(display):
        assert display.shown.wait(10)
