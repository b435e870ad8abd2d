"""The second look inside a fence at names one by one, where the first one wrote to a few of many.

Decides which names may be looked at so, and whether both sides show them as the evidence says. Judges only: a stretch of which
any name is not at rest is looked at as a whole by the walk, which carries over what it finds. Rules:

- only names that a pass copied or marked, and whose answers came; whatever rests on an absence, waits or was refused is looked at
  by listing;
- each is asked for on both sides, after its write was answered, and judged by the same decision as what is listed;
- all other names of the stretch are as the first look saw them: nobody writes to them any more.

Memory: ``Sizes.named_at_most`` names and their records.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from migrator.errors import NotFound
from migrator.model.moves import EvidenceRange
from migrator.model.objects import Listed
from migrator.model.rhythm import Sizes
from migrator.model.values import replace
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import Change, ReplaceRanges
from migrator.transfer.absences import RANGES_AT_ONCE
from migrator.transfer.decide import Decision, NameCase, Verb, decide
from migrator.transfer.evidence import Evidence, Record, marks_hash
from migrator.transfer.lanes import Looking
from migrator.transfer.paced import PacedStore
from migrator.transfer.result import Names, PassResult, Touched
from migrator.transfer.subject import Transfer
from migrator.transfer.together import together

CARRIED = frozenset({Verb.CREATE, Verb.REPLACE, Verb.MARK})
"""Verbs that write to one name, of which both sides can be asked."""


def touched(
    stretch: Names,
    decided: Iterable[tuple[NameCase, Decision]],
    at_rest: frozenset[Verb],
    tally: PassResult,
    sizes: Sizes,
    *,
    proves: bool,
    beside: int = 0,
) -> Touched | None:
    """What is to be looked at again of a ``stretch``, by all that was ``decided`` about it and what came of it; None: nothing.
    ``proves``: contents are to be read, too, which only a whole range does. ``beside``: names of it that were at rest, and
    of which nothing was decided here."""
    total, names, is_plain = beside, list[str](), not (proves or tally.waiting or tally.superseded or tally.failed)
    for case, decision in decided:
        total += 1
        if decision.verb not in at_rest:
            names.append(case.name)
            is_plain = is_plain and decision.verb in CARRIED and case.exception is None
    if not names:
        return None
    return Touched(stretch, tuple(names) if is_plain and len(names) * sizes.named_of <= total else None)


async def left(
    t: Transfer, looking: Looking, container: str, prefix: str, acted: Sequence[Touched], result: PassResult
) -> tuple[Names, ...]:
    """Look at the names of ``acted`` one by one; the stretches that are to be listed."""
    named = [one for one in acted if one.names]
    if not _are_worth_it(t, sum(len(one.names or ()) for one in named)):
        return tuple(one.stretch for one in acted)
    listed = {one.stretch for one in acted if not one.names}
    work = list[tuple[Touched, str, Record | None]]()
    for one in named:
        evidence = _evidence(t, container, prefix, one.stretch)
        if evidence is None:
            listed.add(one.stretch)
            continue
        work += [(one, name, evidence.get(name)) for name in one.names or ()]
    learned: dict[Names, list[tuple[str, Record]]] = {}
    queue, rank, turns = iter(work), next(looking.ranks), looking.turns

    async def look() -> None:
        for one, name, record in queue:
            await turns.take(rank)
            try:
                await t.admit()
                case = await _case(t, container, name, record)
            finally:
                turns.give()
            result.scanned += case.origin is not None
            verb = decide(case).verb
            if case.exception is not None or case.may_be_ours or verb not in (Verb.SKIP, Verb.SEEN):
                listed.add(one.stretch)
            elif verb is Verb.SEEN and record is not None and case.origin is not None:
                marks = marks_hash(case.origin.tags, case.origin.explicit_tier)
                learned.setdefault(one.stretch, []).append((name, replace(record, marks=marks)))

    await together(*(look() for _ in range(min(max(t.parallel, t.rhythm.sizes.most_parallel), len(work)))))
    await t.require_wanted()
    _learn(t, container, prefix, learned)
    return tuple(one.stretch for one in acted if one.stretch in listed)


def _are_worth_it(t: Transfer, names: int) -> bool:
    """Do the budgets let us ask for so many, one by one, within a few seconds? Pages need hardly any."""
    paces = [one.limits.pace_per_second for one in (t.origin, t.destination) if isinstance(one, PacedStore)]
    pace = min((one for one in paces if one), default=None)
    sizes = t.rhythm.sizes
    return names <= sizes.named_at_most and (pace is None or names <= pace * t.rhythm.named_seconds)


async def _case(t: Transfer, container: str, name: str, record: Record | None) -> NameCase:
    place = (container, name)
    origin, destination = await together(_shown(t.origin, container, name), _shown(t.destination, container, name))
    is_ours = (record is not None and record.is_pending) or place in t.outstanding
    return NameCase(name, origin, destination, record, t.direction, is_ours, t.exceptions.get(place))


async def _shown(store: ObjectStore, container: str, name: str) -> Listed | None:
    try:
        return await store.head(container, name)
    except NotFound:
        return None  # a container that is gone, too, is found by listing


def _evidence(t: Transfer, container: str, prefix: str, stretch: Names) -> Evidence | None:
    """Of the range that is this stretch; None if there is no such range any more."""
    above, upper = stretch
    found = next(t.state.ranges(t.move, container, prefix, above=above, at_once=1), None)
    return Evidence.unpack(found.records) if found is not None and found.upper == upper else None


def _learn(t: Transfer, container: str, prefix: str, learned: dict[Names, list[tuple[str, Record]]]) -> None:
    """Names whose tags and tier were not known for sure are known by now."""
    changes = list[Change]()
    for stretch, records in learned.items():
        evidence = _evidence(t, container, prefix, stretch)
        if evidence is None:
            continue
        for name, record in records:
            evidence.put(name, record)
        above, upper = stretch
        one = EvidenceRange(container, prefix, upper, evidence.pack(), evidence.has_pending)
        changes.append(ReplaceRanges(t.move, container, prefix, above, upper, (one,)))
        if len(changes) == RANGES_AT_ONCE:
            t.commit(changes, PassResult())
            changes = []
    if changes:
        t.commit(changes, PassResult())
