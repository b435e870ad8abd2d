"""The state store of one plan: implements ``migrator.ports.state_store.StateStore`` with SQLAlchemy Core.

Decides how each change and each read becomes statements. Opening is ``open``'s business, the written form ``codec``'s.
Rule: a commit is one transaction in which the token is checked first; overwriting is delete and insert, which every
database has. Reads end their transaction before they hand anything out, so a reader never holds up a writer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, Table, and_, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from migrator.adapters.state import tables as t
from migrator.adapters.state.codec import decode, decode_value, encode, time_text
from migrator.errors import InternalError, LockedError, StateError
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
from migrator.ports import state_store as port

WRITES: Final = "migrator_writes"
"""Execution option of a connection that will write."""
RANGES_AT_A_TIME: Final = 64
STALE_AFTER: Final = timedelta(seconds=30)
_OPEN_ABOVE: Final = b"\x01"
_WITHOUT_TOKEN: Final = (port.SetControl, port.AddJournal, port.AddApproval)
_LOST: Final = "cannot go on: another run took the lock"
_REASONS: Final = (
    ("full", "its disk is full", "free some space, then run the command again"),
    ("readonly", "it is read-only", "make the file and its directory writable, or name another place with --state"),
    ("unable to open", "its file cannot be opened", "make the file and its directory readable and writable"),
    ("not a database", "it is not a database", "name another place with --state"),
    ("malformed", "it is damaged", "restore the store from a copy"),
    ("locked", "another process keeps it busy", "wait for the other process, then run the command again"),
    ("i/o error", "its disk fails", "check the disk, then run the command again"),
)
T = TypeVar("T")


@contextmanager
def plain_errors(verb: str, shown: str) -> Iterator[None]:
    """Turn the database's errors into StateError. ``shown`` is the URL without its password."""
    try:
        yield
    except (SQLAlchemyError, OSError, UnicodeError) as fault:
        text = str(getattr(fault, "orig", None) or fault).lower()
        for mark, reason, hint in _REASONS:
            if mark in text:
                raise StateError(f"cannot {verb} the state store {shown}: {reason}", hint=hint) from fault
        raise StateError(
            f"cannot {verb} the state store {shown}: the database refused ({type(fault).__name__})",
            hint="check that the database is there and that it may be written, or use --debug",
        ) from fault


def _upper_key(upper: bytes | None) -> bytes:
    return _OPEN_ABOVE if upper is None else b"\x00" + upper


def _upper(key: bytes) -> bytes | None:
    return None if key == _OPEN_ABOVE else key[1:]


