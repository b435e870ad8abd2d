"""The decisions of a range that go out in batches, and what their answers mean for the evidence.

Decides which copies an executor may have; leaves pace and tries to hands.py, the meaning of an answer to actions.py - it is the
same as for a copy made one by one. A batch is made only after its names were committed as pending.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from migrator.ports.executor import CopyUnit, Refusal
from migrator.ports.state_store import Change
from migrator.transfer.actions import Action, leave
from migrator.transfer.copying import fits_header, why_of
from migrator.transfer.decide import Decision, NameCase, Verb
from migrator.transfer.evidence import Evidence
from migrator.transfer.hands import fits_batch
from migrator.transfer.paced import PacedStore
from migrator.transfer.result import PassResult
from migrator.transfer.stretch import Stretch
from migrator.transfer.subject import Transfer

Work = tuple[NameCase, Decision]


def has_batches(transfer: Transfer) -> bool:
    """Are there hands for copies that the destination's service makes?"""
    return transfer.hands is not None and transfer.copier is not None and transfer.copier.is_server_side


def goes_in_batch(transfer: Transfer, container: str, case: NameCase, decision: Decision) -> bool:
    """Is this a copy that one request makes, and are there hands for it?"""
    return (
        decision.verb in (Verb.CREATE, Verb.REPLACE)
        and case.origin is not None
        and fits_batch(case.origin, transfer.rhythm.sizes)
        and fits_header(case.origin.tags)
        and (container, case.name) not in transfer.refused_creates
        and has_batches(transfer)
    )


async def copy_in_batches(
    walk: Stretch,
    work: list[Work],
    evidence: Evidence,
    changes: list[Change],
    tally: PassResult,
    is_out: asyncio.Future[None] | None = None,
) -> list[Work]:
    """Copy ``work``; what is left for the ladder because this pair's service cannot copy by itself. ``is_out`` is resolved
    when all of it has been handed out.

    Until that service has copied once, copies go out alone: where it cannot, thousands would be refused for nothing, and each
    refusal costs the source another look.
    """
    copier = walk.transfer.copier
    assert copier is not None
    left: list[Work] = []
    while work and not copier.pair.has_copied:
        left += await _copy(walk, work[:1], evidence, changes, tally)
        work = work[1:]
        if not copier.is_server_side:
            return [*left, *work]
    if is_out is not None and not is_out.done():
        is_out.set_result(None)
    return left + (await _copy(walk, work, evidence, changes, tally) if work else [])


async def _copy(
    walk: Stretch, work: list[Work], evidence: Evidence, changes: list[Change], tally: PassResult
) -> list[Work]:
    t = walk.transfer
    assert t.hands is not None
    assert t.admit_until is not None
    copier = t.copier
    assert copier is not None
    assert isinstance(t.origin, PacedStore)
    assert isinstance(t.destination, PacedStore)
    left: list[Work] = []

    def settle(index: int, answer: str | Refusal) -> None:
        case, decision = work[index]
        pair = copier.pair
        if isinstance(answer, str):
            pair.copied(walk.container, case.origin)
        elif answer.kind == "unsupported" or (answer.kind == "access-refused" and not pair.has_copied):
            left.append(work[index])
            if not pair.has_copied:
                pair.refused(why_of(answer.as_error()))  # else the ladder asks once more, one by one
            return
        Action(walk, case, evidence, changes, tally).answered(decision.verb, answer)

    def lost(indexes: Sequence[int]) -> None:
        leave(walk, [(work[index][0], work[index][1].verb) for index in indexes])

    units = [_unit(case, decision) for case, decision in work]
    sizes = [case.origin.size if case.origin else 0 for case, _ in work]
    await t.hands.copy(
        t.origin, t.destination, walk.container, units, sizes, admit=t.admit_until, settle=settle, lost=lost
    )
    return left


def _unit(case: NameCase, decision: Decision) -> CopyUnit:
    origin = case.origin
    assert origin is not None
    replaced = case.destination.etag if decision.verb is Verb.REPLACE and case.destination is not None else None
    return CopyUnit(origin.name, origin.etag, replaced, origin.tags or None, origin.explicit_tier)
