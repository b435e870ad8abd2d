"""The one hand that writes the route document: records changed by compare-and-swap, one swap at a time.

A swap refused because another record changed is tried again; one refused because *this* record changed goes up as
RouteChanged. An unanswered swap goes up as OutcomeUnknown: the fence's answer to it is a release, never a guess.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC

from migrator.errors import OutcomeUnknown, RouteChanged, Throttled, Unreachable
from migrator.model.names import MoveId
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteDocument, RouteRecord
from migrator.model.schedule import Routing
from migrator.model.values import replace
from migrator.ports.clock import Clock
from migrator.ports.router import Router, RouteSnapshot

ATTEMPTS = 20
"""Swaps lost in a row to other records before giving up."""
READ_SECONDS = 60.0
"""How long a document that does not answer is asked again before the error goes up. Meanwhile nothing is written."""
READ_AGAIN_SECONDS = 1.0


class RouteDesk:
    """All moves of a run share one."""

    def __init__(
        self,
        router: Router,
        clock: Clock,
        routing: Routing,
        *,
        lineage: str,
        run: str,
        succeed: Callable[[str], None] = lambda run: None,
    ) -> None:
        """``succeed``: told of each other run whose record is about to be replaced."""
        self._succeed = succeed
        self._router = router
        self._clock = clock
        self._routing = routing
        self._lineage = lineage
        self._run = run
        self._turn = asyncio.Lock()
        self._seen = routing

    @property
    def drain_seconds(self) -> float:
        """How long after a fence no lease can still be writing: by the plan, and by every document that was seen."""
        return self._seen.drain_seconds

    async def publish_durations(self) -> Routing | None:
        """Let the document say at least what the plan says; what it said before, or None if nothing was to be changed (also
        where there is no document: the first record brings it)."""
        async with self._turn:
            for _ in range(ATTEMPTS):
                seen = await self._read()
                document = seen.document
                if document is None or document == self._with_durations(document):
                    return None
                try:
                    await self._router.swap(self._with_durations(document), expected_etag=seen.etag)
                except (RouteChanged, OutcomeUnknown):
                    await self._clock.sleep(0.05 * self._clock.random())
                    continue
                return replace(
                    self._routing, ttl_seconds=document.ttl_seconds, max_write_seconds=document.max_write_seconds
                )
        raise RouteChanged(
            f"cannot publish the durations: other writers were faster {ATTEMPTS} times", hint="try again"
        )

    def _with_durations(self, document: RouteDocument) -> RouteDocument:
        return replace(
            document,
            ttl_seconds=max(document.ttl_seconds, self._routing.ttl_seconds),
            max_write_seconds=max(document.max_write_seconds, self._routing.max_write_seconds),
        )

    async def document(self) -> RouteDocument | None:
        return (await self._read()).document

    async def record(self, move: MoveId, *, is_patient: bool = True) -> RouteRecord | None:
        """The record now; None if there is none. ``is_patient`` False: no second try, the caller has its own."""
        document = (await (self._read() if is_patient else self._router.read())).document
        return document.routes.get(str(move)) if document else None

    async def _read(self) -> RouteSnapshot:
        give_up = self._clock.monotonic() + READ_SECONDS
        while True:
            try:
                return self._noted(await self._router.read())
            except (Unreachable, Throttled):
                if self._clock.monotonic() >= give_up:
                    raise
            await self._clock.sleep(READ_AGAIN_SECONDS * (0.5 + self._clock.random()))

    async def change(self, move: MoveId, expected: RouteRecord | None, new: RouteRecord) -> None:
        """Put ``new`` in place of exactly ``expected`` (None: there must be no record).

        Raises:
            RouteChanged: the record is another one; nothing was written.
            OutcomeUnknown: the swap was not answered.
        """
        if expected is not None and expected.run != self._run:
            self._succeed(expected.run)
        async with self._turn:
            for _ in range(ATTEMPTS):
                seen = self._noted(await self._router.read())
                document = seen.document or RouteDocument(self._routing.ttl_seconds, self._routing.max_write_seconds)
                found = document.routes.get(str(move))
                if found != expected:
                    raise RouteChanged(
                        f"cannot change the route of {move}: it changed under us ({_show(found)}, expected {_show(expected)})",
                        hint="run migrate doctor or migrate routes to see who wrote it",
                    )
                try:
                    document = self._with_durations(document).with_record(str(move), new)
                    await self._router.swap(document, expected_etag=seen.etag)
                except RouteChanged:
                    await self._clock.sleep(0.05 * self._clock.random())
                    continue
                return
        raise RouteChanged(
            f"cannot change the route of {move}: other writers were faster {ATTEMPTS} times", hint="try again"
        )

    def _noted(self, seen: RouteSnapshot) -> RouteSnapshot:
        if seen.document is None:
            return seen
        ttl = max(self._seen.ttl_seconds, seen.document.ttl_seconds)
        max_write = max(self._seen.max_write_seconds, seen.document.max_write_seconds)
        if (ttl, max_write) != (self._seen.ttl_seconds, self._seen.max_write_seconds):
            self._seen = replace(self._seen, ttl_seconds=ttl, max_write_seconds=max_write)
        return seen

    def first(self, account: str, endpoint: str) -> RouteRecord:
        return RouteRecord(account, endpoint, READ_WRITE, 1, self._lineage, self._now(), self._run)

    def fenced(self, record: RouteRecord) -> RouteRecord:
        return replace(record, mode=READ_ONLY, epoch=record.epoch + 1, run=self._run, updated=self._now())

    def stamped(self, record: RouteRecord) -> RouteRecord:
        """As it is, in the name of this run."""
        return replace(record, run=self._run, updated=self._now())

    def released(self, record: RouteRecord) -> RouteRecord:
        return replace(record, mode=READ_WRITE, epoch=record.epoch + 1, run=self._run, updated=self._now())

    def adopted(self, record: RouteRecord, *, epoch: int) -> RouteRecord:
        """This store's own from now on, writable, under an epoch that no follower and no store has seen."""
        released = self.released(record)
        return replace(released, epoch=max(record.epoch, epoch) + 1, lineage=self._lineage)

    def switched(self, fence: RouteRecord, account: str, endpoint: str) -> RouteRecord:
        return replace(
            fence, account=account, endpoint=endpoint, mode=READ_WRITE, epoch=fence.epoch + 1, updated=self._now()
        )

    def _now(self) -> str:
        return self._clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _show(record: RouteRecord | None) -> str:
    return f"{record.account} {record.mode}, epoch {record.epoch}" if record else "no record"
