"""``plan`` shows the steps of each move: moves that are told the same once, and what stands above already not again."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.cli.settings import Settings
from migrator.cli.views import steps as view
from migrator.cli.views.screen import Page
from migrator.engine.ahead import ahead_of
from migrator.engine.teller import Steps, Told, steps_of
from migrator.model.moves import Direction, MoveState
from migrator.model.names import MoveId
from migrator.plan import load, loads
from tests.cli.conftest import Migrate

ROOT = Path(__file__).parents[2]
FORTY = """\
version: 1
name: many
accounts:
  core: {kind: local, path: core.db}
  web: {kind: local, path: web.db}
areas:
AREAS
regions:
  eu:
    source: core
    targets: {TARGETS}
routing: {kind: file, path: routes.json}
waves:
  - name: all
    moves: [{region: eu, areas: '*'}]
    soak: 1h
    gates: []
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def schedule(number: int):
    names = [f"area-{index:02d}" for index in range(number)]
    areas = "\n".join(f"  {name}: {{containers: [{name}]}}" for name in names)
    text = FORTY.replace("AREAS", areas).replace("TARGETS", ", ".join(f"{name}: web" for name in names))
    return loads(text, "p.yaml").schedule


def told(*texts: str, direction: Direction = Direction.FORWARD) -> tuple[Told, ...]:
    states = list(MoveState)
    return tuple(Told(states[place], direction, text) for place, text in enumerate(texts))


def made(alikes: Iterable[tuple[Told, ...]]) -> list[Steps]:
    return [Steps("all", MoveId("eu", f"area-{place:02d}"), one, one) for place, one in enumerate(alikes)]


def shown(given: list[Steps], *, terminal: bool = False) -> list[str]:
    out = Terminal() if terminal else io.StringIO()
    view.show(Page(Settings(no_color=True), out), schedule(max(1, len(given))), given)
    return out.getvalue().splitlines()


def test_forty_equal_moves_are_one_group() -> None:
    lines = shown(made([told("begin", "check", "copy")] * 40))
    assert lines == [
        "Steps of eu/area-00, eu/area-01, eu/area-02 and 37 more:",
        "  pending       begin",
        "  preflight     check",
        "  provisioning  copy",
    ]


def test_a_single_move_is_named_with_its_accounts() -> None:
    assert shown(made([told("begin")]))[0] == "Steps of eu/area-00 (core -> web):"


def test_what_stands_above_for_the_same_state_is_not_said_again() -> None:
    lines = shown(made([told("begin", "check", "copy"), told("wait", "check", "copy"), told("wait", "look", "copy")]))
    assert lines[4:] == [
        "Steps of eu/area-01 (core -> web):",
        "  pending       wait",
        "  preflight to provisioning: as above",
        "Steps of eu/area-02 (core -> web):",
        "  pending: as above",
        "  preflight     look",
        "  provisioning: as above",
    ]


def test_a_way_back_says_so_and_is_not_the_same_as_the_way_there() -> None:
    lines = shown(made([told("same"), told("same", direction=Direction.REVERSE)]))
    assert lines[2:] == ["Steps of eu/area-01 (core -> web), on the way back:", "  pending  same"]


def test_what_has_nothing_left_is_not_shown_and_of_many_different_ones_the_rest_is_counted() -> None:
    assert shown(made([()])) == []
    lines = shown(made([told(f"wait {number}") for number in range(40)]))
    assert len([line for line in lines if line.startswith("Steps of")]) == view.MOST_GROUPS
    assert lines[-1] == "  and of 28 more moves, which --json shows"


def test_long_lines_are_indented_on_a_terminal() -> None:
    lines = shown(made([told("word " * 40)]), terminal=True)
    assert len(lines) > 2
    assert all(line.startswith("           word") for line in lines[2:])
    assert max(map(len, lines)) <= 80


def test_the_sample_in_readme_is_what_plan_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "112")
    plan = load(ROOT / "plans" / "quickstart.yaml").schedule
    given = [steps_of(one) for one in ahead_of(plan, None, {}, datetime.now(UTC)).values()]
    out = Terminal()
    view.show(Page(Settings(no_color=True), out), plan, given)
    assert f"```\n{out.getvalue()}```\n" in (ROOT / "README.md").read_text()


def test_plan_shows_each_move_from_where_it_stands(migrate: Migrate, here: Path) -> None:
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    before = migrate("plan", "p.yaml").out
    assert "Steps of north-america/web-tracking (core -> web):\n  pending      begin at once\n" in before
    assert "  pending      wait for wave first to be soaked\n  preflight to soaking: as above\n" in before
    assert before.index("Steps of") < before.index("Nothing stands in the way.")
    assert migrate("apply", "p.yaml", "--yes", "--wave", "first").code == 0
    after = migrate("plan", "p.yaml").out
    assert "Steps of north-america/web-tracking" not in after
    assert "Steps of north-america/email-events (core -> mail):\n  pending      begin at once\n" in after


def test_json_has_every_step_of_every_move_with_its_accounts(migrate: Migrate, here: Path) -> None:
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    found = json.loads(migrate("plan", "p.yaml", "--json").out)
    first = found["moves"][0]["steps"]
    assert [one["state"] for one in first] == [
        *("pending", "preflight", "copying", "catching-up", "ready", "fencing", "draining", "verifying", "switching"),
        "soaking",
    ]
    assert {one["direction"] for one in first} == {"forward"}
    assert first[8]["text"] == "the route names web"
    assert "from core to web" in first[2]["text"]
    assert f"north-america/web-tracking: switching: {first[8]['text']}" in found["steps"]
    assert len(found["steps"]) == sum(len(move["steps"]) for move in found["moves"])
    only = json.loads(migrate("plan", "p.yaml", "--json", "--wave", "first").out)
    assert [move["steps"] is None for move in only["moves"]] == [False, True]


def test_apply_shows_the_steps_before_it_asks(migrate: Migrate, here: Path) -> None:
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    done = migrate("apply", "p.yaml", "--yes", "--no-wait")
    assert "Steps of north-america/web-tracking (core -> web):" in done.out
