"""The watch after a switch: whatever changes on the side that must be still is a straggler, once.

Writes exception rows only; while a route is being adopted, of kind foreign: nobody can say when they were written. In a
watch the origin of the direction is the old side, the one that must be still. The rows of a range are few commits. What a pass
that keeps the old side warm has written there is known by its evidence; where such a write is announced and not on record yet,
nothing is said before another pass has settled the name.

Known weakness: of a straggler beyond the cap of rows only a mark of its name is kept, so that its next change is not told from
the one that was listed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from migrator.model.moves import Direction, ExceptionRow
from migrator.ports.state_store import PutException
from migrator.transfer.decide import NameCase, is_covered, is_only_announced, marks_text
from migrator.transfer.result import PassResult
from migrator.transfer.stretch import Stretch

ROWS_AT_ONCE: Final = 500
"""Rows of one commit, which holds up everything else."""


def strays(walk: Stretch, cases: Sequence[NameCase]) -> list[NameCase]:
    """Where the still side (the origin here) is not what the evidence and the exceptions say, and no earlier look said so."""
    t = walk.transfer
    found = [case for case in cases if is_news(case, forward=t.direction is Direction.FORWARD)]
    if t.is_kept_warm:
        walk.result.unsure += sum(case.may_be_ours and not is_only_announced(case) for case in found)
        found = [case for case in found if not case.may_be_ours]
    if not found:
        return []
    unlisted = [case.name for case in found if case.exception is None]
    beyond = t.state.beyond(t.move, walk.container, unlisted) if unlisted else frozenset[str]()
    return [case for case in found if case.name not in beyond]


def is_news(case: NameCase, *, forward: bool) -> bool:
    """Does the still side show ``case`` otherwise than evidence and exceptions say it was?"""
    old, row = case.origin, case.exception
    listed = (row.source_etag if forward else row.target_etag) if row is not None else None
    is_known = case.record is not None or listed is not None  # what was only ever listed may vanish too
    if (old is None and not is_known) or is_covered(case):
        return False
    if row is None or listed != (old.etag if old else None):
        return True
    return row.kind == "straggler" and row.marks != marks_text(old, None)


async def list_them(walk: Stretch, found: Sequence[NameCase]) -> None:
    """Put ``strays`` on record, and count them."""
    for begin in range(0, len(found), ROWS_AT_ONCE):
        _list(walk, found[begin : begin + ROWS_AT_ONCE])
        await asyncio.sleep(0)  # others use the store and the loop too


def _list(walk: Stretch, found: Sequence[NameCase]) -> None:
    t = walk.transfer
    rows = [_row(walk, case) for case in found]
    t.commit([PutException(t.move, row) for row in rows], PassResult())
    since = "before the route was adopted" if t.is_adopting else "after the switch"
    for case, row in zip(found, rows, strict=True):
        t.exceptions[(walk.container, case.name)] = row
        walk.result.stragglers_new += 1
        walk.result.name(walk.container, case.name, f"{_why(case)} on {t.origin.account} {since}")


def _row(walk: Stretch, case: NameCase) -> ExceptionRow:
    t, old, why = walk.transfer, case.origin, _why(case)
    forward, etag = t.direction is Direction.FORWARD, old.etag if old else None
    detail = f"{why} on {t.origin.account} by a writer without a lease"
    if t.is_adopting:
        detail = f"{why} on {t.origin.account}, and no evidence shows that {t.destination.account} has it"
    return ExceptionRow(
        walk.container,
        case.name,
        "foreign" if t.is_adopting else "straggler",
        etag if forward else None,
        None if forward else etag,
        detail,
        marks_text(old, None),
        t.clock.now(),
    )


def _why(case: NameCase) -> str:
    return "written" if case.origin else "deleted"
