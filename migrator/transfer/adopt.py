"""Adoption: what a lost or older state store had copied is recognised by its content, so that nothing is copied twice.

Only after a person said that the route document is right. No account is written: equal is written down as evidence, and the
rest stays what it was, foreign.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from migrator.errors import CloudError, NotFound, SourceChanged
from migrator.ports.troubles import Whose, whose
from migrator.transfer.copying import same_content
from migrator.transfer.decide import NameCase, is_covered, marks_text, record_of
from migrator.transfer.evidence import Evidence, marks_hash
from migrator.transfer.subject import Transfer
from migrator.transfer.together import together


async def adopt_equal(transfer: Transfer, container: str, cases: Sequence[NameCase], evidence: Evidence) -> int:
    """Read both sides of every case that ``evidence`` does not cover; put a record for each equal one; how many."""
    turn = asyncio.Semaphore(transfer.parallel)

    async def compare(case: NameCase) -> bool:
        async with turn:
            await transfer.admit()
            return await is_equal(transfer, container, case)

    unknown = [case for case in cases if case.origin and case.destination and not is_covered(case)]
    answers = await together(*(compare(case) for case in unknown))
    for case, answer in zip(unknown, answers, strict=True):
        if answer and case.origin and case.destination:
            marks, here, there = marks_hash(case.origin.tags, case.origin.explicit_tier), case.origin, case.destination
            record = record_of(case, origin_etag=here.etag, destination_etag=there.etag, marks=marks, is_proved=True)
            evidence.put(case.name, record)
    return sum(answers)


async def is_equal(transfer: Transfer, container: str, case: NameCase) -> bool:
    """Do both sides hold the same object, tags and tier included? Both are read; False too where one changes meanwhile, or cannot
    be read by anybody."""
    origin, destination = case.origin, case.destination
    if origin is None or destination is None or origin.copy_pending or destination.copy_pending:
        return False
    if origin.is_archived or destination.is_archived:
        return False
    if marks_text(origin, origin) != marks_text(destination, destination):
        return False
    try:
        return await same_content(transfer.origin, transfer.destination, container, origin, destination)
    except (SourceChanged, NotFound):
        return False
    except CloudError as fault:
        if whose(fault) is Whose.ACCOUNT:
            raise
        return False  # nobody can read it, so nobody can say that it is ours
