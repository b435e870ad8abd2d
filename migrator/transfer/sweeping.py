"""Copies in blocks that were begun: they are finished, or what they staged is swept before the route moves.

Uncommitted blocks of ours are invisible, but they make the first block of a customer fail whose ids have another length. Which
names may have some is written down before the first block is sent, and struck off once the copy is whole. What is left after a
pass has lost its origin, or the pass could not finish it. Memory and note: the large objects of the ranges in flight.

Known weakness: a state store put back from a backup has forgotten the names that were noted since; their blocks stay where they
are until the service drops them, a week later.
"""

from __future__ import annotations

from collections.abc import Iterable

from migrator.errors import ConditionFailed, NotFound, OutcomeUnknown
from migrator.model import notes
from migrator.model.objects import CREATE, NOTHING, Listed
from migrator.ports.state_store import PutOutstanding, SetNote
from migrator.transfer.copying import may_be_in_blocks
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Place, Transfer


def begin(t: Transfer, container: str, blobs: Iterable[Listed | None]) -> list[SetNote]:
    """What to commit before these are copied: nothing, unless one of them may be copied in blocks."""
    sizes = t.rhythm.sizes
    large = {(container, blob.name) for blob in blobs if blob is not None and may_be_in_blocks(blob, sizes)}
    if large <= t.staged:
        return []
    t.staged |= large
    return [_note(t)]


def end(t: Transfer, container: str, names: Iterable[str]) -> list[SetNote]:
    """What to commit with the records of ``names``, whose copies are whole. A block that was not answered may still come."""
    done = {(container, name) for name in names} & t.staged - t.outstanding.keys()
    if not done:
        return []
    t.staged -= done
    return [_note(t)]


async def sweep(t: Transfer, result: PassResult) -> None:
    """After all listings of a pass: sweep what lost its origin. What must still be finished counts as waiting."""
    swept = set()
    for place in sorted(t.staged):
        await t.admit()
        write = t.outstanding.get(place)
        is_over = write is None or t.waits.left(write, t.clock.monotonic()) <= 0
        if is_over and place not in t.unsettled and await _is_swept(t, place):
            swept.add(place)
        else:
            result.waiting += 1
    if swept:
        t.staged -= swept
        t.commit([_note(t)], PassResult())


async def _is_swept(t: Transfer, place: Place) -> bool:
    container, name = place
    try:
        if name not in await t.destination.uncommitted(container, prefix=name):
            return True
        if await _is_at_origin(t, place):
            return False  # the next pass finishes it
    except NotFound:
        return False  # the container is gone: look again
    return await _is_emptied(t, container, name)


async def _is_emptied(t: Transfer, container: str, name: str) -> bool:
    """Commit nothing over the blocks, and delete that. It is announced like every write, so that a death, a signal or a lost
    answer in between leaves a name on record that may be ours, until no late commit can make it again."""
    write = t.unanswered(container, name, "create", None)
    t.commit([PutOutstanding(t.move, write)], PassResult())
    t.outstanding[container, name] = write
    is_ours = False
    try:
        written = await t.destination.commit_blocks(container, name, [], NOTHING, condition=CREATE)
        is_ours = True
        await t.destination.delete(container, name, if_match=written.etag)
    except OutcomeUnknown:
        return False  # it stays on record, and the next pass looks what is there
    except (NotFound, ConditionFailed):
        # Refused: nothing was written. Or somebody was quicker than the delete, and what is there now is theirs.
        t.commit(t.settled(container, name), PassResult())
        return is_ours
    t.commit(t.settled(container, name), PassResult())
    return True


async def _is_at_origin(t: Transfer, place: Place) -> bool:
    try:
        await t.origin.head(*place)
    except NotFound:
        return False
    return True


def known(t: Transfer) -> set[Place]:
    """What earlier passes and runs wrote down."""
    return {(container, name) for container, name in t.state.note(notes.staged(t.move, t.direction)) or ()}


def _note(t: Transfer) -> SetNote:
    return SetNote(notes.staged(t.move, t.direction), [list(place) for place in sorted(t.staged)])
