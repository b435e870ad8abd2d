"""Where a rollout stands: what each wave waits for, and what an operator can safely do next.

Decides the reading of recorded state for people; ``views.status`` shows it. Leaves every verdict to the engine: this file
only reads, and what it says of the future (the end of a soak) supposes that nothing bad happens. Rule: a run counts as at
work while a watch of its heartbeat says so (``engine.pulse``), or, where nobody watched, while that is young and nothing proves
it dead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Final

from migrator.engine.authors import approvals_that_count
from migrator.engine.inventory_notes import known_inventories
from migrator.engine.left_behind import Looked, last_look
from migrator.engine.outcome import compared
from migrator.engine.patience import key as waits_out
from migrator.engine.silence import Silent, silent_gates
from migrator.engine.soak_waits import LIVE_CONTAINERS, SoakWaits, note_of, read
from migrator.engine.starting import starting_point
from migrator.engine.steps.soak import NO_STRAGGLERS
from migrator.errors import UsageError
from migrator.forecast import Outlook, look_ahead
from migrator.forecast.moments import later
from migrator.forecast.outcome import Comparison
from migrator.machine.liveness import is_alive
from migrator.machine.release import Fate, explain
from migrator.machine.states import (
    can_be_paused,
    has_soaked,
    is_at_rest,
    is_getting_ready,
    is_going_back,
    is_in_fence,
    is_over,
    is_to_begin,
    writers_may_wait,
)
from migrator.machine.waiting import Wait, waits_to_begin, waits_to_cut_over
from migrator.machine.waves import wave_state
from migrator.model.moves import (
    Approval,
    Control,
    Direction,
    ExceptionRow,
    LockRecord,
    MoveRecord,
    MoveState,
    WaveRecord,
    WaveState,
)
from migrator.model.pace import FRESH_SECONDS, NOTE, Pace, from_note
from migrator.model.routes import RouteDocument, RouteRecord
from migrator.model.samples import Sample
from migrator.model.schedule import PlannedWave, Schedule
from migrator.model.values import replace, value
from migrator.ports.state_store import StateStore

MOST_LISTED: Final = 100
_KEEP_FROM_BEGINNING: Final = frozenset({"wave", "failed", "not-before", "pause"})


@value(frozen=True, slots=True)
class MoveStanding:
    """``fence_seconds``: age of the open fence, else how long the last one kept writers waiting, None before the first.
    ``is_fenced``: writers wait, or may wait."""

    record: MoveRecord
    is_fenced: bool
    fence_seconds: float | None
    soak_left_seconds: float | None
    waits: tuple[Wait, ...] = ()
    soak_wanted_seconds: float | None = None
    gates: tuple[Sample, ...] = ()
    """The last sample of each gate since the switch, while it soaks."""
    listed: tuple[ExceptionRow, ...] = ()
    """Objects that a person should know of; the first MOST_LISTED by name."""
    listed_counts: Mapping[str, int] = field(default_factory=dict)
    """All of them, by kind."""
    looked: Looked | None = None
    """The last look at the target, if customers have left it."""
    soak_waits: SoakWaits | None = None
    """What its soak waits for, as the last round saw it."""
    remedy: str = ""
    """What would let a soak go on that stands still."""
    settled: str = ""
    """A fence is on record, and the route says what became of it: "released" or "switched"."""
    silent: tuple[Silent, ...] = ()
    """Gates that did not answer when last asked: no cut-over begins before they do."""


@value(frozen=True, slots=True)
class WaveStanding:
    name: str
    state: WaveState
    waits: tuple[Wait, ...]
    moves: tuple[MoveStanding, ...]
    reason: str = ""
    outcome: Comparison | None = None
    """Forecast against actual so far; None before it begins."""


@value(frozen=True, slots=True)
class Situation:
    plan: str
    lock: LockRecord | None
    is_at_work: bool
    """The lock's holder gives signs of life, and is not proven dead."""
    waves: tuple[WaveStanding, ...]
    controls: tuple[Control, ...]
    now: datetime
    pace: Pace | None = None
    """How fast the run at work goes, and what holds it back; None if none is at work or nothing recent is known."""
    outlook: Outlook | None = None
    """None without a plan document."""

    @property
    def moves(self) -> tuple[MoveStanding, ...]:
        return tuple(move for wave in self.waves for move in wave.moves)


