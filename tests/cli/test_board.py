"""The board looks as it was looked at: kept pictures of three moves and of fifty, at three widths, with colour and without.

``python -m tests.cli.boards --rewrite`` writes them again.
"""

from __future__ import annotations

import itertools
import re
from datetime import timedelta

import pytest

from migrator.cli import calls
from migrator.cli.views.board import board_of, duty_of
from migrator.cli.views.lines import wave_lines
from migrator.cli.views.live import KEPT_LINES
from migrator.cli.views.progress import Note, note_of
from migrator.cli.views.rates import Rates
from migrator.cli.views.watched import Looks, Watched
from migrator.machine.waiting import Wait
from migrator.model.happenings.moves import StateChanged
from migrator.model.moves import MoveState, WaveState
from migrator.model.values import replace
from tests.cli.boards import BOTH, KEPT, NOW, ROLLOUTS, THREE, Painted, Wave, board, kept_at, picture, watched

CODES = re.compile(r"\x1b\[[0-9;]*m")
WEB = "north-america/web-tracking"


@pytest.fixture(autouse=True)
def no_command() -> None:
    """No command was typed, so commands in texts name no plan of another test."""
    calls.begin()


@pytest.mark.parametrize("has_color", [False, True])
@pytest.mark.parametrize(("name", "width"), BOTH)
def test_it_looks_as_it_was_kept(name: str, width: int, has_color: bool) -> None:
    assert picture(name, width, has_color=has_color) == kept_at(name, width, has_color=has_color).read_text()


@pytest.mark.parametrize("height", [10, 16, 32])
@pytest.mark.parametrize(("name", "width"), BOTH)
def test_it_fits_the_screen_and_keeps_whose_writers_wait(name: str, width: int, height: int) -> None:
    made = board(name, width, height)
    assert len(made.above) + len(made.below) + len(made.rows) + 1 <= height + KEPT_LINES
    assert all(len(line) <= width for line in picture(name, width, has_color=False).splitlines())
    shown = [row.cells[1] for row in made.rows]
    fenced = [move for wave in ROLLOUTS[name] for move in wave.moves if move.fence_seconds is not None]
    assert [state for state in shown if state in [str(move.state) for move in fenced]] != []
    assert sum(state in ("fencing", "draining", "verifying", "switching") for state in shown) == len(fenced)
    assert any("Act: " in line.text for line in made.below)


@pytest.mark.parametrize(("name", "width"), BOTH)
def test_colour_alone_tells_nothing(name: str, width: int) -> None:
    """But for the part of a bar that is not done, which is not drawn without colour: its share stands beside it."""
    plain = picture(name, width, has_color=False)
    colored = CODES.sub("", picture(name, width, has_color=True))
    bare = [[re.sub("[━╸╺ ]+", " ", line).rstrip() for line in one.splitlines()] for one in (plain, colored)]
    assert bare[0] == bare[1]


def test_what_an_engine_said_after_the_look_has_the_word() -> None:
    one = watched(THREE)
    at = NOW + timedelta(seconds=3)
    one.hear(note_of(StateChanged("copying", "copied", "catching-up", "forward", 3), WEB, at))
    one.hear(Note(at, "progress", WEB, "", {"state": "catching-up", "objects_copied": 2_000_000, "lag_objects": 9}))
    now = one.move(WEB, at)
    assert now is not None
    assert (now.state, now.objects, now.lag_objects, now.share) == ("catching-up", 2_000_000, 9, None)
    later = replace(one.standing, now=at + timedelta(seconds=1))  # type: ignore[type-var]
    one.look(later)
    looked = one.move(WEB, at)
    assert looked is not None
    assert looked.state == "copying"


def test_a_fence_grows_older_between_two_looks() -> None:
    one = watched(THREE)
    now = one.move("north-america/email-events", NOW + timedelta(seconds=2.5))
    assert now is not None
    assert now.fence_seconds == 19.5


def test_a_wave_is_what_its_moves_are_before_the_next_look_says_so() -> None:
    one = watched((Wave("w", "r", WaveState.PENDING, (Painted("a", MoveState.PENDING, copied=0),)),))
    one.hear(note_of(StateChanged("pending", "begun", "preflight", "forward", 1), "r/a", NOW + timedelta(seconds=1)))
    assert [wave.state for wave in one.waves(NOW)] == ["running"]


