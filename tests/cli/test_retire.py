"""Retiring a wave from the command line: counted before it is asked for, typed, capped, and said in status."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PLAN, Migrate

RETIRE = PLAN + "retire: {watch: 1ms}\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch):
    return lambda text: monkeypatch.setattr(sys, "stdin", Terminal(text + "\n"))


@pytest.fixture
def soaked(migrate: Migrate, here: Path) -> Migrate:
    (here / "p.yaml").write_text(RETIRE)
    assert migrate("sample", "p.yaml", "--objects", "12").code == 0
    assert migrate("apply", "p.yaml", "--yes", "--wave", "first").code == 0
    return migrate


def test_from_the_dry_run_to_the_end(soaked: Migrate, types) -> None:
    dry = soaked("retire", "p.yaml", "--wave", "first", "--dry-run")
    assert dry.code == 0
    assert "Retiring wave first, plan tiny: 12 objects" in dry.out
    found = json.loads(soaked("retire", "p.yaml", "--wave", "first", "--dry-run", "--json").out)
    assert (found["objects"], found["moves"][0]["kept"]) == (12, {})
    assert soaked("retire", "p.yaml", "--wave", "first").code == 64  # nothing shows that reads have ended
    refused = soaked("retire", "p.yaml", "--wave", "first", "--reads-unproved")
    assert (refused.code, "run this on a terminal" in refused.err) == (64, True)
    few = soaked("retire", "p.yaml", "--wave", "first", "--reads-unproved", "--max-delete", "11")
    assert (few.code, "12 objects would go, more than --max-delete 11" in few.err) == (1, True)
    types("yes")
    declined = soaked("retire", "p.yaml", "--wave", "first", "--reads-unproved")
    assert (declined.code, "the sentence was not typed" in declined.err) == (1, True)
    status = soaked("status", "p.yaml").out
    assert "migrate retire p.yaml --wave first" in status
    types("delete 12 objects of wave first")
    done = soaked("retire", "p.yaml", "--wave", "first", "--reads-unproved")
    assert done.code == 0, done.err
    assert "12 objects of core deleted" in done.out
    again = soaked("retire", "p.yaml", "--wave", "first", "--reads-unproved")
    assert (again.code, "Nothing to delete" in again.err) == (0, True)
    back = soaked("rollback", "p.yaml", "--wave", "first", "--yes")
    assert (back.code, "there is no way back" in back.err) == (4, True)
    status = soaked("status", "p.yaml")
    assert "retired" in status.out
    assert "migrate retire" not in status.out
    told = json.loads(soaked("status", "p.yaml", "--json").out)
    assert told["waves"][0]["moves"][0]["retired"]["objects"] == 12
    history = soaked("history", "p.yaml").out
    assert "there is no way back" in history
    for verb in (("plan", "p.yaml"), ("doctor", "p.yaml"), ("verify", "p.yaml", "--wave", "first")):
        said = soaked(*verb)
        assert said.code == 0, (verb, said.out, said.err)
    assert soaked("apply", "p.yaml", "--yes").code == 0
    assert json.loads(soaked("status", "p.yaml", "--json").out)["waves"][0]["state"] == "retired"


def test_not_before_its_watch_is_over(soaked: Migrate, here: Path) -> None:
    (here / "p.yaml").write_text(PLAN + "retire: {watch: 14d}\n")
    early = soaked("retire", "p.yaml", "--wave", "first", "--dry-run")
    assert (early.code, "its sources are watched until 20" in early.err) == (1, True)
    assert "next: run it again after that" in early.err
    assert "may be deleted from 20" in soaked("status", "p.yaml").out
    late = soaked("retire", "p.yaml", "--wave", "second", "--dry-run")
    assert (late.code, "is pending" in late.err or "has not begun" in late.err) == (1, True)
    assert "run it again after that" not in late.err
    assert soaked("retire", "p.yaml", "--wave", "third").code == 64
