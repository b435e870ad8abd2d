"""The guardian: a small process beside the engine that frees the writers if the engine cannot. Both ends of its pipe.

Decides when a watched fence is released: when its deadline passes, or at once when the pipe from the engine ends without
"done". Leaves what a release is to ``machine.release``, and which command and router to ``cli``. Rules of its process
(``serve``):

- policies that an enforced fence revoked are put back after the route, and only while it is as our release or switch left it: the
  next fence, which may have revoked them again, is its own run's business;
- it confirms a watch only after it has read the routes itself: one that cannot reach them is no guardian;
- the end of the pipe is its only end: SIGINT, SIGTERM and SIGHUP, which a terminal sends to the whole group, are ignored;
- a release is tried until the record is somebody else's business, for ``RELEASE_SECONDS`` at most; after that the next
  ``migrate apply`` finds the fence.

Rules of the engine's side (``Guardian``): nothing kills the process, not even the end of an event loop - which is why it is no
subprocess of asyncio's, whose transports kill on closing. The pipe is not inherited by anything else we start, so it ends with
us (as long as nobody forks without exec). The guardian stays in our process group: who kills the whole group leaves the fence
to the next ``migrate apply``.

The pipe: one JSON object a line, answered in order. ``{"cmd": "watch", "id": 1, "key": "region/area", "before": {record},
"fence": {record}, "deadline_seconds": 99.5}``, ``{"cmd": "keep", "id": 2, "key": ..., "revoked": [{"account": ..., "container":
..., "policy": {...}}]}`` and ``{"cmd": "done", "id": 3, "key": ...}``; the answer is
``{"ok": true, "id": ...}`` or ``{"ok": false, "id": ..., "error": ...}``. No secret goes over it or onto the command line:
credentials come with the inherited environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC
from typing import Any, Final

from migrator.engine.putting_back import put_back
from migrator.errors import CloudError, InternalError, MigrateError
from migrator.machine.release import decide_release, is_fence_of
from migrator.model.moves import PROVEN_DEAD_SECONDS, RevokedPolicy, StoredPolicy
from migrator.model.routes import READ_WRITE, RouteRecord
from migrator.model.values import replace
from migrator.ports.clock import Clock
from migrator.ports.router import Router
from migrator.ports.write_policy import PolicyHolder

RELEASE_SECONDS: Final = 600.0
"""How long a release is tried against a route document that does not answer."""
ATTEMPT_SECONDS: Final = 15.0
"""A read or swap that has not ended by then is given up and tried again."""
ANSWER_SECONDS: Final = ATTEMPT_SECONDS + 10.0
"""How long the engine waits for an answer; the rest is for the process to start."""
CLOSE_SECONDS: Final = 5.0
"""How long an orderly end waits for the process; it goes on releasing by itself if that takes longer."""
_SLICE_SECONDS: Final = 5.0
"""Deadlines are looked at this often: a sleep does not count the time in which the machine was suspended."""
_BACKOFF_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

Say = Callable[[str], None]
Holders = Callable[[str], PolicyHolder | None]
"""The holder of an account's policies, by the account's name; None if it has none that can be put back."""


async def serve(
    router: Router,
    lines: AsyncIterator[bytes],
    answer: Callable[[str], None],
    clock: Clock,
    *,
    say: Say = lambda text: None,
    holders: Holders = lambda account: None,
) -> None:
    """Guard until ``lines`` ends and every watched fence is settled.

    Args:
        holders: where policies are put back.
        answer: takes one answer, a line without its end.
        say: takes one sentence for people about each release.
    """
    post = _Post(router, clock, say, holders)
    try:
        async for line in lines:
            if line.strip():
                answer(json.dumps(await post.obey(line)))
    finally:
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

    async def obey(self, line: bytes) -> dict[str, Any]:
        """The answer to one line. Never raises for what a line says."""
        number: Any = None
        try:
            order = json.loads(line)
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
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, TimeoutError, OSError) as fault:
            return {"ok": False, "id": number, "error": f"{type(fault).__name__}: {fault}"}
        return {"ok": True, "id": number}

    async def settle(self) -> None:
        """The pipe has ended: release what is watched, now."""
        self._ended.set()
        await asyncio.gather(*self._watches.values(), return_exceptions=True)

    async def _watch(self, key: str, before: RouteRecord, fence: RouteRecord, deadline_seconds: float) -> None:
        due = self._clock.monotonic() + deadline_seconds  # before the read: it counts from the engine's request
        if not is_fence_of(fence, before):
            raise ValueError(f"the records of {key} are no fence and its predecessor")
        async with asyncio.timeout(ATTEMPT_SECONDS):
            await self._router.read()
        await self._done(key)
        self._watches[key] = asyncio.create_task(self._guard(key, before, fence, due))

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
            while not self._ended.is_set() and (left := due - self._clock.monotonic()) > 0:
                nap = asyncio.create_task(self._clock.sleep(min(left, _SLICE_SECONDS)))
                try:
                    await asyncio.wait([nap, ended], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    nap.cancel()
        finally:
            ended.cancel()
        why = "the engine is gone" if self._ended.is_set() else "its deadline passed"
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
        seen = await self._router.read()
        route = seen.document.routes.get(key) if seen.document else None
        if route is None or route.mode != READ_WRITE or route.epoch > fence.epoch + 1:
            return None
        mine = [one for one in revoked if one.account == route.account]
        holder = self._holders(route.account)
        if not mine or holder is None:
            return None
        said = []
        for container in sorted({one.container for one in mine}):
            said += await put_back(holder, container, [one for one in mine if one.container == container])
        count = "1 access policy lets" if len(mine) == 1 else f"{len(mine)} access policies let"
        return [f"{count} writers of {key} write at {route.account} again", *said]

    async def _try(self, key: str, before: RouteRecord, fence: RouteRecord) -> RouteRecord | None:
        """One read and one swap; None if there is nothing to release."""
        seen = await self._router.read()
        if seen.document is None:
            return None
        released = decide_release(seen.document.routes.get(key), before, fence)
        if released is not None:
            now = self._clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            document = seen.document.with_record(key, replace(released, updated=now))
            await self._router.swap(document, expected_etag=seen.etag)
        return released


def _revoked(said: Mapping[str, Any]) -> RevokedPolicy:
    return RevokedPolicy(said["account"], said["container"], StoredPolicy(**said["policy"]))


def ignore_signals() -> None:
    """The guardian's process calls this first, before any event loop."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


