"""The guardian: a small process beside the engine that frees the writers if the engine cannot. The inside of that process.

Decides when a watched fence is released: when its deadline passes, when the engine, which says every second that it is there,
has been silent for ``SILENCE_SECONDS`` (a Ctrl-Z, a frozen machine), or at once when the pipe from the engine ends without
"done". Leaves what a release is to ``machine.release``, which command and router to ``cli``, and the engine's end of the pipe
to ``guarding``. Rules:

- policies that an enforced fence revoked are put back after the route, and only while it is as our release or switch left it: the
  next fence, which may have revoked them again, is its own run's business;
- it confirms a watch only after it has read the routes itself: one that cannot reach them is no guardian;
- the end of the pipe is its only end: it is started in a session of its own, where no terminal reaches it, and ignores what
  a terminal or a supervisor sends to everybody;
- a ping is answered at once, whatever else is under way: it asks whether this process works, not whether the routes do;
- a release is tried until the record is somebody else's business, for ``RELEASE_SECONDS`` at most; after that the next
  ``migrate apply`` finds the fence.

The pipe: letters (``model.letters``). The first says where the routes are (``cli.guard_post``). Then orders, answered in order:
``{"cmd": "watch", "id": 1, "key": "region/area", "before": {record}, "fence": {record}, "deadline_seconds": 99.5}``,
``{"cmd": "keep", "id": 2, "key": ..., "revoked": [{"account": ..., "container": ..., "policy": {...}}]}`` and
``{"cmd": "done", "id": 3, "key": ...}``; out of order ``{"cmd": "ping", "id": 4}``. The answer is ``{"ok": true, "id": ...}`` or
``{"ok": false, "id": ..., "error": ...}``. No secret goes over it or onto the command line: credentials come with the
environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC
from math import inf, isfinite
from typing import Any, Final

from migrator.engine.putting_back import put_back
from migrator.errors import MigrateError, Throttled, Unreachable
from migrator.machine.liveness import SILENT_SECONDS
from migrator.machine.release import decide_release, is_fence_of
from migrator.model.letters import LENGTH_BYTES, framed, length_of
from migrator.model.moves import PROVEN_DEAD_SECONDS, RevokedPolicy, StoredPolicy
from migrator.model.rhythm import USUAL
from migrator.model.routes import READ_WRITE, RouteRecord
from migrator.model.values import replace
from migrator.ports.clock import Clock
from migrator.ports.router import Router, whole_or_damaged
from migrator.ports.write_policy import PolicyHolder

RELEASE_SECONDS: Final = USUAL.release_seconds
"""How long a release is tried against a route document that does not answer: as long as the engine does."""
ATTEMPT_SECONDS: Final = 15.0
"""A read or swap that has not ended by then is given up and tried again."""
SILENCE_SECONDS: Final = SILENT_SECONDS
"""An engine that has said nothing for so long does not work: another run may take its lock over by now."""
_SLICE_SECONDS: Final = 5.0
"""Deadlines are looked at this often: a sleep does not count the time in which the machine was suspended."""
_BACKOFF_SECONDS: Final = USUAL.release_backoff_seconds

Say = Callable[[str], None]
Holders = Callable[[str], PolicyHolder | None]
"""The holder of an account's policies, by the account's name; None if it has none that can be put back."""
Open = Callable[[bytes], AbstractAsyncContextManager[tuple[Router, Holders]]]
"""Opens what the first letter names."""
SIGNALS: Final = (
    *(signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP),
    *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),
)
"""What a terminal, or who ends a whole family of processes, sends."""


async def serve(
    router: Router,
    orders: AsyncIterator[bytes],
    answer: Callable[[str], None],
    clock: Clock,
    *,
    say: Say = lambda text: None,
    holders: Holders = lambda account: None,
) -> None:
    """Guard until ``orders`` ends and every watched fence is settled.

    Args:
        orders: JSON each.
        holders: where policies are put back.
        answer: takes one answer, JSON.
        say: takes one sentence for people about each release.
    """
    post = _Post(router, clock, say, holders)
    waiting: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def obey() -> None:
        while (order := await waiting.get()) is not None:
            answer(json.dumps(await post.obey(order)))

    obeying = asyncio.create_task(obey())
    try:
        async for order in orders:
            if (number := _ping(order)) is not None:
                post.hear()
                answer(json.dumps({"ok": True, "id": number}))
            else:
                waiting.put_nowait(order)
    finally:
        waiting.put_nowait(None)
        await asyncio.gather(obeying, return_exceptions=True)
        await post.settle()


class _Post:
    """All watches of one guardian."""

    def __init__(self, router: Router, clock: Clock, say: Say, holders: Holders) -> None:
        self._router = router
        self._holders = holders
        self._revoked: dict[str, tuple[RevokedPolicy, ...]] = {}
        self._clock = clock
        self._say = say
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._ended = asyncio.Event()
        self._turn = asyncio.Lock()
        self._silent_at = inf

    def hear(self) -> None:
        """The engine is there, and says so again and again from now on."""
        self._silent_at = self._clock.monotonic() + SILENCE_SECONDS

    async def obey(self, said: bytes) -> dict[str, Any]:
        """The answer to one order. Never raises for what it says."""
        number: Any = None
        if self._silent_at < inf:
            self.hear()
        try:
            order = json.loads(said)
            number = order.get("id")
            match order["cmd"]:
                case "watch":
                    before, fence = RouteRecord(**order["before"]), RouteRecord(**order["fence"])
                    await self._watch(str(order["key"]), before, fence, float(order["deadline_seconds"]))
                case "keep":
                    self._keep(str(order["key"]), [_revoked(one) for one in order["revoked"]])
                case "done":
                    await self._done(str(order["key"]))
                case other:
                    raise ValueError(f"no such command: {other}")
        except MigrateError as fault:
            return {"ok": False, "id": number, "error": str(fault)}
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, OSError) as fault:
            return {"ok": False, "id": number, "error": f"{type(fault).__name__}: {fault}"}
        return {"ok": True, "id": number}

    async def settle(self) -> None:
        """The pipe has ended: release what is watched, now."""
        self._ended.set()
        await asyncio.gather(*self._watches.values(), return_exceptions=True)

    async def _watch(self, key: str, before: RouteRecord, fence: RouteRecord, deadline_seconds: float) -> None:
        due = self._clock.monotonic() + deadline_seconds  # before the read: it counts from the engine's request
        if not isfinite(deadline_seconds):
            raise ValueError(f"a deadline of {deadline_seconds} seconds never comes")
        if not is_fence_of(fence, before):
            raise ValueError(f"the records of {key} are not a fence and its predecessor")
        async with asyncio.timeout(ATTEMPT_SECONDS):
            await self._reach(_region(key))
        await self._done(key)
        self._watches[key] = asyncio.create_task(self._guard(key, before, fence, due))

    async def _reach(self, region: str) -> None:
        """Read the routes; again while their service refuses, for as long as one attempt may take. No fence stands yet."""
        give_up = self._clock.monotonic() + ATTEMPT_SECONDS
        for attempt in itertools.count():
            pause = _BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS) - 1)] * (0.5 + self._clock.random())
            try:
                await self._router.read(region)
            except (Throttled, Unreachable):
                if self._clock.monotonic() + pause >= give_up:
                    raise
            else:
                return
            await self._clock.sleep(pause)

    def _keep(self, key: str, revoked: Sequence[RevokedPolicy]) -> None:
        if key not in self._watches:
            raise ValueError(f"no fence of {key} is watched")
        unknown = sorted({one.account for one in revoked if self._holders(one.account) is None})
        if unknown:
            raise ValueError(f"the policies of {', '.join(unknown)} cannot be put back from here")
        self._revoked[key] = tuple(revoked)

    async def _done(self, key: str) -> None:
        """Nothing of ours touches the record after this."""
        self._revoked.pop(key, None)
        task = self._watches.pop(key, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _guard(self, key: str, before: RouteRecord, fence: RouteRecord, due: float) -> None:
        ended = asyncio.create_task(self._ended.wait())
        try:
            while not self._ended.is_set() and (left := min(due, self._silent_at) - self._clock.monotonic()) > 0:
                nap = asyncio.create_task(self._clock.sleep(min(left, _SLICE_SECONDS)))
                try:
                    await asyncio.wait([nap, ended], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    nap.cancel()
        finally:
            ended.cancel()
        why = "the engine is gone" if self._ended.is_set() else "its deadline passed"
        if why == "its deadline passed" and self._clock.monotonic() < due:
            why = f"the engine has said nothing for {SILENCE_SECONDS:.0f} s"
        if await self._release(key, before, fence, why):
            await self._put_back(key, fence, why)

    async def _release(self, key: str, before: RouteRecord, fence: RouteRecord, why: str) -> bool:
        """True once nothing is fenced any more that was fenced by ``fence``."""
        give_up = self._clock.monotonic() + RELEASE_SECONDS
        attempt, last = 0, ""
        while attempt == 0 or self._clock.monotonic() < give_up:
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS), self._turn:
                    released = await self._try(key, before, fence)
            except Exception as fault:  # also our own bugs: as long as writers may be blocked, trying on is right
                last = str(fault) or type(fault).__name__
                pause = _BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS) - 1)]
                await self._clock.sleep(pause * (0.5 + self._clock.random()))
                attempt += 1
            else:
                if released is not None:
                    self._say(f"{why}: writes of {key} go on at {released.account}, epoch {released.epoch}")
                return True
        self._say(f"cannot release {key}: {last}; migrate apply or migrate rollback frees its writers")
        return False

    async def _put_back(self, key: str, fence: RouteRecord, why: str) -> None:
        """Until it is done, and then for as long as a revocation of the engine's may still be under way."""
        revoked = self._revoked.pop(key, ())
        begun, attempt, is_done = self._clock.monotonic(), 0, False
        while revoked:
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    said = await self._put_back_once(key, fence, revoked)
            except Exception as fault:  # as for a release
                if self._clock.monotonic() >= begun + (PROVEN_DEAD_SECONDS if is_done else RELEASE_SECONDS):
                    text = str(fault) or type(fault).__name__
                    self._say(
                        f"cannot put back access policies of {key}: {text}; migrate apply or migrate rollback does"
                    )
                    return
            else:
                if said is None or self._clock.monotonic() >= begun + PROVEN_DEAD_SECONDS:
                    return
                for text in [] if is_done else said:
                    self._say(f"{why}: {text}")
                is_done = True
            pause = _BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS) - 1)]
            await self._clock.sleep(pause * (0.5 + self._clock.random()))
            attempt += 1

    async def _put_back_once(self, key: str, fence: RouteRecord, revoked: Sequence[RevokedPolicy]) -> list[str] | None:
        """Sentences for people; None if there is nothing of this fence to put back any more."""
        seen, _ = await whole_or_damaged(self._router, _region(key))
        route = seen.routes.get(key) if seen is not None else None
        if route is None or route.mode != READ_WRITE or route.epoch > fence.epoch + 1:
            return None
        if route.run not in ("", fence.run):
            return None  # a run that came after claims it and puts them back; it waits 30 s for what was sent before, no longer
        mine = [one for one in revoked if one.account == route.account]
        holder = self._holders(route.account)
        if not mine or holder is None:
            return None
        said, containers = [], defaultdict(list)
        for one in mine:
            containers[one.container].append(one)
        for container in sorted(containers):
            said += await put_back(holder, container, containers[container])
        count = "1 access policy lets" if len(mine) == 1 else f"{len(mine)} access policies let"
        return [f"{count} writers of {key} write at {route.account} again", *said]

    async def _try(self, key: str, before: RouteRecord, fence: RouteRecord) -> RouteRecord | None:
        """One read and one swap; None if there is nothing to release."""
        found, etag = await whole_or_damaged(self._router, _region(key))
        if found is None:
            return None
        released = decide_release(found.routes.get(key), before, fence)
        if released is not None:
            now = self._clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            written = found.with_record(key, replace(released, updated=now))
            await self._router.swap(_region(key), written, expected_etag=etag)
        return released


