"""The way out of trouble as an operator walks it: doctor, adopt-route, and a rollback without its target."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Migrate

KEY = "north-america/web-tracking"


@pytest.fixture
def applied(migrate: Migrate) -> Migrate:
    assert migrate("sample", "p.yaml", "--objects", "20").code == 0
    done = migrate("apply", "p.yaml", "--yes")
    assert done.code == 0, done.err
    return migrate


def edit(here: Path, **changes: Any) -> None:
    path = here / "state/routes.json"
    document = json.loads(path.read_text())
    document["routes"][KEY].update(changes)
    path.write_text(json.dumps(document))


def test_before_anything_nothing_is_wrong_and_nothing_is_made(migrate: Migrate, here: Path) -> None:
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    done = migrate("doctor", "p.yaml")
    assert done.code == 0, done.out
    assert "mail, web: not there yet, apply makes them" in done.out
    assert not (here / "state/migrator.db").exists()
    assert not (here / "state/web.db").exists()


def test_a_healthy_rollout_exits_0_and_says_every_move_agrees(applied: Migrate) -> None:
    done = applied("doctor", "p.yaml")
    assert done.code == 0, done.out
    lines = done.out.splitlines()
    assert lines[1] == "Next: nothing: every move has soaked."
    assert [line.split()[-1] for line in lines if line.startswith("  north-america/")] == ["agrees", "agrees"]
    body = json.loads(applied("doctor", "p.yaml", "--json").out)
    assert (body["format_version"], body["healthy"], body["plan"]) == (1, True, "tiny")
    assert {account["name"] for account in body["accounts"]} == {"core", "web", "mail"}
    assert all(account["takeover_wait_seconds"] == 0 for account in body["accounts"])


def test_a_hand_edit_is_found_adopted_and_healed(applied: Migrate, here: Path) -> None:
    core = json.loads((here / "state/routes.json").read_text())["routes"][KEY]["endpoint"].replace("web.db", "core.db")
    edit(here, account="core", endpoint=core, epoch=9)
    sick = applied("doctor", "p.yaml")
    assert sick.code == 4
    assert "the route says core, read-write, epoch 9; this store knows web, epoch 3" in sick.out
    assert sick.out.splitlines()[1].startswith(f"Next: {KEY}: ")
    assert "`migrate retry p.yaml --adopt-route --reason TEXT`" in sick.out.splitlines()[1]
    healed = applied("retry", "p.yaml", "--adopt-route", "--yes", "--reason", "we went back by hand")
    assert (healed.code, "goes on from catching-up" in healed.out) == (0, True), healed.err
    assert applied("doctor", "p.yaml").code == 0
    assert applied("apply", "p.yaml", "--yes").code == 0


def test_blocked_writers_come_first_and_apply_frees_them(applied: Migrate, here: Path) -> None:
    edit(here, mode="read-only", epoch=4)
    sick = applied("doctor", "p.yaml")
    assert sick.code == 4
    assert "writers are blocked" in sick.out
    assert "`migrate apply p.yaml` now: it frees them first" in sick.out.splitlines()[1]
    freed = applied("apply", "p.yaml", "--yes")
    assert freed.code == 0, freed.err
    assert "Nothing to do" not in freed.out
    assert json.loads((here / "state/routes.json").read_text())["routes"][KEY]["mode"] == "read-write"


def test_a_route_that_left_a_soaked_move_is_told_by_apply_too(applied: Migrate, here: Path) -> None:
    core = json.loads((here / "state/routes.json").read_text())["routes"][KEY]["endpoint"].replace("web.db", "core.db")
    edit(here, account="core", endpoint=core, epoch=9)
    halted = applied("apply", "p.yaml", "--yes")
    assert halted.code == 4
    assert "route and state disagree" in halted.out
    (here / "state/routes.json").write_text("not json")
    assert applied("apply", "p.yaml", "--yes").code == 1


def test_a_route_that_was_away_and_came_back_is_told_and_the_move_soaks_again(applied: Migrate, here: Path) -> None:
    edit(here, epoch=9)
    told = applied("doctor", "p.yaml")
    assert told.code == 0
    assert "the route went on to epoch 9 without this store, which knows epoch 3" in told.out
    again = applied("apply", "p.yaml", "--yes")
    assert again.code == 0, again.err
    assert "the soak starts again" in again.out + again.err
    assert applied("apply", "p.yaml", "--yes").out == "Nothing to do: every move has soaked.\n"
    assert "went on" not in applied("doctor", "p.yaml").out


def test_a_lost_state_store_is_told_by_apply_and_doctor_before_anything_is_emptied(
    applied: Migrate, here: Path
) -> None:
    (here / "state/migrator.db").unlink()
    refused = applied("apply", "p.yaml", "--yes")
    assert refused.code == 1
    assert "--adopt-route" in refused.err
    assert "empty it" not in refused.err + refused.out
    sick = applied("doctor", "p.yaml", "--json")
    assert sick.code == 4
    assert {one["code"] for one in json.loads(sick.out)["findings"] if one["severity"] == "error"} == {
        "route-disagrees"
    }
    adopted = applied("retry", "p.yaml", "--adopt-route", "--yes", "--reason", "the store was lost")
    assert adopted.code == 0, adopted.err
    assert applied("doctor", "p.yaml").code == 0
    assert applied("apply", "p.yaml", "--yes").code == 0
    assert applied("verify", "p.yaml").code == 0


def test_routes_that_cannot_be_read_and_accounts_that_are_gone_are_facts_like_any_other(
    applied: Migrate, here: Path
) -> None:
    (here / "state/routes.json").write_text("not json")
    shutil.move(here / "state/web.db", here / "web.db")
    sick = applied("doctor", "p.yaml", "--json")
    assert sick.code == 4
    codes = {one["code"] for one in json.loads(sick.out)["findings"] if one["severity"] == "error"}
    assert codes == {"routes-unreadable", "unreachable"}


def test_a_lost_target_is_never_made_anew_and_only_a_person_s_word_goes_back_without_it(
    applied: Migrate, here: Path
) -> None:
    (here / "state/web.db").unlink()
    plain = applied("rollback", "p.yaml", "--wave", "first", "--yes")
    assert plain.code in (1, 4)
    assert not (here / "state/web.db").exists()
    scope = ("rollback", "p.yaml", "--wave", "first", "--abandon-target-writes")
    assert applied(*scope, "--yes").code == 64
    done = applied(*scope, "--reason", "the disk is gone", "--yes")
    assert done.code == 0, done.err
    assert "left behind (the disk is gone)" in done.out
    status = applied("status", "p.yaml")
    assert "was left behind (the disk is gone)" in status.out
    assert applied("rollback", "p.yaml", "--reason", "x", "--yes").code == 64


def test_a_record_that_is_gone_is_told_with_what_to_put_back(applied: Migrate, here: Path) -> None:
    path = here / "state/routes.json"
    document = json.loads(path.read_text())
    del document["routes"][KEY]
    path.write_text(json.dumps(document))
    sick = applied("doctor", "p.yaml")
    assert sick.code == 4
    assert "put the record back: account web, epoch 4 or more" in sick.out


def test_doctor_writes_nothing_and_takes_no_lock(applied: Migrate, here: Path) -> None:
    before = {path.name: path.read_bytes() for path in (here / "state").iterdir() if path.suffix in (".db", ".json")}
    applied("doctor", "p.yaml")
    after = {path.name: path.read_bytes() for path in (here / "state").iterdir() if path.suffix in (".db", ".json")}
    assert after["migrator.db"] == before["migrator.db"]
    assert after["routes.json"] == before["routes.json"]
