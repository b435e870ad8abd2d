"""The commands from the outside, on embedded accounts: what they print, what they leave behind, how they exit."""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.adapters.state import open_store
from migrator.cli.identity import boot_id, user
from migrator.engine import pulse
from migrator.machine import liveness
from migrator.model.moves import LockRecord, PlanRecord
from migrator.plan import not_built
from migrator.ports.state_store import SavePlan
from tests.cli.conftest import PLAN, Migrate

STATE = "sqlite:///state/migrator.db"


@pytest.fixture
def filled(migrate: Migrate) -> Migrate:
    assert migrate("sample", "p.yaml", "--objects", "30").code == 0
    return migrate


@pytest.fixture
def applied(filled: Migrate) -> Migrate:
    done = filled("apply", "p.yaml", "--yes")
    assert (done.code, done.out.splitlines()[-1]) == (0, "Done."), done.err
    return filled


def routes(migrate: Migrate) -> dict[str, str]:
    document = json.loads(migrate("routes", "p.yaml", "--json").out)["document"]
    return {key: f"{record['account']} {record['mode']}" for key, record in document["routes"].items()}


def states(migrate: Migrate) -> dict[str, str]:
    body = json.loads(migrate("status", "p.yaml", "--json").out)
    return {move["area"]: move["state"] for wave in body["waves"] for move in wave["moves"]}


def hold_lock(url: str, *, pid: int, age_seconds: float = 0.0) -> LockRecord:
    """Take the plan's lock as another process would."""
    store = open_store(url, "tiny")
    now = datetime.now(UTC)
    begun = datetime.fromtimestamp(now.timestamp() - age_seconds, UTC)
    lock = store.acquire(LockRecord("c0ffee", 0, "other", user(), "elsewhere", pid, boot_id(), begun, begun, 0.0))
    store.commit([SavePlan(PlanRecord("tiny", "f", PLAN, now))], token=lock.token)
    store.close()
    return lock


async def _still(*_: object) -> bool:
    """Nobody has half a minute here; what a watch finds is test_pulse's."""
    return True


# Looking.


def test_validate_names_every_fault_at_once(migrate: Migrate, here: Path) -> None:
    (here / "p.yaml").write_text(PLAN.replace("soak: 300ms", "soka: 1s").replace("ttl: 100ms", "ttl: soon"))
    done = migrate("validate", "p.yaml")
    assert done.code == 1
    assert done.out == ""
    assert sum(line.startswith("  p.yaml:") for line in done.err.splitlines()) >= 3


def test_validate_says_what_the_plan_amounts_to(migrate: Migrate) -> None:
    done = migrate("validate", "p.yaml")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "tiny is valid: 2 waves, 2 moves, 3 accounts."


