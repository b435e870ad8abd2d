"""One gate of one move, asked: from the gate's words to a recorded sample.

Decides which window is asked about, whose requests are taken out, and what "the source before the switch" was. Leaves the
verdict to ``gates.judge``. Rules: no window begins before the switch; a source that counts in minutes is asked about whole
ones; the source account's figures from before the switch are kept, for a soak may outlive the memory of who told them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from migrator.engine.context import Halt
from migrator.engine.mover import Mover
from migrator.errors import CloudError, MigrateError
from migrator.gates.judge import Baseline, Judgement, could_not_ask, judge
from migrator.gates.windows import window
from migrator.model import notes
from migrator.model.names import MoveId
from migrator.model.samples import Point, Question, Reading, Sample
from migrator.model.schedule import Gate
from migrator.ports.metric_source import MetricSource
from migrator.ports.state_store import SetNote


async def sample(mover: Mover, gate: Gate, now: datetime, *, since: datetime) -> Sample | None:
    """Ask and judge; None while the gate's first window after the switch is not over.

    Args:
        now: when the round is taken; all samples of a round carry it.
        since: the switch.
    """
    begin, end = window(gate, now)
    if begin < since:
        return None
    judgement = await _judged(mover, gate, begin, end, now)
    settled = now - timedelta(seconds=gate.settle_seconds)  # whole minutes are for the source; time goes on by seconds
    return Sample(
        mover.id,
        gate.name,
        now,
        begin,
        settled,
        judgement.verdict,
        judgement.value,
        judgement.reason,
        clock=mover.shared.run.clock,
        tick=mover.world.clock.monotonic(),
        epoch=mover.record.epoch,
    )


async def _judged(mover: Mover, gate: Gate, begin: datetime, end: datetime, now: datetime) -> Judgement:
    source = mover.world.metrics.get(gate.source)
    if source is None:
        raise Halt(f"cannot judge {gate.name}: its metric source {gate.source} is not there")
    account = mover.plan.target if gate.account == "target" else mover.plan.source
    try:
        reading = await answer(source, gate, question(gate, mover.id, account), begin, end)
        baseline = await _baseline(mover, gate, source) if gate.relative_to is not None else None
    except MigrateError as fault:
        return could_not_ask(fault)
    own = _own(mover, reading, account, begin, end)
    return judge(gate, reading, baseline=baseline, own_requests=own, begin=begin, end=end, now=now)


def question(gate: Gate, move: MoveId, account: str) -> Question:
    """The gate's question about ``account``, its ``$``-words replaced."""
    query = gate.query
    for name, value in (("$region", move.region), ("$area", move.area), ("$account", account)):
        query = query.replace(name, value) if query else query
    return Question(move, account, gate.metric, query)


def _own(mover: Mover, reading: Reading, account: str, begin: datetime, end: datetime) -> float | None:
    return mover.shared.own_traffic.within(account, begin, end) if reading.includes_own else 0.0


async def answer(source: MetricSource, gate: Gate, asked: Question, begin: datetime, end: datetime) -> Reading:
    """What the source answers. Sources are told by strangers: whatever else one raises than it promises, is one more way of
    having no figure, and never the end of a run that watches live data.

    Raises:
        MigrateError: it could not be asked, or what it said cannot be understood.
    """
    try:
        return await source.ask(asked, begin=begin, end=end)
    except MigrateError:
        raise
    except Exception as fault:
        raise CloudError(
            f"cannot understand what the metric source {gate.source} said: {type(fault).__name__}",
            hint="look at what it answers; `--debug` shows where it was read",
        ) from fault


async def _baseline(mover: Mover, gate: Gate, source: MetricSource) -> Baseline | None:
    """What the source showed in the gate's window before its writers were paused; asked once and kept."""
    switched_at = mover.record.switched_at
    if switched_at is None:
        return None
    asked = [switched_at.isoformat(), gate.source, gate.metric, gate.query, gate.window_seconds]
    key = notes.baseline(mover.id, gate.name)
    kept = mover.world.state.note(key)
    if kept and kept["asked"] == asked:
        return _from_json(kept)
    begin, end = window(gate, _paused_at(mover, switched_at) + timedelta(seconds=gate.settle_seconds))
    reading = await answer(source, gate, question(gate, mover.id, mover.plan.source), begin, end)
    baseline = Baseline(reading, _own(mover, reading, mover.plan.source, begin, end))
    mover.commit(SetNote(key, {"asked": asked, **_to_json(baseline)}))
    return baseline


def _paused_at(mover: Mover, switched_at: datetime) -> datetime:
    """When the writers were last at work at the source: a window with the fence in it would make the source look idle."""
    return switched_at - timedelta(seconds=mover.record.figures.fence_seconds or 0.0)


def _to_json(baseline: Baseline) -> dict[str, Any]:
    points = [[one.at.isoformat(), one.value, one.volume] for one in baseline.reading.points]
    return {"points": points, "own": baseline.own_requests}


def _from_json(kept: dict[str, Any]) -> Baseline:
    points = tuple(
        Point(datetime.fromisoformat(at).astimezone(UTC), value, volume) for at, value, volume in kept["points"]
    )
    return Baseline(Reading(points), kept["own"])
