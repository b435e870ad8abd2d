"""What people type: words of other tools, options in another place, paths for addresses; and errors as documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from migrator.cli import usage
from migrator.cli.app import app
from tests.cli.conftest import Migrate


@pytest.mark.parametrize("word", sorted(usage.SYNONYMS))
def test_words_of_other_tools_lead_to_ours(migrate: Migrate, word: str) -> None:
    done = migrate(word)
    assert done.code == 64
    assert f"no such command '{word}'; did you mean '{usage.SYNONYMS[word]}'?" in done.err


def test_every_synonym_is_of_a_command_that_is_there(migrate: Migrate) -> None:
    for command in set(usage.SYNONYMS.values()):
        assert migrate(command, "--help").code == 0
    assert not set(usage.SYNONYMS) & {
        one.name or one.callback.__name__ for one in app.registered_commands if one.callback
    }


@pytest.mark.parametrize("word", sorted(usage.NOTHING_NEAR))
def test_words_that_mean_none_of_ours_are_not_guessed(migrate: Migrate, word: str) -> None:
    assert "did you mean" not in migrate(word).err


def test_a_slip_of_the_pen_is_still_guessed(migrate: Migrate) -> None:
    assert "'rollback'" in migrate("rolback").err


ORDERS = [
    (["status", "p.yaml", "--state", "x"], ["--state", "x", "status", "p.yaml"]),
    (["status", "--state=x", "p.yaml", "--debug"], ["--state=x", "--debug", "status", "p.yaml"]),
    (["--no-color", "plan", "p.yaml", "--json"], ["--no-color", "plan", "p.yaml", "--json"]),
    (["retry", "p.yaml", "--reason", "--debug"], ["retry", "p.yaml", "--reason", "--debug"]),
    (["retry", "p.yaml", "--reason=--debug"], ["retry", "p.yaml", "--reason=--debug"]),
    (["status", "--", "--state", "x"], ["status", "--", "--state", "x"]),
    (["status", "--state"], ["--state", "status"]),
    ([], []),
]


@pytest.mark.parametrize(("typed", "meant"), ORDERS)
def test_the_programs_own_options_may_stand_anywhere(typed: list[str], meant: list[str]) -> None:
    assert usage.in_order(app, typed) == meant


def test_an_option_behind_the_command_is_obeyed(migrate: Migrate, here: Path) -> None:
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    assert migrate("apply", "p.yaml", "--yes", "--state", f"sqlite:///{here}/other.db", "--no-color").code == 0
    assert (here / "other.db").exists()
    assert not (here / "state/migrator.db").exists()
    debugged = migrate("status", "none.yaml", "--debug")
    assert "Traceback" in debugged.err


@pytest.mark.parametrize("make", [lambda here: str(here / "own.db"), lambda here: "own.db", lambda here: "./own.db"])
def test_a_plain_path_is_a_state_store(migrate: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch, make) -> None:
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    assert migrate("apply", "p.yaml", "--yes", "--state", make(here)).code == 0
    assert (here / "own.db").exists()
    monkeypatch.setenv("MIGRATE_STATE", make(here))
    assert json.loads(migrate("status", "p.yaml", "--json").out)["waves"][0]["state"] == "soaked"


def test_a_valid_plan_is_a_document(migrate: Migrate, here: Path) -> None:
    plan = here / "p.yaml"
    plan.write_text(plan.read_text() + "freeze: [{from: 2027-01-01T00:00:00Z, to: 2028-01-01T00:00:00Z}]\n")
    done = migrate("validate", "p.yaml", "--json")
    assert done.code == 0
    body = json.loads(done.out)
    assert (body["format_version"], body["is_valid"], body["errors"]) == (1, True, [])
    (warning,) = [one for one in body["warnings"] if "this freeze lasts 365 days" in one["message"]]
    assert warning == {**warning, "file": "p.yaml", "line": plan.read_text().count("\n"), "column": 10, "code": "rule"}


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ("nmae: x\n", "key", "unknown key nmae in the plan; did you mean name?"),
        ("name: x\n", "key", "the key name stands here twice"),
        ("state: 5\n", "value", "state: expected text"),
        ("budget: {accounts: {nobody: {requests_per_minute: 5}}}\n", "rule", "there is no account nobody"),
        ("state: postgresql://me:hunter2@h/d\n", "secret", "a password is written here"),
        ("\tx: 5\n", "syntax", "a tab stands here"),
    ],
)
@pytest.mark.parametrize("command", [("validate",), ("plan",), ("status",), ("apply", "--yes")], ids=lambda one: one[0])
def test_faults_of_a_plan_are_documents(
    migrate: Migrate, here: Path, more: str, code: str, message: str, command: tuple[str, ...]
) -> None:
    plan = here / "p.yaml"
    plan.write_text(plan.read_text() + more)
    done = migrate(command[0], "p.yaml", *command[1:], "--json")
    assert done.code == 1
    body = json.loads(done.out)
    assert (body["format_version"], body["error"]["kind"], body["error"]["exit_code"]) == (1, "PlanError", 1)
    (fault,) = [one for one in body["errors"] if one["code"] == code]
    assert fault["message"].startswith(message)
    assert (fault["file"], fault["line"] > 1, fault["column"] > 0) == ("p.yaml", True, True)
    assert f"{fault['file']}:{fault['line']}:{fault['column']}: {fault['message']}" in done.err
    assert "hunter2" not in done.out + done.err


def test_any_error_is_a_document_where_one_was_asked_for(migrate: Migrate) -> None:
    for words, kind, code in (
        (("status", "none.yaml", "--json"), "PlanError", 1),
        (("plan", "p.yaml", "--json", "--wave", "none"), "UsageError", 64),
        (("plan", "p.yaml", "--json", "--nonsense"), "UsageError", 64),
        (("verify", "p.yaml", "--json"), "StateError", 1),
    ):
        done = migrate(*words)
        body = json.loads(done.out)
        assert (done.code, body["error"]["kind"], body["error"]["exit_code"]) == (code, kind, code)
        assert body["error"]["message"] in done.err
        assert body["errors"] == []


def test_an_apply_that_fails_says_so_in_one_line(migrate: Migrate) -> None:
    done = migrate("apply", "none.yaml", "--yes", "--json")
    assert len(done.out.splitlines()) == 1
    assert "there is no such file" in json.loads(done.out)["error"]["message"]
