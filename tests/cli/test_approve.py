"""``migrate approve``, and what an apply, a status and the journal say of it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from migrator.adapters.azure.credentials import names_in
from migrator.cli import identity, wiring
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


# Who approves.


def ask(here: Path, words: str) -> None:
    plan = here / "p.yaml"
    plan.write_text(plan.read_text().replace("approval: required", f"approval: {words}"))


@pytest.fixture
def me(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Who this process is, as the system says; variables say something else."""
    said = {"login": "ada"}
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "the.director")
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(identity.pwd, "getpwuid", lambda uid: SimpleNamespace(pw_name=said["login"]))
    return said


def approvals(migrate: Migrate) -> list[dict[str, Any]]:
    entries = json.loads(migrate("history", "p.yaml", "--json").out)["entries"]
    return [one for one in entries if one["kind"] == "approval"]


def test_who_approved_is_what_the_system_says(
    asking: Migrate, me: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "grace)\x1b(")
    assert "by ada (sudo: grace)" in asking("approve", "p.yaml", "first", "--reason", "yes").out
    (entry,) = approvals(asking)
    assert entry["actor"] == "ada (sudo: grace)"
    evidence = entry["evidence"]
    assert (evidence["login"], evidence["uid"], evidence["sudo_user"]) == ("ada", os.getuid(), "grace")


def test_only_those_whom_the_wave_names_approve(asking: Migrate, here: Path, me: dict[str, str]) -> None:
    ask(here, "{required: true, by: [grace, ada]}")
    me["login"] = "mallory"
    refused = asking("approve", "p.yaml", "first", "--reason", "yes")
    assert refused.code == 64
    assert "you are mallory, and it asks for one of grace, ada" in refused.err
    assert approvals(asking) == []
    me["login"] = "grace"
    assert asking("approve", "p.yaml", "first", "--reason", "yes").code == 0


def test_a_variable_admits_nobody(
    asking: Migrate, here: Path, me: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(here, "{required: true, by: [grace]}")
    monkeypatch.setenv("SUDO_USER", "grace")
    assert asking("approve", "p.yaml", "first", "--reason", "yes").code == 64
    me["login"] = "root"
    assert asking("approve", "p.yaml", "first", "--reason", "yes").code == 0


def test_the_author_does_not_approve(asking: Migrate, here: Path, me: dict[str, str]) -> None:
    ask(here, "{required: true, not_the_author: true}")
    assert asking("apply", "p.yaml", "--yes", "--no-wait", "--wave", "first").code == 3
    refused = asking("approve", "p.yaml", "first", "--reason", "yes")
    assert refused.code == 64
    assert "the plan was applied or edited by ada" in refused.err
    me["login"] = "grace"
    assert asking("approve", "p.yaml", "first", "--reason", "yes").code == 0
    assert asking("apply", "p.yaml", "--yes", "--wave", "first").code == 0


def test_an_approval_that_its_giver_makes_his_own_by_applying_does_not_count(
    asking: Migrate, here: Path, me: dict[str, str]
) -> None:
    ask(here, "{required: true, not_the_author: true}")
    assert asking("approve", "p.yaml", "first", "--reason", "before anybody applied").code == 0
    assert asking("apply", "p.yaml", "--yes", "--no-wait", "--wave", "first").code == 3
    assert "approval" in [one["kind"] for one in first_wave(asking)["waiting_for"]]  # type: ignore[attr-defined]


def test_names_of_entra_are_asked_where_the_wave_has_them(
    asking: Migrate, here: Path, me: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def names(schedule: object) -> tuple[str, ...]:
        return ("ada@contoso.example", "6b1f0a9e-0000-4000-8000-000000000001")

    monkeypatch.setattr(wiring, "entra_names", names)
    ask(here, "{required: true, by: [grace@contoso.example]}")
    assert asking("approve", "p.yaml", "first", "--reason", "yes").code == 64
    ask(here, "{required: true, by: [grace@contoso.example]}".replace("grace", "ada"))
    plan = here / "p.yaml"
    plan.write_text(plan.read_text().replace("grace@", "ada@"))
    assert asking("approve", "p.yaml", "first", "--reason", "yes").code == 0
    assert approvals(asking)[-1]["evidence"]["entra"][0] == "ada@contoso.example"


@pytest.mark.parametrize("words", ["{required: false, by: [ada]}", "{by: 5}", "requird", "{requird: true}"])
def test_an_approval_that_is_none_is_a_fault(asking: Migrate, here: Path, words: str) -> None:
    ask(here, words)
    assert asking("validate", "p.yaml").code == 1


def test_a_token_says_who_it_is_for() -> None:
    claims = {"upn": "ada@contoso.example", "oid": "6b1f", "name": "Ada"}
    token = f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.x"
    assert names_in(token) == ("ada@contoso.example", "6b1f")
    assert [names_in(one) for one in ("", "a.b", "a.!!.c", "a.W10.c")] == [(), (), (), ()]