def test_before_the_first_look_the_engine_alone_is_heard() -> None:
    one = Watched()
    assert one.waves(NOW) == []
    one.hear(Note(NOW, "progress", WEB, "", {"state": "copying", "objects_copied": 5, "expected": 20}))
    made = board_of(one.waves(NOW), one.standing, width=80, height=20)
    assert [row.cells[0] for row in made.rows] == [WEB]
    assert made.rows[0].share == 0.25
    assert made.below == ()


def test_who_goes_back_is_at_the_target_until_then_and_will_not_have_soaked() -> None:
    one = watched(
        (Wave("w", "r", WaveState.RUNNING, (Painted("a", MoveState.SOAKING), Painted("b", MoveState.READY))),)
    )
    at = NOW + timedelta(seconds=1)
    one.hear(note_of(StateChanged("soaking", "rolled-back", "catching-up", "reverse", 3), "r/a", at))
    (wave,) = one.waves(at)
    assert [move.state for move in wave.moves] == ["catching-up (back)", "ready"]
    assert wave.soaked_at is None
    assert board_of([wave], one.standing, width=100, height=20).above[0].text == "1 of 2 moves switched, 0 soaked"


def test_a_wave_is_through_when_the_slowest_is() -> None:
    slow, quick = (
        Painted("slow", MoveState.COPYING, size=1_000, copied=100, rate=1),
        Painted("quick", MoveState.COPYING, size=9_000, copied=8_000, rate=1_000),
    )
    (wave,) = watched((Wave("w", "r", WaveState.RUNNING, (slow, quick)),)).waves(NOW)
    assert wave.share == pytest.approx(0.81)
    assert wave.left_seconds == 900
    unknown = replace(slow, size=0)
    (wave,) = watched((Wave("w", "r", WaveState.RUNNING, (unknown, quick)),)).waves(NOW)
    assert (wave.share, wave.left_seconds) == (None, None)


def test_nobody_must_act_while_only_time_is_waited_for() -> None:
    waits = (Wait("window", until=NOW),)
    calm = (Wave("w", "r", WaveState.WAITING, (Painted("a", MoveState.READY),), waits),)
    assert duty_of(watched(calm).standing) == ""  # type: ignore[arg-type]
    made = board_of(watched(calm).waves(NOW), watched(calm).standing, width=100, height=20)
    assert made.below[-1].text == "Nobody must act."


def test_plain_lines_tell_of_waves_what_the_board_tells() -> None:
    one = watched(THREE)
    assert one.standing is not None
    assert list(wave_lines(one.waves(NOW), one.standing)) == [
        "wave na-first: running, 62 % copied, 2,836 objects/s, about 4 min 27 s left,"
        " writers of north-america/email-events have waited for 17 s",
        "wave europe: waiting, 311 behind, waits for approval: `migrate approve PLAN europe --reason TEXT`",
    ]


def test_a_rate_falls_by_itself_when_nothing_comes_any_more() -> None:
    rates = Rates(5)
    rates.add("m", 0, 0)
    rates.add("m", 20, 10_000)  # a checkpoint each 20 s
    assert rates.of("m", 20) == 500
    rates.add("m", 25, 10_000)
    assert rates.of("m", 39) == 500
    assert rates.of("m", 60) == 250
    rates.add("m", 60, 10_040)
    assert rates.of("m", 60) == 1


def test_a_look_that_works_long_is_followed_by_a_long_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1.0]
    monkeypatch.setattr("migrator.cli.views.watched.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("migrator.cli.views.watched.time.thread_time", lambda: clock[0])
    seen: list[float] = []

    def look() -> None:
        seen.append(clock[0])
        clock[0] += 0.5

    looks = Looks(look)
    for _ in range(100):
        looks.into(Watched())
        clock[0] += 0.5
    rests = [round(later - one, 1) for one, later in itertools.pairwise(seen)]
    assert rests[0] == 2.0  # the first one loads modules, and says nothing of the next
    assert rests[1:] == [15.0] * (len(rests) - 1)
    assert len(rests) > 2


def test_every_picture_is_of_a_board() -> None:
    kept = set(KEPT.glob("*.txt"))
    assert kept == {kept_at(name, width, has_color=color) for name, width in BOTH for color in (False, True)}
