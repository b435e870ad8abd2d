"""What a soak waits for: one reading for the run, ``status``, its JSON, the live display and the doctor.

Decides the words, and when a soak *stands still*: nothing of what it lacks has become less since some moment. Whoever takes the
rounds works it out of the samples and keeps it in a note with each round; whoever only reads takes the note, for a soak of weeks
has more samples than a screen that is drawn each second may read. Leaves the soak clock to ``gates.soak``. Rule: a note of
another stay at the target (another epoch, another switch) says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from migrator.gates.soak import SoakState
from migrator.gates.windows import first_at
from migrator.model import notes
from migrator.model.moves import MoveRecord
from migrator.model.samples import Sample, Verdict
from migrator.model.schedule import WAY_BACK_READY, Gate, PlannedWave
from migrator.model.units import show_duration
from migrator.model.values import value
from migrator.ports.state_store import SetNote

PATIENCE_INTERVALS: Final = 3
"""A soak that has stood still for longer than so many intervals needs somebody to look."""

NO_STRAGGLERS: Final = "no-stragglers"
"""The built-in gate that nothing is written at the side that customers have left."""
LIVE_CONTAINERS: Final = "live-containers"
"""The built-in gate that asks whether the account that customers use still has its containers."""


@value(frozen=True, slots=True)
class Standstill:
    """A gate that keeps the soak where it is, with what it said last and what can be done."""

    gate: str
    verdict: str
    reason: str
    remedy: str


@value(frozen=True, slots=True)
class SoakWaits:
    """``lacks``: one clause each, besides healthy time; ``still_since``: since when nothing of it has become less;
    ``gates``: those that keep it, the worst first."""

    left_seconds: float
    until: datetime | None
    lacks: tuple[str, ...]
    gates: tuple[Standstill, ...]
    still_since: datetime

    def stands_still(self, now: datetime, interval_seconds: float) -> bool:
        """For longer than a few intervals, and a gate is the cause."""
        return bool(self.gates) and now - self.still_since > timedelta(seconds=PATIENCE_INTERVALS * interval_seconds)

    @property
    def clauses(self) -> tuple[str, ...]:
        """All of it, for one line."""
        until = f", {self.until:%Y-%m-%d %H:%M} UTC at the earliest" if self.until else ""
        return (f"soak: {show_duration(self.left_seconds)} of healthy time left{until}", *self.lacks)


def soak_waits(
    state: SoakState, wave: PlannedWave, last: Mapping[str, Sample], *, since: datetime, still_since: datetime
) -> SoakWaits:
    """Read it off the soak clock and the last sample of each gate. ``since``: the switch."""
    lacks = [one for one in state.waiting_for if one != "healthy time"]
    for gate in wave.gates:
        said = last.get(gate.name)
        if said is None:
            lacks.append(f"gate {gate.name} is first asked at {first_at(gate, since):%Y-%m-%d %H:%M:%S} UTC")
        elif said.verdict is not Verdict.PASSED:
            lacks.append(f"gate {gate.name} {said.verdict}: {said.reason}")
    planned = {gate.name for gate in wave.gates}
    for name, said in sorted(last.items()):  # built-in ones
        is_kept = is_lost(said) or (wave.needs_way_back and _is_cold(said))
        if name not in planned and (said.verdict is Verdict.ERRORED or is_kept):
            lacks.append(f"gate {name} {said.verdict}: {said.reason}")
    cold = [one for one in last.values() if wave.needs_way_back and _is_cold(one)]
    gates = (
        *_keeping(state, wave.gates, last),
        *(
            Standstill(one.gate, one.verdict.value, one.reason, f"the way back is not ready: {one.reason}")
            for one in cold
        ),
    )
    return SoakWaits(state.remaining_seconds, state.until, tuple(lacks), gates, still_since)


def is_lost(said: Sample) -> bool:
    """Does it say that the account that customers use has lost a container?"""
    return said.gate == LIVE_CONTAINERS and said.verdict is Verdict.FAILED


def _is_cold(said: Sample) -> bool:
    """Does it say that the way back is not ready?"""
    return said.gate == WAY_BACK_READY and said.verdict is not Verdict.PASSED


def _keeping(state: SoakState, gates: Sequence[Gate], last: Mapping[str, Sample]) -> Iterator[Standstill]:
    for gate in gates:
        said = last.get(gate.name)
        if said is None or said.verdict is Verdict.PASSED:
            continue
        mend = f"mend gate {gate.name}: {said.reason}"
        yield Standstill(gate.name, said.verdict.value, said.reason, mend)
    for gate in gates:
        said = last.get(gate.name)
        lacks_values = any(one.startswith(f"samples with a value of gate {gate.name} (") for one in state.waiting_for)
        if said is not None and said.verdict is Verdict.PASSED and lacks_values:
            reason = f"its samples have no value, and min_samples wants {gate.min_samples} with one"
            remedy = (
                f"mend gate {gate.name}: {reason}; ask for a figure that is always there, or write min_samples: 0 to soak"
                " on silence"
            )
            yield Standstill(gate.name, "silent", reason, remedy)


def progress_key(state: SoakState) -> tuple[Any, ...]:
    """What becomes less while a soak comes on; equal keys of two rounds say that it stands still."""
    return (round(state.remaining_seconds, 3), *(one for one in state.waiting_for if not one.startswith("rounds ")))


def kept(record: MoveRecord, waits: SoakWaits) -> SetNote:
    """The note that goes with a round."""
    return SetNote(
        notes.soak_waits(record.id),
        {
            "stay": _stay(record),
            "left": waits.left_seconds,
            "until": waits.until.isoformat() if waits.until else None,
            "lacks": list(waits.lacks),
            "gates": [[one.gate, one.verdict, one.reason, one.remedy] for one in waits.gates],
            "still_since": waits.still_since.isoformat(),
        },
    )


def read(record: MoveRecord, note: Mapping[str, Any] | None) -> SoakWaits | None:
    """The last round's reading; None if there is none of this stay."""
    if note is None or note.get("stay") != _stay(record):
        return None
    return SoakWaits(
        float(note["left"]),
        datetime.fromisoformat(note["until"]) if note["until"] else None,
        tuple(note["lacks"]),
        tuple(Standstill(*one) for one in note["gates"]),
        datetime.fromisoformat(note["still_since"]),
    )


def _stay(record: MoveRecord) -> list[Any]:
    return [record.epoch, record.switched_at.isoformat() if record.switched_at else None]
