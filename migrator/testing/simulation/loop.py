"""Time, machines and death of the simulated world.

Decides when a callback runs: at once in the order it was made ready, or at its virtual time; never by the real clock.
A callback belongs to the node in whose context it was made. A paused node's callbacks wait, in order, until the pause
ends; a dead node's callbacks never run, so a kill is a kill: no ``finally`` of it has an effect on the world.
What nodes do is none of this file's business. Rule: nothing here may depend on memory addresses or on real time;
tasks and futures hash by their serial number, so that even a set of tasks is iterated in the same order each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import warnings
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

WORLD_BEGINS = datetime(2026, 12, 1, tzinfo=UTC)
"""Wall time at virtual second 0, before skew."""
TURNS_WITHOUT_TIME = 200_000
"""More turns of the loop than this at one virtual instant are a busy loop."""


class NodeDead(BaseException):
    """The calling process has been killed: nothing it still tries has any effect."""


class DeadlockError(RuntimeError):
    """Nothing is ready and no timer is set: the world can never go on."""


class BusyLoopError(RuntimeError):
    """Something runs for ever without any time going by."""


class OutOfTimeError(RuntimeError):
    """The virtual time allowed for this run is over."""


class Node:
    """One process on one machine.

    ``steps_left``: after that many steps (a request sent or applied, a swap, a commit begun or ended) it is killed;
    None lives on. ``on_death`` is called once.
    """

    def __init__(self, name: str, loop: SimLoop, *, machine: str = "") -> None:
        self.name = name
        self.machine = machine or name
        self.loop = loop
        self.alive = True
        self.runs = True
        self.steps_left: int | None = None
        self.on_death: list[Callable[[], None]] = []
        self._deferred: list[asyncio.Handle] = []
        self._paused_until = 0.0

    def step(self) -> None:
        """Count one step; raises NodeDead if this process is dead or dies of it."""
        if not self.alive:
            raise NodeDead(self.name)
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left <= 0:
                self.kill()
                raise NodeDead(self.name)

    def tick(self) -> None:
        """Count one step that the world takes for this process; it may die of it."""
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left <= 0:
                self.kill()

    def kill(self) -> None:
        if not self.alive:
            return
        self.alive = self.runs = False
        self._deferred.clear()
        for call in self.on_death:
            call()

    def pause(self, seconds: float) -> None:
        """Stop the whole process for ``seconds``; a longer pause already begun stays."""
        until = self.loop.time() + seconds
        if not self.alive or until <= self._paused_until:
            return
        self._paused_until = until
        self.runs = False
        self.loop.call_at(until, self._resume, context=self.loop.world)

    def defer(self, handle: asyncio.Handle) -> None:
        self._deferred.append(handle)

    def start(self, work: Coroutine[Any, Any, T], *, name: str = "") -> asyncio.Task[T]:
        """Run ``work`` as a task of this process."""
        context = self.loop.world.copy()
        context.run(NODE.set, self)
        return self.loop.create_task(work, name=name or self.name, context=context)

    def _resume(self) -> None:
        if self.alive and self.loop.time() >= self._paused_until:
            self.runs = True
            waiting, self._deferred = self._deferred, []
            self.loop.make_ready(waiting)


NODE: ContextVar[Node | None] = ContextVar("NODE", default=None)


class SimFuture(asyncio.Future[T]):
    """A future whose hash is its serial number."""

    def __init__(self, *, loop: SimLoop) -> None:
        self.serial = loop.next_serial()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.serial


class SimTask(asyncio.Task[T]):
    """A task whose hash is its serial number."""

    def __init__(self, work: Coroutine[Any, Any, T], *, loop: SimLoop, name: str, context: Context | None) -> None:
        self.serial = loop.next_serial()
        super().__init__(work, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self.serial


class SimLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time: when nothing is ready, time jumps to the next timer.

    Args:
        until: virtual second at which OutOfTimeError ends the run.
    """

    _ready: Any
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, *, until: float = float("inf")) -> None:
        super().__init__()
        self.world: Context = copy_context()
        self.until = until
        self.faults: list[str] = []
        self._virtual_now = 0.0
        self._turns = 0
        self._serial = 0
        self._tasks: list[SimTask[Any]] = []
        self.set_exception_handler(self._remember)

    def time(self) -> float:
        return self._virtual_now

    def next_serial(self) -> int:
        self._serial += 1
        return self._serial

    def create_future(self) -> asyncio.Future[Any]:
        return SimFuture(loop=self)

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> asyncio.Task[Any]:
        task: SimTask[Any] = SimTask(coro, loop=self, name=str(name or f"task-{self._serial}"), context=context)
        self._tasks.append(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Threads would bring the real scheduler in: the work is done on the spot."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as fault:
            future.set_exception(fault)
        return future

    def make_ready(self, handles: list[asyncio.Handle]) -> None:
        self._ready.extend(handles)

    def discard(self) -> None:
        """End the world: no task runs again, and none is told, as after a power cut. Every node must be dead."""
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                with contextlib.suppress(BaseException), warnings.catch_warnings():
                    warnings.simplefilter("ignore", RuntimeWarning)  # of coroutines that never began
                    coroutine = task.get_coro()
                    if coroutine is not None:
                        coroutine.close()
            elif not task.cancelled():
                task.exception()  # seen: not reported again at garbage collection
        self._tasks.clear()
        self._ready.clear()  # what the coroutines asked for on their way out is never carried out
        self._scheduled.clear()
        self.close()

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        if not ready:
            self._jump()
        now = self._virtual_now
        while scheduled and scheduled[0]._when <= now:  # type: ignore[attr-defined]
            timer = heapq.heappop(scheduled)
            timer._scheduled = False  # type: ignore[attr-defined]
            ready.append(timer)
        self._turns += 1
        if self._turns > TURNS_WITHOUT_TIME:
            raise BusyLoopError(f"no time goes by at {now:.3f}")
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            node = handle._context.get(NODE)
            if node is None or node.runs:
                handle._run()
            elif node.alive:
                node.defer(handle)

    def _jump(self) -> None:
        scheduled = self._scheduled
        while scheduled and scheduled[0].cancelled():
            heapq.heappop(scheduled)._scheduled = False  # type: ignore[attr-defined]
        if not scheduled:
            raise DeadlockError(f"nothing is ready and no timer is set at {self._virtual_now:.3f}")
        when: float = scheduled[0]._when  # type: ignore[attr-defined]
        if when > self._virtual_now:
            self._virtual_now = when
            self._turns = 0
        if when > self.until:
            raise OutOfTimeError(f"virtual second {self.until:.0f} is over")

    def _process_events(self, event_list: Any) -> None:
        """There are no selectors."""

    def _write_to_self(self) -> None:
        """Nobody sleeps that would have to be woken."""

    def _remember(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        fault = context.get("exception")
        if not isinstance(fault, NodeDead):
            self.faults.append(f"{context.get('message')}: {fault!r}")


class SimClock:
    """A node's clock: wall time with a skew, a monotonic clock with its own zero, seeded chance."""

    def __init__(self, loop: SimLoop, seed: str, *, skew_seconds: float = 0.0, monotonic_zero: float = 0.0) -> None:
        self._loop = loop
        self._random = Random(seed)
        self._begins = WORLD_BEGINS + timedelta(seconds=skew_seconds)
        self._zero = monotonic_zero

    def now(self) -> datetime:
        return self._begins + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        return self._loop.time() + self._zero

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def random(self) -> float:
        return self._random.random()

    def nonce(self) -> str:
        return f"{self._random.getrandbits(64):016x}"
