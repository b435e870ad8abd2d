"""A command that says "nothing to do" has looked at the routes: exit 4, the store by its whole path, and nothing written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import PLAN, Migrate

KEY = "north-america/web-tracking"
FIRST = ("p.yaml", "--wave", "first")


@pytest.fixture
def sampled(migrate: Migrate) -> Migrate:
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    return migrate


def save(here: Path) -> None:
    shutil.copy(here / "state/migrator.db", here / "backup.db")


def restore(here: Path) -> None:
    for old in here.glob("state/migrator.db*"):
        old.unlink()
    shutil.copy(here / "backup.db", here / "state/migrator.db")


def to_web(here: Path, **more: Any) -> None:
    """A hand sends the customers to the target."""
    path = here / "state/routes.json"
    document = json.loads(path.read_text())
    record = document["routes"][KEY]
    endpoint = record["endpoint"].replace("core.db", "web.db")
    record.update({"account": "web", "endpoint": endpoint, "epoch": record["epoch"] + 1, **more})
    path.write_text(json.dumps(document))


def ran(migrate: Migrate, *words: str) -> None:
    done = migrate(*words)
    assert done.code == 0, done.err


def pending_by_a_backup(migrate: Migrate, here: Path) -> None:
    ran(migrate, "routes", "p.yaml", "--publish", "--yes")
    save(here)
    ran(migrate, "apply", *FIRST, "--yes")
    restore(here)


def pending_in_a_second_store(migrate: Migrate, here: Path) -> None:
    (here / "state/migrator.db").unlink(missing_ok=True)
    (here / "state/routes.json").rename(here / "away") if (here / "state/routes.json").exists() else None
    ran(migrate, "routes", "p.yaml", "--publish", "--yes")
    to_web(here, lineage="f" * 16)


def reversed_by_a_backup(migrate: Migrate, here: Path) -> None:
    ran(migrate, "apply", *FIRST, "--yes")
    ran(migrate, "rollback", *FIRST, "--yes")
    save(here)
    ran(migrate, "retry", "p.yaml", "--reason", "again")
    ran(migrate, "apply", *FIRST, "--yes")
    restore(here)


def reversed_and_moved_by_a_hand(migrate: Migrate, here: Path) -> None:
    ran(migrate, "apply", *FIRST, "--yes")
    ran(migrate, "rollback", *FIRST, "--yes")
    to_web(here)


Story = Callable[[Migrate, Path], None]
STORIES: tuple[Story, ...] = (
    pending_by_a_backup,
    pending_in_a_second_store,
    reversed_by_a_backup,
    reversed_and_moved_by_a_hand,
)


@pytest.fixture(params=STORIES, ids=lambda story: story.__name__)
def astray(request: pytest.FixtureRequest, sampled: Migrate, here: Path) -> Migrate:
    """Customers are at the target, and this store says that they are not."""
    story: Story = request.param
    story(sampled, here)
    return sampled


def everything(here: Path, migrate: Migrate) -> tuple[bytes, str, str]:
    routes = (here / "state/routes.json").read_bytes()
    moves = json.loads(migrate("status", "p.yaml", "--json").out)["waves"]
    return routes, json.dumps([wave["moves"] for wave in moves]), migrate("history", "p.yaml").out


def is_told(done: Any, here: Path) -> None:
    assert done.code == 4, done.out + done.err
    text = " ".join((done.out + done.err).split())
    assert KEY in text
    assert "route and state disagree" in text
    assert "--adopt-route" in text
    assert text.index(f"{here}/state/migrator.db") < text.index("--adopt-route"), "the wrong store comes first"


def test_a_rollback_looks_at_the_routes_before_it_says_that_all_are_back(astray: Migrate, here: Path) -> None:
    before = everything(here, astray)
    done = astray("rollback", "p.yaml", "--yes")
    is_told(done, here)
    assert "Nothing to take back" not in done.out
    done = astray("rollback", "p.yaml", "--yes", "--json")
    assert done.code == 4
    assert '"done"' not in done.out
    assert everything(here, astray) == before


def test_so_does_a_dry_run(astray: Migrate, here: Path) -> None:
    before = everything(here, astray)
    done = astray("rollback", "p.yaml", "--dry-run")
    assert done.code == 4
    assert "it cannot go back: route and state disagree" in done.out
    assert "Nothing to take back" not in done.out
    done = astray("rollback", "p.yaml", "--dry-run", "--json")
    (move,) = json.loads(done.out)["moves"]
    assert done.code == 4
    assert "route and state disagree" in move["disagreement"]
    assert everything(here, astray) == before


def test_status_and_doctor_say_the_same(astray: Migrate, here: Path) -> None:
    status, doctor = astray("status", "p.yaml"), astray("doctor", "p.yaml")
    assert f"{KEY}: route and state disagree" in status.out
    assert status.out.splitlines()[-1].startswith("Next: `migrate doctor p.yaml` shows where")
    assert doctor.code == 4
    assert "route and state disagree" in doctor.out
    assert f"{here}/state/migrator.db" in doctor.out
    assert f"{here}/state/migrator.db" in status.out
    moves = json.loads(astray("status", "p.yaml", "--json").out)["waves"][0]["moves"]
    assert "route and state disagree" in moves[0]["disagreement"]


WISHES = (
    (("release", "p.yaml"), "There was no hold"),
    (("unpause", "p.yaml"), "There was no pause"),
    (("throttle", "p.yaml", "--clear"), "There was no throttle"),
)


@pytest.mark.parametrize(("words", "said"), WISHES, ids=lambda one: one[0] if isinstance(one, tuple) else "")
def test_a_wish_that_was_not_there_may_be_in_the_store_of_the_run(
    astray: Migrate, here: Path, words: tuple[str, ...], said: str
) -> None:
    done = astray(*words)
    is_told(done, here)
    assert said in done.out


def test_so_may_the_run_that_a_wish_is_to_reach_which_is_there_already(sampled: Migrate, here: Path) -> None:
    (here / "p.yaml").write_text(PLAN.replace("  - name: second\n", "  - name: second\n    approval: required\n"))
    wishes = (("hold", "p.yaml"), ("pause", "p.yaml"), ("approve", "p.yaml", "second", "--reason", "it is time"))
    ran(sampled, "routes", "p.yaml", "--publish", "--yes")
    for words in (*wishes, *wishes):
        ran(sampled, *words)
    to_web(here)
    for words in wishes:
        done = sampled(*words)
        is_told(done, here)
        assert "lready" in done.out


def test_an_apply_and_a_publishing_say_it_and_name_no_retry_that_would_be_refused(astray: Migrate, here: Path) -> None:
    done = astray("routes", "p.yaml", "--publish", "--yes")
    assert done.code == 4
    assert "route and state disagree" in done.out
    done = astray("apply", "p.yaml", "--yes")
    assert done.code in (1, 4), done.out
    assert "route and state disagree" in done.out + done.err
    assert "to start it again" not in done.out


def test_a_run_that_is_halted_by_it_names_the_store_too(sampled: Migrate, here: Path) -> None:
    """Another move of the scope has to be taken back, so that a run begins."""
    pending_by_a_backup(sampled, here)
    ran(sampled, "retry", "p.yaml", "--adopt-route", "--yes", "--reason", "it was lost")
    done = sampled("rollback", "p.yaml", "--yes", "--on-conflict", "target")
    assert done.code == 0, done.out
    to_web(here)
    ran(sampled, "retry", "p.yaml", "--adopt-route", "--yes", "--reason", "it was moved")
    path = here / "state/routes.json"
    document = json.loads(path.read_text())
    mail = document["routes"]["north-america/email-events"]
    mail.update(account="mail", endpoint=mail["endpoint"].replace("core.db", "mail.db"), epoch=mail["epoch"] + 1)
    path.write_text(json.dumps(document))
    done = sampled("rollback", "p.yaml", "--yes")
    assert done.code == 4
    assert "cannot roll back north-america/email-events: route and state disagree" in done.out
    assert f"first make sure that {here}/state/migrator.db" in " ".join(done.err.split())


def test_where_they_agree_nothing_is_changed_of_what_is_said(sampled: Migrate, here: Path) -> None:
    ran(sampled, "routes", "p.yaml", "--publish", "--yes")
    assert sampled("rollback", "p.yaml", "--yes").out.startswith("Nothing to take back")
    assert sampled("rollback", "p.yaml", "--dry-run").out.startswith("Nothing to take back")
    for words, said in WISHES:
        done = sampled(*words)
        assert (done.code, said in done.out, done.err) == (0, True, "")
    assert "disagree" not in sampled("status", "p.yaml").out


def test_routes_that_cannot_be_read_leave_a_rollback_undone_and_a_wish_told(sampled: Migrate, here: Path) -> None:
    ran(sampled, "routes", "p.yaml", "--publish", "--yes")
    (here / "state/routes.json").write_text("not json")
    for words in (("rollback", "p.yaml", "--yes"), ("rollback", "p.yaml", "--dry-run")):
        done = sampled(*words)
        assert done.code == 1, done.out
        assert "Nothing to take back" not in done.out
    for words, said in WISHES:
        done = sampled(*words)
        assert (done.code, said in done.out) == (0, True)
        assert f"the routes could not be compared with {here}/state/migrator.db" in " ".join(done.err.split())
    assert sampled("status", "p.yaml").code == 0