@value(frozen=True, slots=True)
class _Recorded:
    waves: Mapping[str, WaveRecord]
    moves: Mapping[str, MoveRecord]
    controls: tuple[Control, ...]
    approvals: tuple[Approval, ...]
    lock: LockRecord | None
    store: StateStore | None = None


def assess(
    plan: str,
    *,
    schedule: Schedule | None,
    store: StateStore | None,
    now: datetime,
    is_dead: Callable[[LockRecord], bool] = lambda lock: False,
    is_beating: bool | None = None,
) -> Situation:
    """Read how ``plan`` stands.

    Args:
        schedule: the compiled plan; without it waves come from the store alone and soaks have no known length.
        store: None where there is none yet: then everything is pending.
        is_dead: is the process that holds this lock proven to be gone? Otherwise its heartbeat decides.
        is_beating: what a watch of the heartbeat found; None: nobody watched, and its age has the word.
    """
    recorded = _read(schedule, store)
    lock = recorded.lock
    is_at_work = is_alive(lock, now, is_dead, beats=is_beating)
    return Situation(
        plan=plan,
        lock=lock,
        is_at_work=is_at_work,
        pace=_pace(store, now) if store is not None and is_at_work else None,
        waves=_waves(schedule, recorded, now),
        controls=recorded.controls,
        now=now,
        outlook=None if schedule is None else _outlook(schedule, store, now),
    )


def with_routes(situation: Situation, document: RouteDocument | None) -> Situation:
    """The same, where the route document was read: a fence that the guardian has undone keeps nobody waiting any more."""
    routes = document.routes if document is not None else {}
    waves = tuple(replace(wave, moves=tuple(_settled(one, routes) for one in wave.moves)) for wave in situation.waves)
    return replace(situation, waves=waves)


def within(situation: Situation, wave: str | None, region: str | None) -> Situation:
    """Only this wave and this region. UsageError for a name that is not there."""
    if wave is None and region is None:
        return situation
    known = [one.name for one in situation.waves]
    if wave is not None and wave not in known:
        raise UsageError(f"cannot show wave {wave}: there is no such wave", hint=f"there are {', '.join(known)}")
    waves = tuple(
        replace(one, moves=tuple(move for move in one.moves if region in (None, move.record.id.region)))
        for one in situation.waves
        if wave in (None, one.name)
    )
    if region is not None:
        waves = tuple(one for one in waves if one.moves)
    return replace(situation, waves=waves)


def _settled(move: MoveStanding, routes: Mapping[str, RouteRecord]) -> MoveStanding:
    record = move.record
    if not move.is_fenced or record.intent is None:
        return move
    fate = explain(routes.get(str(record.id)), record.intent)
    if fate not in (Fate.RELEASED, Fate.SWITCHED):
        return move
    return replace(
        move,
        is_fenced=False,
        fence_seconds=record.figures.fence_seconds,
        settled=str(fate),
        waits=tuple(wait for wait in move.waits if wait.kind != "fence"),
    )


def _pace(store: StateStore, now: datetime) -> Pace | None:
    pace = from_note(store.note(NOTE))
    return pace if pace is not None and (now - pace.at).total_seconds() < FRESH_SECONDS else None


def _outlook(schedule: Schedule, store: StateStore | None, now: datetime) -> Outlook:
    """The forecast from here on, with what is known without asking any account."""
    return look_ahead(schedule, known_inventories(schedule, store), starting_point(schedule, store, now))


def _read(schedule: Schedule | None, store: StateStore | None) -> _Recorded:
    if store is None:
        return _Recorded({}, {}, (), (), None)
    return _Recorded(
        waves={wave.name: wave for wave in store.waves()},
        moves={str(move.id): move for move in store.moves()},
        controls=tuple(store.controls()),
        approvals=tuple(store.approvals()) if schedule is None else approvals_that_count(schedule, store),
        lock=store.lock(),
        store=store,
    )


def _waves(schedule: Schedule | None, recorded: _Recorded, now: datetime) -> tuple[WaveStanding, ...]:
    names = _names(schedule, recorded)
    moves = {name: _moves_of(name, schedule, recorded) for name in names}
    states = {name: _state(recorded.waves.get(name), moves[name]) for name in names}
    planned = {wave.name: wave for wave in schedule.waves} if schedule else {}
    return tuple(_wave(schedule, name, states, moves[name], planned.get(name), recorded, now) for name in names)


