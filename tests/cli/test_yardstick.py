"""How quick this machine is: tried where there is much to move, assumed where there is little or no room."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.cli import tried_move, yardstick
from migrator.errors import StateError
from migrator.forecast.inventory import Inventory
from migrator.forecast.means import UNMEASURED
from migrator.model.schedule import Account, Schedule
from tests.unit.forecast.worlds import schedule

SMALL, LARGE = Inventory(999, 0), Inventory(1_000, 0)


def of(plan: Schedule, inventory: Inventory) -> yardstick.Means:
    return asyncio.run(yardstick.means_of_here(plan, {plan.moves[0].id: inventory}, UNMEASURED))


@pytest.fixture
def served() -> Schedule:
    return schedule({"web": ("new", None)})


@pytest.fixture
def embedded(served: Schedule) -> Schedule:
    return replace(served, accounts={name: Account(name, "local", path=name) for name in served.accounts})


def test_little_is_not_worth_a_try(served: Schedule) -> None:
    means = of(served, SMALL)
    assert means.measured_at is None
    assert (means.slowness, means.commit_seconds) == (UNMEASURED.slowness, UNMEASURED.commit_seconds)
    assert means.cores >= 1
    assert of(served, Inventory(3, yardstick.WORTH_BYTES)).measured_at is not None, "few large ones are much, too"


def test_of_served_accounts_this_machine_and_its_disk_are_measured(served: Schedule) -> None:
    means = of(served, LARGE)
    assert means.measured_at is not None
    assert means.slowness > 0.1
    assert means.commit_seconds > 0
    assert means.embedded_copy_seconds == 0.0


def test_of_embedded_accounts_a_move_is_tried_and_nothing_of_it_stays(
    embedded: Schedule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tried_move, "OBJECTS", 40)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    means = of(embedded, LARGE)
    assert means.processes == 0
    assert 0.0 < means.embedded_copy_seconds < 1.0
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_tried_is_assumed(embedded: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_room(*, copies: bool) -> tried_move.Tried:
        raise StateError("cannot write the state store: the disk is full")

    monkeypatch.setattr(tried_move, "tried", no_room)
    means = of(embedded, LARGE)
    assert means.measured_at is not None
    assert (means.commit_seconds, means.embedded_copy_seconds) == (UNMEASURED.commit_seconds, 0.0)