class SqlStateStore:
    """Made by ``open_store``; see the port for each method's promise. ``lineage``: 16 hexadecimal digits."""

    def __init__(self, engine: Engine, plan_name: str, lineage: str, shown: str) -> None:
        self.lineage = lineage
        self.plan_name = plan_name
        self._engine = engine
        self._writer = engine.execution_options(**{WRITES: True})
        self._shown = shown
        self._process = os.getpid()

    # -- writing

    def commit(self, changes: Sequence[port.Change], *, token: int | None) -> None:
        if token is None:
            for change in changes:
                if not isinstance(change, _WITHOUT_TOKEN):
                    raise InternalError(f"{type(change).__name__} was to be committed without the lock")
        with self._writing() as connection:
            if token is not None:
                self._check(connection, token)
            for change in changes:
                self._appliers[type(change)](self, connection, change)

    def _save_plan(self, connection: Connection, change: port.SavePlan) -> None:
        self._put(connection, t.PLANS, {}, document=encode(change.plan))

    def _save_wave(self, connection: Connection, change: port.SaveWave) -> None:
        wave = change.wave
        self._put(connection, t.WAVES, {"name": wave.name}, position=wave.position, document=encode(wave))

    def _save_move(self, connection: Connection, change: port.SaveMove) -> None:
        self._put(connection, t.MOVES, _of(change.move.id), document=encode(change.move))

    def _replace_ranges(self, connection: Connection, change: port.ReplaceRanges) -> None:
        keys = [_upper_key(each.upper) for each in change.ranges]
        last = _upper_key(change.upper)
        above = b"" if change.above is None else _upper_key(change.above)
        rising = all(low < high for low, high in zip([above, *keys], keys, strict=False))
        if (keys and keys[-1] != last) or not rising:
            raise InternalError("ranges of evidence do not tile the stretch that they replace")
        place = {**_of(change.move), "container": change.container, "prefix": change.prefix}
        column = t.RANGES.c.upper
        connection.execute(delete(t.RANGES).where(self._at(t.RANGES, place), column > above, column <= last))
        if keys:
            rows = [
                {"plan": self.plan_name, **place, "upper": key, "records": each.records, "is_open": each.is_open}
                for key, each in zip(keys, change.ranges, strict=True)
            ]
            connection.execute(insert(t.RANGES), rows)

    def _put_exception(self, connection: Connection, change: port.PutException) -> None:
        row = change.row
        key = {**_of(change.move), "container": row.container, "name": row.name}
        self._put(connection, t.EXCEPTIONS, key, kind=row.kind, document=encode(row))

    def _drop_exception(self, connection: Connection, change: port.DropException) -> None:
        self._drop(connection, t.EXCEPTIONS, {**_of(change.move), "container": change.container, "name": change.name})

    def _put_outstanding(self, connection: Connection, change: port.PutOutstanding) -> None:
        write = change.write
        key = {**_of(change.move), "side": write.side, "container": write.container, "name": write.name}
        self._put(connection, t.OUTSTANDING, key, document=encode(write))

    def _drop_outstanding(self, connection: Connection, change: port.DropOutstanding) -> None:
        key = {**_of(change.move), "side": change.side, "container": change.container, "name": change.name}
        self._drop(connection, t.OUTSTANDING, key)

    def _add_sample(self, connection: Connection, change: port.AddSample) -> None:
        sample = change.sample
        row = {**_of(sample.move), "gate": sample.gate, "at": time_text(sample.at), "document": encode(sample)}
        connection.execute(insert(t.SAMPLES).values(plan=self.plan_name, **row))

    def _add_journal(self, connection: Connection, change: port.AddJournal) -> None:
        number = self._next(connection, "journal")
        document = encode(replace(change.entry, number=number))
        connection.execute(insert(t.JOURNAL).values(plan=self.plan_name, number=number, document=document))

    def _set_control(self, connection: Connection, change: port.SetControl) -> None:
        control = change.control
        key = {"kind": control.kind, "scope": control.scope}
        if control.value:
            self._put(connection, t.CONTROLS, key, document=encode(control))
        else:
            self._drop(connection, t.CONTROLS, key)

    def _add_approval(self, connection: Connection, change: port.AddApproval) -> None:
        connection.execute(insert(t.APPROVALS).values(plan=self.plan_name, document=encode(change.approval)))

    def _set_note(self, connection: Connection, change: port.SetNote) -> None:
        self._put(connection, t.NOTES, {"key": change.key}, document=encode(change.value))

    def _count_requests(self, connection: Connection, change: port.CountRequests) -> None:
        key = {"account": change.account, "minute": change.minute, "operation": change.operation}
        self._add(connection, t.REQUESTS, key, "requests", change.requests)

    _appliers: Final[Mapping[type[Any], Callable[[SqlStateStore, Connection, Any], None]]] = {
        port.SavePlan: _save_plan,
        port.SaveWave: _save_wave,
        port.SaveMove: _save_move,
        port.ReplaceRanges: _replace_ranges,
        port.PutException: _put_exception,
        port.DropException: _drop_exception,
        port.PutOutstanding: _put_outstanding,
        port.DropOutstanding: _drop_outstanding,
        port.AddSample: _add_sample,
        port.AddJournal: _add_journal,
        port.SetControl: _set_control,
        port.AddApproval: _add_approval,
        port.SetNote: _set_note,
        port.CountRequests: _count_requests,
    }

    # -- reading

    def plan(self) -> PlanRecord | None:
        return self._one(PlanRecord, t.PLANS, {})

    def waves(self) -> Sequence[WaveRecord]:
        return self._many(WaveRecord, self._documents(t.WAVES).order_by(t.WAVES.c.position, t.WAVES.c.name))

    def moves(self) -> Sequence[MoveRecord]:
        return self._many(MoveRecord, self._documents(t.MOVES).order_by(t.MOVES.c.region, t.MOVES.c.area))

    def move(self, move: MoveId) -> MoveRecord | None:
        return self._one(MoveRecord, t.MOVES, _of(move))

    def ranges(self, move: MoveId, container: str, prefix: str) -> Iterator[EvidenceRange]:
        place = self._at(t.RANGES, {**_of(move), "container": container, "prefix": prefix})
        behind = b""
        while True:
            page = select(t.RANGES.c.upper, t.RANGES.c.records, t.RANGES.c.is_open).where(place)
            page = page.where(t.RANGES.c.upper > behind).order_by(t.RANGES.c.upper).limit(RANGES_AT_A_TIME)
            rows = self._rows(page)
            for row in rows:
                behind = bytes(row.upper)
                yield EvidenceRange(container, prefix, _upper(behind), bytes(row.records), bool(row.is_open))
            if len(rows) < RANGES_AT_A_TIME:
                return

    def containers_with_ranges(self, move: MoveId) -> Sequence[tuple[str, str]]:
        columns = (t.RANGES.c.container, t.RANGES.c.prefix)
        query = select(*columns).where(self._at(t.RANGES, _of(move))).distinct().order_by(*columns)
        return [(str(row.container), str(row.prefix)) for row in self._rows(query)]

    def exceptions(self, move: MoveId, *, limit: int = 1000) -> Sequence[ExceptionRow]:
        query = self._documents(t.EXCEPTIONS, _of(move)).order_by(t.EXCEPTIONS.c.container, t.EXCEPTIONS.c.name)
        return self._many(ExceptionRow, query.limit(limit))

    def exception(self, move: MoveId, container: str, name: str) -> ExceptionRow | None:
        return self._one(ExceptionRow, t.EXCEPTIONS, {**_of(move), "container": container, "name": name})

    def exception_counts(self, move: MoveId) -> Mapping[str, int]:
        kind = t.EXCEPTIONS.c.kind
        query = select(kind, func.count()).where(self._at(t.EXCEPTIONS, _of(move))).group_by(kind).order_by(kind)
        return {str(row[0]): int(row[1]) for row in self._rows(query)}

    def outstanding(self, move: MoveId) -> Sequence[Outstanding]:
        c = t.OUTSTANDING.c
        return self._many(Outstanding, self._documents(t.OUTSTANDING, _of(move)).order_by(c.side, c.container, c.name))

    def samples(self, move: MoveId, *, gate: str | None = None, after: datetime | None = None) -> Sequence[Sample]:
        query = self._documents(t.SAMPLES, _of(move)).order_by(t.SAMPLES.c.at, t.SAMPLES.c.id)
        if gate is not None:
            query = query.where(t.SAMPLES.c.gate == gate)
        if after is not None:
            query = query.where(t.SAMPLES.c.at > time_text(after))
        return self._many(Sample, query)

    def journal(self, *, after: int = 0, limit: int = 100_000) -> Sequence[JournalEntry]:
        number = t.JOURNAL.c.number
        return self._many(JournalEntry, self._documents(t.JOURNAL).where(number > after).order_by(number).limit(limit))

    def controls(self) -> Sequence[Control]:
        return self._many(Control, self._documents(t.CONTROLS).order_by(t.CONTROLS.c.kind, t.CONTROLS.c.scope))

    def approvals(self) -> Sequence[Approval]:
        return self._many(Approval, self._documents(t.APPROVALS).order_by(t.APPROVALS.c.id))

    def note(self, key: str) -> Any:
        rows = self._rows(self._documents(t.NOTES, {"key": key}))
        return decode_value(rows[0].document) if rows else None

    def requests(self, account: str, *, first_minute: int, last_minute: int) -> Mapping[str, int]:
        c = t.REQUESTS.c
        query = select(c.operation, func.sum(c.requests)).where(self._at(t.REQUESTS, {"account": account}))
        query = query.where(c.minute.between(first_minute, last_minute)).group_by(c.operation).order_by(c.operation)
        return {str(row[0]): int(row[1]) for row in self._rows(query)}

    # -- the lock

    def lock(self) -> LockRecord | None:
        return self._one(LockRecord, t.LOCK, {})

    def acquire(self, wanted: LockRecord, *, is_dead: bool) -> LockRecord:
        with self._writing() as connection:
            taken = replace(wanted, token=self._next(connection, "token"))  # first: it makes two takers queue
            held = self._held(connection)
            if held is not None and not is_dead and wanted.heartbeat - held.heartbeat <= STALE_AFTER:
                raise LockedError(
                    f"cannot take the lock of {self.plan_name}: {held.owner} on {held.host} (process {held.pid}) holds it",
                    hint=f"wait for it, or see status; if it is gone for certain: migrate unlock {held.nonce}",
                )
            self._write_lock(connection, taken)
        return taken

    def heartbeat(self, token: int, at: datetime) -> None:
        with self._writing() as connection:
            self._write_lock(connection, replace(self._check(connection, token), heartbeat=at))

    def release(self, token: int) -> None:
        with self._writing() as connection:
            connection.execute(delete(t.LOCK).where(self._at(t.LOCK, {"token": token})))

    def remove_lock(self, nonce: str) -> bool:
        with self._writing() as connection:
            return connection.execute(delete(t.LOCK).where(self._at(t.LOCK, {"nonce": nonce}))).rowcount > 0

    def close(self) -> None:
        """Give the connections back; a forked child leaves its parent's alone."""
        self._engine.dispose(close=os.getpid() == self._process)

    # -- statements

    def _held(self, connection: Connection) -> LockRecord | None:
        row = connection.execute(self._documents(t.LOCK).with_for_update()).first()
        return None if row is None else decode(LockRecord, row.document)

    def _check(self, connection: Connection, token: int) -> LockRecord:
        held = self._held(connection)
        if held is None or held.token != token:
            raise LockedError(_LOST, hint="see status for who holds it; what was committed is safe")
        return held

    def _write_lock(self, connection: Connection, held: LockRecord) -> None:
        self._put(connection, t.LOCK, {}, token=held.token, nonce=held.nonce, document=encode(held))

    def _next(self, connection: Connection, name: str) -> int:
        """The next number of a counter that only grows, from 1."""
        self._add(connection, t.COUNTERS, {"name": name}, "value", 1)
        query = select(t.COUNTERS.c.value).where(self._at(t.COUNTERS, {"name": name}))
        return int(connection.execute(query).scalar_one())

    def _add(self, connection: Connection, table: Table, key: Mapping[str, Any], column: str, amount: int) -> None:
        grown = update(table).where(self._at(table, key)).values({column: table.c[column] + amount})
        if connection.execute(grown).rowcount == 0:
            connection.execute(insert(table).values({"plan": self.plan_name, **key, column: amount}))

    def _put(self, connection: Connection, table: Table, key: Mapping[str, Any], **values: Any) -> None:
        self._drop(connection, table, key)
        connection.execute(insert(table).values(plan=self.plan_name, **key, **values))

    def _drop(self, connection: Connection, table: Table, key: Mapping[str, Any]) -> None:
        connection.execute(delete(table).where(self._at(table, key)))

    def _at(self, table: Table, key: Mapping[str, Any]) -> ColumnElement[bool]:
        return and_(table.c.plan == self.plan_name, *(table.c[name] == value for name, value in key.items()))

    def _documents(self, table: Table, key: Mapping[str, Any] | None = None) -> Select[Any]:
        return select(table.c.document).where(self._at(table, key or {}))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with plain_errors("write", self._shown), self._writer.begin() as connection:
            yield connection

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with plain_errors("read", self._shown), self._engine.connect() as connection:
            return connection.execute(query).all()

    def _many(self, kind: type[T], query: Select[Any]) -> list[T]:
        return [decode(kind, row.document) for row in self._rows(query)]

    def _one(self, kind: type[T], table: Table, key: Mapping[str, Any]) -> T | None:
        found = self._many(kind, self._documents(table, key))
        return found[0] if found else None


def _of(move: MoveId) -> dict[str, str]:
    return {"region": move.region, "area": move.area}
