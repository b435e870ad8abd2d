"""The canary: a small object copied source -> target and target -> source, read back and removed, before any fence.

It climbs the same ladder as real copies, so it proves that both accounts take our writes, copies and deletes, and which rung
they will use; above all that the way back works while it is not needed yet. Its names lie under ``.migrate/``, outside every
comparison; what a dead run left of them, or a dead ``plan --probe``, is
removed by the next canary of the same move. Where the source may only be read (``cutover.canary: target-only``) one of its own
objects takes the canary's place, and the way back is not proved.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from migrator.engine.leftovers import remove, sweep
from migrator.errors import (
    AccessRefused,
    CloudError,
    ConditionFailed,
    JudgementError,
    NotFound,
    OutcomeUnknown,
    SourceChanged,
    Throttled,
    Unreachable,
    Unsupported,
)
from migrator.model.names import RESERVED_PREFIX, MoveId
from migrator.model.objects import CREATE, BlobType, ContentHeaders, Listed, Shape
from migrator.model.rhythm import USUAL
from migrator.model.values import replace, value
from migrator.ports.clock import Clock
from migrator.ports.object_store import ObjectStore, Origin
from migrator.transfer.copying import Copier, same_content, why_of
from migrator.transfer.together import together

ATTEMPTS = 5
PROBES = f"{RESERVED_PREFIX}probe/"
"""Where ``plan --probe`` sends its objects."""
ONE_REFUSAL = replace(USUAL, first_refusals=1)
"""Of a canary there is but one."""
SAMPLED = 100
SAMPLE_BYTES = 1024 * 1024
"""What is copied where nothing may be written at the origin: the first so small of so many objects."""
_SHAPE = Shape(BlobType.BLOCK, ContentHeaders(content_type="text/plain"), {"migrate": "canary"}, {}, None)


@value(frozen=True, slots=True)
class Way:
    """How a canary went: ``words`` for people; ``tiers``: what an object without a tier of its own has at the origin and at the
    destination, where both accounts have tiers."""

    words: str
    tiers: tuple[str, str] | None = None
    copy_seconds: float = 0.0
    """How long the copy alone took."""

    @property
    def changes_tier(self) -> bool:
        return self.tiers is not None and self.tiers[0] != self.tiers[1]

    def __str__(self) -> str:
        if self.tiers is None or not self.changes_tier:
            return self.words
        return f"{self.words}; an object without a tier of its own was {self.tiers[0]} and is {self.tiers[1]}"


async def prove(
    clock: Clock,
    move: MoveId,
    container: str,
    origin: ObjectStore,
    destination: ObjectStore,
    *,
    is_swept: bool = False,
    reads_only: bool = False,
) -> Way:
    """One way, before the first copy or a fence of ``move``; how it went. Tried again after what may pass by itself,
    each time under a new name. ``is_swept``: nothing of an earlier one lies there. ``reads_only``: nothing is written at the
    origin.

    Raises:
        CloudError: an account refuses a read, a write, a copy or a delete; names account and operation.
        JudgementError: what arrived is not what was sent.
    """
    for attempt in range(ATTEMPTS):
        try:
            prefix, is_clean = f"{RESERVED_PREFIX}canary/{move}/", is_swept and attempt == 0
            way = send_read_only if reads_only else send
            return await way(clock, prefix, container, origin, destination, is_swept=is_clean)
        except (OutcomeUnknown, Unreachable, ConditionFailed, SourceChanged, NotFound):
            if attempt == ATTEMPTS - 1:
                raise
            await clock.sleep(1.0 + clock.random())
        except Throttled:
            raise  # an account that asks for less refuses no way: whoever waits that out knows it by its family
        except CloudError as fault:
            raise type_of(fault)(
                f"cannot prove the way {origin.account} -> {destination.account}: {fault.message}",
                hint=fault.hint or "mend that before the cut-over; nothing was fenced",
            ) from fault
    raise AssertionError("unreachable")


def type_of(fault: CloudError) -> type[CloudError]:
    """Its own family where that needs nothing beside a message."""
    kind = type(fault)
    return kind if kind.__init__ is CloudError.__init__ else CloudError


async def send(
    clock: Clock,
    prefix: str,
    container: str,
    origin: ObjectStore,
    destination: ObjectStore,
    *,
    is_swept: bool = False,
) -> Way:
    """One object under ``prefix``, one way, compared and removed; what is left there of others is swept first, unless all
    ``is_swept``.

    Returns:
        "by the service" or "streamed through this machine", and why.
    Raises:
        CloudError, JudgementError: as ``prove``.
    """
    name = f"{prefix}{clock.nonce()}"
    if not is_swept:
        await together(*(sweep(store, container, prefix) for store in (origin, destination)))
    async with _removed(origin, container, name), _removed(destination, container, name):
        await origin.put(container, name, name.encode(), _SHAPE, condition=CREATE)
        copier = Copier(origin, destination, clock, ONE_REFUSAL)
        here = await origin.head(container, name)
        begun = clock.monotonic()
        try:
            await copier.copy(container, here, condition=CREATE, in_fence=True)
        except ConditionFailed:
            await _refuse_one_account(origin, destination, container, here)
            raise
        took = clock.monotonic() - begun
        there = await destination.head(container, name)
        if not await same_content(origin, destination, container, here, there):
            raise JudgementError(
                f"cannot trust copies {origin.account} -> {destination.account}: a canary arrived changed",
                hint="something between the two accounts rewrites objects",
            )
    tiers = (here.tier, there.tier) if here.tier and there.tier and there.tier_inferred else None
    if copier.is_server_side:
        return Way("by the service", tiers, took)
    return Way("streamed through this machine" + (f": {copier.pair.why}" if copier.pair.why else ""), tiers, took)


async def send_read_only(
    clock: Clock,
    prefix: str,
    container: str,
    origin: ObjectStore,
    destination: ObjectStore,
    *,
    is_swept: bool = False,
) -> Way:
    """As ``send``, with nothing written at the origin: a small object that lies there already is copied under ``prefix``,
    compared and removed; where there is none, our own bytes are written."""
    name = f"{prefix}{clock.nonce()}"
    if not is_swept:
        await sweep(destination, container, prefix)
    sample = await _sample(origin, container)
    async with _removed(destination, container, name):
        if sample is None:
            body, way = name.encode(), "written; nothing small lies at its source that could be copied"
        else:
            body = (await origin.whole(container, sample.name, if_match=sample.etag, most_bytes=sample.size)).body
            way = await _copied_beside(origin, destination, container, sample, name)
        if sample is None or way:
            await destination.put(container, name, body, _SHAPE, condition=CREATE)
        with contextlib.suppress(NotFound):  # as it should be: what is written to one is not seen at the other
            await _refuse_one_account(origin, destination, container, await origin.head(container, name))
        there = await destination.head(container, name)
        if (await destination.whole(container, name, most_bytes=max(len(body), 1))).body != body:
            raise JudgementError(
                f"cannot trust copies {origin.account} -> {destination.account}: a canary arrived changed",
                hint="something between the two accounts rewrites objects",
            )
    is_untiered = sample is not None and sample.tier_inferred and there.tier_inferred
    tiers = (sample.tier, there.tier) if is_untiered and sample and sample.tier and there.tier else None
    return Way(way or "by the service", tiers)


async def _sample(origin: ObjectStore, container: str) -> Listed | None:
    """A customer's object that one small request copies."""
    for blob in (await origin.page(container, limit=SAMPLED)).entries:
        is_small = blob.blob_type is BlobType.BLOCK and 0 < blob.size <= SAMPLE_BYTES
        if is_small and not blob.is_archived and not blob.name.startswith(RESERVED_PREFIX):
            return blob
    return None