def _names(schedule: Schedule | None, recorded: _Recorded) -> list[str]:
    """The plan's order, then waves that only the store still knows."""
    names = [wave.name for wave in schedule.waves] if schedule else []
    rest = sorted(recorded.waves.values(), key=lambda wave: wave.position)
    return names + [wave.name for wave in rest if wave.name not in names]


def _moves_of(name: str, schedule: Schedule | None, recorded: _Recorded) -> tuple[MoveRecord, ...]:
    found = {key: move for key, move in recorded.moves.items() if move.wave == name}
    if schedule is None or all(wave.name != name for wave in schedule.waves):
        return tuple(found.values())
    in_order: dict[str, MoveRecord] = {}
    for planned in schedule.wave(name).moves:
        id = str(planned.id)
        if id in found or id not in recorded.moves:
            in_order[id] = found.get(id) or MoveRecord(planned.id, name, planned.source, planned.target)
    return tuple({**in_order, **found}.values())


def _state(record: WaveRecord | None, moves: Sequence[MoveRecord]) -> WaveState:
    """What the moves say; the wave's own record is older while a run is at work."""
    if moves:
        return wave_state(moves, is_waiting=False)
    return record.state if record is not None else WaveState.PENDING


def _wave(
    schedule: Schedule | None,
    name: str,
    states: Mapping[str, WaveState],
    moves: Sequence[MoveRecord],
    planned: PlannedWave | None,
    recorded: _Recorded,
    now: datetime,
) -> WaveStanding:
    standings = tuple(_move(move, planned, recorded, now) for move in moves)
    record = recorded.waves.get(name)
    state = states[name]
    if is_to_begin(state):
        waits = _waits_to_begin(schedule, planned, states, recorded, now)
        # An approval or a window keeps only the cut-over: such a wave may begin to copy all the same.
        state = WaveState.WAITING if any(one.kind in _KEEP_FROM_BEGINNING for one in waits) else state
    else:
        waits = _waits_at_work(schedule, name, standings, planned, recorded, now)
        is_waiting = any(one.kind not in ("retry", "soak", "gate") for one in waits)
        state = wave_state(moves, is_waiting=is_waiting)
    outcome = compared(recorded.store, record, moves, now) if recorded.store and record else None
    return WaveStanding(name, state, waits, standings, record.reason if record else "", outcome)


def _move(move: MoveRecord, planned: PlannedWave | None, recorded: _Recorded, now: datetime) -> MoveStanding:
    is_fenced = writers_may_wait(move)
    soak_left = None
    if move.state is MoveState.SOAKING and planned is not None:
        soak_left = max(0.0, planned.soak_seconds - move.figures.soak_seconds)
    fence_seconds = _fence_age(move, now) if is_fenced else move.figures.fence_seconds
    soak = _soak_waits(move, recorded) if soak_left is not None else None
    stands = soak is not None and planned is not None and soak.stands_still(now, planned.interval_seconds)
    silent = silent_gates(recorded.store, move, planned) if recorded.store and planned else ()
    return MoveStanding(
        move,
        is_fenced,
        fence_seconds,
        soak_left,
        (
            *_waits_of_move(move, planned, recorded, soak_left, soak, now),
            *(Wait("gate", who=str(one)) for one in silent),
        ),
        planned.soak_seconds if soak_left is not None and planned is not None else None,
        _gates(move, planned, recorded.store),
        tuple(recorded.store.exceptions(move.id, limit=MOST_LISTED)) if recorded.store else (),
        recorded.store.exception_counts(move.id) if recorded.store else {},
        last_look(recorded.store, move) if recorded.store else None,
        soak,
        soak.gates[0].remedy if soak is not None and stands else "",
        silent=silent,
    )


def _soak_waits(move: MoveRecord, recorded: _Recorded) -> SoakWaits | None:
    return read(move, recorded.store.note(note_of(move.id))) if recorded.store else None


