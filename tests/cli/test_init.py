"""A drafted plan validates, runs, and never takes the place of one that is there."""

from __future__ import annotations

from pathlib import Path

from migrator.plan import load
from tests.cli.conftest import Migrate


def test_a_first_try_validates_and_runs_as_its_comments_say(migrate: Migrate, here: Path) -> None:
    done = migrate("init", "--local", "--out", "try.yaml")
    assert (done.code, done.err) == (0, "")
    assert "migrate sample try.yaml" in done.out
    text = (here / "try.yaml").read_text()
    assert "PLAN" not in text
    assert not load(here / "try.yaml").warnings
    for line in ("migrate validate try.yaml", "migrate plan try.yaml"):
        assert line in text
        assert migrate(*line.split()[1:]).code in (0, 1)  # the accounts are not there before they are filled
    assert migrate("sample", "try.yaml", "--objects", "5").code == 0
    planned = migrate("plan", "try.yaml")
    assert planned.code == 0
    assert "Nothing stands in the way." in planned.out


def test_a_draft_can_be_printed(migrate: Migrate, here: Path) -> None:
    done = migrate("init", "--local", "--out", "-")
    assert done.code == 0
    assert done.out.startswith("# A first try")
    assert list(here.iterdir()) == [here / "p.yaml"]


def test_nothing_is_overwritten(migrate: Migrate, here: Path) -> None:
    before = (here / "p.yaml").read_text()
    done = migrate("init", "--local", "--out", "p.yaml")
    assert (done.code, done.out) == (64, "")
    assert "cannot write p.yaml: it is there already" in done.err
    assert (here / "p.yaml").read_text() == before


def test_a_draft_is_of_something(migrate: Migrate) -> None:
    done = migrate("init")
    assert done.code == 64
    assert "--local" in done.err