async def serve_pipes(
    router: Router, clock: Clock, *, say: Say = lambda text: None, holders: Holders = lambda account: None
) -> None:
    """``serve`` on standard input and output. Sentences may have nobody to read them any more: that stops nothing."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await serve(router, reader, _print, clock, say=lambda text: _quietly(say, text), holders=holders)


def _print(line: str) -> None:
    _quietly(lambda text: print(text, flush=True), line)


def _quietly(tell: Say, text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        tell(text)


class Guardian:
    """Implements GuardianPort with one process, started by the first ``watch`` and again if it has died.

    Args:
        argv: the guardian's command; it holds no secret. It inherits environment, working directory and standard error.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = tuple(argv)
        self._process: subprocess.Popen[bytes] | None = None
        self._answers = asyncio.StreamReader()
        self._transport: asyncio.ReadTransport | None = None
        self._turn = asyncio.Lock()
        self._number = 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def watch(self, key: str, before: RouteRecord, fence: RouteRecord, deadline_seconds: float) -> None:
        if not is_fence_of(fence, before):
            raise InternalError(f"the guardian was given records of {key} that are no fence and its predecessor")
        order = {"cmd": "watch", "key": key, "before": asdict(before), "fence": asdict(fence)}
        try:
            async with self._turn:
                if not self.alive:
                    await self._start()
                answer = await self._ask({**order, "deadline_seconds": deadline_seconds})
        except (OSError, ValueError, EOFError) as fault:  # TimeoutError is an OSError
            self._forget(key)
            raise CloudError(
                f"cannot fence {key}: no guardian watches over it ({str(fault) or 'it does not answer'})",
                hint="run the same command again; nothing was fenced",
            ) from fault
        except asyncio.CancelledError:
            self._forget(key)
            raise
        if not answer.get("ok"):
            raise CloudError(
                f"cannot fence {key}: its guardian refuses ({answer.get('error', 'no reason given')})",
                hint="its process must be able to read the routing of the plan; nothing was fenced",
            )

    async def keep(self, key: str, revoked: Sequence[RevokedPolicy]) -> None:
        try:
            async with self._turn:
                answer = await self._ask({"cmd": "keep", "key": key, "revoked": [asdict(one) for one in revoked]})
        except (OSError, ValueError, EOFError) as fault:
            why = str(fault) or "it does not answer"
        else:
            if answer.get("ok"):
                return
            why = str(answer.get("error", "no reason given"))
        raise CloudError(
            f"cannot enforce the fence of {key}: its guardian would not put the access policies back ({why})",
            hint="run the same command again; no policy was revoked",
        )

    async def done(self, key: str) -> None:
        with contextlib.suppress(OSError, ValueError, EOFError):
            async with self._turn:
                if self.alive:
                    await self._ask({"cmd": "done", "key": key})

    async def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        for _ in range(int(CLOSE_SECONDS / 0.05)):
            if process.poll() is not None:
                break
            await asyncio.sleep(0.05)
        if self._transport is not None:
            self._transport.close()

    async def _start(self) -> None:
        await self.close()
        self._process = subprocess.Popen(  # noqa: ASYNC220 - a few milliseconds; see the rules above
            self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        reader = self._answers = asyncio.StreamReader()
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._process.stdout
        )

    def _send(self, order: dict[str, Any]) -> int:
        process = self._process
        if process is None or process.stdin is None:
            raise EOFError("it is not running")
        self._number += 1
        process.stdin.write(json.dumps({**order, "id": self._number}).encode() + b"\n")
        process.stdin.flush()
        return self._number

    async def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """The answer to ``order``; answers to earlier ones that nobody waits for any more are passed over."""
        number = self._send(order)
        async with asyncio.timeout(ANSWER_SECONDS):
            while line := await self._answers.readline():
                answer = json.loads(line)
                if isinstance(answer, dict) and answer.get("id") == number:
                    return answer
        raise EOFError("it ended")

    def _forget(self, key: str) -> None:
        """No fence will follow: say so without waiting for the answer."""
        with contextlib.suppress(OSError, ValueError, EOFError):
            self._send({"cmd": "done", "key": key})
