"""An application that never stops writing: one process, one area, embedded accounts, every acknowledged write in a log.

    python -m migrator.testing.writer --routes routes.json --log w1.jsonl --region europe --area web-tracking \\
        --container web-visits --prefix "" --seconds 60 --rate 50 --seed 1

Decides which operation comes next (by seed; three of ten on a small hot set) and what it should leave behind. Leaves the
judgement to ``audit``. Rules: every write has a lease of ``migrator.client`` which is checked again when the file is ours;
a write is logged before it is sent and again when it is acknowledged or surely refused, so one that is neither is unknown;
an object whose write is unknown is not touched again. Each run has names of its own. SIGTERM and SIGINT end it between two
writes.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import signal
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, TextIO

from migrator.adapters.local import LocalStore, path_of
from migrator.client import LeaseError, RouteFenced, Routes, WriteLease
from migrator.errors import CloudError, ConditionFailed, MigrateError, NotFound, OutcomeUnknown
from migrator.model.objects import CREATE, BlobType, Condition, ContentHeaders, Listed, Shape
from migrator.model.values import replace, value

HOT_NAMES: Final = 20
HOT_SHARE: Final = 0.3
COLD_NAMES: Final = 400
"""Living objects outside the hot set; above them more is deleted than created."""
LONGEST_LOG_BYTES: Final = 8_000
"""An append blob is left alone beyond this size."""
POLL_SECONDS: Final = 0.2


@value(frozen=True, slots=True)
class Held:
    """An object as it must be now."""

    body: bytes
    tags: dict[str, str]
    is_log: bool = False


@dataclass(slots=True)
class Log:
    """JSON lines, each in the file before the program goes on."""

    file: TextIO
    acknowledged: int = 0
    paused_since: float | None = None
    _number: int = 0

    def line(self, kind: str, **facts: Any) -> None:
        self.file.write(json.dumps({"kind": kind, "t": round(time.time(), 3), **facts}) + "\n")
        self.file.flush()

    def sent(self, op: str, container: str, name: str, after: Held | None, lease: WriteLease) -> dict[str, Any]:
        """A write is about to be sent; its facts, for ``done`` and ``refused``."""
        self._number += 1
        facts = {
            "number": self._number,
            "op": op,
            "container": container,
            "name": name,
            "digest": None if after is None else hashlib.sha256(after.body).hexdigest(),
            "tags": None if after is None else after.tags,
            "epoch": lease.epoch,
            "account": lease.account,
            "endpoint": lease.endpoint,
        }
        self.line("sent", **facts)
        return facts

    def done(self, facts: dict[str, Any]) -> None:
        self.acknowledged += 1
        self.line("done", **facts)

    def refused(self, facts: dict[str, Any], why: str) -> None:
        self.line("refused", number=facts["number"], name=facts["name"], why=why)

    def pause(self) -> None:
        if self.paused_since is None:
            self.paused_since = time.monotonic()
            self.line("pause-begin")

    def resume(self) -> None:
        if self.paused_since is not None:
            self.line("pause-end", seconds=round(time.monotonic() - self.paused_since, 3))
            self.paused_since = None


@dataclass(slots=True)
class Writer:
    """The application. ``stem`` begins all its names."""

    routes: Routes
    log: Log
    region: str
    area: str
    container: str
    stem: str
    chance: Random
    stopping: asyncio.Event
    objects: dict[str, Held] = field(default_factory=dict)
    abandoned: set[str] = field(default_factory=set)
    _stores: dict[str, LocalStore] = field(default_factory=dict)
    _made: int = 0
    _has_written: bool = False

    async def run(self, *, seconds: float, rate: float) -> None:
        """Write ``rate`` times a second for ``seconds`` of time, or until ``stopping`` is set."""
        end = time.monotonic() + seconds
        due = time.monotonic()
        while time.monotonic() < end and not self.stopping.is_set():
            lease = await self._lease(end)
            if lease is None:
                break
            with closing(lease):  # its request has an end of its own
                await self._write_once(lease)
            due = max(due + 1 / rate, time.monotonic() - 1 / rate)
            await self._rest(due - time.monotonic())
        self.log.resume()

    async def close(self) -> None:
        for store in self._stores.values():
            await store.close()

    async def _lease(self, end: float) -> WriteLease | None:
        """A lease, however long that takes; None if the end comes first. The wait for the very first is no pause."""
        while time.monotonic() < end and not self.stopping.is_set():
            try:
                lease = await self.routes.write(self.region, self.area)
            except LeaseError:
                if self._has_written:
                    self.log.pause()
                await self._rest(POLL_SECONDS)
            else:
                self.log.resume()
                return lease
        return None

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), timeout=seconds)

    async def _write_once(self, lease: WriteLease) -> None:
        op, name, after = self._choose()
        store = self._store(lease.endpoint)
        try:
            blob = await self._look(store, name)
            request = lease.request()  # first: only what was read within the lease is surely current
            if not _is_as_held(blob, self.objects.get(name)):
                request.done()
                self._surprise(name, f"found before {op}: {_words(blob)}")
                return
        except RouteFenced:
            return
        except CloudError as fault:
            self.log.line("unread", name=name, why=str(fault))
            return
        facts = self.log.sent(op, self.container, name, after, lease)
        store.write_check = request.check
        try:
            await self._send(store, op, name, blob, after)
        except OutcomeUnknown as fault:
            self.abandoned.add(name)
            self.log.line("unknown", number=facts["number"], why=str(fault))
        except ConditionFailed as fault:
            self.log.refused(facts, str(fault))
            self._surprise(name, str(fault))
        except MigrateError as fault:
            self.log.refused(facts, str(fault))
        else:
            request.done()
            self.log.done(facts)
            self._has_written = True
            self._keep(name, after)
        finally:
            store.write_check = None

    async def _look(self, store: LocalStore, name: str) -> Listed | None:
        try:
            return await store.head(self.container, name)
        except NotFound as missing:
            if missing.what != "blob":
                raise
            return None

    async def _send(self, store: LocalStore, op: str, name: str, blob: Listed | None, after: Held | None) -> None:
        box = self.container
        condition = CREATE if blob is None else Condition(if_match=blob.etag)
        if after is None:
            assert blob is not None
            await store.delete(box, name, if_match=blob.etag)
        elif op == "retag":
            await store.set_tags(box, name, after.tags)
        elif op == "append":
            assert blob is not None
            await store.append(box, name, after.body[blob.size :], offset=blob.size, if_match=blob.etag)
        elif after.is_log:
            await store.create_empty(box, name, 0, _shape(after), condition=condition)
        else:
            await store.put(box, name, after.body, _shape(after), condition=condition)

    def _choose(self) -> tuple[str, str, Held | None]:
        """The next operation, its object, and what is to be there afterwards."""
        if self.chance.random() < HOT_SHARE:
            name = f"{self.stem}hot-{self.chance.randrange(HOT_NAMES):02d}"
            if name not in self.abandoned:
                return self._change(name) if name in self.objects else ("create", name, self._fresh())
        cold = [name for name in self.objects if "/hot-" not in name]
        if not cold or (self.chance.random() < 0.45 and len(cold) < COLD_NAMES):
            self._made += 1
            is_log = self._made % 5 == 0
            name = f"{self.stem}{'log' if is_log else 'item'}-{self._made:06d}"
            return "create", name, Held(b"", {}, is_log=True) if is_log else self._fresh()
        return self._change(self.chance.choice(cold))

    def _change(self, name: str) -> tuple[str, str, Held | None]:
        held = self.objects[name]
        op = self.chance.choices(("overwrite", "retag", "delete"), (5, 3, 2))[0]
        if op == "delete":
            return op, name, None
        if op == "retag":
            return op, name, replace(held, tags={"turn": str(self.chance.getrandbits(24)), "writer": "sample"})
        if not held.is_log:
            return op, name, self._fresh()
        if len(held.body) > LONGEST_LOG_BYTES:
            return "delete", name, None
        line = json.dumps({"event": self.chance.getrandbits(64)}).encode() + b"\n"
        return "append", name, replace(held, body=held.body + line)

    def _fresh(self) -> Held:
        size = self.chance.choice((0, 60, 300, 2_000, 9_000, 40_000))
        return Held(self.chance.randbytes(size), {"turn": str(self.chance.getrandbits(24))})

    def _keep(self, name: str, after: Held | None) -> None:
        if after is None:
            self.objects.pop(name, None)
        else:
            self.objects[name] = after

    def _surprise(self, name: str, what: str) -> None:
        """An acknowledged write is not there any more; ``audit`` counts it as lost."""
        self.log.line("surprise", name=name, why=what)
        self.objects.pop(name, None)
        self.abandoned.add(name)

    def _store(self, endpoint: str) -> LocalStore:
        if endpoint not in self._stores:
            path = path_of(endpoint)
            self._stores[endpoint] = LocalStore(path.stem, path, create=False)
        return self._stores[endpoint]


def _is_as_held(blob: Listed | None, held: Held | None) -> bool:
    if blob is None or held is None:
        return blob is None and held is None
    return blob.size == len(held.body) and dict(blob.tags) == held.tags


def _words(blob: Listed | None) -> str:
    return "nothing" if blob is None else f"{blob.size} bytes, tags {dict(blob.tags)}"


def _shape(held: Held) -> Shape:
    kind = BlobType.APPEND if held.is_log else BlobType.BLOCK
    return Shape(kind, ContentHeaders("application/octet-stream"), {"made-by": "writer"}, held.tags, None)


async def write(wanted: argparse.Namespace) -> int:
    """Run one writer; the number of acknowledged writes."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    stem = f"{wanted.prefix}writer-{wanted.seed}/{time.time_ns():x}/"
    with Path(wanted.log).open("a", encoding="utf-8") as file:  # noqa: ASYNC230 - a line must be in the file at once
        log = Log(file)
        log.line("writer", region=wanted.region, area=wanted.area, container=wanted.container, stem=stem)
        async with Routes.from_url(wanted.routes) as routes:
            writer = Writer(
                routes, log, wanted.region, wanted.area, wanted.container, stem, Random(wanted.seed), stopping
            )
            try:
                await writer.run(seconds=wanted.seconds, rate=wanted.rate)
            finally:
                await writer.close()
        log.line("end", acknowledged=log.acknowledged)
    return log.acknowledged


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m migrator.testing.writer", description="Write until told to stop.")
    for name in ("routes", "log", "region", "area", "container"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--prefix", default="", help="begins all names; the prefix of the area in this container")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=20.0, help="writes a second")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def main() -> int:
    try:
        count = asyncio.run(write(arguments().parse_args()))
    except MigrateError as fault:
        print(fault, file=sys.stderr)
        return 1
    print(f"{count} writes acknowledged")
    return 0


if __name__ == "__main__":
    sys.exit(main())
