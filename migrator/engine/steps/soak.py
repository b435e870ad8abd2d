"""soaking: rounds of samples until the recorded ones add up to the soak. A second run reads the same samples."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from migrator.engine.mover import Halt, Mover, Waiting
from migrator.errors import MigrateError
from migrator.gates.judge import Judgement, could_not_ask, judge
from migrator.gates.soak import GateLimits, SoakState, soak
from migrator.machine.events import Event
from migrator.model.samples import Question, Reading, Sample, Verdict
from migrator.model.schedule import Gate
from migrator.ports.state_store import AddSample, Change
from migrator.transfer import passes

NO_STRAGGLERS = "no-stragglers"
ALIVE = "alive"


class GateFailed(Exception):
    """A gate failed: the wave's ``on_failure`` decides. Raised to the rollout, past the runner."""

    def __init__(self, mover: Mover, reason: str) -> None:
        super().__init__(reason)
        self.mover = mover
        self.reason = reason


async def soaking(mover: Mover) -> Event:
    clock = mover.world.clock
    next_watch = 0.0
    said: dict[str, Verdict] = {}
    if mover.record.is_adopted:
        await _compare_adopted(mover)
    while True:
        await mover.admit()
        changes: list[Change] = []
        now = clock.now()
        # The built-in gates speak of the time since the switch: a straggler of the first moment counts too.
        begin = max(now - timedelta(seconds=mover.wave.interval_seconds), _since(mover))
        is_due = clock.monotonic() >= next_watch or _state(mover).remaining_seconds <= mover.wave.interval_seconds
        if is_due:
            result = await passes.watch(mover.transfer())
            next_watch = clock.monotonic() + max(mover.wave.cutover.straggler_interval_seconds, 10 * result.seconds)
            found = result.stragglers_new
            verdict = Verdict.FAILED if found else Verdict.PASSED
            why = ", ".join(result.named[:3]) if found else "the old side is still"
            changes.append(AddSample(Sample(mover.id, NO_STRAGGLERS, now, begin, now, verdict, float(found), why)))
        changes.append(
            AddSample(Sample(mover.id, ALIVE, now, begin, now, Verdict.PASSED, 1.0, "the engine is watching"))
        )
        for gate in mover.wave.gates:
            begin, end, judgement = await _ask(mover, gate, now)
            sample = Sample(mover.id, gate.name, now, begin, end, judgement.verdict, judgement.value, judgement.reason)
            changes.append(AddSample(sample))
            if said.get(gate.name) is not judgement.verdict:  # a soak of weeks says what changed, not every sample
                said[gate.name] = judgement.verdict
                mover.tell("sample", f"{mover.id}: gate {gate.name} {judgement.verdict}: {judgement.reason}")
        mover.commit(*changes)
        state = _state(mover)
        mover.save(mover.figures(soak_seconds=state.healthy_seconds))
        if state.verdict == "failed":
            reason = f"gate {state.gate} of {mover.id} failed: {state.reason}"
            raise GateFailed(mover, reason)
        if state.verdict == "halt":
            raise Halt(f"gate {state.gate} of {mover.id} needs a person: {state.reason}")
        if state.verdict == "soaked":
            return Event.SOAKED
        mover.waiting_for = f"soak: {state.remaining_seconds:.0f} s of healthy time left"
        if not mover.is_patient:
            raise Waiting(f"{mover.id}: {mover.waiting_for}")
        await clock.sleep(mover.wave.interval_seconds)


async def _compare_adopted(mover: Mover) -> None:
    """The route was adopted: what the old side has beyond the evidence is compared once, and listed where it is not equal.
    That is nobody's fault, so no sample fails; what is written there later does. A second run compares again."""
    result = await passes.watch(mover.transfer())
    text = (
        f"{mover.id}: compared with {mover.plan.source}: {result.adopted:,} objects adopted as equal,"
        f" {result.stragglers_new:,} listed that only {mover.plan.source} has"
    )
    mover.save(
        replace(mover.record, is_adopted=False),
        mover.note("adopted", text, adopted=result.adopted, listed=result.stragglers_new, named=result.named),
    )
    mover.tell("adopted", text, adopted=result.adopted, listed=result.stragglers_new)


def _since(mover: Mover) -> datetime:
    since = mover.record.switched_at or mover.record.since
    assert since is not None
    return since


def _state(mover: Mover) -> SoakState:
    since = _since(mover)
    return soak(
        mover.world.state.samples(mover.id, after=since),
        gates=[ALIVE, *(gate.name for gate in mover.wave.gates)],
        since=since,
        interval_seconds=mover.wave.interval_seconds,
        required_seconds=mover.wave.soak_seconds,
        limits={
            **{gate.name: GateLimits.of(gate) for gate in mover.wave.gates},
            NO_STRAGGLERS: GateLimits(failure_limit=1, on_failure="halt"),
        },
        occasional=[NO_STRAGGLERS],
        limits_since=mover.record.since,
    )


async def _ask(mover: Mover, gate: Gate, now: datetime) -> tuple[datetime, datetime, Judgement]:
    end = now - timedelta(seconds=gate.settle_seconds)
    begin = end - timedelta(seconds=gate.window_seconds)
    account = mover.plan.target if gate.account == "target" else mover.plan.source
    query = gate.query
    for name, value in (("$region", mover.id.region), ("$area", mover.id.area), ("$account", account)):
        query = query.replace(name, value) if query else query
    source = mover.world.metrics.get(gate.source)
    if source is None:
        raise Halt(f"cannot judge {gate.name}: its metric source {gate.source} is not there")
    baseline: Reading | None = None
    try:
        reading = await source.ask(Question(mover.id, account, gate.metric, query), begin=begin, end=end)
        if gate.relative_to and mover.record.switched_at:
            until = mover.record.switched_at
            baseline = await source.ask(
                Question(mover.id, mover.plan.source, gate.metric, query),
                begin=until - timedelta(seconds=gate.window_seconds),
                end=until,
            )
    except MigrateError as fault:
        return begin, end, could_not_ask(fault)
    # Local accounts leave our requests out where they count them; other sources are not built into apply yet.
    return begin, end, judge(gate, reading, baseline=baseline, own_requests=0.0, begin=begin, end=end, now=now)
