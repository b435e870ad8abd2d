"""The state store in a database: transactions around reads, commits and the lock.

Decides what is one transaction and what is checked in it. Leaves the statements of changes to ``writes``, documents to
``codec``, connections and broken ones to ``database``. Rules:

- a commit is one transaction which first takes the one row that every writer takes (so commits run one after the other on
  any database), checks that the schema is still ours, and then the token; only then it writes;
- where an answer can be lost, a commit leaves its identity, and after a lost answer nothing is read or written before it is
  known whether that commit was;
- no read transaction outlives its method call, also not while a caller walks through ranges: an open reader would keep
  SQLite's writer waiting.

SQL here and in ``writes`` is what every database has. Used by one thread at a time; a forked child opens its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, func, select

from migrator.adapters.state import tables as t
from migrator.adapters.state.codec import decode, decode_value, encode, time_text
from migrator.adapters.state.columns import name_mark
from migrator.adapters.state.database import Database
from migrator.adapters.state.lost import LostCommits
from migrator.adapters.state.rules import (
    BEFORE_ALL,
    check_free,
    check_operator_changes,
    check_token,
    position,
    upper_at,
)
from migrator.adapters.state.upgrades import check_current
from migrator.adapters.state.writes import Key, Writer, of_move
from migrator.errors import CommitUnknown, StateError
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
from migrator.ports.state_store import EXCEPTION_CAP, RANGE_PAGE, Change

T = TypeVar("T")
MARKS_AT_ONCE = 500
"""Marks that one query asks for."""
ATTEMPTS = 2
"""Of a commit that surely was not written."""


class SqlStateStore:
    """Implements StateStore for one plan. Made by ``migrator.adapters.state.open_store``.

    ``exception_cap``: most exception rows of one move and kind that are kept in full; beyond it they are only counted.
    """

    def __init__(self, database: Database, plan_name: str, *, lineage: str, exception_cap: int = EXCEPTION_CAP) -> None:
        self.lineage = lineage
        self.plan_name = plan_name
        self.place = database.place
        """Where the store is, for people."""
        self._database = database
        self._exception_cap = exception_cap
        self._seal = f"commit/{secrets.token_hex(8)}"
        """Where this one leaves the identity of its newest commit."""
        self._lost = LostCommits()

    def commit(self, changes: Sequence[Change], *, token: int | None) -> None:
        if token is None:
            check_operator_changes(changes)
        self._find_out()
        if self._lost.was_made(changes):
            return

        def work(connection: Connection, writer: Writer) -> None:
            if token is not None:
                check_token(self._held(connection), token)
            for change in changes:
                writer.write(change)

        self._write(work, changes)

    def close(self) -> None:
        """Give the connections back; a forked child leaves its parent's alone."""
        self._database.close()

    # What is recorded.

    def plan_names(self) -> tuple[str, ...]:
        """All plans of this store that were ever saved, ascending."""
        query = select(t.PLANS.c.plan).order_by(t.PLANS.c.plan)
        return tuple(row.plan for row in self._rows(query))

    def plan(self) -> PlanRecord | None:
        return self._one(PlanRecord, t.PLANS, {})

    def waves(self) -> Sequence[WaveRecord]:
        """Ascending by position."""
        return self._many(WaveRecord, self._documents(t.WAVES).order_by(t.WAVES.c.position, t.WAVES.c.name))

    def moves(self) -> Sequence[MoveRecord]:
        """Ascending by region and area."""
        return self._many(MoveRecord, self._documents(t.MOVES).order_by(t.MOVES.c.region, t.MOVES.c.area))

    def move(self, move: MoveId) -> MoveRecord | None:
        return self._one(MoveRecord, t.MOVES, of_move(move))

    def ranges(
        self, move: MoveId, container: str, prefix: str, *, above: bytes | None = None, at_once: int = RANGE_PAGE
    ) -> Iterator[EvidenceRange]:
        c = t.RANGES.c
        key = {**of_move(move), "container": container, "prefix": prefix}
        query = select(c.upper, c.records, c.is_open).where(self._at(t.RANGES, key)).order_by(c.upper)
        cursor = BEFORE_ALL if above is None else position(above)
        while True:
            page = self._rows(query.where(c.upper > cursor).limit(at_once))
            for row in page:
                cursor = bytes(row.upper)
                yield EvidenceRange(container, prefix, upper_at(cursor), bytes(row.records), bool(row.is_open))
            if len(page) < at_once:
                return

    def range_sizes(self, move: MoveId, container: str, prefix: str) -> Sequence[tuple[bytes | None, int]]:
        c = t.RANGES.c
        key = {**of_move(move), "container": container, "prefix": prefix}
        query = select(c.upper, func.length(c.records).label("size")).where(self._at(t.RANGES, key)).order_by(c.upper)
        return [(upper_at(bytes(row.upper)), int(row.size or 0)) for row in self._rows(query)]

    def containers_with_ranges(self, move: MoveId) -> Sequence[tuple[str, str]]:
        """Ascending."""
        columns = t.RANGES.c.container, t.RANGES.c.prefix
        query = select(*columns).where(self._at(t.RANGES, of_move(move))).distinct().order_by(*columns)
        return [(row.container, row.prefix) for row in self._rows(query)]

    def exceptions(self, move: MoveId, *, limit: int = 1000) -> Sequence[ExceptionRow]:
        """Ascending by container and name; those beyond the cap are not among them."""
        query = self._documents(t.EXCEPTIONS, of_move(move)).order_by(t.EXCEPTIONS.c.container, t.EXCEPTIONS.c.name)
        return self._many(ExceptionRow, query.limit(limit))

    def exception(self, move: MoveId, container: str, name: str) -> ExceptionRow | None:
        return self._one(ExceptionRow, t.EXCEPTIONS, {**of_move(move), "container": container, "name": name})

    def beyond(self, move: MoveId, container: str, names: Sequence[str]) -> frozenset[str]:
        marks = {name_mark(container, name): name for name in names}
        wanted, found = list(marks), set[str]()
        for begin in range(0, len(wanted), MARKS_AT_ONCE):
            some = t.BEYOND.c.mark.in_(wanted[begin : begin + MARKS_AT_ONCE])
            query = select(t.BEYOND.c.mark).where(self._at(t.BEYOND, of_move(move)), some)
            found |= {marks[bytes(row.mark)] for row in self._rows(query)}
        return frozenset(found)

    def exception_counts(self, move: MoveId) -> Mapping[str, int]:
        """Exact, those beyond the cap included."""
        counts: dict[str, int] = {}
        for table in (t.EXCEPTIONS, t.BEYOND):
            query = select(table.c.kind, func.count().label("number")).where(self._at(table, of_move(move)))
            for row in self._rows(query.group_by(table.c.kind)):
                counts[row.kind] = counts.get(row.kind, 0) + int(row.number)
        return counts

    def outstanding(self, move: MoveId) -> Sequence[Outstanding]:
        """Ascending by side, container and name."""
        c = t.OUTSTANDING.c
        return self._many(
            Outstanding, self._documents(t.OUTSTANDING, of_move(move)).order_by(c.side, c.container, c.name)
        )

    def samples(self, move: MoveId, *, gate: str | None = None, after: datetime | None = None) -> Sequence[Sample]:
        c = t.SAMPLES.c
        query = self._documents(t.SAMPLES, of_move(move)).order_by(c.id)
        if gate is not None:
            query = query.where(c.gate == gate)
        if after is not None:
            query = query.where(c.at > time_text(after))
        return self._many(Sample, query)

    def last_samples(self, move: MoveId) -> Mapping[str, Sample]:
        c = t.SAMPLES.c
        newest = select(func.max(c.id)).where(self._at(t.SAMPLES, of_move(move))).group_by(c.gate)
        return {one.gate: one for one in self._many(Sample, select(c.document).where(c.id.in_(newest)).order_by(c.id))}

    def journal(self, *, after: int = 0, limit: int = 100_000) -> Sequence[JournalEntry]:
        """Ascending by number."""
        number = t.JOURNAL.c.number
        return self._many(JournalEntry, self._documents(t.JOURNAL).where(number > after).order_by(number).limit(limit))

    def controls(self) -> Sequence[Control]:
        """Ascending by kind and scope."""
        return self._many(Control, self._documents(t.CONTROLS).order_by(t.CONTROLS.c.kind, t.CONTROLS.c.scope))

    def approvals(self) -> Sequence[Approval]:
        """In the order in which they were given."""
        return self._many(Approval, self._documents(t.APPROVALS).order_by(t.APPROVALS.c.id))

    def note(self, key: NoteKey) -> Any:
        """The value, or None if there is none."""
        rows = self._rows(self._documents(t.NOTES, {"key": key}))
        return decode_value(rows[0].document) if rows else None

    def requests(self, account: str, *, first_minute: int, last_minute: int) -> Mapping[str, int]:
        c = t.REQUESTS.c
        query = select(c.operation, func.sum(c.requests).label("number")).where(
            self._at(t.REQUESTS, {"account": account}), c.minute.between(first_minute, last_minute)
        )
        return {row.operation: int(row.number) for row in self._rows(query.group_by(c.operation))}

    def requests_by_minute(self, account: str, *, first_minute: int, last_minute: int) -> Mapping[int, int]:
        c = t.REQUESTS.c
        query = select(c.minute, func.sum(c.requests).label("number")).where(
            self._at(t.REQUESTS, {"account": account}), c.minute.between(first_minute, last_minute)
        )
        return {int(row.minute): int(row.number) for row in self._rows(query.group_by(c.minute).order_by(c.minute))}

    # The lock.

    def lock(self) -> LockRecord | None:
        return self._one(LockRecord, t.LOCK, {})

    def acquire(
        self, wanted: LockRecord, *, dead: str = "", silent: datetime | None = None, changes: Sequence[Change] = ()
    ) -> LockRecord:
        def work(connection: Connection, writer: Writer) -> LockRecord:
            check_free(self._held(connection), wanted, dead=dead, silent=silent)
            taken = replace(wanted, token=writer.next_number("token", at_least=wanted.token))
            _put_lock(writer, taken)
            for change in changes:
                writer.write(change)
            return taken

        taken = self._write(work, changes)
        self._database.is_at_work = True
        return taken

    def heartbeat(self, token: int, at: datetime) -> None:
        def work(connection: Connection, writer: Writer) -> None:
            _put_lock(writer, replace(check_token(self._held(connection), token), heartbeat=at))

        self._write(work)

    def give_back(self, token: int) -> None:
        self._database.is_at_work = False
        self._write(lambda connection, writer: writer.drop(t.LOCK, {"token": token}))

    def remove_lock(self, nonce: str, *, changes: Sequence[Change] = ()) -> bool:
        """``migrate unlock``: also the lock of another plan of this store, for nonces are unique."""

        def work(connection: Connection, writer: Writer) -> bool:
            is_removed = connection.execute(t.LOCK.delete().where(t.LOCK.c.nonce == nonce)).rowcount > 0
            for change in changes if is_removed else ():
                writer.write(change)
            return is_removed

        return self._write(work, changes)

    def _held(self, connection: Connection) -> LockRecord | None:
        row = connection.execute(self._documents(t.LOCK)).first()
        return None if row is None else decode(LockRecord, row.document)

    # Statements and transactions.

    def _at(self, table: Table, key: Key) -> ColumnElement[bool]:
        return and_(table.c.plan == self.plan_name, *(table.c[name] == value for name, value in key.items()))

    def _documents(self, table: Table, key: Key | None = None) -> Select[Any]:
        return select(table.c.document).where(self._at(table, key or {}))

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        self._find_out()
        return self._database.run("read", lambda connection: connection.execute(query).all())

    def _many(self, kind: type[T], query: Select[Any]) -> list[T]:
        return [decode(kind, row.document) for row in self._rows(query)]

    def _one(self, kind: type[T], table: Table, key: Key) -> T | None:
        found = self._many(kind, self._documents(table, key).limit(1))
        return found[0] if found else None

    def _write(self, work: Callable[[Connection, Writer], T], changes: Sequence[Change] | None = None) -> T:
        """One transaction. ``changes``: what it is about, where making it twice would do harm."""
        self._find_out()
        commit = secrets.token_hex(8) if changes is not None and self._database.is_remote else ""
        results: list[T] = []

        def whole(connection: Connection) -> None:
            check_current(connection, self.place)
            writer = Writer(connection, self.plan_name, exception_cap=self._exception_cap)
            results[:] = [work(connection, writer)]
            if commit:
                writer.put(t.META, {"key": self._seal}, value=commit)

        for _ in range(ATTEMPTS):
            try:
                self._database.run("write", whole, commit=commit)
                break
            except CommitUnknown as lost:
                self._lost.lose(lost.commit, changes or ())
                with suppress(StateError):
                    self._find_out()
                if self._lost.unknown:
                    raise
                if self._lost.take(lost.commit):
                    break
        else:
            raise StateError(
                f"cannot write the state store {self.place}: its connections break while it commits",
                hint="check that the database answers, then run the same command again",
            )
        return results[0]

    def _find_out(self) -> None:
        """What became of the commit whose answer is lost. Nothing else is read or written before that is known."""
        if not self._lost.unknown:
            return
        seal = select(t.META.c.value).where(self._at(t.META, {"key": self._seal}))

        def look(connection: Connection) -> bool:
            check_current(connection, self.place)  # waits for the lost one to end: it has this row as long as it lives
            return connection.execute(seal).scalar() == self._lost.unknown

        self._lost.found(is_kept=self._database.run("write", look))


def _put_lock(writer: Writer, held: LockRecord) -> None:
    writer.put(t.LOCK, {}, token=held.token, nonce=held.nonce, document=encode(held))
