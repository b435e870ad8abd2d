"""The state store: reads, and one way to write - ``commit`` of a list of changes, all or nothing.

Promises: a commit that returned survives a power cut; a commit with a token is refused (LockedError) unless that token
is the lock's; readers see whole commits. Synchronous on purpose: a commit is a few milliseconds and the order of commits
is the order of the program (decisions/). Every method raises StateError if the store cannot be read or written; ``commit``
raises CommitUnknown if it may have been written all the same, and whoever makes that one again says so (``made_again``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final, Protocol

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
from migrator.model.values import value


@value(frozen=True, slots=True)
class SavePlan:
    plan: PlanRecord


@value(frozen=True, slots=True)
class SaveWave:
    wave: WaveRecord


@value(frozen=True, slots=True)
class SaveMove:
    move: MoveRecord


@value(frozen=True, slots=True)
class ReplaceRanges:
    """In (``above``, ``upper``] of a container and prefix, put ``ranges`` in place of what was there. ``above`` None is
    open below, ``upper`` None open above. The bounds of ``ranges`` tile exactly the replaced stretch."""

    move: MoveId
    container: str
    prefix: str
    above: bytes | None
    upper: bytes | None
    ranges: tuple[EvidenceRange, ...]


@value(frozen=True, slots=True)
class PutException:
    """Insert or overwrite by (move, container, name)."""

    move: MoveId
    row: ExceptionRow


@value(frozen=True, slots=True)
class DropException:
    move: MoveId
    container: str
    name: str


@value(frozen=True, slots=True)
class PutOutstanding:
    move: MoveId
    write: Outstanding


@value(frozen=True, slots=True)
class DropOutstanding:
    move: MoveId
    side: str
    container: str
    name: str


@value(frozen=True, slots=True)
class AddSample:
    sample: Sample


@value(frozen=True, slots=True)
class AddJournal:
    entry: JournalEntry


@value(frozen=True, slots=True)
class SetControl:
    """``control.value`` empty removes it."""

    control: Control


@value(frozen=True, slots=True)
class AddApproval:
    approval: Approval


@value(frozen=True, slots=True)
class SetNote:
    """A small JSON value under a key of ``model.notes``."""

    key: NoteKey
    value: Any


@value(frozen=True, slots=True)
class CountRequests:
    """Add to the counter of own answered requests. ``minute``: Unix time // 60, by the service's date."""

    account: str
    minute: int
    operation: str
    requests: int


Change = (
    SavePlan
    | SaveWave
    | SaveMove
    | ReplaceRanges
    | PutException
    | DropException
    | PutOutstanding
    | DropOutstanding
    | AddSample
    | AddJournal
    | SetControl
    | AddApproval
    | SetNote
    | CountRequests
)


RANGE_PAGE: Final = 32
"""Ranges read at a time: at most 32 x 10,000 records x 24 bytes, 7.7 MB."""
EXCEPTION_CAP: Final = 10_000
"""Most exception rows of one move and kind that are kept in full; beyond it they are only counted."""


_AGAIN: Final = ContextVar("the commit that is made again", default="")


@contextmanager
def made_again(commit: str) -> Iterator[None]:
    """What is committed inside is the same decision as the commit with this identity, whose answer was lost: it is written only
    if that one was not. Its times may be later. An empty identity says nothing."""
    before = _AGAIN.set(commit)
    try:
        yield
    finally:
        _AGAIN.reset(before)


def commit_made_again() -> str:
    """The identity that ``made_again`` named; for stores."""
    return _AGAIN.get()


class StateStore(Protocol):
    """One store holds many plans; a bound store speaks of one plan by name."""

    lineage: str
    """Random identity of this store, made when it is created."""
    plan_name: str

    def commit(self, changes: Sequence[Change], *, token: int | None) -> None:
        """Apply all or nothing. ``token`` None is for operator commands: it is accepted for SetControl, AddJournal,
        AddApproval and notes of inventories (``inventory/...``) only, and InternalError for anything else."""
        ...

    def plan(self) -> PlanRecord | None: ...
    def waves(self) -> Sequence[WaveRecord]: ...
    def moves(self) -> Sequence[MoveRecord]: ...
    def move(self, move: MoveId) -> MoveRecord | None: ...
    def ranges(
        self, move: MoveId, container: str, prefix: str, *, above: bytes | None = None, at_once: int = RANGE_PAGE
    ) -> Iterator[EvidenceRange]:
        """In order, tiling everything - or what lies above the bound ``above``; nothing at all if none was ever written. Reads
        ``at_once`` of them at a time and may be interleaved with commits behind its cursor."""
        ...

    def range_sizes(self, move: MoveId, container: str, prefix: str) -> Sequence[tuple[bytes | None, int]]:
        """Upper bound and bytes of evidence of each of its ranges, in order; the evidence itself is not read."""
        ...

    def containers_with_ranges(self, move: MoveId) -> Sequence[tuple[str, str]]: ...
    def exceptions(self, move: MoveId, *, limit: int = 1000) -> Sequence[ExceptionRow]: ...
    def exception(self, move: MoveId, container: str, name: str) -> ExceptionRow | None: ...
    def beyond(self, move: MoveId, container: str, names: Sequence[str]) -> frozenset[str]:
        """Which of ``names`` have an exception beyond the cap: they are counted, and not among ``exceptions``."""
        ...

    def exception_counts(self, move: MoveId) -> Mapping[str, int]: ...
    def outstanding(self, move: MoveId) -> Sequence[Outstanding]: ...
    def samples(self, move: MoveId, *, gate: str | None = None, after: datetime | None = None) -> Sequence[Sample]:
        """In the order in which they were recorded, which is not that of their times if two clocks made them. ``after``:
        those whose ``at`` is later."""
        ...

    def last_samples(self, move: MoveId) -> Mapping[str, Sample]:
        """The sample of each gate that was recorded last."""
        ...

    def journal(self, *, after: int = 0, limit: int = 100_000) -> Sequence[JournalEntry]: ...
    def controls(self) -> Sequence[Control]: ...
    def approvals(self) -> Sequence[Approval]: ...
    def note(self, key: NoteKey) -> Any: ...
    def requests(self, account: str, *, first_minute: int, last_minute: int) -> Mapping[str, int]:
        """Own answered requests by operation, summed over the minutes, both ends included."""
        ...

    def requests_by_minute(self, account: str, *, first_minute: int, last_minute: int) -> Mapping[int, int]:
        """The same summed over operations instead, ascending; a minute without any is left out."""
        ...

    def lock(self) -> LockRecord | None: ...
    def acquire(
        self, wanted: LockRecord, *, dead: str = "", silent: datetime | None = None, changes: Sequence[Change] = ()
    ) -> LockRecord:
        """Take the lock, and commit ``changes`` with it. LockedError names the holder if another holds it, unless its nonce is
        ``dead``: its process is proven gone, or its heartbeat did not change while it was watched and is still ``silent``. The
        answer carries a token greater than any before, and not less than ``wanted.token``."""
        ...

    def heartbeat(self, token: int, at: datetime) -> None:
        """LockedError if the lock is not ours any more."""
        ...

    def give_back(self, token: int) -> None:
        """Give the lock back; nothing happens if it is not ours."""
        ...

    def remove_lock(self, nonce: str, *, changes: Sequence[Change] = ()) -> bool:
        """``migrate unlock``: remove the lock with this id, and commit ``changes`` with it; False if there is none with it."""
        ...

    def close(self) -> None: ...
