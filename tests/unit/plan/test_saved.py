"""A saved plan is written whole and private, read back as it was, and its fingerprint knows what went stale."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from migrator.errors import PlanError
from migrator.model.findings import Finding
from migrator.model.values import replace
from migrator.plan import saved
from migrator.plan.saved import SavedPlan
from tests.unit.plan.samples import SMALL

PLAN = SavedPlan("small", "plans/small.yaml", SMALL + "# é \u2028\n", "f" * 64, {"warning": 2})

WORLD: dict[str, Any] = {
    "document": "d",
    "accounts": {"a": "https://a", "b": "https://b"},
    "containers": {"a": ["x", "y"]},
    "limits": {"a": 2.4e6, "b": None},
    "features": {"a": {"versions": True}},
    "states": {"eu/web": "forward pending"},
}


def test_a_saved_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    saved.write(tmp_path / "p.json", PLAN)
    assert saved.read(tmp_path / "p.json") == PLAN
    assert saved.is_saved(tmp_path / "p.json")


def test_it_is_readable_by_its_owner_alone_whatever_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    saved.write(path, PLAN)
    path.chmod(0o644)
    umask = os.umask(0)
    try:
        saved.write(path, PLAN)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_plan_is_never_replaced_by_its_saved_plan(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(SMALL)
    (tmp_path / "link").symlink_to(tmp_path / "plan.yaml")
    for name in ("plan.yaml", "link"):
        with pytest.raises(PlanError, match="what is there is not a saved plan"):
            saved.write(tmp_path / name, PLAN)
    assert (tmp_path / "plan.yaml").read_text() == SMALL


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    """A rename puts a file in the place of a device too: as root that was the end of /dev/null."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link"):
        with pytest.raises(PlanError, match="what is there is not a saved plan"):
            saved.write(tmp_path / name, PLAN)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "pipe"]


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_a_path_that_names_no_file_is_refused(name: str) -> None:
    with pytest.raises(PlanError, match="that is not a file name"):
        saved.write(Path(name), PLAN)


def test_a_plan_whose_file_name_is_no_utf8_can_be_saved(tmp_path: Path) -> None:
    plan = replace(PLAN, plan_path=os.fsdecode(b"p\xff.yaml"))
    saved.write(tmp_path / "p.json", plan)
    assert saved.read(tmp_path / "p.json") == plan


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    with pytest.raises(PlanError, match=r"cannot save the plan as .*full: is a directory"):
        saved.write(tmp_path / "full", PLAN)
    with pytest.raises(PlanError, match="no such file or directory"):
        saved.write(tmp_path / "no" / "p.json", PLAN)
    assert list(tmp_path.iterdir()) == [tmp_path / "full"]


DAMAGED = [
    ("nothing", "", "it is not a saved plan, or it is damaged"),
    ("a plan document", SMALL, "it is not a saved plan, or it is damaged"),
    ("half a file", '{"format": "migrate-saved-plan", "nam', "it is not a saved plan, or it is damaged"),
    ("deep", "[" * 100_000, "it is not a saved plan, or it is damaged"),
    ("other JSON", "{}", "it is not a saved plan"),
    ("a newer one", '{"format": "migrate-saved-plan", "format_version": 2}', "by another version of migrate"),
    ("keys missing", '{"format": "migrate-saved-plan", "format_version": 1, "name": "x"}', "is damaged"),
]


@pytest.mark.parametrize(("text", "says"), [pytest.param(*row[1:], id=row[0]) for row in DAMAGED])
def test_a_file_that_is_no_saved_plan_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(PlanError) as caught:
        saved.read(path)
    assert says in caught.value.message


def test_missing_files_and_directories_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="there is no such file"):
        saved.read(tmp_path / "p.json")
    with pytest.raises(PlanError, match="is a directory"):
        saved.read(tmp_path)
    assert not saved.is_saved(tmp_path)
    assert not saved.is_saved(tmp_path / "p.json")


def test_a_plan_document_is_not_a_saved_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(SMALL + "# migrate-saved-plan\n")
    assert not saved.is_saved(path)


def test_the_file_names_its_format(tmp_path: Path) -> None:
    saved.write(tmp_path / "p.json", PLAN)
    body = json.loads((tmp_path / "p.json").read_text())
    assert (body["format"], body["format_version"]) == ("migrate-saved-plan", 1)


STALE = [
    ("the document", {"document": "e"}),
    ("an account's place", {"accounts": {"a": "https://a", "b": "https://c"}}),
    ("a new container", {"containers": {"a": ["x", "y", "z"]}}),
    ("a container gone", {"containers": {"a": ["x"]}}),
    ("a limit", {"limits": {"a": 1.2e6, "b": None}}),
    ("a feature switched on", {"features": {"a": {"versions": False}}}),
    ("a move that went on", {"states": {"eu/web": "forward copying"}}),
]


@pytest.mark.parametrize("change", [pytest.param(row[1], id=row[0]) for row in STALE])
def test_a_plan_is_stale_when_its_world_changed(change: dict[str, Any]) -> None:
    assert saved.fingerprint(**{**WORLD, **change}) != saved.fingerprint(**WORLD)


def test_order_is_not_a_change() -> None:
    turned = {**WORLD, "accounts": {"b": "https://b", "a": "https://a"}, "containers": {"a": ["y", "x"]}}
    assert saved.fingerprint(**turned) == saved.fingerprint(**WORLD)


def test_findings_are_counted_by_severity() -> None:
    findings = [Finding("warning", "c", "s", "t"), Finding("error", "c", "s", "t"), Finding("warning", "d", "s", "t")]
    assert saved.summary(findings) == {"error": 1, "warning": 2}
