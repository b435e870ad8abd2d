"""A state store in memory that can be put back to an older moment, as a restored backup would be.

Keeps the port's promises with plain dictionaries. Rule: values are immutable, so a snapshot is a copy of dictionaries.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from migrator.errors import InternalError, LockedError
from migrator.model.moves import (
    Approval,
    Control,
    EvidenceRange,
    ExceptionRow,
    JournalEntry,
    LockRecord,
    MoveRecord,
    Outstanding,
    PlanRecord,
    WaveRecord,
)
from migrator.model.names import MoveId
from migrator.model.samples import Sample
from migrator.ports.state_store import (
    AddApproval,
    AddJournal,
    AddSample,
    Change,
    CountRequests,
    DropException,
    DropOutstanding,
    PutException,
    PutOutstanding,
    ReplaceRanges,
    SaveMove,
    SavePlan,
    SaveWave,
    SetControl,
    SetNote,
)

LOCK_TIMEOUT_SECONDS = 30.0


@dataclass(slots=True)
class Rows:
    """Everything that is kept; each value is immutable or a tuple."""

    plan: PlanRecord | None = None
    waves: dict[str, WaveRecord] = field(default_factory=dict)
    moves: dict[MoveId, MoveRecord] = field(default_factory=dict)
    ranges: dict[tuple[MoveId, str, str], tuple[EvidenceRange, ...]] = field(default_factory=dict)
    exceptions: dict[tuple[MoveId, str, str], ExceptionRow] = field(default_factory=dict)
    outstanding: dict[tuple[MoveId, str, str, str], Outstanding] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    controls: dict[tuple[str, str], Control] = field(default_factory=dict)
    approvals: list[Approval] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    requests: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    lock: LockRecord | None = None
    token: int = 0


class Ledger:
    """Implements StateStore for one plan."""

    def __init__(self, plan_name: str, *, lineage: str) -> None:
        self.plan_name = plan_name
        self.lineage = lineage
        self._rows = Rows()

    def snapshot(self) -> Rows:
        """All rows as they are now, to ``restore`` later."""
        return _copied(self._rows)

    def restore(self, rows: Rows) -> None:
        self._rows = _copied(rows)

    def commit(self, changes: Sequence[Change], *, token: int | None) -> None:
        if token is None:
            for change in changes:
                if not isinstance(change, (SetControl, AddJournal, AddApproval)):
                    raise InternalError(f"{type(change).__name__} was committed without the lock's token")
        else:
            self._check(token)
        for change in changes:
            self._apply(change)

    def _check(self, token: int) -> LockRecord:
        lock = self._rows.lock
        if lock is None or lock.token != token:
            raise LockedError("cannot go on: this run's lock is gone", hint="run the same command again")
        return lock

    def _apply(self, change: Change) -> None:
        rows = self._rows
        match change:
            case SaveMove(move):
                rows.moves[move.id] = move
            case ReplaceRanges():
                self._tile(change)
            case AddJournal(entry):
                rows.journal.append(replace(entry, number=len(rows.journal) + 1))
            case AddSample(sample):
                rows.samples.append(sample)
            case PutException(move, row):
                rows.exceptions[move, row.container, row.name] = row
            case DropException(move, container, name):
                rows.exceptions.pop((move, container, name), None)
            case PutOutstanding(move, write):
                rows.outstanding[move, write.side, write.container, write.name] = write
            case DropOutstanding(move, side, container, name):
                rows.outstanding.pop((move, side, container, name), None)
            case SavePlan(plan):
                rows.plan = plan
            case SaveWave(wave):
                rows.waves[wave.name] = wave
            case SetControl(control):
                rows.controls.pop((control.kind, control.scope), None)
                if control.value:
                    rows.controls[control.kind, control.scope] = control
            case AddApproval(approval):
                rows.approvals.append(approval)
            case SetNote(key, value):
                rows.notes[key] = value
            case CountRequests(account, minute, operation, requests):
                rows.requests[account, minute, operation] += requests

    def _tile(self, change: ReplaceRanges) -> None:
        key = (change.move, change.container, change.prefix)
        whole: tuple[EvidenceRange, ...] = (EvidenceRange(change.container, change.prefix, None),)
        if key not in self._rows.ranges and change.above is not None:
            whole = (EvidenceRange(change.container, change.prefix, change.above), *whole)
        if key not in self._rows.ranges and change.upper is not None:
            whole = (*whole[:-1], EvidenceRange(change.container, change.prefix, change.upper), whole[-1])
        old = self._rows.ranges.get(key, whole)
        uppers = [one.upper for one in old]
        begin = 0 if change.above is None else uppers.index(change.above) + 1
        end = uppers.index(change.upper) + 1
        if not change.ranges or change.ranges[-1].upper != change.upper:
            raise InternalError("ranges do not tile the stretch they replace")
        self._rows.ranges[key] = (*old[:begin], *change.ranges, *old[end:])

    def plan(self) -> PlanRecord | None:
        return self._rows.plan

    def waves(self) -> Sequence[WaveRecord]:
        return sorted(self._rows.waves.values(), key=lambda wave: wave.position)

    def moves(self) -> Sequence[MoveRecord]:
        return list(self._rows.moves.values())

    def move(self, move: MoveId) -> MoveRecord | None:
        return self._rows.moves.get(move)

    def ranges(self, move: MoveId, container: str, prefix: str) -> Iterator[EvidenceRange]:
        return iter(self._rows.ranges.get((move, container, prefix), ()))

    def containers_with_ranges(self, move: MoveId) -> Sequence[tuple[str, str]]:
        return sorted((container, prefix) for of, container, prefix in self._rows.ranges if of == move)

    def exceptions(self, move: MoveId, *, limit: int = 1000) -> Sequence[ExceptionRow]:
        return [row for (of, _, _), row in self._rows.exceptions.items() if of == move][:limit]

    def exception(self, move: MoveId, container: str, name: str) -> ExceptionRow | None:
        return self._rows.exceptions.get((move, container, name))

    def exception_counts(self, move: MoveId) -> Mapping[str, int]:
        return Counter(row.kind for (of, _, _), row in self._rows.exceptions.items() if of == move)

    def outstanding(self, move: MoveId) -> Sequence[Outstanding]:
        return [write for (of, *_), write in self._rows.outstanding.items() if of == move]

    def samples(self, move: MoveId, *, gate: str | None = None, after: datetime | None = None) -> Sequence[Sample]:
        return [
            one
            for one in self._rows.samples
            if one.move == move and gate in (None, one.gate) and (after is None or one.at > after)
        ]

    def journal(self, *, after: int = 0, limit: int = 100_000) -> Sequence[JournalEntry]:
        return self._rows.journal[after : after + limit]

    def controls(self) -> Sequence[Control]:
        return list(self._rows.controls.values())

    def approvals(self) -> Sequence[Approval]:
        return list(self._rows.approvals)

    def note(self, key: str) -> Any:
        return self._rows.notes.get(key)

    def requests(self, account: str, *, first_minute: int, last_minute: int) -> Mapping[str, int]:
        total: Counter[str] = Counter()
        for (of, minute, operation), requests in self._rows.requests.items():
            if of == account and first_minute <= minute <= last_minute:
                total[operation] += requests
        return total

    def lock(self) -> LockRecord | None:
        return self._rows.lock

    def acquire(self, wanted: LockRecord, *, is_dead: bool) -> LockRecord:
        held = self._rows.lock
        silence = (wanted.heartbeat - held.heartbeat).total_seconds() if held else 0.0
        if held is not None and not is_dead and silence <= LOCK_TIMEOUT_SECONDS:
            raise LockedError(f"cannot take the lock: {held.owner} holds it", hint=f"migrate unlock {held.nonce}")
        self._rows.token += 1
        self._rows.lock = replace(wanted, token=self._rows.token)
        return self._rows.lock

    def heartbeat(self, token: int, at: datetime) -> None:
        self._rows.lock = replace(self._check(token), heartbeat=at)

    def release(self, token: int) -> None:
        if self._rows.lock is not None and self._rows.lock.token == token:
            self._rows.lock = None

    def remove_lock(self, nonce: str) -> bool:
        if self._rows.lock is None or self._rows.lock.nonce != nonce:
            return False
        self._rows.lock = None
        return True

    def close(self) -> None:
        """Nothing is held open."""


def _copied(rows: Rows) -> Rows:
    return Rows(**{name: copy.copy(getattr(rows, name)) for name in Rows.__dataclass_fields__})