def test_what_the_reader_of_a_document_warns_of_stands_before_the_verdict(
    migrate: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(not_built, "NOT_BUILT", {"containers": not_built.ANY})
    text = PLAN + "freeze: [{from: 2027-01-01T00:00:00Z, to: 2028-01-01T00:00:00Z}]\ncontainers: {}\n"
    (here / "p.yaml").write_text(text)
    done = migrate("validate", "p.yaml")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    said = [number for number, line in enumerate(lines) if line.startswith("warning: p.yaml:") and "freeze" in line]
    assert said
    assert said[0] < len(lines) - 1
    assert lines[-1].startswith("tiny is valid")
    assert "is valid, but this version cannot apply it" in done.out
    found = json.loads(migrate("validate", "p.yaml", "--json").out)
    codes = {(one["severity"], one["code"]) for one in found["findings"]}
    assert {("warning", "plan-document"), ("warning", "not-built")} <= codes
    assert list(found).index("findings") < list(found).index("is_valid")


def test_a_gate_whose_account_has_no_place_is_a_warning_of_validate_and_an_error_of_plan(
    migrate: Migrate, here: Path
) -> None:
    (here / "p.yaml").write_text(
        PLAN.replace(
            "web: {kind: local, path: state/web.db}",
            "web: {kind: azure, endpoint: 'https://web.blob.core.windows.net'}",
        )
        .replace("    gates: []", "    gates: [served]", 1)
        .replace(
            "waves:",
            "metrics: {azure: {kind: azure-monitor}}\n"
            "gates: {served: {source: azure, metric: requests_per_minute, min: 1, window: 1m, on_no_data: fail}}\nwaves:",
        )
    )
    for command, code, severity in (("validate", 0, "warning"), ("plan", 1, "error")):
        done = migrate(command, "p.yaml")
        assert done.code == code
        said = [line for line in done.out.splitlines() if "cannot ask Azure Monitor about web" in line]
        assert [line.partition(":")[0] for line in said] == [severity], "once"


def test_schema_is_json(migrate: Migrate) -> None:
    assert json.loads(migrate("schema").out)["type"] == "object"


def test_plan_writes_nothing_at_all(filled: Migrate, here: Path) -> None:
    before = sorted(path.name for path in (here / "state").iterdir())
    done = filled("plan", "p.yaml")
    assert done.code == 0
    assert "Nothing stands in the way." in done.out
    assert sorted(path.name for path in (here / "state").iterdir()) == before


def test_plan_in_json_is_one_document(filled: Migrate) -> None:
    body = json.loads(filled("plan", "p.yaml", "--json").out)
    assert body["format_version"] == 1
    assert body["changes_pending"] is True
    assert [move["objects"] for move in body["moves"]] == [30, 30]


def test_detailed_exit_code_tells_pending_changes_from_none(applied: Migrate, here: Path) -> None:
    assert applied("plan", "p.yaml", "--detailed-exitcode").code == 0
    assert applied("--state", "sqlite:///state/new.db", "plan", "p.yaml", "--detailed-exitcode").code == 1  # not empty
    (here / "state/web.db").unlink()
    (here / "state/mail.db").unlink()
    (here / "state/routes.json").unlink()  # it speaks of another store's rollout
    assert applied("--state", "sqlite:///state/new.db", "plan", "p.yaml", "--detailed-exitcode").code == 2


def test_a_missing_source_is_one_finding_and_no_file(migrate: Migrate, here: Path) -> None:
    """Two moves leave the account, and it is told once; what needs no account is shown all the same."""
    done = migrate("plan", "p.yaml")
    assert done.code == 1
    (line,) = [line for line in done.out.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: cannot open account core: there is no file ")
    assert "Timeline" in done.out
    assert "  from: not earlier; the size of what a wave moves is not known" in done.out
    refused = migrate("apply", "p.yaml", "--yes")
    assert (refused.code, refused.err.splitlines()[-2].split(":")[0]) == (1, "error")
    assert "cannot apply plan tiny: cannot open account core" in refused.err
    assert "Traceback" not in done.err + refused.err
    assert not (here / "state").exists()


def test_status_before_anything_and_without_a_plan(migrate: Migrate) -> None:
    assert states(migrate) == {"web-tracking": "pending", "email-events": "pending"}
    done = migrate("status")
    assert done.code == 1
    assert done.err.startswith("error: cannot ")


def test_after_an_apply_status_and_history_need_no_plan(applied: Migrate) -> None:
    assert json.loads(applied("status", "--json").out)["plan"] == "tiny"
    entries = json.loads(applied("history", "--json").out)["entries"]
    assert [entry["number"] for entry in entries] == list(range(1, len(entries) + 1))
    assert "state-changed" in {entry["kind"] for entry in entries}
    shown = applied("history").out
    assert len(shown.splitlines()) == len(entries)


def test_state_option_wins_over_the_variable_and_the_plan(
    migrate: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "p.yaml").write_text(PLAN + "state: sqlite:///planned.db\n")
    monkeypatch.setenv("MIGRATE_STATE", "sqlite:///variable.db")
    assert migrate("--state", "sqlite:///option.db", "pause", "p.yaml").code == 0
    assert [path.name for path in here.glob("*.db")] == ["option.db"]
    assert migrate("pause", "p.yaml").code == 0
    assert sorted(path.name for path in here.glob("*.db")) == ["option.db", "variable.db"]
    monkeypatch.delenv("MIGRATE_STATE")
    assert migrate("pause", "p.yaml").code == 0
    assert (here / "planned.db").exists()


# Acting.


def test_apply_moves_everything_and_a_second_one_has_nothing_to_do(applied: Migrate) -> None:
    assert states(applied) == {"web-tracking": "soaked", "email-events": "soaked"}
    assert routes(applied) == {
        "north-america/web-tracking": "web read-write",
        "north-america/email-events": "mail read-write",
    }
    again = applied("apply", "p.yaml", "--yes")
    assert (again.code, again.out) == (0, "Nothing to do: every move has soaked.\n")
    verified = applied("verify", "p.yaml", "--level", "content", "--json")
    assert verified.code == 0
    assert [move["proved"] for move in json.loads(verified.out)["moves"]] == [30, 30]


def test_apply_in_json_is_events_to_the_last_line(filled: Migrate) -> None:
    done = filled("apply", "p.yaml", "--yes", "--json")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    assert {event["format_version"] for event in events} == {1}
    assert events[-1]["kind"] == "outcome"
    assert events[-1]["facts"]["code"] == "done"


def test_without_a_terminal_and_without_yes_nothing_begins(
    filled: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        done = filled("apply", "p.yaml")
    assert done.code == 64
    assert "--yes" in done.err
    assert not (here / "state/migrator.db").exists()


def test_error_findings_are_refused_and_nothing_begins(filled: Migrate, here: Path) -> None:
    (here / "p.yaml").write_text(PLAN.replace("name: events", "name: absent"))
    done = filled("apply", "p.yaml", "--yes")
    assert done.code == 1
    assert "absent" in done.err
    assert not (here / "state/migrator.db").exists()


def test_an_impossible_plan_is_refused_before_its_accounts_exist(migrate: Migrate, here: Path) -> None:
    limited = "web: {kind: local, path: state/web.db, requests_per_minute: 1M}"
    text = PLAN.replace("web: {kind: local, path: state/web.db}", limited)
    text = text.replace("    targets:", "    traffic: {web-tracking: 11M}\n    targets:")
    (here / "p.yaml").write_text(text)
    planned, applied = migrate("plan", "p.yaml"), migrate("apply", "p.yaml", "--yes")
    assert (planned.code, applied.code) == (1, 1)
    assert "183,333 requests/s" in planned.out
    assert "183,333 requests/s" in applied.err
    assert not (here / "state").exists()


def test_what_this_version_cannot_do_is_refused_with_its_name(
    filled: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(not_built, "NOT_BUILT", {"containers": not_built.ANY})
    (here / "p.yaml").write_text(PLAN + "containers: {public_access: keep}\n")
    done = filled("apply", "p.yaml", "--yes")
    assert done.code == 1
    assert "containers (p.yaml" in done.err
    assert not (here / "state/migrator.db").exists()


def test_a_saved_plan_applies_until_the_world_is_another(filled: Migrate, here: Path) -> None:
    assert filled("plan", "p.yaml", "--out", "s.plan").code == 0
    assert (here / "s.plan").stat().st_mode & 0o777 == 0o600
    (here / "p.yaml").unlink()  # the saved plan holds the document
    assert filled("apply", "s.plan", "--yes").code == 0
    stale = filled("apply", "s.plan", "--yes")
    assert stale.code == 6
    assert "--out s.plan" in stale.err


def test_a_stale_plan_takes_no_lock_and_makes_no_store(filled: Migrate, here: Path) -> None:
    filled("plan", "p.yaml", "--out", "s.plan")
    saved = json.loads((here / "s.plan").read_text())
    (here / "s.plan").write_text(json.dumps({**saved, "fingerprint": "0"}))
    assert filled("apply", "s.plan", "--yes").code == 6
    assert not (here / "state/migrator.db").exists()


def test_one_wave_at_a_time_waits_for_the_earlier_one(filled: Migrate) -> None:
    early = filled("apply", "p.yaml", "--yes", "--wave", "second", "--no-wait")
    assert early.code == 3
    assert "wave second waits for wave first to be soaked" in early.out
    assert filled("apply", "p.yaml", "--yes", "--wave", "first").code == 0
    assert states(filled) == {"web-tracking": "soaked", "email-events": "pending"}


def test_no_wait_exits_3_until_the_soak_is_over(filled: Migrate, here: Path) -> None:
    (here / "p.yaml").write_text(PLAN.replace("soak: 300ms", "soak: 1h", 1))
    done = filled("apply", "p.yaml", "--yes", "--no-wait")
    assert done.code == 3
    assert "soak" in done.out
    body = json.loads(filled("status", "p.yaml", "--json").out)
    assert body["lock"] is None
    assert [wait["kind"] for wait in body["waves"][0]["waiting_for"]] == ["soak"]
    assert body["waves"][1]["waiting_for"] == [{"kind": "wave", "until": None, "who": "first"}]


def test_rollback_takes_back_what_is_in_scope_and_retry_starts_afresh(applied: Migrate) -> None:
    assert applied("rollback", "p.yaml", "--yes", "--area", "email-events").code == 0
    assert states(applied) == {"web-tracking": "soaked", "email-events": "reversed"}
    assert routes(applied)["north-america/email-events"] == "core read-write"
    nothing = applied("rollback", "p.yaml", "--yes", "--area", "email-events")
    assert nothing.code == 0
    assert nothing.out.startswith("Nothing to take back")
    assert applied("apply", "p.yaml", "--yes").code == 4
    assert applied("retry", "p.yaml", "--reason", " ").code == 64
    assert applied("retry", "p.yaml", "--reason", "fixed").code == 0
    assert applied("apply", "p.yaml", "--yes").code == 0
    assert states(applied) == {"web-tracking": "soaked", "email-events": "soaked"}


@pytest.mark.parametrize(
    "words", [("--wave", "thrid"), ("--region", "north"), ("--area", "emial-events")], ids=" ".join
)
def test_a_misspelt_scope_is_a_usage_error_with_names(migrate: Migrate, words: tuple[str, str]) -> None:
    done = migrate("rollback", "p.yaml", "--yes", *words)
    assert done.code == 64
    assert words[1] in done.err
    assert "next: " in done.err


def test_verify_finds_a_difference_and_exits_4(applied: Migrate, here: Path) -> None:
    with sqlite3.connect(here / "state/web.db") as account:
        account.execute("DELETE FROM blobs WHERE name = (SELECT min(name) FROM blobs)")
    done = applied("verify", "p.yaml", "--wave", "first")
    assert done.code == 4
    assert "missing" in done.out
    assert "Both ends differ." in done.out


# Steering.


def test_hold_and_pause_are_wishes_in_the_journal(migrate: Migrate) -> None:
    assert "first" in migrate("hold", "p.yaml", "--wave", "first").out
    assert "Already held" in migrate("hold", "p.yaml", "--wave", "first").out
    assert migrate("pause", "p.yaml").code == 0
    body = json.loads(migrate("status", "p.yaml", "--json").out)
    assert {"kind": "pause", "until": None, "who": user()} in body["waves"][0]["waiting_for"]
    assert "Released" in migrate("release", "p.yaml", "--wave", "first").out
    assert "There was no hold" in migrate("release", "p.yaml", "--wave", "first").out
    migrate("hold", "p.yaml")
    assert (
        "Still held: the whole plan, until `migrate release p.yaml`."
        in migrate("release", "p.yaml", "--wave", "first").out
    )
    migrate("hold", "p.yaml", "--wave", "first")
    said = migrate("release", "p.yaml").out
    assert said == "Released: the whole plan.\nStill held: wave first, until `migrate release p.yaml --wave first`.\n"
    assert migrate("release", "p.yaml", "--wave", "first").out == "Released: wave first.\n"
    assert migrate("unpause", "p.yaml").out == "The pause is over.\n"
    assert len(migrate("history", "p.yaml").out.splitlines()) == 8


def test_a_rollback_of_nothing_says_so_in_a_dry_run_too(migrate: Migrate) -> None:
    migrate("hold", "p.yaml")
    assert migrate("rollback", "p.yaml", "--dry-run").out.startswith("Nothing to take back: no move")


def test_the_way_to_the_help_of_retry_can_be_pasted(migrate: Migrate) -> None:
    done = migrate("retry", "p.yaml")
    assert done.code == 64
    assert "see `migrate retry p.yaml --help`" in done.err


def test_throttle_is_a_wish_that_status_and_history_know(migrate: Migrate) -> None:
    done = migrate("throttle", "p.yaml", "--account", "core", "--requests-per-minute", "60k")
    assert done.code == 0
    assert "core: at most 60 k requests a minute" in done.out
    done = migrate("throttle", "p.yaml", "--account", "core", "--bytes-per-second", "10MiB")
    assert "core: at most 60 k requests a minute and 10 MiB a second" in done.out
    assert "core: at most 60 k requests a minute and 10 MiB a second" in migrate("status", "p.yaml").out
    assert "throttle" in migrate("history", "p.yaml").out
    assert "as the plan says" in migrate("throttle", "p.yaml", "--clear").out
    assert "at most" not in migrate("status", "p.yaml").out
    assert "There was no throttle" in migrate("throttle", "p.yaml", "--clear").out


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--account", "nobody", "--requests-per-minute", "5"),
        ("--requests-per-minute", "0"),
        ("--requests-per-minute", "many"),
        ("--bytes-per-second", "10"),
        ("--clear", "--requests-per-minute", "5"),
    ],
)
def test_a_throttle_that_means_nothing_is_refused(migrate: Migrate, words: tuple[str, ...]) -> None:
    done = migrate("throttle", "p.yaml", *words)
    assert done.code == 64
    assert done.err.startswith("error: cannot throttle")
    assert migrate("history", "p.yaml").out.endswith("\nNothing has happened to tiny yet.\n")


def test_a_held_apply_waits_before_its_cut_over(filled: Migrate) -> None:
    held = filled("hold", "p.yaml")
    assert held.code == 0, held.err
    done = filled("apply", "p.yaml", "--yes", "--no-wait")
    assert done.code == 3
    assert states(filled)["web-tracking"] == "catching-up"
    assert filled("apply", "p.yaml", "--yes", "--no-wait").code == 3
    assert states(filled)["web-tracking"] == "ready"
    filled("release", "p.yaml")
    assert filled("apply", "p.yaml", "--yes").code == 0


def test_a_second_run_exits_5_and_names_the_holder(filled: Migrate) -> None:
    hold_lock(STATE, pid=os.getpid())
    done = filled("apply", "p.yaml", "--yes")
    assert done.code == 5
    assert f"{user()}@elsewhere (pid {os.getpid()})" in done.err
    assert done.out == ""
    assert "At work" in filled("status", "p.yaml").out


def test_unlock_refuses_a_living_run_and_removes_a_silent_one(filled: Migrate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "SILENT_SECONDS", 20.0)
    monkeypatch.setattr(pulse, "_is_still", _still)
    lock = hold_lock(STATE, pid=1)
    assert filled("unlock", lock.nonce).code == 5
    store = open_store(STATE, "tiny")
    store.give_back(lock.token)
    store.close()
    lock = hold_lock(STATE, pid=1, age_seconds=120)
    assert filled("unlock", "nonsense").code == 64
    done = filled("unlock", lock.nonce)
    assert done.code == 0
    assert lock.nonce in done.out
    assert json.loads(filled("status", "p.yaml", "--json").out)["lock"] is None
    assert "removed" in filled("history", "p.yaml").out


# Names are data, all the way.


def test_a_hostile_object_name_is_moved_and_shown_harmlessly(filled: Migrate, here: Path) -> None:
    with sqlite3.connect(here / "state/core.db") as account:
        hostile = b"page-\x1b[2J\x1b[31m[bold]\n.html"
        account.execute(
            "UPDATE blobs SET name = ? WHERE (container, name) = "
            "(SELECT container, name FROM blobs WHERE container LIKE 'web-%' LIMIT 1)",
            (hostile,),
        )
    assert filled("apply", "p.yaml", "--yes").code == 0
    with sqlite3.connect(here / "state/web.db") as account:
        assert account.execute("SELECT count(*) FROM blobs WHERE name = ?", (hostile,)).fetchone() == (1,)
        account.execute("DELETE FROM blobs WHERE name = ?", (hostile,))
    done = filled("verify", "p.yaml")
    assert "\\x1b[2J\\x1b[31m[bold]\\n.html" in done.out
    assert "\x1b" not in done.out


def test_verify_says_why_an_account_cannot_be_opened(applied: Migrate, here: Path) -> None:
    text = (here / "p.yaml").read_text()
    there = "web: {endpoint: https://abcweb.blob.core.windows.net, credential: env:NOT_SET}"
    (here / "p.yaml").write_text(text.replace("web: {kind: local, path: state/web.db}", there))
    done = applied("verify", "p.yaml")
    assert (done.code, "the environment variable NOT_SET is not set" in done.err) == (1, True), done.err


def test_verify_says_neither_equal_nor_different_of_nothing(filled: Migrate) -> None:
    assert filled("apply", "p.yaml", "--yes", "--wave", "first").code == 0
    done = filled("verify", "p.yaml", "--wave", "second", "--json")
    found = json.loads(done.out)
    assert (done.code, found["equal"], found["moves"]) == (0, None, [])
    assert "Nothing to compare" in filled("verify", "p.yaml", "--wave", "second").out
    assert json.loads(filled("verify", "p.yaml", "--json").out)["equal"] is True


def test_a_second_rollback_looks_at_the_target_that_was_left_and_speaks_json_to_programs(applied: Migrate) -> None:
    assert applied("rollback", "p.yaml", "--yes", "--area", "email-events").code == 0
    done = applied("rollback", "p.yaml", "--yes", "--area", "email-events", "--json")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    first = next(one["text"] for one in events if one["kind"] == "outcome")
    assert first.startswith("Nothing to take back")
    assert {one["facts"]["code"] for one in events if one["kind"] == "outcome"} == {"done"}


def test_an_apply_with_nothing_to_do_speaks_json_to_programs(applied: Migrate) -> None:
    done = applied("apply", "p.yaml", "--yes", "--json")
    assert [json.loads(line)["facts"]["code"] for line in done.out.splitlines()] == ["done"]


def test_routes_are_published_before_anything_is_copied_once_and_with_consent(filled: Migrate) -> None:
    """Applications can follow every area long before its wave."""
    refused = filled("routes", "p.yaml", "--publish")
    assert (refused.code, "--yes" in refused.err) == (64, True)
    done = filled("routes", "p.yaml", "--publish", "--yes")
    assert done.code == 0, done.err
    assert set(routes(filled).values()) == {"core read-write"}
    assert set(states(filled).values()) == {"pending"}
    assert "routes published, each at its source: north-america/" in filled("history", "p.yaml").out
    before = filled("routes", "p.yaml", "--json").out
    assert filled("routes", "p.yaml", "--publish", "--yes").code == 0
    assert filled("routes", "p.yaml", "--json").out == before
    assert filled("routes", "p.yaml", "--publish", "--yes", "--json").code == 64
    assert filled("apply", "p.yaml", "--yes").code == 0
