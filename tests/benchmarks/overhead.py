"""What an object costs between the listing and the wire: ``python -m tests.benchmarks.overhead [OBJECTS] [--profile]``.

A move's passes run on two accounts that answer at once, from memory, with the real state store on the disk. So the figures
are the data plane's own: join, case, decision, hashes, evidence, pending commit, pacing, counting, recording, packing.
Listing pages are made beforehand; the wire and its parser are measured elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import cProfile
import gc
import pstats
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from migrator.adapters.clock import SystemClock
from migrator.adapters.state import SqlStateStore, open_store
from migrator.errors import NotFound
from migrator.model.moves import Direction, LockRecord
from migrator.model.names import Area, MoveId, Selector
from migrator.model.objects import Condition, ContainerInfo, ContentHeaders, Listed, ListingPage, Shape
from migrator.ports.executor import BatchAnswer, CopyBatch
from migrator.ports.object_store import Origin, Written
from migrator.transfer.hands import Hands
from migrator.transfer.limits import Limits
from migrator.transfer.paced import PacedStore, unclaimed
from migrator.transfer.passes import run
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer
from migrator.transfer.verify import compare

T = TypeVar("T")
CONTAINER = "events"
AREA = Area("email-events", (Selector(CONTAINER),))
MOVE = MoveId("north-america", "email-events")
HEADERS = ContentHeaders("application/json", md5=b"0123456789abcdef")
METADATA = {"customer": "c-17", "kind": "open"}


class InstantStore:
    """An account that answers at once: pages from a prepared list, copies that only give a new ETag."""

    answered_at: float | None = None

    def __init__(self, account: str, names: Sequence[str]) -> None:
        self.account = account
        self.endpoint = f"instant:{account}"
        self.blobs: list[Listed] = [_listed(name, f"0x8D{number:013X}") for number, name in enumerate(names)]
        self.written: list[tuple[str, str]] = []
        self._etag = 0

    async def containers(self, prefix: str = "") -> Sequence[ContainerInfo]:
        return [ContainerInfo(CONTAINER)]

    async def page(
        self,
        container: str,
        *,
        prefix: str = "",
        marker: str | None = None,
        limit: int = 5000,
        start: str | None = None,
    ) -> ListingPage:
        first = 0 if start is None else bisect.bisect_left(self.blobs, start, key=lambda blob: blob.name)
        begin = first if marker is None else int(marker)
        end = begin + limit
        return ListingPage(tuple(self.blobs[begin:end]), str(end) if end < len(self.blobs) else None)

    def can_copy_from(self, other: object) -> bool:
        return True

    async def copy(self, origin: Origin, container: str, name: str, shape: Shape, *, condition: Condition) -> Written:
        self._etag += 1
        etag = f"0x8E{self._etag:013X}"
        self.written.append((name, etag))
        return Written(etag)

    def numbers(self, count: int) -> int:
        """The first of so many fresh numbers for ETags."""
        first, self._etag = self._etag + 1, self._etag + count
        return first

    async def head(self, container: str, name: str) -> Listed:
        raise NotFound("cannot look at it: it is gone", what="blob")

    def settle(self) -> None:
        """Let the copies be listed from now on."""
        self.blobs = [_listed(name, etag) for name, etag in sorted(self.written)]


class InstantHands:
    """An executor that answers whole batches at once."""

    batches_at_once = 8
    lanes_at_once = 0

    def __init__(self, target: InstantStore) -> None:
        self._target = target

    def bind_run(self, token: int) -> None: ...
    def expect(self, copies: int) -> None: ...

    async def copy(self, batch: CopyBatch) -> BatchAnswer:
        first = self._target.numbers(len(batch.units))
        etags = [f"0x8E{number:013X}" for number in range(first, first + len(batch.units))]
        self._target.written += zip([unit.name for unit in batch.units], etags, strict=True)
        return BatchAnswer(etags, {0: len(etags)})

    async def close(self) -> None: ...


def _listed(name: str, etag: str) -> Listed:
    return Listed(name, etag, 2048, headers=HEADERS, metadata=METADATA, tier="Hot")


class Uncounted:
    def __init__(self) -> None:
        self.requests = 0

    def count(self, account: str, operation: str, *, minute: int, requests: int = 1) -> None:
        self.requests += requests


def open_state(folder: str) -> tuple[SqlStateStore, int]:
    now = datetime.now(UTC)
    state = open_store(f"sqlite:///{Path(folder) / 'migrator.db'}", "benchmark")
    lock = LockRecord("aa", 0, "run", "ann", "desk", 1, "boot", now, now, 300.0)
    return state, state.acquire(lock).token


async def measure(objects: int, folder: str, profile: cProfile.Profile | None, *, one_by_one: bool) -> None:
    names = [f"email/2026/11/{n // 1000:05d}/{n:08d}-opened.json" for n in range(objects)]
    source, target = InstantStore("na-core", names), InstantStore("na-email", [])
    state, token = open_state(folder)
    limits, clock, counter = Limits(SystemClock()), SystemClock(), Uncounted()
    paced: Any = [
        PacedStore(store, limits.account(store.account), counter, clock, unclaimed) for store in (source, target)
    ]  # type: ignore[arg-type]

    def commit(changes: Sequence[Any], tally: PassResult) -> None:
        state.commit(list(changes), token=token)

    async def admit() -> None: ...

    async def admit_until() -> float:
        return clock.monotonic() + 5.0

    move = Transfer(MOVE, AREA, Direction.FORWARD, *paced, state, clock, commit, admit, 0.0, lambda: 0.0)
    if not one_by_one:
        move.hands, move.admit_until = Hands(InstantHands(target), clock), admit_until
    gc.collect()
    gc.freeze()
    copied = await timed("first pass, copies all", objects, lambda: run(move), profile)
    assert copied.copied == objects, copied
    target.settle()
    again = await timed("catch-up pass, no changes", objects, lambda: run(move), profile)
    assert again.is_proof, again
    same = await timed(
        "verify, attributes", objects, lambda: compare(paced[0], paced[1], AREA, level="attributes"), profile
    )
    assert same.alike == objects, same
    stored = sum(len(each.records) for each in state.ranges(MOVE, CONTAINER, ""))
    print(f"{stored / objects:.1f} bytes of evidence an object; {counter.requests:,} requests counted")
    state.close()


async def timed(what: str, objects: int, work: Callable[[], Awaitable[T]], profile: cProfile.Profile | None) -> T:
    wall, cpu = time.perf_counter(), time.process_time()
    if profile is not None:
        profile.enable()
    found = await work()
    if profile is not None:
        profile.disable()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what:<28}{cpu / objects * 1e6:7.1f} us CPU, {wall / objects * 1e6:7.1f} us wall an object")
    return found


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("objects", nargs="?", type=int, default=50_000)
    parser.add_argument("--profile", action="store_true", help="also say where the time goes (slower)")
    parser.add_argument("--one-by-one", action="store_true", help="copy without batches")
    asked = parser.parse_args(argv)
    profile = cProfile.Profile() if asked.profile else None
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(asked.objects, folder, profile, one_by_one=asked.one_by_one))
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main(sys.argv[1:])
