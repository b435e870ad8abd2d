"""The watch after a switch: whatever changes on the side that must be still is a straggler, once.

Writes exception rows only; while a route is being adopted, of kind foreign: nobody can say when they were written. In a
watch the origin of the direction is the old side, the one that must be still.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from migrator.model.moves import Direction, ExceptionRow
from migrator.ports.state_store import PutException
from migrator.transfer.decide import Case, is_covered, marks_text
from migrator.transfer.result import PassResult

if TYPE_CHECKING:
    from migrator.transfer.walk import Walk


def look(walk: Walk, cases: Sequence[Case]) -> None:
    """Watch: is the still side (the origin here) what the evidence and the exceptions say?"""
    t = walk.transfer
    forward = t.direction is Direction.FORWARD
    for case in cases:
        old, row = case.origin, case.exception
        listed = (row.source_etag if forward else row.target_etag) if row is not None else None
        is_known = case.record is not None or listed is not None  # what was only ever listed may vanish too
        if (old is None and not is_known) or is_covered(case):
            continue
        etag = old.etag if old else None
        marks = marks_text(old, None)
        is_same = row is not None and listed == etag
        if row is not None and is_same and (row.kind != "straggler" or row.marks == marks):
            continue
        walk.result.stragglers_new += 1
        why = "written" if old else "deleted"
        since = "before the route was adopted" if t.is_adopting else "after the switch"
        walk.result.name(walk.container, case.name, f"{why} on {t.origin.account} {since}")
        detail = f"{why} on {t.origin.account} by a writer without a lease"
        if t.is_adopting:
            detail = f"{why} on {t.origin.account}, and no evidence shows that {t.destination.account} has it"
        new = ExceptionRow(
            walk.container,
            case.name,
            "foreign" if t.is_adopting else "straggler",
            etag if forward else None,
            None if forward else etag,
            detail,
            marks,
            t.clock.now(),
        )
        t.commit([PutException(t.move, new)], PassResult())
        t.exceptions[(walk.container, case.name)] = new
