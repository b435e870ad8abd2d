"""Another folder, cron, MIGRATE_STATE: a store that is not the rollout's own is told from a rollout that has not begun."""

from __future__ import annotations

import io
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import PLAN, Migrate

KEY = "north-america/web-tracking"


@pytest.fixture
def applied(migrate: Migrate) -> Migrate:
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    done = migrate("apply", "p.yaml", "--yes")
    assert done.code == 0, done.err
    return migrate


@pytest.fixture
def elsewhere(applied: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The variable of another shell, after the rollout was applied."""
    assert applied("status", "p.yaml").code == 0
    other = here / "other" / "second.db"
    other.parent.mkdir()
    monkeypatch.setenv("MIGRATE_STATE", f"sqlite:///{other}")
    return other


def test_every_command_says_which_store_it_uses_by_its_whole_path(applied: Migrate, here: Path) -> None:
    place = f"{here}/state/migrator.db"
    for words in (("status", "p.yaml"), ("status",), ("plan", "p.yaml"), ("doctor", "p.yaml")):
        assert place in applied(*words).out, words
        assert "never seen" not in applied(*words).out, words
    for words in (("status", "p.yaml"), ("plan", "p.yaml")):
        store = json.loads(applied(*words, "--json").out)["state_store"]
        assert store == {"store": place, "named_by": "the default in this folder", "knows_plan": True, "strangers": []}
    assert json.loads(applied("doctor", "p.yaml", "--json").out)["state"]["store"] == place


class Person(io.StringIO):
    """At a terminal, saying no."""

    def isatty(self) -> bool:
        return True


def test_the_store_and_who_named_it_are_said_before_the_question_of_apply(
    migrate: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    monkeypatch.setattr("sys.stdin", Person("n\n"))
    done = migrate("--state", "sqlite:///state/mine.db", "apply", "p.yaml")
    assert done.code == 1
    assert f"State: {here}/state/mine.db (by --state)." in done.err
    assert "This store has never seen this plan." in done.err
    assert done.err.index("State: ") < done.err.index("[y/N]")


@pytest.mark.usefixtures("elsewhere")
def test_an_empty_store_that_meets_foreign_routes_is_first_the_wrong_store(applied: Migrate, here: Path) -> None:
    status = applied("status", "p.yaml")
    assert status.out.splitlines()[1].startswith(f"The wrong state store? Another one has written the routes of {KEY}")
    assert f"State: {here}/other/second.db (by MIGRATE_STATE)." in status.out
    said = status.out.splitlines()[-1]
    assert said.index("find the state store that moved them") < said.index("--adopt-route")
    assert json.loads(applied("status", "p.yaml", "--json").out)["state_store"]["strangers"]
    for words in (("plan", "p.yaml"), ("apply", "p.yaml", "--yes"), ("doctor", "p.yaml")):
        done = applied(*words)
        assert done.code in (1, 4), words
        text = done.out + done.err
        assert text.index("most likely the wrong one") < text.index("--adopt-route"), words
    assert not (here / "other" / "second.db").exists(), "nothing of it makes a store"


def test_the_rollout_itself_is_still_told_from_its_own_store(applied: Migrate) -> None:
    assert "wrong state store" not in applied("status", "p.yaml").out
    assert "most likely" not in applied("doctor", "p.yaml").out


@pytest.mark.usefixtures("elsewhere")
def test_adopting_asks_and_says_whose_routes_it_would_take(applied: Migrate, here: Path) -> None:
    before = (here / "state/routes.json").read_bytes()
    done = applied("retry", "p.yaml", "--adopt-route", "--reason", "as doctor said")
    assert done.code == 64, "nobody can be asked here"
    assert (here / "state/routes.json").read_bytes() == before


@pytest.mark.usefixtures("elsewhere")
def test_a_run_that_is_seen_at_work_is_not_robbed_of_its_routes(
    applied: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged by a change on our own clock: what the record says about times is another machine's."""
    monkeypatch.setattr("migrator.cli.commands.retry.adoption.WATCH_SECONDS", 1.5)
    path = here / "state/routes.json"

    def work() -> None:
        time.sleep(0.7)
        document = json.loads(path.read_text())
        document["routes"][KEY].update(run="another", updated="1999-01-01T00:00:00Z")
        draft = here / "draft"
        draft.write_text(json.dumps(document))
        draft.replace(path)

    thread = threading.Thread(target=work)
    thread.start()
    done = applied("retry", "p.yaml", "--adopt-route", "--yes", "--reason", "as doctor said")
    thread.join()
    assert done.code == 5, done.err
    assert "another run is at work" in done.err
    record: dict[str, Any] = json.loads(path.read_text())["routes"][KEY]
    assert record["run"] == "another"


@pytest.mark.usefixtures("elsewhere")
def test_a_store_that_is_lost_is_replaced_after_the_watch(
    applied: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrator.cli.commands.retry.adoption.WATCH_SECONDS", 0.1)
    done = applied("retry", "p.yaml", "--adopt-route", "--yes", "--reason", "the old store is lost")
    assert done.code == 0, done.err
    assert "which does not prove" in done.err
    assert KEY in done.err
    assert applied("apply", "p.yaml", "--yes").code == 0


# Wishes, which nobody would obey in the wrong store.

WISHES = [
    ["pause", "p.yaml"],
    ["hold", "p.yaml"],
    ["hold", "p.yaml", "--wave", "second"],
    ["throttle", "p.yaml", "--requests-per-minute", "5"],
    ["approve", "p.yaml", "second", "--reason", "looks good"],
]


@pytest.mark.parametrize("wish", WISHES, ids=" ".join)
def test_a_wish_is_not_recorded_where_no_run_would_read_it(
    wish: list[str], migrate: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody pauses a rollout at work from another folder, or under another MIGRATE_STATE: "Paused" would be untrue."""
    text = PLAN.replace("    gates: []", "    gates: []\n    approval: required").replace("approval: required", "", 1)
    (here / "p.yaml").write_text(text)
    assert migrate("sample", "p.yaml", "--objects", "3").code == 0
    assert migrate("apply", "p.yaml", "--yes", "--no-wait").code == 3
    monkeypatch.setenv("MIGRATE_STATE", f"sqlite:///{here}/other/second.db")
    done = migrate(*wish)
    assert (done.code, done.out) == (1, "")
    assert "another one has written the routes of north-america/web-tracking" in done.err
    assert f"{here}/other/second.db (by MIGRATE_STATE)" in done.err
    assert not (here / "other").exists()


@pytest.mark.parametrize("wish", [["pause", "p.yaml"], ["hold", "p.yaml"]], ids=" ".join)
def test_a_wish_before_the_first_apply_says_where_it_is_kept(wish: list[str], migrate: Migrate, here: Path) -> None:
    done = migrate(*wish)
    assert done.code == 0
    assert f"kept in {here}/state/migrator.db (the default in this folder), which has never seen this plan" in done.err
    assert migrate(wish[0], "p.yaml").out.startswith("Already ")


@pytest.mark.parametrize("command", [["rollback", "p.yaml", "--yes"], ["unpause", "p.yaml"], ["verify", "p.yaml"]])
def test_a_store_that_is_not_there_is_named_by_its_whole_path(command: list[str], migrate: Migrate, here: Path) -> None:
    done = migrate(*command)
    assert done.code == 1
    assert f"cannot read the state store {here}/state/migrator.db: there is none" in done.err


def test_a_history_of_nothing_says_of_which_store(migrate: Migrate, here: Path) -> None:
    said = migrate("history", "p.yaml").out
    assert "Nothing has happened to tiny yet." in said
    assert f"State: {here}/state/migrator.db (the default in this folder)." in said
