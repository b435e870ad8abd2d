"""What has changed at both ends of a move since they were equal, read and never written: what a way back would carry.

Decides by the same law as a pass (``decide``), over the same evidence, so that a preview and the way back count alike. Leaves
acting to ``actions``. Reading only: both listings, once; memory is two pages a side and one range of evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Final, get_args

from migrator.model.moves import Direction, ExceptionKind, ExceptionRow
from migrator.model.schedule import PlannedMove
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import EXCEPTION_CAP, StateStore
from migrator.transfer.decide import NameCase, Verb, decide
from migrator.transfer.evidence import Evidence, Known
from migrator.transfer.joining import Pair, join
from migrator.transfer.listing import SeenSide
from migrator.transfer.order import ORDERS, OrderBroken
from migrator.transfer.sorting import open_stream

MOST_NAMED = 5
MOST_EXCEPTIONS: Final = EXCEPTION_CAP * len(get_args(ExceptionKind))
"""All that a store keeps in full: none is cut off here, and what it only counts a way back does not see either."""
_COUNTS = ("compared", "written", "written_bytes", "deleted", "conflicts", "stragglers", "unsure")
_WRITTEN = frozenset({Verb.CREATE, Verb.REPLACE, Verb.RECREATE, Verb.MARK})


@dataclass(slots=True)
class Since:
    """Counts of objects. ``written``: to carry back; ``deleted``: to delete at the source; ``conflicts``: changed on both sides,
    a person must decide; ``stragglers``: changed at the source alone, which are kept; ``unsure``: must be read to be told."""

    compared: int = 0
    written: int = 0
    written_bytes: int = 0
    deleted: int = 0
    conflicts: int = 0
    stragglers: int = 0
    unsure: int = 0
    named: list[str] = field(default_factory=list)
    """Conflicts, the first by name."""
    gone: list[str] = field(default_factory=list)
    """Containers of the source that the target has not."""
    is_whole: bool = True
    """False: the counting was ended before it was through, so all counts are at least so many."""

    def take(self, container: str, pair: Pair, verb: Verb) -> None:
        self.compared += 1
        if verb in _WRITTEN:
            self.written += 1
            self.written_bytes += pair.origin.size if pair.origin is not None and verb is not Verb.MARK else 0
        elif verb is Verb.DELETE:
            self.deleted += 1
        elif verb is Verb.CONFLICT:
            self.conflicts += 1
            if len(self.named) < MOST_NAMED:
                self.named.append(f"{container}/{pair.name}")
        elif verb is Verb.STRAGGLER:
            self.stragglers += 1
        elif verb in (Verb.COMPARE, Verb.WAIT, Verb.FOREIGN):
            self.unsure += 1


async def changed_since(
    move: PlannedMove, source: ObjectStore, target: ObjectStore, state: StateStore, into: Since
) -> None:
    """Compare the target, which customers use, with the source; counts go into ``into`` as they come. CloudError if a side
    cannot be listed."""
    exceptions = {(row.container, row.name): row for row in state.exceptions(move.id, limit=MOST_EXCEPTIONS)}
    ends = _Ends(move, source, target, state, exceptions)
    here = {info.name for info in await source.containers()}
    there = {info.name for info in await target.containers()}
    for container in sorted(here | there):
        for prefix in move.area.prefixes_in(container):
            if container not in there:
                into.gone.append(container)
                continue
            await _container(ends, container, prefix, into)


@dataclass(slots=True)
class _Ends:
    move: PlannedMove
    source: ObjectStore
    target: ObjectStore
    state: StateStore
    exceptions: Mapping[tuple[str, str], ExceptionRow]


async def _container(ends: _Ends, container: str, prefix: str, into: Since) -> None:
    before = copy(into)
    for order in ORDERS:
        left = open_stream(ends.target, container, prefix, order, SeenSide())
        right = open_stream(ends.source, container, prefix, order, SeenSide())
        known = Known(ends.state.ranges(ends.move.id, container, prefix))
        try:
            async for batch in join(left, right):
                for pair in batch:
                    into.take(container, pair, decide(_case(ends, container, pair, known.at(pair.key))).verb)
            return
        except OrderBroken:  # what was counted of this container is counted again
            for name in _COUNTS:
                setattr(into, name, getattr(before, name))
        finally:
            await left.close()
            await right.close()


def _case(ends: _Ends, container: str, pair: Pair, evidence: Evidence) -> NameCase:
    record = evidence.get(pair.name)
    return NameCase(
        pair.name,
        pair.origin,
        pair.destination,
        record,
        Direction.REVERSE,
        record is not None and record.is_pending,
        ends.exceptions.get((container, pair.name)),
    )
