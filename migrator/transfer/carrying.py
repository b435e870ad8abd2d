"""What was decided about the names of a range is carried out side by side.

Leaves one name to ``actions``, batches to ``batches``, and what becomes of the range to ``walk``.
"""

from __future__ import annotations

import asyncio

from migrator.ports.state_store import Change
from migrator.transfer.actions import Action
from migrator.transfer.batches import copy_in_batches, goes_in_batch
from migrator.transfer.decide import Decision, NameCase
from migrator.transfer.evidence import Evidence
from migrator.transfer.lanes import Looking
from migrator.transfer.result import PassResult
from migrator.transfer.stretch import Stretch
from migrator.transfer.together import together


async def carry_out(
    walk: Stretch,
    looking: Looking,
    todo: list[tuple[NameCase, Decision]],
    evidence: Evidence,
    changes: list[Change],
    tally: PassResult,
    is_out: asyncio.Future[None] | None,
) -> None:
    """Small copies in batches where there are hands for them, the rest one by one, in the order of the ranges they are of.
    ``is_out`` is resolved when all of it is under way."""
    batched: list[tuple[NameCase, Decision]] = []
    rest: list[tuple[NameCase, Decision]] = []
    for one in todo:
        (batched if goes_in_batch(walk.transfer, walk.container, *one) else rest).append(one)
    if batched:
        rest += await copy_in_batches(walk, batched, evidence, changes, tally, is_out)
    if is_out is not None:
        resolve(is_out)  # what goes one by one is under way from here on, beside the ranges that follow
    t = walk.transfer
    queue = iter(rest)
    rank, turns = next(looking.ranks), looking.turns

    async def work() -> None:
        for case, decision in queue:
            await turns.take(rank)
            try:
                if t.is_ending:
                    return
                await t.admit()
                await Action(walk, case, evidence, changes, tally).carry_out(decision)
            finally:
                turns.give()

    most = max(t.parallel, t.rhythm.sizes.most_parallel)
    await together(*(work() for _ in range(min(most, len(rest)))))


def resolve(future: asyncio.Future[None]) -> None:
    """Let go whoever waits for ``future``."""
    if not future.done():
        future.set_result(None)
