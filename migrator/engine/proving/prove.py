"""Ask two accounts for every promise, in containers of our own, and remove them whatever happens.

Decides names of containers, what is asked again, and what counts as an answer. Leaves the asking to the rooms of ``promises``.
Rules: nothing but what lies in a container of our own is written or removed; what an earlier, killed run left is removed when
it is older than any run can be; a promise that nobody answers is not kept and not broken.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from migrator.engine.proving.ground import MAY_PASS, Ground
from migrator.engine.proving.promises import ASKED, PROMISES, Promise
from migrator.errors import CloudError, MigrateError, Throttled, UsageError
from migrator.model.names import RESERVED_PREFIX
from migrator.model.objects import ContainerInfo
from migrator.model.proved import PromiseKept, ProvedAccount, ProvedPair
from migrator.ports.clock import Clock
from migrator.ports.object_store import ObjectStore
from migrator.ports.proving import Provable
from migrator.transfer.together import together

BOX: Final = "migrate-prove"
MARK: Final = {"migrateprove": "true"}
"""Metadata of every container of ours: what does not have it is a customer's, whatever its name."""
LEFT_AFTER: Final = timedelta(hours=6)
ATTEMPTS: Final = 6
AGAIN_SECONDS: Final = 1.0
"""Doubles with every attempt."""
AT_ONCE: Final = 6
_NAME: Final = re.compile(rf"{BOX}-(\d{{14}})-[0-9a-f]{{8}}").fullmatch
Told = Callable[[PromiseKept], None]
T = TypeVar("T")


class Examiner:
    """One run of the proof. ``told`` hears of each promise as it is answered."""

    def __init__(
        self,
        first: ObjectStore,
        second: ObjectStore,
        *,
        clock: Clock,
        told: Told,
        promises: Sequence[Promise] = PROMISES,
    ) -> None:
        for store in (first, second):
            if not isinstance(store, Provable):
                raise UsageError(
                    f"cannot prove account {store.account}: nothing about an account of its kind is taken on trust",
                    hint="name two accounts of a storage service with --accounts",
                )
        self._stores = (first, second)
        self._clock, self._told, self._promises = clock, told, promises
        moment = clock.now().astimezone(UTC)
        self.box = f"{BOX}-{moment:%Y%m%d%H%M%S}-{int(clock.random() * 16**8):08x}"
        self._places = asyncio.Semaphore(AT_ONCE)
        self._throttled: Counter[str] = Counter()
        self.left: list[str] = []
        """Containers of ours that could not be removed, as ``account/container``."""

    async def run(self, kinds: Mapping[str, str], program: str) -> ProvedPair:
        """All answers. ``kinds``: of account, by name. Raises what keeps it from beginning; removes its containers always."""
        try:
            await together(*(self._begin(store) for store in self._stores))
            answers = await together(*self._questions())
        finally:
            await asyncio.shield(self._end())
        first, second = (ProvedAccount(one.account, kinds[one.account], one.endpoint) for one in self._stores)
        at = f"{self._clock.now().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return ProvedPair(at, program, first, second, tuple(answers), dict(self._throttled))

    # Containers of our own

    async def _begin(self, store: ObjectStore) -> None:
        for info in await self._patiently(lambda attempt: store.containers(f"{BOX}-")):
            if self._is_left(info):
                await _provable(store).remove_container(info.name)
        await self._patiently(lambda attempt: store.create_container(ContainerInfo(self.box, metadata=MARK)))

    def _is_left(self, info: ContainerInfo) -> bool:
        named = _NAME(info.name)
        if named is None or dict(info.metadata) != MARK:
            return False
        made = datetime.strptime(named[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        return self._clock.now() - made > LEFT_AFTER

    async def _end(self) -> None:
        for store in self._stores:
            try:
                await self._patiently(partial(self._remove, store))
            except MigrateError:
                self.left.append(f"{store.account}/{self.box}")

    async def _remove(self, store: ObjectStore, attempt: int) -> None:
        await _provable(store).remove_container(self.box)

    # Asking

    def _questions(self) -> Sequence[Coroutine[Any, Any, PromiseKept]]:
        first, second = self._stores
        found = []
        for promise in self._promises:
            ways = [(first, second), (second, first)]
            for store, origin in ways if promise.kind == "pair" else [(one, one) for one in self._stores]:
                if store is origin or store.can_copy_from(origin):  # else it is read through this machine
                    found.append(self._asked(promise, store, origin))
        return found

    async def _asked(self, promise: Promise, store: ObjectStore, origin: ObjectStore) -> PromiseKept:
        place = f"{origin.account} -> {store.account}" if promise.kind == "pair" else store.account
        async with self._places:
            began = self._clock.monotonic()
            try:
                found = await self._patiently(lambda attempt: self._ask(promise, store, origin, attempt))
                word = "broken" if found else "kept"
            except NotImplementedError as unable:
                found, word = str(unable), "unasked"
            except CloudError as refused:
                # A right that is missing, a firewall, a feature that this kind of account lacks: nothing was seen to be broken.
                found, word = str(refused), "unasked"
        seconds = self._clock.monotonic() - began
        answer = PromiseKept(promise.name, place, word, promise.is_relied_on, found[:1000], seconds)  # type: ignore[arg-type]
        self._told(answer)
        return answer

    async def _ask(self, promise: Promise, store: ObjectStore, origin: ObjectStore, attempt: int) -> str:
        way = "" if store is origin else f"{self._stores.index(origin)}"
        prefix = f"{RESERVED_PREFIX}prove/{promise.name}{way}/{attempt}/"
        if promise.kind != "own":
            return await ASKED[promise.name](Ground(store, origin, self.box, prefix))
        own = _provable(store).own_proofs().get(promise.name)
        if own is None:
            raise NotImplementedError("its credential, or its kind, cannot ask that")
        return await own(self.box, prefix)

    async def _patiently(self, request: Callable[[int], Awaitable[T]]) -> T:
        """What may pass by itself is asked again, under another name."""
        for attempt in range(ATTEMPTS):
            try:
                return await request(attempt)
            except MAY_PASS as refused:
                if isinstance(refused, Throttled) or refused.code:
                    self._throttled[refused.code or "no code"] += 1
                if attempt == ATTEMPTS - 1:
                    raise
            await self._clock.sleep(AGAIN_SECONDS * 2**attempt)
        raise AssertionError


def _provable(store: ObjectStore) -> Provable:
    assert isinstance(store, Provable)
    return store


__all__ = ["BOX", "Examiner"]
