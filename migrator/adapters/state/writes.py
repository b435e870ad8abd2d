"""One change of a commit as statements. The transaction around them is the store's.

Rules: only SQL that every database has - an upsert is an UPDATE and, if it met no row, an INSERT, which is safe because
commits of a store run one after the other. Overwriting in place is also cheap in SQLite: of a row whose size stays the same
only the changed pages are written, so marking a range open does not write its evidence again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, insert, select, update

from migrator.adapters.state import tables as t
from migrator.adapters.state.codec import encode, time_text
from migrator.adapters.state.columns import name_mark
from migrator.adapters.state.rules import BEFORE_ALL, position, tile
from migrator.errors import InternalError
from migrator.model.moves import ExceptionRow, JournalEntry
from migrator.model.names import MoveId
from migrator.model.samples import Sample
from migrator.model.values import replace
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

Key = Mapping[str, Any]


def of_move(move: MoveId) -> dict[str, str]:
    return {"region": move.region, "area": move.area}


class Writer:
    """Writes changes of ``plan`` inside the transaction of ``connection``."""

    def __init__(self, connection: Connection, plan: str, *, exception_cap: int) -> None:
        self._connection = connection
        self._plan = plan
        self._exception_cap = exception_cap
        self._counts: dict[tuple[str, str, str], int] = {}
        """Exception rows by region, area and kind, as far as this transaction had to count them."""

    def write(self, change: Change) -> None:
        """Carry out ``change``. InternalError if it breaks a promise; the caller rolls back."""
        match change:
            case SavePlan(plan):
                self.put(t.PLANS, {}, document=encode(plan))
            case SaveWave(wave):
                self.put(t.WAVES, {"name": wave.name}, position=wave.position, document=encode(wave))
            case SaveMove(move):
                self.put(t.MOVES, of_move(move.id), document=encode(move))
            case ReplaceRanges():
                self._replace_ranges(change)
            case PutException(move, row):
                self._put_exception(of_move(move), row)
            case DropException(move, container, name):
                self._counts.clear()
                self.drop(t.EXCEPTIONS, {**of_move(move), "container": container, "name": name})
                self.drop(t.BEYOND, {**of_move(move), "mark": name_mark(container, name)})
            case PutOutstanding(move, write):
                key = {**of_move(move), "side": write.side, "container": write.container, "name": write.name}
                self.put(t.OUTSTANDING, key, document=encode(write))
            case DropOutstanding(move, side, container, name):
                self.drop(t.OUTSTANDING, {**of_move(move), "side": side, "container": container, "name": name})
            case AddSample(sample):
                self._add_sample(sample)
            case AddJournal(entry):
                self._add_journal(entry)
            case SetControl(control):
                key = {"kind": control.kind, "scope": control.scope}
                if control.value:
                    self.put(t.CONTROLS, key, document=encode(control))
                else:
                    self.drop(t.CONTROLS, key)
            case AddApproval(approval):
                self.add(t.APPROVALS, document=encode(approval))
            case SetNote(name, value):
                self.put(t.NOTES, {"key": name}, document=encode(value))
            case CountRequests(account, minute, operation, requests):
                count: Key = {"account": account, "minute": minute, "operation": operation}
                self._increase(t.REQUESTS, count, "requests", requests)
            case _:
                raise InternalError(f"the state store was given a {type(change).__name__} to commit")

    def at(self, table: Table, key: Key) -> ColumnElement[bool]:
        """The plan's rows whose columns equal ``key``."""
        return and_(table.c.plan == self._plan, *(table.c[name] == value for name, value in key.items()))

    def put(self, table: Table, key: Key, **values: Any) -> None:
        """Insert or overwrite the row with this whole key."""
        if self._connection.execute(update(table).where(self.at(table, key)).values(values)).rowcount == 0:
            self.add(table, **key, **values)

    def add(self, table: Table, **values: Any) -> None:
        self._connection.execute(insert(table).values(plan=self._plan, **values))

    def drop(self, table: Table, key: Key) -> bool:
        """Delete the rows that match ``key``; False if there were none."""
        return self._connection.execute(delete(table).where(self.at(table, key))).rowcount > 0

    def next_number(self, name: str, *, at_least: int = 1) -> int:
        """The next number of a counter that only grows, from ``at_least``."""
        self._increase(t.COUNTERS, {"name": name}, "value", 1)
        query = select(t.COUNTERS.c.value).where(self.at(t.COUNTERS, {"name": name}))
        number = int(self._connection.execute(query).scalar_one())
        if number >= at_least:
            return number
        self.put(t.COUNTERS, {"name": name}, value=at_least)
        return at_least

    def _increase(self, table: Table, key: Key, column: str, amount: int) -> None:
        more = update(table).where(self.at(table, key)).values({column: table.c[column] + amount})
        if self._connection.execute(more).rowcount == 0:
            self.add(table, **key, **{column: amount})

    def _add_sample(self, sample: Sample) -> None:
        key = {**of_move(sample.move), "gate": sample.gate}
        self.add(t.SAMPLES, **key, at=time_text(sample.at), document=encode(sample))

    def _add_journal(self, entry: JournalEntry) -> None:
        number = self.next_number("journal")
        self.add(t.JOURNAL, number=number, document=encode(replace(entry, number=number)))

    def _put_exception(self, move: dict[str, str], row: ExceptionRow) -> None:
        """In full while there is room for its kind; beyond the cap only counted, by a mark of its name."""
        key = {**move, "container": row.container, "name": row.name}
        beyond = {**move, "mark": name_mark(row.container, row.name)}
        known = self._kind_of(key)
        if known != row.kind:
            where = (move["region"], move["area"])
            count = self._counts[(*where, row.kind)] = self._count(move, row.kind)
            if known is not None:
                self._counts.pop((*where, known), None)
            if count >= self._exception_cap:
                self.drop(t.EXCEPTIONS, key)
                self.put(t.BEYOND, beyond, kind=row.kind)
                return
            self._counts[(*where, row.kind)] += 1
        self.put(t.EXCEPTIONS, key, kind=row.kind, document=encode(row))
        self.drop(t.BEYOND, beyond)

    def _kind_of(self, key: Key) -> str | None:
        return self._connection.execute(select(t.EXCEPTIONS.c.kind).where(self.at(t.EXCEPTIONS, key))).scalar()

    def _count(self, move: Key, kind: str) -> int:
        where = (move["region"], move["area"], kind)
        if where in self._counts:
            return self._counts[where]
        mine = self.at(t.EXCEPTIONS, {**move, "kind": kind})
        return int(self._connection.execute(select(func.count()).select_from(t.EXCEPTIONS).where(mine)).scalar_one())

    def _replace_ranges(self, change: ReplaceRanges) -> None:
        column = t.RANGES.c.upper
        key = {**of_move(change.move), "container": change.container, "prefix": change.prefix}
        mine = select(column).where(self.at(t.RANGES, key))

        def is_there(condition: ColumnElement[bool]) -> bool:
            return self._connection.execute(mine.where(condition).limit(1)).first() is not None

        wanted = tile(
            change,
            has_ranges=is_there(column > BEFORE_ALL),
            is_boundary=lambda end: is_there(column == position(end)),
        )
        low = BEFORE_ALL if change.above is None else position(change.above)
        kept = {position(evidence.upper) for evidence in wanted}
        found = self._connection.execute(mine.where(column > low, column <= position(change.upper))).scalars().all()
        for upper in {bytes(raw) for raw in found} - kept:
            self.drop(t.RANGES, {**key, "upper": upper})
        for evidence in wanted:
            at = {**key, "upper": position(evidence.upper)}
            self.put(t.RANGES, at, is_open=evidence.is_open, records=evidence.records)
