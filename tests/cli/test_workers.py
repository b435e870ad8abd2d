"""How many processes a run copies with: what the budget can use, what the machine has, what the operator says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

import pytest

from migrator.adapters.own_processes import command
from migrator.cli import workers as workers_module
from migrator.cli.wiring import open_processes
from migrator.model.names import Area, MoveId, Selector
from migrator.model.schedule import Account, Budget, Cutover, PlannedMove, PlannedWave, Routing, Schedule, Verify


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


def plan(*, kind: str = "azure", per_minute: float | None = None) -> Schedule:
    area = Area("web", (Selector("web"),))
    move = PlannedMove(MoveId("na", "web"), area, "src", "dst")
    wave = PlannedWave("w", (move,), (), 1.0, 1.0, (), "halt", "wave", Cutover(), Verify())
    accounts = {name: Account(name, kind) for name in ("src", "dst")}  # type: ignore[arg-type]
    routing = Routing("file", path="routes.json")
    return Schedule("s", "f", accounts, {"web": area}, (wave,), routing, Budget(per_minute), {}, {})


def test_an_unlimited_plan_uses_every_core() -> None:
    assert workers_module.workers_for(plan(), None) == 8


@pytest.mark.parametrize(
    ("per_minute", "workers"), [(60_000, 0), (300_000, 0), (600_000, 1), (1_800_000, 3), (60e6, 8)]
)
def test_no_more_workers_than_the_budget_can_use(per_minute: float, workers: int) -> None:
    assert workers_module.workers_for(plan(per_minute=per_minute), None) == workers


def test_embedded_accounts_need_none() -> None:
    assert workers_module.workers_for(plan(kind="local"), None) == 0


@pytest.mark.parametrize("wanted", [0, 1, 20])
def test_the_operator_s_word_counts(wanted: int) -> None:
    assert workers_module.workers_for(plan(kind="local", per_minute=1.0), wanted) == wanted


def test_nothing_of_the_plan_is_on_a_worker_s_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Sequence[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda words, **rest: started.append(words))
    open_processes(plan(), 1).take()
    assert started == [command("migrator.cli.worker")]
    assert started[0][-2:] == ("-m", "migrator.cli.worker")
