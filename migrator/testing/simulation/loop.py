"""Time, machines and death of the simulated world.

Decides when a callback runs: at once in the order it was made ready, or at its virtual time; never by the real clock.
A callback belongs to the node in whose context it was made. A paused node's callbacks wait, in order, until the pause
ends; a dead node's callbacks never run, so a kill is a kill: no ``finally`` of it has an effect on the world.
What nodes do is none of this file's business. Rule: nothing here may depend on memory addresses or on real time;
tasks hash by their serial number, so that even a set of tasks is iterated in the same order each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
import types
import warnings
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

WORLD_BEGINS = datetime(2026, 12, 1, tzinfo=UTC)
"""Wall time at virtual second 0, before skew."""
TURNS_WITHOUT_TIME = 200_000
"""More turns of the loop than this at one virtual instant are a busy loop."""
CLOSINGS = 100
"""A coroutine that still waits after being closed so often never ends."""


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
        self.on_signal: Callable[[], None] | None = None
        """What SIGINT and SIGTERM ask of this process."""
        self.sockets_closed_at = float("inf")
        """When its machine closed what the dead process had open; a machine that lost its power closed nothing."""
        self.context = loop.world.copy()
        """What its callbacks run in, beside the contexts of its tasks."""
        self.context.run(NODE.set, self)
        self._deferred: list[Due] = []
        self._paused_until = 0.0
        self.stood_still = (0.0, 0.0)
        """From when to when it last did."""

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

    def kill(self, *, with_machine: bool = False) -> None:
        if not self.alive:
            return
        self.alive = self.runs = False
        if not with_machine:
            self.sockets_closed_at = self.loop.time()
        self._deferred.clear()
        for call in self.on_death:
            call()

    def pause(self, seconds: float) -> None:
        """Stop the whole process for ``seconds``; a longer pause already begun stays."""
        until = self.loop.time() + seconds
        if not self.alive or until <= self._paused_until:
            return
        begun = self.loop.time() if self.runs else self.stood_still[0]
        self._paused_until, self.stood_still = until, (begun, until)
        self.runs = False
        self.loop.happen(until, self._resume)

    def defer(self, due: Due) -> None:
        self._deferred.append(due)

    def start(self, work: Coroutine[Any, Any, T], *, name: str = "") -> asyncio.Task[T]:
        """Run ``work`` as a task of this process."""
        return self.loop.create_task(work, name=name or self.name, context=self.context.copy())

    def _resume(self) -> None:
        if self.alive and self.loop.time() >= self._paused_until:
            self.runs = True
            waiting, self._deferred = self._deferred, []
            self.loop.make_ready(waiting)


NODE: ContextVar[Node | None] = ContextVar("NODE", default=None)


class Call:
    """What asyncio knows as a handle, without all that a real loop needs of one: whether a callback is still wanted."""

    __slots__ = ("is_cancelled", "moment")

    def __init__(self, moment: float) -> None:
        self.moment = moment
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return self.moment


class Nap(Call):
    """What a task that sleeps waits for."""

    __slots__ = ("context", "step")

    step: Callable[..., object] | None
    """None before and after."""
    context: Context

    def __init__(self, moment: float) -> None:
        self.moment = moment
        self.is_cancelled = False
        self.step = None


@types.coroutine
def nap(loop: SimLoop, moment: float) -> Generator[None, None, None]:
    """Awaited by a task that goes on at ``moment`` (virtual second), unless it is cancelled before. No future is made for it, and
    the loop is asked once instead of twice: a task that waits for nothing (a bare ``yield``) wants its next step to be called
    soon, and the loop calls it at ``moment``.
    """
    loop.nap = mine = Nap(moment)
    try:
        yield
    finally:
        mine.step = None  # the step knows the task, and the task this: no circle for the collector


@types.coroutine
def _sleep(loop: SimLoop, seconds: float) -> Generator[None, None, None]:
    """As ``nap``, from the moment on at which it begins to be awaited."""
    now = loop.virtual_now
    loop.nap = mine = Nap(now + seconds if seconds > 0.0 else now)
    try:
        yield
    finally:
        mine.step = None


async def _alone(work: Any) -> Any:
    """What a task is made of, where it is a plain generator."""
    return await work


Due = tuple[float, int, Callable[..., object], tuple[Any, ...], Context | None, Call | None]
"""A callback to come: virtual second and number (0, 0: now), what is called with what, the context (None: the world's own),
and the handle of whoever asked for it, if it can be taken back."""


class SimTask(asyncio.Task[T]):
    """A task whose hash is its serial number."""

    nap: Nap | None = None

    def __init__(self, work: Coroutine[Any, Any, T], *, loop: SimLoop, name: str, context: Context | None) -> None:
        self.serial = loop.tasks_made = loop.tasks_made + 1
        super().__init__(work, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self.serial

    def cancel(self, msg: Any | None = None) -> bool:
        """A task that sleeps is woken for it."""
        is_asked, nap = super().cancel(msg), self.nap
        if is_asked and nap is not None and nap.step is not None and not nap.is_cancelled:
            nap.cancel()
            self.get_loop().call_soon(nap.step, context=nap.context)
        return is_asked


class SimLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time: when nothing is ready, time jumps to the next timer.

    Args:
        until: virtual second at which OutOfTimeError ends the run.
    """

    _ready: Any
    _scheduled: Any
    _stopping: bool

    def __init__(self, *, until: float = float("inf")) -> None:
        super().__init__()
        self.world: Context = copy_context()
        self.until = until
        self.faults: list[str] = []
        self.virtual_now = 0.0
        """What ``time`` answers."""
        self._calls = 0
        self.tasks_made = 0
        self._tasks: list[SimTask[Any]] = []
        self.nap: Nap | None = None
        """What the running task begins to wait for; until its loop knows, at once."""
        self.set_exception_handler(self._remember)
        self.get_debug = False.__bool__  # type: ignore[method-assign]  # asked for each future and task

    def time(self) -> float:
        return self.virtual_now

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:  # type: ignore[override]
        if context is not None:  # a task or a future, which never takes it back
            nap = self.nap
            if nap is None:
                self._ready.append((0.0, 0, callback, args, context, None))
            else:
                self.nap, callback.__self__.nap = None, nap
                nap.step, nap.context = callback, context
                self._calls += 1
                heappush(self._scheduled, (nap.moment, self._calls, callback, args, context, nap))
            return None
        call = Call(0.0)
        self._ready.append((0.0, 0, callback, args, copy_context(), call))
        return call

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Any:  # type: ignore[override]
        """Calls at the same instant come in the order in which they were asked for."""
        call = Call(when)
        self._calls += 1
        if context is None:
            node = NODE.get()
            context = copy_context() if node is None else node.context
        heappush(self._scheduled, (when, self._calls, callback, args, context, call))
        return call

    def happen(self, when: float, callback: Callable[..., object], *args: Any) -> None:
        """The world itself calls back at ``when``: whatever becomes of any node, and nobody takes it back."""
        self._calls += 1
        heappush(self._scheduled, (when, self._calls, callback, args, None, None))

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Any:  # type: ignore[override]
        return self.call_at(self.virtual_now + delay, callback, *args, context=context)

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> asyncio.Task[Any]:
        if coro.__class__ is types.GeneratorType:  # a sleep of its own
            coro = _alone(coro)
        task: SimTask[Any] = SimTask(coro, loop=self, name=str(name or "task"), context=context)
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

    def make_ready(self, dues: list[Due]) -> None:
        self._ready.extend(dues)

    def discard(self) -> None:
        """End the world: no task runs again, and none is told, as after a power cut. Every node must be dead."""
        with _without_last_words():
            for task in self._tasks:
                if not task.done():
                    task._log_destroy_pending = False  # type: ignore[attr-defined]
                    coroutine = task.get_coro()
                    if coroutine is not None:
                        _close(coroutine)
                elif not task.cancelled():
                    task.exception()  # seen: not reported again at garbage collection
        self._tasks.clear()
        self._ready.clear()  # what the coroutines asked for on their way out is never carried out
        self._scheduled.clear()
        self.close()

    def _run_once(self) -> None:
        """Turn after turn until somebody stops the loop. What becomes ready in a turn is for the next one."""
        ready, scheduled, turns = self._ready, self._scheduled, 0
        turn: list[Due]
        while not self._stopping:
            if ready:
                turn = [*ready]
                ready.clear()
            else:
                first = self._next()
                turn = [first]
                if first[0] > self.virtual_now:
                    self._jump(first[0])
                    turns = 0
            now = self.virtual_now
            while scheduled and scheduled[0][0] <= now:
                turn.append(heappop(scheduled))
            turns += 1
            if turns > TURNS_WITHOUT_TIME:
                raise BusyLoopError(f"no time goes by at {now:.3f}")
            for due in turn:
                _, _, callback, args, context, call = due
                if call is not None and call.is_cancelled:
                    continue
                try:
                    if context is None:
                        callback(*args)
                        continue
                    node = context.get(NODE)
                    if node is None or node.runs:
                        context.run(callback, *args)
                    elif node.alive:
                        node.defer(due)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as fault:
                    self.call_exception_handler({"message": f"failed: {callback}", "exception": fault})

    def _next(self) -> Due:
        """The next timer that nobody took back."""
        scheduled = self._scheduled
        while scheduled:
            due: Due = heappop(scheduled)
            call = due[5]
            if call is None or not call.is_cancelled:
                return due
        raise DeadlockError(f"nothing is ready and no timer is set at {self.virtual_now:.3f}")

    def _jump(self, when: float) -> None:
        """Time goes by until then."""
        self.virtual_now = when
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


@contextlib.contextmanager
def _without_last_words() -> Iterator[None]:
    """Coroutines that never began are no news, nor is what a dead process tries on its way out: closing one coroutine can drop
    another that waits on its way out, and Python closes that one, and tells of what it raises, by itself."""
    before = sys.unraisablehook

    def tell(fault: Any) -> None:
        if not isinstance(fault.exc_value, NodeDead):
            before(fault)

    sys.unraisablehook = tell
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    finally:
        sys.unraisablehook = before


def _close(work: Any) -> None:
    """Close a coroutine for good. One whose ``finally`` waits refuses the first time and stays suspended there; left so,
    the rest of it would run at garbage collection, and Python would print what it raises."""
    for _ in range(CLOSINGS):
        # What closes an asynchronous generator that nobody needs is no coroutine, and is closed at once.
        if inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CLOSED:
            return
        with contextlib.suppress(BaseException):
            work.close()


class SimClock:
    """A node's clock: wall time with a skew, a monotonic clock with its own zero, seeded chance."""

    def __init__(
        self,
        loop: SimLoop,
        seed: str,
        *,
        skew_seconds: float = 0.0,
        monotonic_zero: float = 0.0,
        steps: Sequence[tuple[float, float]] = (),
    ) -> None:
        """``steps``: (virtual second, by how much the wall clock is set then)."""
        self._loop = loop
        self._steps = tuple(steps)
        self._seed = seed
        self._random: Random | None = None
        """Made when it is asked for: most clocks never are."""
        self._read_at = -1.0
        self._begins = WORLD_BEGINS + timedelta(seconds=skew_seconds)
        self._zero = monotonic_zero

    def now(self) -> datetime:
        now = self._loop.virtual_now
        if now != self._read_at:  # much is done at one instant
            set_by = sum([by for at, by in self._steps if at <= now]) if self._steps else 0.0
            self._read_at, self._read = now, self._begins + timedelta(seconds=now + set_by)
        return self._read

    def monotonic(self) -> float:
        return self._loop.virtual_now + self._zero

    def sleep(self, seconds: float) -> Coroutine[Any, Any, None]:
        return _sleep(self._loop, seconds)  # awaited as one, at half the price

    @property
    def _chance(self) -> Random:
        if self._random is None:
            self._random = Random(self._seed)
        return self._random

    def random(self) -> float:
        return self._chance.random()

    def nonce(self) -> str:
        return f"{self._chance.getrandbits(64):016x}"
