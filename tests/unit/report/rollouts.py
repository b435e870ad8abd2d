"""Rollouts of the plan of three regions, as a state store has them: begun, halted, gone back, complete.

What a run would commit is committed here by hand, row by row, so that a page of each can be made in a second.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

from migrator.forecast import look_ahead
from migrator.forecast.outlook import to_record
from migrator.forecast.timeline import StartingPoint
from migrator.model.happenings.fences import BarrierPassed, FenceForecast, FenceReleased, Switched
from migrator.model.happenings.happening import Journaled
from migrator.model.happenings.moves import CanaryReturned, StateChanged
from migrator.model.happenings.rollouts import RunBegan, WaveBegun
from migrator.model.happenings.soaks import GateFailed, SoakRestarted
from migrator.model.moves import Direction, ExceptionRow, Figures, LockRecord, MoveRecord, MoveState, WaveRecord
from migrator.model.names import MoveId
from migrator.model.samples import Sample, Verdict
from migrator.model.schedule import PlannedMove, Schedule
from migrator.plan import load
from migrator.ports.state_store import AddJournal, AddSample, Change, CountRequests, PutException, SaveMove, SaveWave
from migrator.report.facts import ReportFacts, gather
from migrator.standing.assess import assess
from migrator.standing.inventory_notes import known_inventories
from migrator.testing.memory_state import MemoryStateStore
from migrator.words.journal import entry

ROOT = Path(__file__).parents[3]
START = datetime(2026, 12, 1, 0, 0, tzinfo=UTC)
NOW = datetime(2026, 12, 6, 12, 0, tzinfo=UTC)
WEB = MoveId("north-america", "web-tracking")
EMAIL = MoveId("north-america", "email-events")
CAMPAIGN = MoveId("north-america", "campaign-automation")
HOSTILE = "<script>alert('x')</script>&\"`migrate"
WAY = ("preflight", "copying", "catching-up", "ready", "fencing", "draining", "verifying", "switching", "soaking")
S = MoveState


def hours(number: float) -> datetime:
    return START + timedelta(hours=number)


class Rollout:
    """A store with the plan of three regions, and hands to write into it."""

    def __init__(self, plan: str = "plans/three-regions.yaml") -> None:
        self.schedule: Schedule = load(ROOT / plan).schedule
        self.store = MemoryStateStore(self.schedule.name)
        lock = LockRecord("ab12cd", 1, "run", "grace", "mover-1", 77, "boot", START, START, 0.0)
        self.lock = self.store.acquire(lock)
        self.write(AddJournal(entry(RunBegan("grace", "mover-1", "apply plan.yaml --yes"), START, actor="grace")))

    def write(self, *changes: Change) -> None:
        self.store.commit(list(changes), token=self.lock.token)

    def says(self, happening: Journaled, at: datetime, move: MoveId | None = None, wave: str = "") -> None:
        self.write(AddJournal(entry(happening, at, actor="engine", wave=wave or None, move=move)))

    def begin(self, name: str, at: datetime) -> None:
        wave = self.schedule.wave(name)
        position = [one.name for one in self.schedule.waves].index(name)
        outlook = look_ahead(self.schedule, known_inventories(self.schedule, None), StartingPoint(at))
        kept = to_record(outlook, name)
        shift = at - (outlook.wave(name).begins or at)
        for key in ("begins", "ready", "switched", "soaked"):
            kept[key] = (datetime.fromisoformat(kept[key]) + shift).isoformat() if kept[key] else None
        self.write(SaveWave(WaveRecord(name, position, begun_at=at, forecast=kept)))
        self.says(WaveBegun(name, len(wave.moves), "pending", {}, is_first=True), at, wave=name)

    def bring(
        self, id: MoveId, to: MoveState, begun: datetime, *, hours_of_copy: float = 3.0, **changes: object
    ) -> MoveRecord:
        """Lead a move along its way to ``to``, an hour a state but for the copy."""
        planned: PlannedMove = self.schedule.move(id)
        wave = self.schedule.wave_of(id).name
        at, before = begun, "pending"
        switched = None
        figures = Figures(objects_copied=1_234_567, bytes_copied=200 * 2**30, copy_seconds=hours_of_copy * 3600)
        states = (*WAY, "soaked")
        reached = states[: states.index(str(to)) + 1] if str(to) in states else ()
        for state in reached:
            at += timedelta(hours=hours_of_copy if state == "catching-up" else 0.2)
            if state == "soaked":
                at += timedelta(hours=96)
            self.says(StateChanged(before, "", state, "forward", 3), at, id, wave)
            if state == "copying":
                self.says(
                    CanaryReturned(planned.source, planned.target, "c", "by the service", "by the service"),
                    at,
                    id,
                    wave,
                )
            if state == "fencing":
                self.says(FenceForecast(101.0, 95.0, False, 0), at, id, wave)
            if state == "soaking":
                switched = at
                figures = Figures(
                    objects_copied=1_234_567, bytes_copied=200 * 2**30, fence_seconds=103.4, soak_seconds=9 * 3600.0,
                    copy_seconds=hours_of_copy * 3600,
                )  # fmt: skip
                self.says(BarrierPassed(1_234_560, 0, 0.0), at, id, wave)
                self.says(Switched(planned.target, 3, 103.4), at, id, wave)
            before = state
        record = MoveRecord(
            id,
            wave,
            planned.source,
            planned.target,
            state=to,
            figures=figures,
            epoch=3,
            ever_routed=True,
            since=at,
            switched_at=switched,
        )
        for name, one in changes.items():
            setattr(record, name, one)
        self.write(SaveMove(record))
        return record

    def sample(
        self, id: MoveId, gate: str, begin: datetime, number: int, *, minutes: float = 5, bad: int | None = None
    ) -> None:
        """``number`` samples of a gate near two millions, one of them bad."""
        made: list[Change] = []
        for place in range(number):
            at = begin + timedelta(minutes=minutes * place)
            value = 2e6 + 2e5 * math.sin(place / 40) + (place * 7919 % 50_000)
            verdict, reason = Verdict.PASSED, "2.1M requests a minute, wanted 1.7M to 2.3M"
            if place == bad:
                value, verdict, reason = 3.1e6, Verdict.FAILED, "3.1M requests a minute, wanted 1.7M to 2.3M"
            made.append(AddSample(Sample(id, gate, at, at - timedelta(minutes=10), at, verdict, value, reason)))
        self.write(*made)

    def request(self, account: str, begin: datetime, minutes: int) -> None:
        first = int(begin.timestamp()) // 60
        self.write(
            *(CountRequests(account, first + one, "read", 30_000 + (one * 7919) % 25_000) for one in range(minutes))
        )

    def rest(self) -> None:
        """The run ends: the lock is free."""
        self.store.give_back(self.lock.token)

    def facts(self, now: datetime = NOW) -> ReportFacts:
        standing = assess(self.schedule.name, schedule=self.schedule, store=self.store, now=now)
        return gather(
            standing,
            next_action="`migrate status PLAN`",
            place="the state store /srv/state/migrator.db (named by the plan).",
            schedule=self.schedule,
            store=self.store,
        )


def running() -> Rollout:
    """One wave is complete; of the next one a move is watched, one copies and one waits for its place."""
    made = Rollout()
    made.begin("na-first", hours(0))
    made.bring(WEB, S.SOAKED, hours(0))
    made.sample(WEB, "settled-na", hours(6), 1100, bad=300)
    made.sample(WEB, "no-throttling", hours(6), 50)
    made.says(SoakRestarted(25 * 3600.0, ("settled-na",)), hours(31), WEB, "na-first")
    made.begin("na-rest", hours(110))
    made.bring(EMAIL, S.SOAKING, hours(110))
    made.sample(EMAIL, "settled-na", hours(116), 190)
    made.bring(CAMPAIGN, S.COPYING, hours(118))
    made.request("na-core", hours(0), 600)
    made.request("na-web", hours(0), 300)
    made.store.heartbeat(made.lock.token, NOW)
    return made


def halted() -> Rollout:
    """A move has stopped in its copy, with objects that nobody may replace; a switch was called off before."""
    made = running()
    why = "1 object of na-campaign was written by somebody else: see the listed objects, then migrate retry PLAN"
    made.says(FenceReleased("na-core", 4, "a write of ours was not answered", 12.0), hours(120), CAMPAIGN, "na-rest")
    made.says(StateChanged("copying", "halted", "halted", "forward", 3, why), hours(121), CAMPAIGN, "na-rest")
    made.bring(CAMPAIGN, S.HALTED, hours(118), resume_from=S.COPYING, reason=why, since=hours(121))
    row = ExceptionRow("participants", HOSTILE, "foreign", "0x1", "0x2", f"written at na-campaign: {HOSTILE}")
    made.write(PutException(CAMPAIGN, row))
    made.rest()
    return made


def rolled_back() -> Rollout:
    """The gate of the first move failed, and its customers are at the old account again."""
    made = Rollout()
    made.begin("na-first", hours(0))
    made.bring(WEB, S.SOAKING, hours(0))
    made.sample(WEB, "settled-na", hours(6), 40, bad=39)
    made.says(GateFailed("settled-na", "3.1M requests a minute, wanted 1.7M to 2.3M"), hours(10), WEB, "na-first")
    for before, state in (("soaking", "reverse-catching-up"), ("switching", "reversed")):
        event = "rolled-back" if before == "soaking" else "switched"
        made.says(StateChanged(before, event, state.removeprefix("reverse-"), "reverse", 5), hours(11), WEB, "na-first")
    made.bring(WEB, S.REVERSED, hours(0), direction=Direction.REVERSE, since=hours(12), switched_at=hours(12))
    made.rest()
    return made


def complete() -> Rollout:
    """Every move of every wave is complete."""
    made = Rollout()
    for place, wave in enumerate(made.schedule.waves):
        made.begin(wave.name, hours(place * 24))
        for move in wave.moves:
            made.bring(move.id, S.SOAKED, hours(place * 24))
    made.rest()
    return made


def begun_never() -> Rollout:
    made = Rollout()
    made.rest()
    return made
