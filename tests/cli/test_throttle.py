"""What ``status`` says of the pace: who is asked how much, and what holds it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from migrator.cli.views.throttle import pace_lines, wish_lines
from migrator.model import notes
from migrator.model.moves import Control
from migrator.model.pace import AccountPace, Pace, to_note
from migrator.ports.state_store import SetNote
from migrator.standing.assess import assess
from migrator.testing.memory_state import MemoryStateStore
from tests.contract.state_store_suite import NOW, lock


def test_each_account_that_is_asked_or_held_back_has_a_line() -> None:
    accounts = {
        "na-web": AccountPace(1_998.4, 2_000.0, "budget"),
        "na-core": AccountPace(12.0, 15.5, "service", datetime(2026, 12, 1, 2, 0, 5, tzinfo=UTC)),
        "eu-core": AccountPace(250.0, None, ""),
        "eu-web": AccountPace(0.0, 2_000.0, ""),
    }
    assert pace_lines(Pace(NOW, accounts, {})) == [
        "eu-core: 250 requests/s",
        "na-core: 12 requests/s, throttled by: the service (503) since 2026-12-01 02:00:05 UTC, now 16 requests/s at most",
        "na-web: 1,998 requests/s, throttled by: budget of na-web",
    ]
    assert pace_lines(Pace(NOW, {}, {}, 1_024)) == ["Up to 1,024 copies are under way at once: as many as pay"]
    assert pace_lines(None) == []


def test_wishes_are_told_with_who_and_since_when() -> None:
    wish = Control("throttle", "", {"requests_per_minute": 60_000.0}, "ann", datetime(2026, 12, 1, tzinfo=UTC))
    hold = Control("hold", "", {"on": True}, "bob", wish.at)
    said = ["Throttle of ann since 2026-12-01 00:00:00 UTC: every account: at most 60 k requests a minute"]
    assert wish_lines([hold, wish]) == said


def test_only_the_pace_of_a_run_at_work_is_of_now() -> None:
    store = MemoryStateStore("tiny")
    token = store.acquire(lock()).token
    store.commit([SetNote(notes.PACE, to_note(Pace(NOW, {"a": AccountPace(5.0)}, {"na/web": 3.0})))], token=token)

    def pace_at(seconds: float, *, is_dead: bool = False) -> Pace | None:
        now = NOW + timedelta(seconds=seconds)
        return assess("tiny", schedule=None, store=store, now=now, is_dead=lambda held: is_dead).pace

    pace = pace_at(5)
    assert pace is not None
    assert pace.moves == {"na/web": 3.0}
    assert pace_at(25) is None
    assert pace_at(5, is_dead=True) is None
