"""The engine's end of the guardian: starts its process, tells it of fences, and sees to it that one is at work while they last.

Rules:

- nothing kills the process as long as it works, not even the end of an event loop - which is why it is no subprocess of
  asyncio's, whose transports kill on closing. The pipe is not inherited by anything else we start, so it ends with us (as long
  as nobody forks without exec);
- it has a session of its own: no key pressed at the engine's terminal, and no signal to the engine's group, reaches it. Who kills
  the whole group frees the writers by that;
- while a fence is watched it is asked every second whether it works. One that died, or was stopped, is killed and another one put
  in its place that is given every watch, with the policies to put back;
- if none can be had for ``LOST_SECONDS``, whoever waits for ``unwatched`` is told, and the fence is given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from migrator.engine.guardian import ATTEMPT_SECONDS, read_letters
from migrator.errors import CloudError, InternalError
from migrator.machine.release import is_fence_of
from migrator.model.letters import framed
from migrator.model.moves import RevokedPolicy
from migrator.model.routes import RouteRecord

ANSWER_SECONDS: Final = ATTEMPT_SECONDS + 10.0
"""How long the engine waits for an answer; the rest is for the process to start."""
PING_SECONDS: Final = 1.0
PING_ANSWER_SECONDS: Final = 4.0
"""A guardian that works answers at once; a busy machine is given some time."""
LOST_SECONDS: Final = 20.0
"""How long a fence stays while no guardian can be had."""
CLOSE_SECONDS: Final = 5.0
"""How long an orderly end waits for the process; it goes on releasing by itself if that takes longer."""
_FAULTS: Final = (OSError, ValueError, EOFError)  # TimeoutError is an OSError


@dataclass(slots=True)
class _Watch:
    """``due``: by the event loop's clock. ``lost`` says why nobody watches any more."""

    before: RouteRecord
    fence: RouteRecord
    due: float
    lost: asyncio.Future[str]
    revoked: Sequence[RevokedPolicy] = ()