def _gates(move: MoveRecord, planned: PlannedWave | None, store: StateStore | None) -> tuple[Sample, ...]:
    """The wave's gates in the plan's order, then the built-in ones that can fail."""
    if store is None or planned is None or move.state is not MoveState.SOAKING or move.switched_at is None:
        return ()
    last = store.last_samples(move.id)
    names = [*(gate.name for gate in planned.gates), LIVE_CONTAINERS, NO_STRAGGLERS]
    return tuple(last[name] for name in names if name in last and last[name].at >= move.switched_at)


def _waits_of_move(
    move: MoveRecord,
    planned: PlannedWave | None,
    recorded: _Recorded,
    soak_left: float | None,
    soak: SoakWaits | None,
    now: datetime,
) -> tuple[Wait, ...]:
    """What keeps this move, and whom: an operator's wish, a person's decision, or only time."""
    waits: list[Wait] = []
    if move.state is MoveState.HALTED:
        waits.append(Wait("retry"))
    away = recorded.store.note(waits_out(move.id)) if recorded.store is not None else None
    if away is not None and not is_at_rest(move.state):
        waits.append(Wait("away", who=away))
    if is_in_fence(move.state):
        waits.append(Wait("fence"))
    if is_getting_ready(move.state) and move.direction is Direction.FORWARD:
        waits += _holds(move.wave, planned, recorded)
    if move.state is MoveState.READY and recorded.store is not None and recorded.store.outstanding(move.id):
        waits.append(Wait("unanswered-writes"))
    if can_be_paused(move.state):
        waits += _pauses(recorded)
    if soak_left is not None:
        waits += _soak(soak_left, soak, now)
    return tuple(waits)


def _soak(left: float, soak: SoakWaits | None, now: datetime) -> list[Wait]:
    """Time, as far as only time is missing; a gate that keeps the soak makes every date a guess, so there is none."""
    kept_by = soak.gates if soak else ()
    gates = [Wait("gate", who=f"gate {one.gate} ({one.verdict}): {one.reason}") for one in kept_by]
    if gates and left <= 0:
        return gates
    return [Wait("soak", until=None if gates else later(now, left)), *gates]


def _holds(wave: str, planned: PlannedWave | None, recorded: _Recorded) -> list[Wait]:
    scopes = ("", f"wave:{wave}")
    held = [one for one in recorded.controls if one.kind == "hold" and one.scope in scopes]
    plan = [Wait("hold", who="plan")] if planned is not None and planned.cutover.hold else []
    return [Wait("hold", who=control.who) for control in held] + plan


def _pauses(recorded: _Recorded) -> list[Wait]:
    return [Wait("pause", who=control.who) for control in recorded.controls if control.kind == "pause"]


def _fence_age(move: MoveRecord, now: datetime) -> float | None:
    if move.intent is None:
        return None
    try:
        begun = datetime.fromisoformat(move.intent.fence.updated)
    except ValueError:
        return None
    return max(0.0, (now - begun).total_seconds())


def _waits_to_begin(
    schedule: Schedule | None,
    planned: PlannedWave | None,
    states: Mapping[str, WaveState],
    recorded: _Recorded,
    now: datetime,
) -> tuple[Wait, ...]:
    waits: list[Wait] = []
    if planned is not None and schedule is not None:
        waits += waits_to_begin(schedule, planned, states, now)
        waits += _holds(planned.name, planned, recorded)
        waits += waits_to_cut_over(planned, schedule.freeze, recorded.approvals, now)
    waits += _pauses(recorded)
    return tuple(waits)


def _waits_at_work(
    schedule: Schedule | None,
    name: str,
    moves: Sequence[MoveStanding],
    planned: PlannedWave | None,
    recorded: _Recorded,
    now: datetime,
) -> tuple[Wait, ...]:
    states = {move.record.state for move in moves}
    ahead = {move.record.state for move in moves if move.record.direction is Direction.FORWARD}
    waits: list[Wait] = []
    if MoveState.HALTED in states:
        waits.append(Wait("retry"))
    if any(map(is_getting_ready, ahead)):
        waits += _holds(name, planned, recorded)
        if planned is not None and schedule is not None:
            waits += waits_to_cut_over(planned, schedule.freeze, recorded.approvals, now)
    if not all(map(is_over, states)):
        waits += _pauses(recorded)
    soaks = [wait for move in moves for wait in move.waits if wait.kind in ("soak", "gate")]
    times = [wait.until for wait in soaks if wait.kind == "soak" and wait.until is not None]
    gates = list(dict.fromkeys(wait for wait in soaks if wait.kind == "gate"))
    if any(wait.kind == "soak" for wait in soaks):
        waits.append(Wait("soak", until=max(times) if times and not gates else None))
    return (*waits, *gates)