def _revoked(said: Mapping[str, Any]) -> RevokedPolicy:
    return RevokedPolicy(said["account"], said["container"], StoredPolicy(**said["policy"]))


def _region(key: str) -> str:
    """Whose document the record ``key`` is in."""
    return key.partition("/")[0]


def _ping(order: bytes) -> Any:
    """The number of an order that is a ping; None if it is anything else."""
    if len(order) > 100 or b'"ping"' not in order:
        return None
    try:
        fields = json.loads(order)
        return fields.get("id", 0) if fields["cmd"] == "ping" else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def ignore_signals() -> None:
    """The guardian's process calls this first, before any event loop."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


async def serve_pipes(open_doors: Open, clock: Clock, *, say: Say = lambda text: None) -> None:
    """``serve`` on standard input and output. Sentences may have nobody to read them any more: that stops nothing."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    letters = read_letters(reader)
    async for opening in letters:
        async with open_doors(opening) as (router, holders):
            await serve(router, letters, _answer, clock, say=lambda text: _quietly(say, text), holders=holders)


async def read_letters(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Letters until the pipe ends; half a letter at its end is none."""
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            yield await reader.readexactly(length_of(await reader.readexactly(LENGTH_BYTES)))


def _answer(said: str) -> None:
    _quietly(_write, said)


def _write(said: str) -> None:
    sys.stdout.buffer.write(framed(json.loads(said)))
    sys.stdout.buffer.flush()


def _quietly(tell: Say, text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        tell(text)
