"""``migrate approve``, and what an apply, a status and the journal say of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Migrate

ASKING = "    soak: 300ms\n    interval: 100ms\n    gates: []\n  - name: second"


@pytest.fixture
def asking(migrate: Migrate, here: Path) -> Migrate:
    """Wave first asks for an approval; its accounts are filled."""
    plan = here / "p.yaml"
    plan.write_text(plan.read_text().replace(ASKING, "    approval: required\n" + ASKING))
    assert migrate("sample", "p.yaml", "--objects", "20").code == 0
    return migrate


def first_wave(migrate: Migrate) -> dict[str, object]:
    wave: dict[str, object] = json.loads(migrate("status", "p.yaml", "--json").out)["waves"][0]
    return wave


def test_an_apply_copies_and_exits_3_until_somebody_approves(asking: Migrate) -> None:
    waiting = asking("apply", "p.yaml", "--yes", "--no-wait", "--wave", "first")
    assert waiting.code == 3
    assert "waits for approval: `migrate approve p.yaml first --reason TEXT`" in waiting.out
    wave = first_wave(asking)
    assert wave["state"] in ("running", "waiting")
    assert {"kind": "approval", "until": None, "who": "first"} in wave["waiting_for"]  # type: ignore[operator]
    assert wave["moves"][0]["objects_copied"] > 0  # type: ignore[index]
    given = asking("approve", "p.yaml", "first", "--reason", "looked at the forecast")
    assert given.code == 0
    assert "Approved: wave first" in given.out
    assert "approval" not in [one["kind"] for one in first_wave(asking)["waiting_for"]]  # type: ignore[attr-defined]
    assert asking("apply", "p.yaml", "--yes", "--wave", "first").code == 0
    (entry,) = [
        one for one in json.loads(asking("history", "p.yaml", "--json").out)["entries"] if one["kind"] == "approval"
    ]
    assert entry["text"] == "approved: looked at the forecast"
    assert entry["actor"] not in ("", "engine")


def test_an_approval_is_bound_to_the_wave_as_it_was_written(asking: Migrate, here: Path) -> None:
    asking("approve", "p.yaml", "first", "--reason", "yes")
    assert "Already approved" in asking("approve", "p.yaml", "first", "--reason", "again").out
    plan = here / "p.yaml"
    plan.write_text(plan.read_text().replace("    soak: 300ms", "    soak: 200ms", 1))
    assert asking("apply", "p.yaml", "--yes", "--no-wait", "--wave", "first").code == 3
    assert "Approved: wave first" in asking("approve", "p.yaml", "first", "--reason", "the shorter one too").out
    assert asking("apply", "p.yaml", "--yes", "--wave", "first").code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("frist", "--reason", "x"), "cannot find wave frist in plan tiny"),
        (("second", "--reason", "x"), "cannot approve wave second: it asks for no approval"),
        (("first", "--reason", " "), "cannot approve wave first: the reason is empty"),
        (("first",), "reason"),
    ],
)
def test_what_is_no_approval_is_refused(asking: Migrate, words: tuple[str, ...], says: str) -> None:
    refused = asking("approve", "p.yaml", *words)
    assert refused.code == 64
    assert says in refused.err
