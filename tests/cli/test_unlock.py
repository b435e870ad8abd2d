"""``migrate unlock``: what a dead run may have sent is waited for after that too, and a person's word ends a wait without end."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path

import pytest

from migrator.adapters.clock import SystemClock
from migrator.adapters.state import open_store
from migrator.cli.commands.unlock.operation import SENTENCE, remove_lock
from migrator.cli.identity import boot_id
from migrator.cli.settings import Settings
from migrator.engine import pulse
from migrator.engine.lingering import Lingering, Moment, accounted, lingering, noted
from migrator.errors import FindingsError, LockedError, UsageError
from migrator.machine import liveness
from migrator.model.moves import PROVEN_DEAD_SECONDS, LockRecord, PlanRecord
from migrator.ports.state_store import SavePlan


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(liveness, "SILENT_SECONDS", 0.2)  # of watching; what it must be is test_pulse's
    monkeypatch.setattr(pulse, "LOOK_SECONDS", 0.02)
    return Settings(state=f"sqlite:///{tmp_path}/m.db")


def dead_lock(settings: Settings, bound_seconds: float, *, silent_seconds: float = 120.0) -> LockRecord:
    then = datetime.now(UTC) - timedelta(seconds=silent_seconds)
    store = open_store(settings.state, "tiny")
    lock = store.acquire(LockRecord("c0ffee", 0, "run-1", "ann", "elsewhere", 7, "boot", then, then, bound_seconds))
    store.commit([SavePlan(PlanRecord("tiny", "f", "", then))], token=lock.token)
    store.close()
    return lock


def left(settings: Settings) -> Lingering:
    store = open_store(settings.state, "tiny")
    found = lingering(store, Moment.of(boot_id(), SystemClock().monotonic()))
    assert store.lock() is None
    store.close()
    return found


def says(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(words + "\n"))


def test_what_the_run_may_have_sent_is_waited_for_after_its_lock_was_removed(settings: Settings) -> None:
    lock = dead_lock(settings, 600.0)
    assert "ann@elsewhere, pid 7" in remove_lock(settings, lock.nonce)
    assert 590.0 < left(settings).seconds <= 600.0
    store = open_store(settings.state, "tiny")
    assert accounted(store) == ["run-1"]
    assert [entry.kind for entry in store.journal()] == ["unlock"]
    store.close()


def test_without_anything_to_wait_for_an_empty_id_is_no_lock(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_lock(settings, dead_lock(settings, 0.0).nonce)
    says(monkeypatch, SENTENCE)
    with pytest.raises(UsageError, match="has no such lock"):
        remove_lock(settings, "")


def test_a_process_that_a_person_stopped_is_waited_for_as_one_proven_dead(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = dead_lock(settings, 7200.0)
    with pytest.raises(UsageError, match="without asking"):
        remove_lock(settings, lock.nonce)
    says(monkeypatch, "yes")
    with pytest.raises(FindingsError):
        remove_lock(settings, lock.nonce)
    says(monkeypatch, SENTENCE)
    remove_lock(settings, lock.nonce)
    assert 0.0 < left(settings).seconds <= PROVEN_DEAD_SECONDS


def test_a_wait_without_end_that_a_later_run_inherited_ends_by_the_same_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dead run's signature has no end that anybody knows; another run took its lock, and ended."""
    lock = dead_lock(settings, inf)
    store = open_store(settings.state, "tiny")
    now = datetime.now(UTC)
    moment = Moment.of(boot_id(), SystemClock().monotonic())
    later = LockRecord("beef", 0, "run-2", "ann", "here", 8, "boot", now, now, 0.0)
    taken = store.acquire(later, dead=lock.nonce, changes=[noted(Lingering(inf, lock.nonce), moment)])
    says(monkeypatch, SENTENCE)
    with pytest.raises(LockedError):
        remove_lock(settings, lock.nonce)
    store.give_back(taken.token)
    store.close()
    assert left(settings).seconds == inf
    for nonce in ("beef", ""):
        with pytest.raises(UsageError, match="has no such lock"):
            remove_lock(settings, nonce)
    says(monkeypatch, SENTENCE)
    assert lock.nonce in remove_lock(settings, lock.nonce)
    assert 0.0 < left(settings).seconds <= PROVEN_DEAD_SECONDS


def test_a_lock_whose_clock_was_ahead_can_be_removed_and_one_that_beats_cannot(settings: Settings) -> None:
    """A watch decides, on this machine's steady clock."""
    ahead = dead_lock(settings, 0.0, silent_seconds=-24 * 3600.0)
    store = open_store(settings.state, "tiny")
    right, beats = type(store).lock, [datetime.now(UTC) + timedelta(hours=24)]

    def beating(self: object) -> LockRecord:
        beats[0] += timedelta(seconds=5)
        return replace(ahead, heartbeat=beats[0])

    type(store).lock = beating  # type: ignore[method-assign,assignment]
    try:
        with pytest.raises(LockedError, match="gave a sign of life a moment ago"):
            remove_lock(settings, ahead.nonce)
    finally:
        type(store).lock = right  # type: ignore[method-assign]
    assert "lock c0ffee" in remove_lock(settings, ahead.nonce)
    store.close()


def test_whoever_names_the_plan_is_told_the_lock(settings: Settings) -> None:
    lock = dead_lock(settings, 30.0)
    with pytest.raises(UsageError, match=r"cannot remove lock tiny\.yaml: .*m\.db has no such lock") as refused:
        remove_lock(settings, "tiny.yaml")
    assert refused.value.hint == "give the id of a lock: `migrate unlock c0ffee` (of ann@elsewhere, pid 7)"
    remove_lock(settings, lock.nonce)
    with pytest.raises(UsageError) as refused:
        remove_lock(settings, "tiny.yaml")
    assert refused.value.hint == "it has none: `migrate apply PLAN` may begin"