async def _copied_beside(
    origin: ObjectStore, destination: ObjectStore, container: str, sample: Listed, name: str
) -> str:
    """Empty, or why the service does not copy from there."""
    streamed = "streamed through this machine"
    if not destination.can_copy_from(origin):
        return streamed
    source = Origin(origin, container, sample.name, sample.etag, sample.size)
    try:
        await destination.copy(source, container, name, _SHAPE, condition=CREATE)
    except (Unsupported, AccessRefused) as refusal:
        return f"{streamed}: {why_of(refusal)}"
    return ""


async def _refuse_one_account(origin: ObjectStore, destination: ObjectStore, container: str, sent: Listed) -> None:
    """A fresh name that is there already: is it the very object that was written at the other side?"""
    if (await destination.head(container, sent.name)).etag == sent.etag:
        raise JudgementError(
            f"cannot move from {origin.account} to {destination.account}: what is written to one is seen at the other",
            hint="they are one account under two addresses: name another target, and remove nothing",
        )


@asynccontextmanager
async def _removed(store: ObjectStore, container: str, name: str) -> AsyncIterator[None]:
    """Removes the object at the end; if that is refused after a success, the way is not proven."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(CloudError):  # the first error says more; the next canary sweeps
            await remove(store, container, name)
        raise
    await remove(store, container, name)
