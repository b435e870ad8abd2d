"""What is shown before somebody says yes: to a way back, to a rollout that goes on, to a pause inside a fence."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from migrator.adapters.local import LocalStore
from migrator.adapters.state import open_store
from migrator.cli.commands.apply.operation import Consent, pause_in_words
from migrator.model.objects import CREATE, BlobType, Condition, ContentHeaders, Shape
from tests.cli.conftest import PLAN, Migrate

PLAIN = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)


@pytest.fixture
def applied(migrate: Migrate) -> Migrate:
    assert migrate("sample", "p.yaml", "--objects", "30").code == 0
    assert migrate("apply", "p.yaml", "--yes").code == 0
    return migrate


def change(here: Path, account: str, *, write: int = 0, again: int = 0, delete: int = 0) -> None:
    """Customers' changes of the first container of the area, in the account's file."""

    async def work() -> None:
        store = LocalStore(account, here / f"state/{account}.db", caller="app")
        box = next(one.name for one in await store.containers() if one.name.startswith("web-"))
        blobs = [one for one in (await store.page(box)).entries if not one.name.startswith(".migrate/")]
        for number in range(write):
            await store.put(box, f"new-{number}", b"12345", PLAIN, condition=CREATE)
        for blob in blobs[:again]:
            await store.put(box, blob.name, b"changed", PLAIN, condition=Condition(if_match=blob.etag))
        for blob in blobs[len(blobs) - delete :]:
            await store.delete(box, blob.name, if_match=blob.etag)
        await store.close()

    asyncio.run(work())


def dry(migrate: Migrate, *words: str) -> tuple[int, dict]:
    done = migrate("rollback", "p.yaml", "--wave", "first", "--dry-run", "--json", *words)
    (move,) = json.loads(done.out)["moves"]
    return done.code, move


def test_a_dry_run_counts_what_was_written_since_and_writes_nothing(applied: Migrate, here: Path) -> None:
    change(here, "web", write=4, again=2, delete=3)
    before = json.loads(applied("status", "p.yaml", "--json").out)["waves"]
    journal = applied("history", "p.yaml").out
    code, move = dry(applied)
    assert code == 0
    assert (move["written"], move["deleted"], move["conflicts"], move["counted"]) == (6, 3, 0, True)
    assert move["written_bytes"] == 4 * 5 + 2 * 7
    assert 0 < move["pause_seconds"] < move["pause_limit_seconds"]
    assert json.loads(applied("status", "p.yaml", "--json").out)["waves"] == before
    assert applied("history", "p.yaml").out == journal
    done = applied("rollback", "p.yaml", "--wave", "first", "--dry-run")
    assert "web -> core; writers wait for about" in done.out
    assert "6 objects written since (34 B), 3 deleted, 0 conflicts" in done.out
    assert "Then second wait until somebody decides: `migrate retry p.yaml --reason TEXT`." in done.out
    assert applied("rollback", "p.yaml", "--wave", "first", "--yes").code == 0, "and it is so"
    code, document = 0, json.loads(applied("rollback", "p.yaml", "--wave", "first", "--dry-run", "--json").out)
    assert document["moves"] == []


def test_a_conflict_is_found_before_anybody_waits(applied: Migrate, here: Path) -> None:
    change(here, "web", again=1)
    change(here, "core", again=1)
    code, move = dry(applied)
    assert (code, move["conflicts"]) == (4, 1)
    assert dry(applied, "--on-conflict", "target")[0] == 0
    assert "say --on-conflict source or target" in applied("rollback", "p.yaml", "--wave", "first", "--dry-run").out


def test_a_container_that_is_gone_is_said(applied: Migrate, here: Path) -> None:
    async def drop() -> None:
        store = LocalStore("web", here / "state/web.db", caller="app")
        box = next(one.name for one in await store.containers() if one.name.startswith("web-"))
        with_file = store._file  # the port has no such verb, and no run of ours ever drops one
        with_file.write(lambda connection: connection.execute("DELETE FROM containers WHERE name = ?", (box,)))
        await store.close()

    try:
        asyncio.run(drop())
    except AttributeError:
        pytest.skip("the embedded account has no way to drop a container")
    code, move = dry(applied)
    assert code == 4
    assert move["containers_gone"]


def test_a_move_that_has_not_switched_stops_without_a_pause(migrate: Migrate) -> None:
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    assert migrate("hold", "p.yaml", "--reason", "not before Monday").code == 0
    assert migrate("apply", "p.yaml", "--yes", "--no-wait").code == 3
    code, move = dry(migrate)
    assert (code, move["switched"], move["pause_seconds"]) == (0, False, None)
    assert "it has not switched; it stops" in migrate("rollback", "p.yaml", "--dry-run").out
    assert "(not before Monday)" in migrate("history", "p.yaml").out


def test_the_question_says_whose_writers_wait_and_for_how_long(migrate: Migrate, here: Path) -> None:
    from datetime import UTC, datetime

    from migrator.forecast import StartingPoint, look_ahead
    from migrator.plan import loads
    from migrator.standing.assess import assess
    from migrator.standing.inventory_notes import known_inventories

    text = PLAN.replace("    targets:", "    inventory: {web-tracking: {objects: 2M, bytes: 1TiB}}\n    targets:")
    schedule = loads(text, "p.yaml").schedule
    now = datetime.now(UTC)
    outlook = look_ahead(schedule, known_inventories(schedule, None), StartingPoint(now))
    consent = Consent(outlook=outlook, situation=assess("tiny", schedule=schedule, store=None, now=now))
    said = pause_in_words(schedule, consent, None)
    assert said.startswith("Writers of 1 area will wait, each for about ")
    assert "never for more than 20 s" in said
    assert pause_in_words(schedule, consent, "second") == ""


def test_an_apply_of_one_wave_says_what_is_left(migrate: Migrate) -> None:
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    done = migrate("apply", "p.yaml", "--yes", "--wave", "first")
    assert done.out.rstrip().endswith("Left: second; next: `migrate apply p.yaml` begins with wave second.")


def test_a_pause_inside_a_fence_says_that_it_is_finished_first(
    applied: Migrate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrator.cli.controls.fenced_now", lambda plan, settings: ["north-america/web-tracking"])
    done = applied("pause", "p.yaml", "--reason", "the accounts are hot")
    assert "Not north-america/web-tracking: inside a fence, it is switched or released first" in done.out
    store = open_store("sqlite:///state/migrator.db", "tiny")
    (control,) = [one for one in store.controls() if one.kind == "pause"]
    store.close()
    assert control.value["reason"] == "the accounts are hot"


def test_status_says_of_a_move_that_was_not_switched_that_it_went_back(migrate: Migrate) -> None:
    migrate("sample", "p.yaml", "--objects", "5")
    migrate("hold", "p.yaml")
    assert migrate("apply", "p.yaml", "--yes", "--no-wait").code == 3
    assert migrate("rollback", "p.yaml", "--yes").code == 0
    assert ": went back: asked for\n" in migrate("status", "p.yaml").out