def next_action(situation: Situation, plan: str) -> str:
    """The safe thing to do now, as one sentence. ``plan`` is how the plan is called on the command line."""
    states = [move.record.state for move in situation.moves]
    if situation.is_at_work and situation.lock is not None:
        where = f"{situation.lock.owner}@{situation.lock.host}, pid {situation.lock.pid}"
        if halted := [str(move.record.id) for move in situation.moves if move.record.state is MoveState.HALTED]:
            return (
                f"read why {halted[0]} is halted and mend it; then end the run ({where}) with Ctrl-C, which loses nothing,"
                f" and `migrate retry {plan} --reason TEXT` and `migrate apply {plan}`"
            )
        if wished := _wished(situation, plan):
            return f"{wished} (a run is at work: {where})"
        if stands := _standing_soaks(situation) or _silent_gates(situation):
            return f"{stands} (a run is at work: {where})"
        return f"nothing: a run is at work ({where})"
    fenced = [str(move.record.id) for move in situation.moves if move.is_fenced]
    if fenced:
        return f"`migrate apply {plan}` now: writers of {', '.join(fenced)} may be blocked, and it frees them first"
    if settled := next((move for move in situation.moves if move.settled), None):
        what = f"the cut-over of {settled.record.id} was {settled.settled}, and no writer waits"
        return f"`migrate apply {plan}` goes on: {what}"
    if any("--adopt-route" in move.record.reason for move in situation.moves):
        return f"`migrate doctor {plan}` shows where route and state disagree, and the way out"
    if MoveState.HALTED in states:
        return f"read the reason, then `migrate retry {plan} --reason TEXT` or `migrate rollback {plan}`"
    if any(is_going_back(move.record) for move in situation.moves):
        return f"`migrate rollback {plan}` goes on with the way back"
    if any(move.looked is not None and move.looked.found for move in situation.moves):
        return f"bring over what was written at the targets that were left, then `migrate retry {plan} --reason TEXT`"
    if MoveState.REVERSED in states:
        return f"`migrate retry {plan} --reason TEXT` starts the reversed moves afresh"
    if states and all(map(has_soaked, states)):
        return "nothing: every move has soaked"
    if all(state is MoveState.PENDING for state in states):
        return f"`migrate plan {plan}`, then `migrate apply {plan}`"
    if wished := _wished(situation, plan):
        return f"{wished}; then `migrate apply {plan}` goes on from here"
    if stands := _standing_soaks(situation) or _silent_gates(situation):
        return f"{stands}; then `migrate apply {plan}` goes on from here"
    return f"`migrate apply {plan}` goes on from here"


def _wished(situation: Situation, plan: str) -> str:
    """What takes back the wish that something waits for; "" if nothing waits for one."""
    kinds = {wait.kind: wait for wave in situation.waves for wait in wave.waits}
    for control in situation.controls if "hold" in kinds else ():
        if control.kind == "hold":
            option = f" --wave {wave}" if (wave := control.scope.removeprefix("wave:")) else ""
            return f"`migrate release {plan}{option}` lets cut-overs start again"
    if "hold" in kinds:
        return "`hold: false` in the plan lets cut-overs start again"
    return f"`migrate unpause {plan}` lets requests flow again" if "pause" in kinds else ""


def _standing_soaks(situation: Situation) -> str:
    """What to mend where soaks stand still, the first cause in full."""
    stuck = [move for move in situation.moves if move.remedy]
    if not stuck:
        return ""
    alike = [str(move.record.id) for move in stuck if move.remedy == stuck[0].remedy]
    of = ", ".join(alike[:2]) + (f" and {len(alike) - 2} more" if len(alike) > 2 else "")
    return f"the soak of {of} stands still: {stuck[0].remedy}"


def _silent_gates(situation: Situation) -> str:
    """What to look at where a gate's silence keeps back a cut-over, the first in full."""
    first = next((one for move in situation.moves for one in move.silent), None)
    if first is None:
        return ""
    return f"see why {first}" + (f"; {first.hint}" if first.hint else "")
