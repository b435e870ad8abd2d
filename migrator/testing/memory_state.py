"""A state store in plain dicts: the same promises as the one in a database, for simulations that commit all the time.

Decides nothing that ``migrator.adapters.state.rules`` decides; it keeps rows, and undoes a commit that fails half way.
Rules: values are frozen, so copies are shallow; what becomes JSON in a database is kept as it would be read back, so nobody
can change what is recorded by holding on to it, and what is not JSON is refused here too.

Beside the port it has what a simulation needs: ``snapshot`` and ``restore``, and a hook before and after each commit.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import Any, Final, Literal

from migrator.adapters.state.codec import as_read
from migrator.adapters.state.rules import (
    BEFORE_ALL,
    check_aware,
    check_free,
    check_operator_changes,
    check_token,
    position,
    tile,
)
from migrator.errors import InternalError
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
from migrator.model.notes import NoteKey
from migrator.model.samples import Sample
from migrator.model.values import replace
from migrator.ports.state_store import (
    EXCEPTION_CAP,
    RANGE_PAGE,
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

CommitHook = Callable[[Sequence[Change], Literal["before", "after"]], None]
_MISSING: Final = object()
_BY_ID: Final = attrgetter("id.region", "id.area")
_NO_RANGES: Final[tuple[tuple[bytes, ...], tuple[EvidenceRange, ...]]] = ((), ())


@dataclass(slots=True)
class _Rows:
    """All that is recorded. Every value is immutable, so a copy of the containers is a copy of the store."""

    single: dict[str, Any] = field(default_factory=dict)
    waves: dict[str, WaveRecord] = field(default_factory=dict)
    moves: dict[MoveId, MoveRecord] = field(default_factory=dict)
    ranges: dict[tuple[MoveId, str, str], tuple[tuple[bytes, ...], tuple[EvidenceRange, ...]]] = field(
        default_factory=dict
    )
    """Positions of the upper bounds, ascending, and the ranges that end there."""
    exceptions: dict[tuple[MoveId, str, str], ExceptionRow] = field(default_factory=dict)
    beyond: dict[tuple[MoveId, str, str], str] = field(default_factory=dict)
    """Kinds of the exceptions beyond the cap."""
    counts: dict[tuple[MoveId, str], int] = field(default_factory=dict)
    """Rows of ``exceptions`` by move and kind."""
    outstanding: dict[tuple[MoveId, str, str, str], Outstanding] = field(default_factory=dict)
    samples: dict[MoveId, tuple[Sample, ...]] = field(default_factory=dict)
    journal: dict[int, JournalEntry] = field(default_factory=dict)
    controls: dict[tuple[str, str], Control] = field(default_factory=dict)
    approvals: dict[int, Approval] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    requests: dict[tuple[str, int, str], int] = field(default_factory=dict)

    def copy(self) -> _Rows:
        return _Rows(**{each.name: dict(getattr(self, each.name)) for each in fields(self)})


class _Undo:
    """Changes dicts, and can take all of it back."""

    def __init__(self) -> None:
        self._steps: list[tuple[dict[Any, Any], Any, Any]] = []

    def put(self, rows: dict[Any, Any], key: Any, value: Any) -> None:
        self._steps.append((rows, key, rows.get(key, _MISSING)))
        rows[key] = value

    def drop(self, rows: dict[Any, Any], key: Any) -> None:
        if key in rows:
            self._steps.append((rows, key, rows.pop(key)))

    def roll_back(self) -> None:
        for rows, key, old in reversed(self._steps):
            if old is _MISSING:
                del rows[key]
            else:
                rows[key] = old


class MemoryStateStore:
    """Implements StateStore for one plan, in this process alone.

    Args:
        lineage: 16 hexadecimal digits; simulations of a copied store give two stores the same.
        on_commit: called before each commit (if it raises, nothing is written) and after it.
    """

    def __init__(
        self,
        plan_name: str,
        *,
        lineage: str = "0123456789abcdef",
        on_commit: CommitHook | None = None,
        exception_cap: int = EXCEPTION_CAP,
    ) -> None:
        self.lineage = lineage
        self.plan_name = plan_name
        self.on_commit = on_commit
        self._exception_cap = exception_cap
        self._rows = _Rows()

    def snapshot(self) -> object:
        """All that is recorded now, the lock and the tokens given included."""
        return self._rows.copy()

    def restore(self, snapshot: object) -> None:
        """Go back to what ``snapshot`` gave, on this or another store; it can be restored any number of times."""
        if not isinstance(snapshot, _Rows):
            raise InternalError("a memory state store was given something that is not its snapshot")
        self._rows = snapshot.copy()

    def commit(self, changes: Sequence[Change], *, token: int | None) -> None:
        if self.on_commit is not None:
            self.on_commit(changes, "before")
        if token is None:
            check_operator_changes(changes)
        else:
            check_token(self.lock(), token)
        self._write_all(changes)
        if self.on_commit is not None:
            self.on_commit(changes, "after")

    def close(self) -> None:
        """Nothing is open."""

    # Changes.

    def _write_all(self, changes: Sequence[Change]) -> None:
        """All of them or none."""
        undo = _Undo()
        try:
            for change in changes:
                self._write(change, undo)
        except BaseException:
            undo.roll_back()
            raise

    def _write(self, change: Change, undo: _Undo) -> None:
        rows = self._rows
        match change:
            case SetNote(name, value):
                undo.put(rows.notes, name, None if value is None else as_read(value))
            case CountRequests(account, minute, operation, requests):
                counter = (account, minute, operation)
                undo.put(rows.requests, counter, rows.requests.get(counter, 0) + requests)
            case SavePlan(plan):
                check_aware(plan.saved_at)
                undo.put(rows.single, "plan", plan)
            case SaveWave(wave):
                check_aware(wave.begun_at, wave.ended_at)
                undo.put(rows.waves, wave.name, replace(wave, forecast=as_read(wave.forecast)))
            case SaveMove(move):
                check_aware(move.since, move.switched_at)
                undo.put(rows.moves, move.id, move)
            case ReplaceRanges():
                self._replace_ranges(change, undo)
            case PutException(move, row):
                check_aware(row.at)
                self._put_exception(move, row, undo)
            case DropException(move, container, name):
                self._drop_exception((move, container, name), undo)
            case PutOutstanding(move, write):
                check_aware(write.at)
                undo.put(rows.outstanding, (move, write.side, write.container, write.name), write)
            case DropOutstanding(move, side, container, name):
                undo.drop(rows.outstanding, (move, side, container, name))
            case AddSample(sample):
                check_aware(sample.at, sample.begin, sample.end)
                undo.put(rows.samples, sample.move, (*rows.samples.get(sample.move, ()), sample))
            case AddJournal(entry):
                check_aware(entry.at)
                number = len(rows.journal) + 1
                undo.put(rows.journal, number, replace(entry, number=number, evidence=as_read(entry.evidence)))
            case SetControl(control):
                check_aware(control.at)
                key = (control.kind, control.scope)
                if control.value:
                    undo.put(rows.controls, key, replace(control, value=as_read(control.value)))
                else:
                    undo.drop(rows.controls, key)
            case AddApproval(approval):
                check_aware(approval.at)
                undo.put(rows.approvals, len(rows.approvals), approval)
            case _:
                raise InternalError(f"the state store was given a {type(change).__name__} to commit")

    def _replace_ranges(self, change: ReplaceRanges, undo: _Undo) -> None:
        key = (change.move, change.container, change.prefix)
        uppers, ranges = self._rows.ranges.get(key, _NO_RANGES)
        wanted = tile(
            change,
            has_ranges=bool(uppers),
            is_boundary=lambda end: _has(uppers, position(end)),
        )
        first = 0 if change.above is None else bisect_right(uppers, position(change.above))
        last = bisect_right(uppers, position(change.upper))
        new_uppers = tuple(position(each.upper) for each in wanted)
        new = (uppers[:first] + new_uppers + uppers[last:], ranges[:first] + wanted + ranges[last:])
        undo.put(self._rows.ranges, key, new)

    def _put_exception(self, move: MoveId, row: ExceptionRow, undo: _Undo) -> None:
        rows, key = self._rows, (move, row.container, row.name)
        known = rows.exceptions.get(key)
        is_full = rows.counts.get((move, row.kind), 0) >= self._exception_cap
        is_beyond = is_full and (known is None or known.kind != row.kind)
        self._drop_exception(key, undo)
        if is_beyond:
            undo.put(rows.beyond, key, row.kind)
        else:
            undo.put(rows.exceptions, key, row)
            undo.put(rows.counts, (move, row.kind), rows.counts.get((move, row.kind), 0) + 1)

    def _drop_exception(self, key: tuple[MoveId, str, str], undo: _Undo) -> None:
        rows = self._rows
        known = rows.exceptions.get(key)
        if known is not None:
            undo.put(rows.counts, (key[0], known.kind), rows.counts[key[0], known.kind] - 1)
        undo.drop(rows.exceptions, key)
        undo.drop(rows.beyond, key)

    # What is recorded.

    def plan(self) -> PlanRecord | None:
        found: PlanRecord | None = self._rows.single.get("plan")
        return found

    def waves(self) -> Sequence[WaveRecord]:
        return sorted(self._rows.waves.values(), key=lambda wave: (wave.position, wave.name))

    def moves(self) -> Sequence[MoveRecord]:
        return sorted(self._rows.moves.values(), key=_BY_ID)

    def move(self, move: MoveId) -> MoveRecord | None:
        return self._rows.moves.get(move)

    def ranges(
        self, move: MoveId, container: str, prefix: str, *, above: bytes | None = None, at_once: int = RANGE_PAGE
    ) -> Iterator[EvidenceRange]:
        """In pages like those of a database, so that a simulation sees what a real run would see of concurrent commits."""
        cursor = BEFORE_ALL if above is None else position(above)
        while True:
            uppers, ranges = self._rows.ranges.get((move, container, prefix), _NO_RANGES)
            first = bisect_right(uppers, cursor)
            page = ranges[first : first + at_once]
            yield from page
            if len(page) < at_once:
                return
            cursor = uppers[first + at_once - 1]

    def range_sizes(self, move: MoveId, container: str, prefix: str) -> Sequence[tuple[bytes | None, int]]:
        _, ranges = self._rows.ranges.get((move, container, prefix), _NO_RANGES)
        return [(one.upper, len(one.records)) for one in ranges]

    def containers_with_ranges(self, move: MoveId) -> Sequence[tuple[str, str]]:
        found = [(container, prefix) for owner, container, prefix in self._rows.ranges if owner == move]
        return sorted(found, key=lambda each: (_sort_key(each[0]), _sort_key(each[1])))

    def exceptions(self, move: MoveId, *, limit: int = 1000) -> Sequence[ExceptionRow]:
        found = [row for (owner, _, _), row in self._rows.exceptions.items() if owner == move]
        found.sort(key=lambda row: (_sort_key(row.container), _sort_key(row.name)))
        return found[:limit]

    def exception(self, move: MoveId, container: str, name: str) -> ExceptionRow | None:
        return self._rows.exceptions.get((move, container, name))

    def beyond(self, move: MoveId, container: str, names: Sequence[str]) -> frozenset[str]:
        return frozenset(name for name in names if (move, container, name) in self._rows.beyond)

    def exception_counts(self, move: MoveId) -> Mapping[str, int]:
        counts = {kind: count for (owner, kind), count in self._rows.counts.items() if owner == move and count}
        for (owner, _, _), kind in self._rows.beyond.items():
            if owner == move:
                counts[kind] = counts.get(kind, 0) + 1
        return counts

    def outstanding(self, move: MoveId) -> Sequence[Outstanding]:
        found = [write for (owner, *_), write in self._rows.outstanding.items() if owner == move]
        return sorted(found, key=lambda write: (write.side, _sort_key(write.container), _sort_key(write.name)))

    def samples(self, move: MoveId, *, gate: str | None = None, after: datetime | None = None) -> Sequence[Sample]:
        return [
            sample
            for sample in self._rows.samples.get(move, ())
            if (gate is None or sample.gate == gate) and (after is None or sample.at > after)
        ]

    def last_samples(self, move: MoveId) -> Mapping[str, Sample]:
        return {sample.gate: sample for sample in self._rows.samples.get(move, ())}

    def journal(self, *, after: int = 0, limit: int = 100_000) -> Sequence[JournalEntry]:
        numbers = islice(range(after + 1, len(self._rows.journal) + 1), limit)
        return [self._rows.journal[number] for number in numbers]

    def controls(self) -> Sequence[Control]:
        return [self._rows.controls[key] for key in sorted(self._rows.controls)]

    def approvals(self) -> Sequence[Approval]:
        return list(self._rows.approvals.values())

    def note(self, key: NoteKey) -> Any:
        value = self._rows.notes.get(key)
        return None if value is None else as_read(value)

    def requests(self, account: str, *, first_minute: int, last_minute: int) -> Mapping[str, int]:
        sums: dict[str, int] = {}
        for (owner, minute, operation), count in self._rows.requests.items():
            if owner == account and first_minute <= minute <= last_minute:
                sums[operation] = sums.get(operation, 0) + count
        return sums

    def requests_by_minute(self, account: str, *, first_minute: int, last_minute: int) -> Mapping[int, int]:
        sums: dict[int, int] = {}
        for (owner, minute, _), count in self._rows.requests.items():
            if owner == account and first_minute <= minute <= last_minute:
                sums[minute] = sums.get(minute, 0) + count
        return dict(sorted(sums.items()))

    # The lock.

    def lock(self) -> LockRecord | None:
        held: LockRecord | None = self._rows.single.get("lock")
        return held

    def acquire(
        self, wanted: LockRecord, *, dead: str = "", silent: datetime | None = None, changes: Sequence[Change] = ()
    ) -> LockRecord:
        check_aware(wanted.since, wanted.heartbeat)
        check_free(self.lock(), wanted, dead=dead, silent=silent)
        token = max(self._rows.single.get("token", 0) + 1, wanted.token)
        taken = replace(wanted, token=token)
        self._write_all(changes)
        self._rows.single |= {"token": token, "lock": taken}
        return taken

    def heartbeat(self, token: int, at: datetime) -> None:
        check_aware(at)
        self._rows.single["lock"] = replace(check_token(self.lock(), token), heartbeat=at)

    def give_back(self, token: int) -> None:
        held = self.lock()
        if held is not None and held.token == token:
            del self._rows.single["lock"]

    def remove_lock(self, nonce: str, *, changes: Sequence[Change] = ()) -> bool:
        held = self.lock()
        if held is None or held.nonce != nonce:
            return False
        self._write_all(changes)
        del self._rows.single["lock"]
        return True


def _has(sorted_keys: Sequence[bytes], key: bytes) -> bool:
    at = bisect_left(sorted_keys, key)
    return at < len(sorted_keys) and sorted_keys[at] == key


def _sort_key(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")
