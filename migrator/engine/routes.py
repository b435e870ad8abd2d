"""The one hand that writes the route document: records changed by compare-and-swap, one swap at a time.

Rules:

- a swap refused because another record changed is tried again; one refused because *this* record changed goes up as
  RouteChanged. An unanswered swap goes up as OutcomeUnknown: the fence's answer to it is a release, never a guess;
- a document that is throttled or away is asked again for a while, for nothing was written then: outside a fence for
  ``read_seconds``, inside one for as long as its own time allows. Whoever waits so keeps no other swap waiting, and a release
  has a patience of its own (``releasing``);
- every version of the document is known by its ETag: this desk wrote it, or somebody else did. While a fence of this desk is
  open, one that somebody else wrote breaks that fence, whatever it says: there may have been another before it, and leases
  under that;
- an epoch that this desk writes is above every epoch that it ever saw in that record, and above those that a version which nobody
  saw may have had;
- a register is what every follower has entered only once every version of the document has named it for a whole drain. One that
  somebody else wrote begins that anew: there may have been another before it, under which nobody had to enter.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC
from typing import TypeVar

from migrator.errors import InternalError, OutcomeUnknown, RouteChanged, RouteDisagreement, Throttled, Unreachable
from migrator.model.names import MoveId
from migrator.model.rhythm import USUAL, Rhythm
from migrator.model.routes import (
    LAST_FENCED,
    MAX_EPOCH,
    READ_ONLY,
    READ_WRITE,
    Damaged,
    Mode,
    RouteDocument,
    RouteRecord,
)
from migrator.model.schedule import Routing
from migrator.model.values import replace
from migrator.ports.clock import Clock
from migrator.ports.router import Router, RouteSnapshot, whole_or_damaged

T = TypeVar("T")
UNSEEN_EPOCHS = 1
"""So many epochs are stepped over once a fence is broken: a version that came and went unseen may have used the next one."""


class RouteDesk:
    """All moves of a run whose records are in one document share it (``desks``)."""

    def __init__(
        self,
        router: Router,
        clock: Clock,
        routing: Routing,
        *,
        lineage: str,
        run: str,
        region: str = "",
        succeed: Callable[[str], None] = lambda run: None,
        addresses: Mapping[str, str] | None = None,
        may_send: Callable[[], None] = lambda: None,
        rhythm: Rhythm = USUAL,
    ) -> None:
        """
        Args:
            region: one of those whose records are in the document.
            succeed: told of each other run whose record is about to be replaced.
            addresses: of each account that the plan knows. What clients are sent to is taken from here, never from a record.
            may_send: raises LockedError or StateError where this run may not send a swap again.
        """
        self._rhythm = rhythm
        self._may_send = may_send
        self._addresses = addresses or {}
        self._succeed = succeed
        self._router = router
        self._region = region
        self._clock = clock
        self._routing = routing
        self._lineage = lineage
        self._run = run
        self._runs: set[str] = set()
        self._saw_all_runs = True
        self._turn = asyncio.Lock()
        self._seen = routing
        self._known: set[str | None] = set()
        """ETags of all versions that this desk wrote or looked at."""
        self._open: set[str] = set()
        """Records that a fence of this desk closed."""
        self._broken: set[str] = set()
        """Records whose fence somebody else may have opened meanwhile; until this desk writes a later epoch."""
        self._epochs: dict[str, int] = {}
        """The highest epoch of each record that was ever seen."""
        self._register: str | None = None
        """The generation that the newest version seen names, and, in version 2, since when (monotonic) all seen have."""
        self._register_since = math.inf

    def named_runs(self) -> Collection[str] | None:
        """The runs that records name, or named while this one looked; None where that is not known of all of them."""
        return self._runs if self._saw_all_runs and self._runs else None

    @property
    def drain_seconds(self) -> float:
        """How long after a fence no lease can still be writing: by the plan, and by every document that was seen."""
        return self._seen.drain_seconds

    @property
    def ttl_seconds(self) -> float:
        """How long a record may be used: by the plan, and by every document that was seen."""
        return self._seen.ttl_seconds

    @property
    def register(self) -> str | None:
        """The generation of the register that followers enter, by the newest version that was seen; None: they need not."""
        return self._register if self._register_since < math.inf else None

    @property
    def all_entered_at(self) -> float:
        """From when on (monotonic) nobody writes under this document who has not entered its register: by then the leases of
        whatever came before have ended. Infinite without one."""
        return self._register_since + self.drain_seconds

    async def publish_register(self, generation: str, *, instead_of: str | None) -> bool:
        """Let the document be of version 2 and name this register, which is open. False: it names another one than expected by
        now, or a fence is open, or there is no document. RouteChanged: others were faster; OutcomeUnknown: no answer."""
        return await self._surely(lambda: self._publish_register(generation, instead_of))

    async def _publish_register(self, generation: str, instead_of: str | None) -> bool:
        async with self._turn:
            seen = self._noted(await self._router.read(self._region))
            if seen.document is None or self._open or _register_of(seen.document) != instead_of:
                return False
            new = replace(self._with_durations(seen.document), version=2, register=generation)
            self._wrote(new, await self._router.swap(self._region, new, expected_etag=seen.etag))
            return True

    def longer_than_planned(self) -> Routing | None:
        """The longest durations that the document was ever seen to promise, if one of them is longer than the plan's: whoever
        wrote it, clients may rely on that, and no fence begins (``engine.durations``)."""
        seen, plan = self._seen, self._routing
        is_longer = seen.ttl_seconds > plan.ttl_seconds or seen.max_write_seconds > plan.max_write_seconds
        return seen if is_longer else None

    async def unpublished(self) -> Routing | None:
        """The durations that the document promises now, if the plan's are longer; None also where there is no document: the
        first record brings them."""
        document = await self.document()
        if document is None or document == self._with_durations(document):
            return None
        return self._promised(document)

    def _promised(self, document: RouteDocument) -> Routing:
        return replace(self._routing, ttl_seconds=document.ttl_seconds, max_write_seconds=document.max_write_seconds)

    async def publish_durations(self) -> Routing | None:
        """Let the document say at least what the plan says; what it said before, or None if nothing was to be changed."""
        return await self._surely(self._publish_durations)

    async def _publish_durations(self) -> Routing | None:
        async with self._turn:
            for _ in range(self._rhythm.swap_attempts):
                seen = self._noted(await self._router.read(self._region))
                document = seen.document
                if document is None or document == self._with_durations(document):
                    return None
                try:
                    new = self._with_durations(document)
                    self._wrote(new, await self._router.swap(self._region, new, expected_etag=seen.etag))
                except (RouteChanged, OutcomeUnknown):
                    await self._clock.sleep(0.05 * self._clock.random())
                    continue
                return self._promised(document)
        raise RouteChanged(
            f"cannot publish the durations: other writers were faster {self._rhythm.swap_attempts} times",
            hint="try again",
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
        document = (await self._read() if is_patient else self._noted(await self._router.read(self._region))).document
        return document.routes.get(str(move)) if document else None

    async def to_release(self, *, is_patient: bool = False) -> Mapping[str, RouteRecord]:
        """All records that are whole, also of a document that cannot be decoded. For releases: whatever strangers did to other
        records, writers must not stay blocked for it."""
        document = (await (self._patiently(self._look) if is_patient else self._look()))[0]
        return document.routes if document is not None else {}

    async def _look(self) -> tuple[RouteDocument | Damaged | None, str | None]:
        document, etag = await whole_or_damaged(self._router, self._region)
        self._note(document, etag)
        return document, etag

    async def _read(self) -> RouteSnapshot:
        async def once() -> RouteSnapshot:
            return self._noted(await self._router.read(self._region))

        return await self._patiently(once)

    async def _patiently(
        self,
        once: Callable[[], Awaitable[T]],
        *,
        until: float | None = None,
        before_again: Callable[[], None] = lambda: None,
    ) -> T:
        """Again while the document is throttled or away. Soon at first: writers may be waiting, and most refusals are of one
        request; a service's wish to wait longer is for those who send thousands."""
        rhythm, attempt = self._rhythm, 0
        give_up = self._clock.monotonic() + rhythm.read_seconds if until is None else until
        pauses = rhythm.release_backoff_seconds
        while True:
            try:
                return await once()
            except (Unreachable, Throttled):
                if self._clock.monotonic() >= give_up:
                    raise
            pause = min(pauses[min(attempt, len(pauses) - 1)], rhythm.read_again_seconds)
            attempt += 1
            await self._clock.sleep(pause * (0.5 + self._clock.random()))
            before_again()

    async def _surely(self, swap: Callable[[], Awaitable[T]], *, until: float | None = None) -> T:
        return await self._patiently(swap, until=until, before_again=self._may_send)

    async def publish(self, first: Mapping[str, RouteRecord]) -> None:
        """Make all these records in one swap; a document where there is none. RouteChanged if one of them is there already."""
        await self._surely(lambda: self._publish(first))

    async def _publish(self, first: Mapping[str, RouteRecord]) -> None:
        async with self._turn:
            for _ in range(self._rhythm.swap_attempts):
                document, etag = await self._whole()
                if not isinstance(document, RouteDocument):
                    document = RouteDocument(self._routing.ttl_seconds, self._routing.max_write_seconds)
                if found := sorted(document.routes.keys() & first.keys()):
                    raise RouteChanged(f"cannot publish the route of {found[0]}: there is one already")
                new = replace(self._with_durations(document), routes={**document.routes, **first})
                try:
                    self._wrote(new, await self._router.swap(self._region, new, expected_etag=etag))
                except RouteChanged:
                    await self._clock.sleep(0.05 * self._clock.random())
                    continue
                for key, record in first.items():
                    self._epochs[key] = max(self._epochs.get(key, 0), record.epoch)
                return
        raise RouteChanged(
            f"cannot publish the routes: other writers were faster {self._rhythm.swap_attempts} times", hint="try again"
        )

    def address_of(self, account: str) -> str | None:
        """The endpoint of an account, as the plan gives it; None if it knows none."""
        return self._addresses.get(account)

    def is_broken(self, move: MoveId) -> bool:
        """Is the fence of ``move`` one that somebody else may have opened for a moment? By all that was seen up to now."""
        return str(move) in self._broken

    def doubt(self, move: MoveId) -> None:
        """Its last fence was another process's, and nobody knows which versions came and went under it."""
        self._broken.add(str(move))

    def require_closed(self, move: MoveId) -> None:
        """RouteChanged if somebody else wrote the document since the fence of ``move``: writers may have got leases."""
        if self.is_broken(move):
            raise RouteChanged(
                f"cannot go on in the fence of {move}: somebody else wrote the route document meanwhile, and may have let writers"
                " in for a moment",
                hint="writers continue at once; find out who writes it: while a fence is open nobody but this run may",
            )

    async def change(
        self,
        move: MoveId,
        expected: RouteRecord | None,
        new: RouteRecord,
        *,
        is_release: bool = False,
        until: float | None = None,
    ) -> None:
        """Put ``new`` in place of exactly ``expected`` (None: there must be no record).

        Args:
            is_release: also in a document whose other records cannot be decoded (``to_release``).
            until: so long (monotonic) a document is asked again that is throttled or away; None: for ``read_seconds``, and of a
                release not at all.
        Raises:
            RouteChanged: the record is another one, or this would be a switch out of a broken fence; nothing was written.
            OutcomeUnknown: the swap was not answered.
        """
        if not new.is_at(self.address_of(new.account)):
            raise InternalError(f"a route of {move} was about to name {new.endpoint}, which is not {new.account}")
        is_switch = expected is not None and new.account != expected.account
        if expected is not None and expected.run != self._run:
            self._succeed(expected.run)
        if is_release and until is None:
            await self._change(move, expected, new, is_release=True, is_switch=is_switch)
        else:
            await self._surely(
                lambda: self._change(move, expected, new, is_release=is_release, is_switch=is_switch), until=until
            )

    async def _change(
        self, move: MoveId, expected: RouteRecord | None, new: RouteRecord, *, is_release: bool, is_switch: bool
    ) -> None:
        key = str(move)
        async with self._turn:
            for _ in range(self._rhythm.swap_attempts):
                document, etag = await (self._look() if is_release else self._whole())
                if document is None:
                    document = RouteDocument(self._routing.ttl_seconds, self._routing.max_write_seconds)
                found = document.routes.get(key)
                if is_switch:
                    self.require_closed(move)
                if found != expected:
                    raise RouteChanged(
                        f"cannot change the route of {move}: it changed under us ({_show(found)}, expected {_show(expected)})",
                        hint="run migrate doctor or migrate routes to see who wrote it",
                    )
                try:
                    if isinstance(document, RouteDocument):
                        document = self._with_durations(document)
                    document = document.with_record(key, new)
                    self._wrote(document, await self._router.swap(self._region, document, expected_etag=etag))
                except RouteChanged:
                    await self._clock.sleep(0.05 * self._clock.random())
                    continue
                if expected is None or new.epoch > expected.epoch:
                    self._broken.discard(key)
                (self._open.add if new.mode == READ_ONLY else self._open.discard)(key)
                self._epochs[key] = max(self._epochs.get(key, 0), new.epoch)
                return
        raise RouteChanged(
            f"cannot change the route of {move}: other writers were faster {self._rhythm.swap_attempts} times",
            hint="try again",
        )

    async def _whole(self) -> tuple[RouteDocument | Damaged | None, str | None]:
        seen = self._noted(await self._router.read(self._region))
        return seen.document, seen.etag

    def _noted(self, seen: RouteSnapshot) -> RouteSnapshot:
        self._note(seen.document, seen.etag)
        return seen

    def _wrote(self, document: RouteDocument | Damaged, etag: str) -> None:
        self._known.add(etag)
        self._note_register(document, is_others=False)

    def _note_register(self, document: RouteDocument | Damaged | None, *, is_others: bool) -> None:
        register = _register_of(document)
        if register is None:
            self._register, self._register_since = None, math.inf
        elif is_others or register != self._register:
            self._register, self._register_since = register, self._clock.monotonic()

    def _note(self, document: RouteDocument | Damaged | None, etag: str | None) -> None:
        is_others = etag not in self._known
        if is_others:
            self._known.add(etag)
            self._broken |= self._open
        self._note_register(document, is_others=is_others)
        if document is None:
            return
        self._runs |= {record.run for record in document.routes.values()}
        for key, record in document.routes.items():
            self._epochs[key] = max(self._epochs.get(key, 0), record.epoch)
        if isinstance(document, Damaged):
            self._saw_all_runs = False
            return
        ttl = max(self._seen.ttl_seconds, document.ttl_seconds)
        max_write = max(self._seen.max_write_seconds, document.max_write_seconds)
        if (ttl, max_write) != (self._seen.ttl_seconds, self._seen.max_write_seconds):
            self._seen = replace(self._seen, ttl_seconds=ttl, max_write_seconds=max_write)

    def first(self, account: str, endpoint: str) -> RouteRecord:
        return RouteRecord(account, endpoint, READ_WRITE, 1, self._lineage, self._now(), self._run)

    def fenced(self, move: MoveId, record: RouteRecord) -> RouteRecord:
        """RouteDisagreement: an epoch that somebody else wrote leaves none for the release."""
        epoch = self.next_epoch(move, record)
        if epoch > LAST_FENCED:
            raise RouteDisagreement(
                f"cannot fence {move}: the epochs of its route are used up (it says {record.epoch}), and nothing could release"
                " the fence",
                hint="no engine counts that far: find out who wrote it, and who may write the route document",
            )
        return self._written(record, mode=READ_ONLY, epoch=epoch)

    def stamped(self, record: RouteRecord) -> RouteRecord:
        """As it is, in the name of this run; what an earlier one announced is over."""
        return replace(record, run=self._run, updated=self._now(), look_seconds=None)

    def announced(self, record: RouteRecord, look_seconds: float) -> RouteRecord:
        """As it is, and followers that have entered look for a fence so often from now on."""
        return replace(self.stamped(record), look_seconds=look_seconds)

    def released(self, move: MoveId, record: RouteRecord, *, above: int = 0) -> RouteRecord:
        """Writable at the same account. ``above``: an epoch that the store knows."""
        epoch = self.next_epoch(move, record, above=above)
        return self._written(record, mode=READ_WRITE, epoch=epoch)

    def _written(self, record: RouteRecord, *, mode: Mode, epoch: int) -> RouteRecord:
        """Under a new epoch, and at the address that is known of its account."""
        endpoint = self.address_of(record.account) or record.endpoint
        new = replace(record, endpoint=endpoint, mode=mode, epoch=epoch, run=self._run, updated=self._now())
        return replace(new, look_seconds=None)

    def adopted(self, move: MoveId, record: RouteRecord, *, epoch: int) -> RouteRecord:
        """This store's own from now on, writable, under an epoch that no follower and no store has seen."""
        return replace(self.released(move, record, above=epoch), lineage=self._lineage)

    def switched(self, move: MoveId, fence: RouteRecord, account: str, endpoint: str) -> RouteRecord:
        epoch = self.next_epoch(move, fence)
        new = replace(fence, account=account, endpoint=endpoint, mode=READ_WRITE, epoch=epoch, run=self._run)
        # What a hand wrote of other services is the old account's; the new one's are not known here.
        return replace(new, updated=self._now(), look_seconds=None, services={})

    def next_epoch(self, move: MoveId, record: RouteRecord, *, above: int = 0) -> int:
        """An epoch that no follower can have seen, as far as anybody knows. The last one there is can be all that is left for a
        release, after a hand had written it into an open fence: followers who saw it then take the same record again."""
        unseen = UNSEEN_EPOCHS if self.is_broken(move) else 0
        wanted = max(record.epoch, self._epochs.get(str(move), 0), above) + 1 + unseen
        return max(record.epoch + 1, min(wanted, MAX_EPOCH))

    def _now(self) -> str:
        return self._clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _register_of(document: RouteDocument | Damaged | None) -> str | None:
    """The one that whoever follows this version must have entered; None: nobody must, or it cannot be read."""
    return document.register if isinstance(document, RouteDocument) and document.version == 2 else None


def _show(record: RouteRecord | None) -> str:
    return f"{record.account} {record.mode}, epoch {record.epoch}" if record else "no record"
