"""An edit in mid-rollout is said on the screen, by ``plan`` and in the journal; the journal says who ran what."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.cli.calls import as_typed
from migrator.cli.identity import user
from migrator.engine.edited import edited
from migrator.plan import loads
from tests.cli.conftest import PLAN, Done, Migrate
from tests.unit.plan.samples import SMALL

SOAKS = PLAN.replace("soak: 300ms\n    interval: 100ms\n    gates: []\n  - name: second", (
    "soak: 1h\n    interval: 1s\n    gates: [calm]\n  - name: second"
)).replace("waves:\n", "metrics: {counters: {kind: local}}\ngates: {calm: {source: counters, metric: error_ratio, max: 0.5,"
           " window: 1s, settle: 0s, on_no_data: pass, min_samples: 0}}\nwaves:\n")  # fmt: skip


@pytest.fixture
def soaking(migrate: Migrate, here: Path) -> Migrate:
    (here / "p.yaml").write_text(SOAKS)
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    assert migrate("apply", "p.yaml", "--yes", "--no-wait", "--wave", "first").code == 3
    return migrate


def edit(here: Path, old: str, new: str) -> None:
    text = (here / "p.yaml").read_text()
    assert text.count(old) == 1
    (here / "p.yaml").write_text(text.replace(old, new))


def history(migrate: Migrate) -> list[dict]:
    return json.loads(migrate("history", "p.yaml", "--json").out)["entries"]


def again(migrate: Migrate, *words: str) -> Done:
    return migrate("apply", "p.yaml", "--yes", "--no-wait", "--wave", "first", *words)


def test_a_loosened_soak_starts_again_and_everybody_is_told(soaking: Migrate, here: Path) -> None:
    edit(here, "soak: 1h", "soak: 30m")
    plan = soaking("plan", "p.yaml", "--inventory", "cached")
    assert "wave first: soak 1 h -> 30 min" in plan.out
    assert "the edit loosens the soak of north-america/web-tracking" in plan.out
    codes = {
        one["code"] for one in json.loads(soaking("plan", "p.yaml", "--inventory", "cached", "--json").out)["findings"]
    }
    assert {"plan-edited", "soak-loosened"} <= codes
    done = again(soaking)
    assert "plan tiny: edited: wave first: soak 1 h -> 30 min" in done.out
    assert "its soak was loosened and starts again" in done.out
    (entry,) = [one for one in history(soaking) if one["kind"] == "plan" and "edited" in one["text"]]
    assert entry["actor"] == user()
    assert ["wave first", "soak", "1 h", "30 min"] in entry["evidence"]["edits"]
    assert [one["actor"] for one in history(soaking) if one["kind"] == "soak-restarted"] == [user()]


def test_a_reason_keeps_what_has_soaked_and_is_in_the_journal(soaking: Migrate, here: Path) -> None:
    edit(here, "gates: [calm]", "gates: []")
    done = again(soaking, "--reason", "the gate looked at the wrong account")
    assert "keeps" in done.out
    entries = history(soaking)
    assert not [one for one in entries if one["kind"] == "soak-restarted"]
    (entry,) = [one for one in entries if one["kind"] == "soak-loosened"]
    assert "(the gate looked at the wrong account)" in entry["text"]


def test_a_stricter_edit_keeps_what_has_soaked(soaking: Migrate, here: Path) -> None:
    edit(here, "soak: 1h", "soak: 2h")
    edit(here, "max: 0.5", "max: 0.1")
    done = again(soaking)
    assert "gate calm: max 0.5 -> 0.1" in done.out
    assert not [one for one in history(soaking) if one["kind"].startswith("soak-")]


def test_the_journal_says_who_ran_what_and_how_it_ended(soaking: Migrate) -> None:
    runs = [one["text"] for one in history(soaking) if one["kind"] in ("run-began", "run-ended")]
    assert runs[0].startswith(f"run began: {user()}@")
    assert runs[0].endswith(", apply p.yaml --yes --no-wait --wave first")
    assert runs[1] == "run ended: exit 3 (waiting)"


def test_a_retry_of_a_plan_that_was_never_applied_is_no_first_apply(migrate: Migrate) -> None:
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    assert migrate("hold", "p.yaml").code == 0
    assert migrate("retry", "p.yaml", "--reason", "why not").code != 0
    assert not [one for one in history(migrate) if "first apply" in one["text"]]
    assert migrate("release", "p.yaml").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--state", "postgresql://me:secret@host/db", "apply", "p.yaml"),
        ("--state=postgresql://me:secret@host/db", "apply", "p.yaml"),
        ("apply", "p.yaml", "--state", "postgresql://me:secret@host/db"),
    ],
)
def test_no_store_and_no_credential_is_in_the_journal_s_command(words: tuple[str, ...]) -> None:
    assert as_typed(words) == "apply p.yaml"


@pytest.mark.parametrize(
    ("old", "new", "loosens"),
    [
        ("soak: 96h", "soak: 95h", True),
        ("soak: 96h", "soak: 97h", False),
        ("    soak: 96h\n", "    soak: 96h\n    interval: 10m\n", True),
        ("    soak: 96h\n", "    soak: 96h\n    on_failure: halt\n", True),
        ("    soak: 96h\n    gates: [calm]", "    soak: 96h\n    gates: []", True),
        ("max: 0.001", "max: 0.002", True),
        ("max: 0.001", "max: 0.0005", False),
        ("metric: throttled_ratio", "metric: error_ratio", True),
        ("min_samples: 0}", "min_samples: 0, failure_limit: 9}", True),
        ("min_samples: 0}", "min_samples: 0, failure_limit: 1}", False),
        ("min_samples: 0}", "min_samples: 5}", False),
        ("on_no_data: pass", "on_no_data: fail", True),
        ("name: first", "name: other", False),
        ("traffic: {web: 2M}", "traffic: {web: 3M}", False),
    ],
)
def test_what_loosens_a_soak(old: str, new: str, loosens: bool) -> None:
    before = loads(SMALL, "p.yaml").schedule
    text = SMALL.replace(old, new, 1)
    assert text != SMALL
    found = edited(before, loads(text, "p.yaml").schedule)
    move = before.waves[0].moves[0].id
    assert (move in found.loosened) is loosens
    assert found.edits or "traffic" in old


def test_a_plan_that_cannot_be_read_any_more_counts_as_loosened() -> None:
    now = loads(SMALL, "p.yaml").schedule
    assert edited(None, now, frozenset({"first"})).loosened.keys() == {one.id for one in now.waves[0].moves}
    assert edited(now, replace(now)).edits == ()
