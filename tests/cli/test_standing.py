"""What a recorded state means to an operator: what it waits for, and what is safe to do next."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migrator.cli.settings import Settings
from migrator.cli.views import status
from migrator.cli.views.documents import write_document
from migrator.cli.views.next_step import next_action
from migrator.cli.views.screen import Page
from migrator.machine.waiting import Wait
from migrator.model.moves import (
    Approval,
    Control,
    Direction,
    ExceptionRow,
    Figures,
    LockRecord,
    MoveRecord,
    MoveState,
    RouteIntent,
    WaveRecord,
    WaveState,
)
from migrator.model.names import Area, MoveId
from migrator.model.routes import RouteDocument, RouteRecord
from migrator.model.samples import Sample, Verdict
from migrator.model.schedule import (
    Account,
    Budget,
    ChangeWindow,
    Cutover,
    Freeze,
    Gate,
    PlannedMove,
    PlannedWave,
    Routing,
    Schedule,
    Verify,
)
from migrator.standing.assess import assess, with_routes
from migrator.standing.next_step import next_step
from migrator.standing.streamed import Streamed
from migrator.standing.values import Standing, WaveStanding

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
WEB, MAIL = MoveId("na", "web"), MoveId("na", "mail")


@dataclass
class Recorded:
    """The part of a state store that a situation is read from."""

    wave_records: tuple[WaveRecord, ...] = ()
    move_records: tuple[MoveRecord, ...] = ()
    control_records: tuple[Control, ...] = ()
    approval_records: tuple[Approval, ...] = ()
    lock_record: LockRecord | None = None
    unanswered: tuple[str, ...] = ()
    samples: dict[str, Sample] = field(default_factory=dict)
    listed: tuple[ExceptionRow, ...] = ()

    def waves(self) -> tuple[WaveRecord, ...]:
        return self.wave_records

    def moves(self) -> tuple[MoveRecord, ...]:
        return self.move_records

    def controls(self) -> tuple[Control, ...]:
        return self.control_records

    def approvals(self) -> tuple[Approval, ...]:
        return self.approval_records

    def lock(self) -> LockRecord | None:
        return self.lock_record

    def note(self, key: str) -> object:
        return None

    def last_samples(self, move: MoveId) -> dict[str, Sample]:
        return self.samples

    def exceptions(self, move: MoveId, *, limit: int) -> tuple[ExceptionRow, ...]:
        return self.listed[:limit]

    def exception_counts(self, move: MoveId) -> dict[str, int]:
        return {"straggler": len(self.listed)} if self.listed else {}

    def outstanding(self, move: MoveId) -> tuple[str, ...]:
        return self.unanswered

    def requests(self, account: str, *, first_minute: int, last_minute: int) -> dict[str, int]:
        return {"read": 7} if account == "core" else {}


def wave(name: str, move: MoveId, after: tuple[str, ...] = (), **changes: Any) -> PlannedWave:
    planned = PlannedMove(move, Area(move.area, ()), "core", move.area)
    made = PlannedWave(
        name=name,
        moves=(planned,),
        after=after,
        soak_seconds=3600,
        interval_seconds=300,
        gates=(),
        on_failure="rollback",
        rollback_scope="wave",
        cutover=Cutover(),
        verify=Verify(),
        fingerprint="f1",
    )
    return replace(made, **changes)


def plan(**changes: Any) -> Schedule:
    return Schedule(
        name="split",
        fingerprint="f",
        accounts={name: Account(name, "local", path=name) for name in ("core", "web", "mail")},
        areas={},
        waves=(wave("first", WEB), wave("second", MAIL, ("first",), **changes)),
        routing=Routing("file", path="r.json"),
        default_budget=Budget(),
        budgets={},
        metrics={},
    )


def record(id: MoveId, state: MoveState, wave_name: str = "first", **changes: Any) -> MoveRecord:
    return replace(MoveRecord(id, wave_name, "core", id.area, state=state), **changes)


def lock(heartbeat_age_seconds: float) -> LockRecord:
    beat = NOW - timedelta(seconds=heartbeat_age_seconds)
    return LockRecord("ab12", 3, "run1", "ann", "box", 77, "boot", NOW - timedelta(hours=1), beat, 30)


def control(kind: str, scope: str = "") -> Control:
    return Control(kind, scope, {"on": True}, "ann", NOW)


def alone(schedule: Schedule) -> Schedule:
    """The second wave comes after none."""
    first, second = schedule.waves
    return replace(schedule, waves=(first, replace(second, after=())))


def look(recorded: Recorded | None, schedule: Schedule | None = None) -> Standing:
    return assess("split", schedule=schedule or plan(), store=recorded, now=NOW)  # type: ignore[arg-type]


def test_without_a_store_everything_is_pending_and_the_plan_comes_next() -> None:
    situation = look(None)
    assert [(one.name, one.state) for one in situation.waves] == [("first", "pending"), ("second", "waiting")]
    assert situation.waves[1].waits == (Wait("wave", who="first"),)
    assert next_action(next_step(situation), "p.yaml") == "`migrate plan p.yaml`, then `migrate apply p.yaml`"


def test_a_store_without_a_plan_document_still_shows_its_waves() -> None:
    recorded = Recorded((WaveRecord("old", 0, WaveState.RUNNING),), (record(WEB, MoveState.COPYING, "old"),))
    situation = assess("split", schedule=None, store=recorded, now=NOW)  # type: ignore[arg-type]
    assert [(one.name, len(one.moves)) for one in situation.waves] == [("old", 1)]


def test_a_wave_that_only_a_window_keeps_from_cutting_over_is_running_until_it_is_ready() -> None:
    """NOW is a Tuesday."""
    weekend = alone(plan(change_windows=(ChangeWindow(frozenset({5}), 120, 360, "UTC"),)))
    wait = Wait("window", until=datetime(2026, 12, 5, 2, 0, tzinfo=UTC))
    for state, expected in (
        (MoveState.PENDING, "pending"),
        (MoveState.COPYING, "running"),
        (MoveState.READY, "waiting"),
    ):
        found = look(Recorded((), (record(MAIL, state, "second"),)), weekend).waves[1]
        assert (found.state, found.waits) == (expected, (wait,))
    frozen = replace(alone(plan()), freeze=(Freeze(NOW, NOW + timedelta(hours=3)),))
    assert look(None, frozen).waves[1].waits == (Wait("freeze", until=NOW + timedelta(hours=3)),)


def test_an_earlier_wave_that_stopped_keeps_later_ones_from_beginning() -> None:
    stopped = Recorded((), (record(WEB, MoveState.REVERSED),))
    found = look(stopped, alone(plan())).waves[1]
    assert (found.state, found.waits) == ("waiting", (Wait("failed", who="first"),))


def test_a_soak_shows_what_each_gate_said_last_and_how_long_it_was_healthy() -> None:
    gate = Gate("settled", "m", "fail", metric="requests_per_minute", max=1)
    planned = plan()
    planned = replace(planned, waves=(replace(planned.waves[0], gates=(gate,)), planned.waves[1]))
    move = record(WEB, MoveState.SOAKING, switched_at=NOW - timedelta(hours=1), figures=Figures(soak_seconds=1800.0))
    at = NOW - timedelta(minutes=2)
    made = Sample(WEB, "settled", at, at, at, Verdict.PASSED, 0.5, "0.5 requests a minute")
    old = replace(made, gate="no-stragglers", at=NOW - timedelta(hours=2))
    (standing,) = look(Recorded((), (move,), samples={"settled": made, "no-stragglers": old}), planned).waves[0].moves
    assert standing.gates == (made,), "a sample of an earlier soak says nothing"
    assert (standing.soak_left_seconds, standing.soak_wanted_seconds) == (1800.0, 3600)


def test_an_approval_counts_only_for_the_wave_as_it_was_approved() -> None:
    waits = look(None, plan(approval_required=True)).waves[1].waits
    assert Wait("approval", who="second") in waits
    stale = Recorded(approval_records=(Approval("second", "f0", "ann", "ok", NOW),))
    assert Wait("approval", who="second") in look(stale, plan(approval_required=True)).waves[1].waits
    fresh = Recorded(approval_records=(Approval("second", "f1", "ann", "ok", NOW),))
    assert Wait("approval", who="second") not in look(fresh, plan(approval_required=True)).waves[1].waits


def test_an_earliest_start_is_waited_for_until_it_is_past() -> None:
    later = NOW + timedelta(days=1)
    assert Wait("not-before", until=later) in look(None, plan(not_before=later)).waves[1].waits
    assert look(None, plan(not_before=NOW - timedelta(days=1))).waves[1].waits == (Wait("wave", who="first"),)


@pytest.mark.parametrize(
    ("state", "scope", "waits"),
    [
        (MoveState.READY, "", True),
        (MoveState.READY, "wave:first", True),
        (MoveState.READY, "wave:second", False),
        (MoveState.SOAKING, "", False),
    ],
)
def test_a_hold_is_waited_for_where_it_holds_something(state: MoveState, scope: str, waits: bool) -> None:
    recorded = running(state, control_records=(control("hold", scope),))
    assert (Wait("hold", who="ann") in look(recorded).waves[0].waits) is waits


def running(state: MoveState, **changes: Any) -> Recorded:
    figures = Figures(objects_copied=1200, bytes_copied=2048, soak_seconds=600, fence_seconds=2.5)
    move = record(WEB, state, figures=figures, **changes.pop("move", {}))
    return Recorded((WaveRecord("first", 0, WaveState.RUNNING),), (move,), **changes)


def test_a_soak_says_how_much_is_left_and_when_it_could_end() -> None:
    situation = look(running(MoveState.SOAKING))
    assert situation.waves[0].moves[0].soak_left_seconds == 3000
    assert situation.waves[0].waits == (Wait("soak", until=NOW + timedelta(seconds=3000)),)


def test_an_open_fence_is_as_old_as_its_record_and_comes_first_when_no_run_is_at_work() -> None:
    before = RouteRecord("core", "e", "read-write", 1, "l", "2026-12-01T11:59:00Z", "r")
    intent = RouteIntent(before, replace(before, mode="read-only", epoch=2, updated="2026-12-01T11:59:18Z"))
    situation = look(running(MoveState.DRAINING, move={"intent": intent}))
    assert situation.waves[0].moves[0].fence_seconds == 42
    assert "writers of na/web may be blocked" in next_action(next_step(situation), "p.yaml")


STORIES = [
    (running(MoveState.COPYING, lock_record=lock(5)), "nothing: a run is at work (ann@box, pid 77)"),
    (running(MoveState.COPYING, lock_record=lock(31)), "`migrate apply p.yaml` continues from here"),
    (running(MoveState.COPYING), "`migrate apply p.yaml` continues from here"),
    (
        running(MoveState.HALTED),
        "read the reason and mend its cause, then `migrate retry p.yaml --reason TEXT`; or `migrate rollback p.yaml`",
    ),
    (
        running(MoveState.CATCHING_UP, move={"direction": Direction.REVERSE}),
        "`migrate rollback p.yaml` goes on with the way back",
    ),
    (running(MoveState.REVERSED), "`migrate retry p.yaml --reason TEXT` starts the reversed moves afresh"),
    (
        Recorded(move_records=(record(WEB, MoveState.SOAKED), record(MAIL, MoveState.SOAKED, "second"))),
        "nothing: every move has soaked",
    ),
    (
        running(MoveState.READY, lock_record=lock(5), control_records=(control("hold"),)),
        "`migrate release p.yaml` lets cut-overs start again (a run is at work: ann@box, pid 77)",
    ),
    (
        running(MoveState.READY, lock_record=lock(5), control_records=(control("hold", "wave:first"),)),
        "`migrate release p.yaml --wave first` lets cut-overs start again (a run is at work: ann@box, pid 77)",
    ),
    (
        running(MoveState.READY, control_records=(control("hold"),)),
        "`migrate release p.yaml` lets cut-overs start again; then `migrate apply p.yaml` continues from here",
    ),
    (
        running(MoveState.COPYING, control_records=(control("pause"),)),
        "`migrate unpause p.yaml` lets requests flow again; then `migrate apply p.yaml` continues from here",
    ),
    (
        running(MoveState.HALTED, lock_record=lock(5)),
        "read why na/web is halted and mend it; then end the run (ann@box, pid 77) with Ctrl-C, which loses nothing,"
        " and `migrate retry p.yaml --reason TEXT` and `migrate apply p.yaml`",
    ),
    (
        running(MoveState.COPYING, lock_record=lock(5), control_records=(control("pause"),)),
        "`migrate unpause p.yaml` lets requests flow again (a run is at work: ann@box, pid 77)",
    ),
]


@pytest.mark.parametrize(("recorded", "action"), STORIES)
def test_the_next_safe_action(recorded: Recorded, action: str) -> None:
    assert next_action(next_step(look(recorded)), "p.yaml") == action


def test_the_json_document_has_exactly_the_promised_keys() -> None:
    situation = look(running(MoveState.SOAKING, lock_record=lock(5)))
    out = io.StringIO()
    write_document(status.document(situation, next_action="wait"), out)
    body = json.loads(out.getvalue())
    assert list(body) == ["format_version", "plan", "lock", "next_action", "waves", "forecast"]
    assert body["next_action"] == "wait"
    assert body["lock"] == {
        "id": "ab12",
        "owner": "ann",
        "host": "box",
        "pid": 77,
        "since": "2026-12-01T11:00:00Z",
        "heartbeat": "2026-12-01T11:59:55Z",
    }
    first = body["waves"][0]
    assert {key: first[key] for key in ("name", "state", "waiting_for")} == {
        "name": "first",
        "state": "soaking",
        "waiting_for": [{"kind": "soak", "until": "2026-12-01T12:50:00Z", "who": None}],
    }
    assert first["moves"] == [
        {
            "region": "na",
            "area": "web",
            "source": "core",
            "target": "web",
            "state": "soaking",
            "direction": "forward",
            "objects_copied": 1200,
            "bytes_copied": 2048,
            "objects_deleted": 0,
            "lag_objects": 0,
            "lag_bytes": 0,
            "lag_seconds": 0.0,
            "epoch": 0,
            "fence_seconds": 2.5,
            "is_fenced": False,
            "writers_paused_seconds": 2.5,
            "waiting_for": [{"kind": "soak", "until": "2026-12-01T12:50:00Z", "who": None}],
            "streamed": None,
            "dirty": None,
            "reason": None,
            "disagreement": None,
            "soak_seconds": 600,
            "soak_left_seconds": 3000,
            "soak_waits_for": None,
            "listed": {"counts": {}, "objects": []},
            "followers": None,
            "way_back": None,
            "retired": None,
            "left_target": None,
            "gates": [],
        }
    ]


def test_without_a_run_the_lock_is_null() -> None:
    assert status.document(look(None))["lock"] is None


def test_each_move_says_what_it_waits_for_and_whom() -> None:
    ready = replace(running(MoveState.READY, control_records=(control("hold"),)), unanswered=("a write",))
    assert [wait.kind for wait in look(ready).waves[0].moves[0].waits] == ["hold", "unanswered-writes"]
    assert [wait.kind for wait in look(running(MoveState.DRAINING)).waves[0].moves[0].waits] == ["fence"]
    assert [wait.kind for wait in look(running(MoveState.HALTED)).waves[0].moves[0].waits] == ["retry"]


def test_an_open_fence_is_told_by_whether_its_run_is_at_work() -> None:
    before = RouteRecord("core", "e", "read-write", 1, "l", "2026-12-01T11:59:00Z", "r")
    fence = replace(before, mode="read-only", epoch=2, updated="2026-12-01T11:59:18Z")
    for at_work, said in ((lock(5), "writers are paused for 42 s"), (None, "fenced 42 s ago, and no run is at work")):
        situation = look(running(MoveState.DRAINING, move={"intent": RouteIntent(before, fence)}, lock_record=at_work))
        out = io.StringIO()
        status.write(Page(Settings(), out), situation, next_action="wait", rates={})
        assert said in out.getvalue()


def test_a_halt_with_its_fence_on_record_and_a_dirty_target_are_shown() -> None:
    before = RouteRecord("core", "e", "read-write", 1, "l", "2026-12-01T11:59:00Z", "r")
    intent = RouteIntent(before, replace(before, mode="read-only", epoch=2, updated="2026-12-01T11:59:18Z"))
    changed = {
        "intent": intent,
        "reason": "see migrate retry --adopt-route",
        "dirty": "web was left behind (it is gone)",
    }
    situation = look(running(MoveState.HALTED, move=changed))
    out = io.StringIO()
    status.write(Page(Settings(), out), situation, next_action=next_action(next_step(situation), "p.yaml"), rates={})
    assert "fenced 42 s ago, and no run is at work: the guardian frees the writers" in out.getvalue()
    assert "web was left behind (it is gone)" in out.getvalue()
    first = status.document(situation)["waves"][0]["moves"][0]
    assert (first["is_fenced"], first["fence_seconds"], first["dirty"]) == (True, 42.0, changed["dirty"])


def test_what_goes_through_this_machine_is_shown_while_it_does() -> None:
    found = Streamed("core", "web", NOW, "the service may not copy between these accounts: a firewall")
    situation = look(running(MoveState.COPYING))
    (wave, *rest) = situation.waves
    moves = tuple(replace(one, streamed=found) for one in wave.moves)
    situation = replace(situation, waves=(replace(wave, moves=moves), *rest))
    out = io.StringIO()
    status.write(Page(Settings(), out), situation, next_action=next_action(next_step(situation), "p.yaml"), rates={})
    assert (
        "objects go from core to web through this machine since 2026-12-01 12:00 UTC: the service may not"
        in out.getvalue()
    )
    document = status.document(situation)["waves"][0]["moves"][0]["streamed"]
    assert (document["from"], document["to"], document["since"]) == ("core", "web", "2026-12-01T12:00:00Z")


def test_people_read_the_same_with_the_reason_of_a_halt() -> None:
    out = io.StringIO()
    recorded = running(MoveState.HALTED, move={"reason": "cannot copy a\x1b[2Jb"}, lock_record=lock(90))
    situation = look(recorded)
    status.write(
        Page(Settings(), out),
        situation,
        next_action=next_action(next_step(situation), "p.yaml"),
        rates={"na/web": 12.0},
    )
    text = out.getvalue()
    assert "Stopped without giving back its lock ab12: ann@box, pid 77" in text
    assert "last sign of life 1 min 30 s ago" in text
    assert "na/web: cannot copy a\\x1b[2Jb" in text
    assert "12/s" in text
    assert "waits for a person: it is halted" in text
    assert text.rstrip().splitlines()[-1].startswith("Next: read the reason")


def test_what_became_of_the_forecast_stands_below_its_wave_and_in_the_document() -> None:
    kept = {"requests": 9, "moves": {"na/web": {"copy_seconds": 60.0, "fence_seconds": 3.0}}}
    begun = WaveRecord("first", 0, begun_at=NOW - timedelta(hours=1), forecast=kept)
    figures = Figures(copy_seconds=90.0, fence_seconds=2.5)
    situation = look(Recorded((begun,), (record(WEB, MoveState.SOAKING, figures=figures),)))
    out = io.StringIO()
    status.write(Page(Settings(), out), situation, next_action="wait", rates={})
    said = "copied in 1 min 30 s (forecast 1 min), writers paused 2.5 s (forecast about 3 s), 7 requests (forecast 9)"
    assert f"  {said}\n" in out.getvalue()
    first, second = status.document(situation, next_action="wait")["waves"]
    assert first["outcome"] == {
        "copy_seconds": {"actual": 90.0, "forecast": 60.0},
        "fence_seconds": {"actual": 2.5, "forecast": 3.0},
        "requests": {"actual": 7, "forecast": 9},
    }
    assert second["outcome"] is None


def test_the_forecast_goes_on_from_where_the_rollout_stands() -> None:
    situation = look(running(MoveState.SOAKING))
    first, second = status.document(situation, next_action="wait")["forecast"] or []
    assert (first["is_begun"], first["soaked"]) == (True, "2026-12-01T12:50:00Z")
    assert (second["begins"], second["is_lower_bound"]) == ("2026-12-01T12:50:00Z", True)
    assert status.document(assess("split", schedule=None, store=None, now=NOW))["forecast"] is None


def test_objects_that_are_listed_are_named_the_first_few_to_people_and_more_to_programs() -> None:
    rows = tuple(ExceptionRow("web", f"n{index:03d}", "straggler", None, "e", "written on web") for index in range(120))
    record = MoveRecord(WEB, "first", "core", "web", MoveState.SOAKED, Direction.FORWARD)
    store = Recorded((WaveRecord("first", 0, WaveState.SOAKED),), (record,), listed=rows)
    seen = assess("p", schedule=None, store=store, now=NOW)  # type: ignore[arg-type]
    out = io.StringIO()
    status.write(Page(Settings(), out), seen, next_action="nothing", rates={})
    assert "listed: 120 straggler" in out.getvalue()
    assert "straggler: web/n004: written on web" in out.getvalue()
    assert "n005" not in out.getvalue()
    assert "and 115 more; status --json names the first 100" in out.getvalue()
    listed = status.document(seen)["waves"][0]["moves"][0]["listed"]
    assert (listed["counts"], len(listed["objects"])) == ({"straggler": 120}, 100)


@pytest.mark.parametrize(
    ("route", "settled"),
    [
        ({"epoch": 3}, "released"),
        ({"epoch": 3, "account": "web", "endpoint": "https://web"}, "switched"),
        ({"mode": "read-only", "epoch": 2, "updated": "2026-12-01T11:59:18Z"}, None),
        (None, None),
    ],
)
def test_what_the_route_says_of_a_fence_on_record_ends_its_counting(route: dict | None, settled: str | None) -> None:
    before = RouteRecord("core", "https://core", "read-write", 1, "0" * 16, "2026-12-01T11:00:00Z", "run")
    fence = replace(before, mode="read-only", epoch=2, updated="2026-12-01T11:59:18Z")
    switched = replace(before, account="web", endpoint="https://web", epoch=3)
    intent = RouteIntent(before, fence, switched) if settled == "switched" else RouteIntent(before, fence)
    situation = look(
        running(MoveState.SWITCHING if settled == "switched" else MoveState.DRAINING, move={"intent": intent})
    )
    routes = {str(situation.moves[0].record.id): replace(before, **route)} if route is not None else {}
    read = with_routes(situation, RouteDocument(30, 60, routes))
    (move,) = read.waves[0].moves
    assert (move.settled, move.is_fenced) == (settled, not settled)
    if settled:
        assert move.fence_seconds == move.record.figures.fence_seconds, "its age is counted no more"
        assert "no writer waits" in next_action(next_step(read), "p.yaml")
    else:
        assert move.fence_seconds is not None


def test_on_a_terminal_what_needs_a_person_is_above_what_waits() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    order = ["halted", "reversed", "running", "waiting", "pending", "soaked"]
    waves = [WaveStanding(name, WaveState(name), (), ()) for name in reversed(order)]
    shown = [wave.name for wave in status._in_order(waves, Page(Settings(no_color=True), Terminal()))]
    assert shown == order
    assert [wave.name for wave in status._in_order(waves, Page(Settings(), io.StringIO()))] == order[::-1]