class Guardian:
    """Implements GuardianPort with one process at a time, started by the first ``watch``.

    Args:
        argv: the guardian's command; it holds no secret. It inherits working directory and standard error.
        opening: its first letter (JSON values): where the routes are.
        environ: its variables; None: those of this process.
    """

    def __init__(self, argv: Sequence[str], *, opening: Any = None, environ: Mapping[str, str] | None = None) -> None:
        self._argv = tuple(argv)
        self._opening = opening
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self._incoming: asyncio.ReadTransport | None = None
        self._outgoing: asyncio.WriteTransport | None = None
        self._listener: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._turn = asyncio.Lock()
        self._number = 0
        self._watches: dict[str, _Watch] = {}
        self._keeper: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process; 0 without one."""
        return self._process.pid if self._process is not None else 0

    async def watch(self, key: str, before: RouteRecord, fence: RouteRecord, deadline_seconds: float) -> None:
        if not is_fence_of(fence, before):
            raise InternalError(f"the guardian was given records of {key} that are not a fence and its predecessor")
        loop = asyncio.get_running_loop()
        watch = _Watch(before, fence, loop.time() + deadline_seconds, loop.create_future())
        self._watches.pop(key, None)
        try:
            async with self._turn:
                if not self.alive:
                    await self._start()
                answer = await self._ask(self._order(key, watch))
                self._send({"cmd": "ping"})  # from here on silence means something; nobody waits for the answer
        except _FAULTS as fault:
            self._forget(key)
            raise CloudError(
                f"cannot fence {key}: no guardian watches over it ({_why(fault)})",
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
        self._watches[key] = watch
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep_one_at_work())

    async def keep(self, key: str, revoked: Sequence[RevokedPolicy]) -> None:
        try:
            async with self._turn:
                if not self.alive and self._watches:
                    await self._start()
                answer = await self._ask(self._keep_order(key, revoked))
        except _FAULTS as fault:
            why = _why(fault)
        else:
            if answer.get("ok"):
                if key in self._watches:
                    self._watches[key].revoked = tuple(revoked)
                return
            why = str(answer.get("error", "no reason given"))
        raise CloudError(
            f"cannot enforce the fence of {key}: its guardian would not put the access policies back ({why})",
            hint="run the same command again; no policy was revoked",
        )

    async def unwatched(self, key: str) -> str:
        watch = self._watches.get(key)
        return await asyncio.shield(watch.lost) if watch is not None else "it was never asked to"

    async def done(self, key: str) -> None:
        self._watches.pop(key, None)
        async with self._turn:
            try:
                if self.alive:
                    await self._ask({"cmd": "done", "key": key}, seconds=PING_ANSWER_SECONDS)
            except _FAULTS:
                await self._kill()  # if others are watched still, one that works comes in its place

    async def close(self) -> None:
        self._watches.clear()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        process, self._process = self._process, None
        if self._outgoing is not None:
            self._outgoing.close()
        if process is not None:
            with contextlib.suppress(OSError):
                process.send_signal(signal.SIGCONT)  # one that was stopped hears of the end of its pipe now
            for _ in range(int(CLOSE_SECONDS / 0.05)):
                if process.poll() is not None:
                    break
                await asyncio.sleep(0.05)
        self._close_pipes()

    # One at work.

    async def _keep_one_at_work(self) -> None:
        loop = asyncio.get_running_loop()
        good_at = loop.time()
        while self._watches:
            await asyncio.sleep(PING_SECONDS)
            async with self._turn:
                if not self._watches:
                    return
                why = await self._mended()
            if not why:
                good_at = loop.time()
            elif loop.time() >= good_at + LOST_SECONDS:
                for watch in self._watches.values():
                    if not watch.lost.done():
                        watch.lost.set_result(why)

    async def _mended(self) -> str:
        """Empty once a guardian has answered, this one or another one in its place; else why there is none."""
        with contextlib.suppress(*_FAULTS):
            if self.alive and (await self._ask({"cmd": "ping"}, seconds=PING_ANSWER_SECONDS)).get("ok"):
                return ""
        try:
            await self._start()
        except Exception as fault:  # our own bugs too: a fence that nobody watches must not stay unnoticed
            return _why(fault)
        return ""

    async def _start(self) -> None:
        """A process in the place of the one before, if there was one, with all its watches. OSError, ValueError or EOFError: no
        guardian is at work."""
        await self._kill()
        pipe = subprocess.PIPE
        self._process = process = subprocess.Popen(  # noqa: ASYNC220 - a few milliseconds; see the rules above
            self._argv, stdin=pipe, stdout=pipe, bufsize=0, env=self._environ, start_new_session=True
        )
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        self._listener = asyncio.create_task(self._listen(reader))
        self._incoming, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
        self._outgoing, _ = await loop.connect_write_pipe(asyncio.Protocol, process.stdin)
        self._outgoing.write(framed(self._opening))
        try:
            for key, watch in list(self._watches.items()):
                await self._ask_for(self._order(key, watch))
                if watch.revoked:
                    await self._ask_for(self._keep_order(key, watch.revoked))
        except BaseException:
            await self._kill()  # it knows some of the fences only
            raise

    async def _kill(self) -> None:
        """Before its pipe ends: a stopped one must not wake up and release what its successor watches."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for _ in range(100):
                if process.poll() is not None:
                    break
                await asyncio.sleep(0.01)
        self._close_pipes()

    def _close_pipes(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
        for transport in (self._incoming, self._outgoing):
            if transport is not None:
                transport.close()
        self._listener = self._incoming = self._outgoing = None

    # Orders.

    def _order(self, key: str, watch: _Watch) -> dict[str, Any]:
        left = max(0.0, watch.due - asyncio.get_running_loop().time())
        records = {"before": asdict(watch.before), "fence": asdict(watch.fence)}
        return {"cmd": "watch", "key": key, **records, "deadline_seconds": left}

    def _keep_order(self, key: str, revoked: Sequence[RevokedPolicy]) -> dict[str, Any]:
        return {"cmd": "keep", "key": key, "revoked": [asdict(one) for one in revoked]}

    def _send(self, order: dict[str, Any]) -> int:
        if self._outgoing is None or self._outgoing.is_closing():
            raise EOFError("it is not running")
        self._number += 1
        self._outgoing.write(framed({**order, "id": self._number}))
        return self._number

    async def _ask(self, order: dict[str, Any], *, seconds: float | None = None) -> dict[str, Any]:
        """The answer to ``order``."""
        number = self._send(order)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(ANSWER_SECONDS if seconds is None else seconds):
                return await answer
        finally:
            self._waiting.pop(number, None)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Answers that nobody waits for any more are passed over."""
        try:
            async for letter in read_letters(reader):
                said = json.loads(letter)
                waiting = self._waiting.get(said.get("id"))
                if waiting is not None and not waiting.done():
                    waiting.set_result(said)
        except (ValueError, AttributeError):
            pass  # it is no guardian
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(EOFError("it ended"))

    async def _ask_for(self, order: dict[str, Any]) -> None:
        answer = await self._ask(order)
        if not answer.get("ok"):
            raise ValueError(str(answer.get("error", "no reason given")))

    def _forget(self, key: str) -> None:
        """No fence will follow: say so without waiting for the answer."""
        with contextlib.suppress(*_FAULTS):
            self._send({"cmd": "done", "key": key})


def _why(fault: BaseException) -> str:
    return str(fault) or "it does not answer"
