"""The comparison of a barrier on two accounts whose pages take their time, in simulated time: ``python -m
tests.benchmarks.simulated_lanes --ranges 10000 --names 10000 --page 5000 --lanes 64``.

One container, nothing changed since its evidence was made. The accounts make names as they are asked for them; the pass, its
lanes and the state store on the disk are the real ones. Work takes no simulated time, so what it costs is printed beside it: a
page of ``--page`` names and a range of ``--names`` may both be thinned out by the same share, and pages, ranges and lanes
stay as many as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import selectors
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from migrator.adapters.state import SqlStateStore
from migrator.model.moves import Direction, EvidenceRange
from migrator.model.names import Area, MoveId, Selector
from migrator.model.objects import ContainerInfo, Listed, ListingPage
from migrator.model.rhythm import USUAL
from migrator.model.values import replace
from migrator.ports.state_store import ReplaceRanges
from migrator.transfer.evidence import Evidence, Record, generation_hash
from migrator.transfer.order import ORDERS, key_of
from migrator.transfer.passes import run
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer
from tests.benchmarks.overhead import open_state

CONTAINER = "events"
MOVE = MoveId("north-america", "email-events")
AREA = Area("email-events", (Selector(CONTAINER),))
BEGINS = datetime(2026, 11, 1, tzinfo=UTC)
PAGE_SECONDS = 0.2
COMMITTED = 200
"""Ranges that are written in one transaction."""


class _Jump:
    """A selector that waits for nothing: time goes on instead."""

    def __init__(self, loop: VirtualLoop, inner: selectors.BaseSelector) -> None:
        self._loop = loop
        self._inner = inner

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("everybody waits, and nobody for a moment in time")
        self._loop.now += timeout
        return self._inner.select(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class VirtualLoop(asyncio.SelectorEventLoop):
    now = 0.0

    def __init__(self) -> None:
        super().__init__(_Jump(self, selectors.DefaultSelector()))  # type: ignore[arg-type]

    def time(self) -> float:
        return self.now


class VirtualClock:
    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return BEGINS + timedelta(seconds=self._loop.now)

    def monotonic(self) -> float:
        return self._loop.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def random(self) -> float:
        return 0.5

    def nonce(self) -> str:
        return "0" * 16


def name_of(index: int) -> str:
    return f"email/2026/11/{index:010d}-opened.json"


class MadeUp:
    """An account that holds ``objects`` names, makes those that are asked for, and takes ``PAGE_SECONDS`` for a page."""

    answered_at: float | None = None

    def __init__(self, account: str, objects: int) -> None:
        self.account, self.endpoint = account, f"made-up:{account}"
        self._objects = objects
        self.under_way = self.most = self.pages = 0

    def etag(self, index: int) -> str:
        return f"0x8{'A' if self.account == 'source' else 'B'}{index:013X}"

    async def containers(self, prefix: str = "") -> Sequence[ContainerInfo]:
        await asyncio.sleep(PAGE_SECONDS)
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
        self.under_way += 1
        self.most, self.pages = max(self.most, self.under_way), self.pages + 1
        await asyncio.sleep(PAGE_SECONDS)
        self.under_way -= 1
        begin = int(marker) if marker is not None else 0 if start is None else int(start.split("/")[3].split("-")[0])
        end = min(begin + limit, self._objects)
        entries = tuple(Listed(name_of(one), self.etag(one), 2048, tier="Hot") for one in range(begin, end))
        return ListingPage(entries, str(end) if end < self._objects else None)

    def can_copy_from(self, other: object) -> bool:
        return True


def _fill(state: SqlStateStore, token: int, sides: Sequence[MadeUp], ranges: int, names: int) -> None:
    """Evidence of all names, as passes that ended have left it."""
    key, above = key_of(ORDERS[0]), None
    changes: list[Any] = []
    for number in range(ranges):
        evidence = Evidence()
        for index in range(number * names, (number + 1) * names):
            name = name_of(index)
            source, target = (generation_hash(name, side.etag(index)) for side in sides)
            evidence.put(name, Record(source, target, 0))
        upper = key(name_of((number + 1) * names - 1)) if number + 1 < ranges else None
        part = EvidenceRange(CONTAINER, "", upper, evidence.pack())
        rest = () if upper is None else (EvidenceRange(CONTAINER, "", None),)
        changes.append(ReplaceRanges(MOVE, CONTAINER, "", above, None, (part, *rest)))
        above = upper
        if len(changes) == COMMITTED or upper is None:
            state.commit(changes, token=token)
            changes = []


def measure(loop: VirtualLoop, folder: str, *, ranges: int, names: int, page: int, lanes: int) -> dict[str, float]:
    sides = [MadeUp(name, ranges * names) for name in ("source", "target")]
    state, token = open_state(folder)
    _fill(state, token, sides, ranges, names)
    sizes = replace(USUAL.sizes, lanes=lanes, most_lanes=max(lanes, USUAL.sizes.most_lanes), lane_names=names)
    sizes = replace(sizes, names_listed=4 * page * lanes)

    def commit(changes: Sequence[Any], tally: PassResult) -> None:
        state.commit(list(changes), token=token)

    async def admit() -> None: ...

    clock: Any = VirtualClock(loop)
    source: Any
    target: Any
    source, target = sides
    move = Transfer(MOVE, AREA, Direction.FORWARD, source, target, state, clock, commit, admit, 0.0, lambda: 0.0)
    move.page_size, move.rhythm = page, replace(USUAL, sizes=sizes)
    cpu, held = time.process_time(), _peak_bytes()
    result = loop.run_until_complete(run(move, in_fence=True))
    cpu = time.process_time() - cpu
    state.close()
    if not result.is_proof or result.scanned != ranges * names:
        raise RuntimeError(f"not a proof of {ranges * names:,} names: {result}")
    return {
        "seconds": result.seconds,
        "cpu_seconds": cpu,
        "peak_bytes": _peak_bytes(),
        "before_bytes": held,
        "pages": sides[0].pages,
        "under_way": sides[0].most,
    }


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Compare two accounts in simulated time.")
    parser.add_argument("--ranges", type=int, default=10_000, help="of evidence")
    parser.add_argument("--names", type=int, default=100, help="of a range")
    parser.add_argument("--page", type=int, default=50, help="names of a page")
    parser.add_argument("--lanes", type=int, default=64, help="listed side by side, on both sides")
    asked = vars(parser.parse_args(argv))
    loop = VirtualLoop()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(loop, folder, **asked)))
    loop.close()


if __name__ == "__main__":
    main(sys.argv[1:])
