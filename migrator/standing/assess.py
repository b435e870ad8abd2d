"""Where a rollout stands: the reading of what is recorded.

Decides what the records come to, as values; views make text of them. Leaves every verdict to the engine: this file
only reads, and what it says of the future (the end of a soak) supposes that nothing bad happens. Rule: a run counts as at
work while a watch of its heartbeat says so (``engine.pulse``), or, where nobody watched, while that is young and nothing proves
it dead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from migrator.forecast import Outlook, look_ahead
from migrator.machine.agreement import in_words, judge_route
from migrator.machine.liveness import is_alive
from migrator.machine.release import Fate, explain
from migrator.machine.states import (
    has_soaked,
    is_to_begin,
    writers_may_wait,
)
from migrator.machine.waiting import Wait
from migrator.machine.waves import wave_state
from migrator.model.moves import (
    LockRecord,
    MoveRecord,
    MoveState,
    WaveRecord,
    WaveState,
)
from migrator.model.routes import RouteDocument, RouteRecord
from migrator.model.samples import Sample
from migrator.model.schedule import WAY_BACK_READY, PlannedWave, Schedule
from migrator.model.values import replace
from migrator.ports.state_store import StateStore
from migrator.standing.inventory_notes import known_inventories
from migrator.standing.left_target import last_look
from migrator.standing.outcome import compared
from migrator.standing.recorded import (
    Recorded,
    moves_of,
    pace_now,
    read_recorded,
    soak_waits_of,
    wave_names,
    way_back_of,
)
from migrator.standing.retiring import MayRetire, may_retire, retired_of
from migrator.standing.silence import silent_gates
from migrator.standing.soak_waits import LIVE_CONTAINERS, NO_STRAGGLERS
from migrator.standing.starting import starting_point
from migrator.standing.streamed import streamed_of
from migrator.standing.values import MOST_LISTED, MoveStanding, Standing, WaveStanding
from migrator.standing.waits import waits_at_work, waits_before_beginning, waits_of_move

_KEEP_FROM_BEGINNING: Final = frozenset({"wave", "failed", "not-before", "pause"})


def assess(
    plan: str,
    *,
    schedule: Schedule | None,
    store: StateStore | None,
    now: datetime,
    is_dead: Callable[[LockRecord], bool] = lambda lock: False,
    is_beating: bool | None = None,
) -> Standing:
    """Read how ``plan`` stands.

    Args:
        schedule: the compiled plan; without it waves come from the store alone and soaks have no known length.
        store: None where there is none yet: then everything is pending.
        is_dead: is the process that holds this lock proven to be gone? Otherwise its heartbeat decides.
        is_beating: what a watch of the heartbeat found; None: nobody watched, and its age has the word.
    """
    recorded = read_recorded(schedule, store)
    lock = recorded.lock
    is_at_work = is_alive(lock, now, is_dead, beats=is_beating)
    return Standing(
        plan=plan,
        lock=lock,
        is_at_work=is_at_work,
        pace=pace_now(store, now) if store is not None and is_at_work else None,
        waves=_waves(schedule, recorded, now),
        controls=recorded.controls,
        now=now,
        outlook=None if schedule is None else _outlook(schedule, store, now),
    )


def with_routes(standing: Standing, document: RouteDocument | None, *, lineage: str | None = None) -> Standing:
    """The same, where the route document was read: a fence that the guardian has undone keeps nobody waiting any more, and what
    this store (of ``lineage``, None where there is none) says of a move may not be so."""
    routes = document.routes if document is not None else {}
    waves = tuple(
        replace(wave, moves=tuple(_compared(_settled(one, routes), routes, lineage) for one in wave.moves))
        for wave in standing.waves
    )
    return replace(standing, waves=waves)


def _compared(move: MoveStanding, routes: Mapping[str, RouteRecord], lineage: str | None) -> MoveStanding:
    record = move.record
    if lineage is None or record.intent is not None:
        return move
    found = routes.get(str(record.id))
    agreement = judge_route(record, found, lineage=lineage)
    return replace(move, disagreement=in_words(record, found, agreement) if agreement.is_disagreement else "")


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
        settled=fate,
        waits=tuple(wait for wait in move.waits if wait.kind != "fence"),
    )


def _outlook(schedule: Schedule, store: StateStore | None, now: datetime) -> Outlook:
    """The forecast from here on, with what is known without asking any account."""
    return look_ahead(schedule, known_inventories(schedule, store), starting_point(schedule, store, now))


def _waves(schedule: Schedule | None, recorded: Recorded, now: datetime) -> tuple[WaveStanding, ...]:
    names = wave_names(schedule, recorded)
    moves = {name: moves_of(name, schedule, recorded) for name in names}
    states = {name: _state(recorded.waves.get(name), moves[name]) for name in names}
    planned = {wave.name: wave for wave in schedule.waves} if schedule else {}
    return tuple(_wave(schedule, name, states, moves[name], planned.get(name), recorded, now) for name in names)


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
    recorded: Recorded,
    now: datetime,
) -> WaveStanding:
    standings = tuple(_move(move, planned, recorded, now) for move in moves)
    if schedule is not None and planned is not None:
        standings = tuple(
            replace(one, way_back=way_back_of(one.record, planned, schedule.routing, recorded, now))
            for one in standings
        )
    record = recorded.waves.get(name)
    state = states[name]
    if is_to_begin(state):
        waits = waits_before_beginning(schedule, planned, states, recorded, now)
        # An approval or a window keeps only the cut-over: such a wave may begin to copy all the same.
        state = WaveState.WAITING if any(one.kind in _KEEP_FROM_BEGINNING for one in waits) else state
    else:
        waits = waits_at_work(schedule, name, standings, planned, recorded, now)
        is_waiting = any(one.kind not in ("retry", "soak", "gate") for one in waits)
        state = wave_state(moves, is_waiting=is_waiting)
    outcome = compared(recorded.store, record, moves, now) if recorded.store and record else None
    reason = record.reason if record else ""
    return WaveStanding(name, state, waits, standings, reason, outcome, _may_retire(schedule, planned, moves, recorded))


def _may_retire(
    schedule: Schedule | None, planned: PlannedWave | None, moves: Sequence[MoveRecord], recorded: Recorded
) -> MayRetire | None:
    """None where nothing is left to retire, or nobody planned it."""
    if schedule is None or planned is None or recorded.store is None or not schedule.retire.is_planned:
        return None
    states = {move.state for move in moves}
    if not all(map(has_soaked, states)) or states == {MoveState.RETIRED}:
        return None
    return may_retire(schedule, planned, recorded.store, moves)


def _move(move: MoveRecord, planned: PlannedWave | None, recorded: Recorded, now: datetime) -> MoveStanding:
    is_fenced = writers_may_wait(move)
    soak_left = None
    if move.state is MoveState.SOAKING and planned is not None:
        soak_left = max(0.0, planned.soak_seconds - move.figures.soak_seconds)
    fence_seconds = _fence_age(move, now) if is_fenced else move.figures.fence_seconds
    soak = soak_waits_of(move, recorded) if soak_left is not None else None
    stands = soak is not None and planned is not None and soak.stands_still(now, planned.interval_seconds)
    silent = silent_gates(recorded.store, move, planned) if recorded.store and planned else ()
    return MoveStanding(
        move,
        is_fenced,
        fence_seconds,
        soak_left,
        (
            *waits_of_move(move, planned, recorded, soak_left, soak, now),
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
        retired=retired_of(recorded.store, move) if recorded.store else None,
        streamed=streamed_of(recorded.store, move) if recorded.store else None,
    )


def _gates(move: MoveRecord, planned: PlannedWave | None, store: StateStore | None) -> tuple[Sample, ...]:
    """The wave's gates in the plan's order, then the built-in ones that can fail."""
    if store is None or planned is None or move.state is not MoveState.SOAKING or move.switched_at is None:
        return ()
    last = store.last_samples(move.id)
    names = [*(gate.name for gate in planned.gates), WAY_BACK_READY, LIVE_CONTAINERS, NO_STRAGGLERS]
    return tuple(last[name] for name in names if name in last and last[name].at >= move.switched_at)


def _fence_age(move: MoveRecord, now: datetime) -> float | None:
    if move.intent is None:
        return None
    try:
        begun = datetime.fromisoformat(move.intent.fence.updated)
    except ValueError:
        return None
    return max(0.0, (now - begun).total_seconds())
