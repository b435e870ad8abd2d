"""An executor of several processes, for jobs that one core cannot carry.

A run that copies little never starts them: until ``SMALL`` copies have been asked for or are expected, and until a worker has
opened its accounts, the copies are carried out in this process. Rules:

- a batch is given to one worker once; of a worker that died nobody knows what it sent, so its batches are answered
  "unknown", and another worker takes its place, ``MAX_DEATHS`` times at most;
- workers are given references to credentials through their pipe and inherit the environment; the end of the pipe ends them.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from migrator.adapters.workers.inline import BATCHES, LOOKS, START, InlineExecutor
from migrator.adapters.workers.lane_letters import lane_letter, read_outcome
from migrator.adapters.workers.letters import batch_letter, stop_letter
from migrator.adapters.workers.processes import SMALL, WorkerProcesses, end
from migrator.adapters.workers.worker import AHEAD, READY, opening_letter
from migrator.model.letters import LENGTH_BYTES, length_of
from migrator.model.looks import LaneToLook
from migrator.model.schedule import Account
from migrator.ports.executor import UNSENT, BatchAnswer, CopyBatch, CutOff, LaneAnswer, Refusal

IDLE_SECONDS: Final = 60.0
"""Workers without work are let go after so long."""
MAX_DEATHS: Final = 10
START_SECONDS: Final = 60.0
LOOKS_WORTH: Final = 100_000
"""Names to look at that are worth starting a process for; where processes are up they look at fewer, too."""
STOP_SECONDS: Final = 2.0
"""How long a cancelled batch waits for its last answers: an interrupted run has five seconds in all."""
_STREAM_LIMIT: Final = 2**20


class WorkerPool:
    """Implements ``Executor``.

    Args:
        processes: where processes come from, and how many there may be; stays the caller's.
        inline: carries out what is not worth a process; its accounts stay the caller's.
        small: so many copies are carried out in this process first.
    """

    def __init__(
        self,
        processes: WorkerProcesses,
        accounts: Sequence[Account],
        cloud: Mapping[str, str],
        *,
        inline: InlineExecutor,
        small: int = SMALL,
    ) -> None:
        self._token = 0
        self._processes = processes
        self._accounts = [{k: v for k, v in asdict(one).items() if v is not None} for one in accounts]
        self._cloud = dict(cloud)
        self._inline = inline
        self._small = small
        self._asked = 0
        self._looked = 0
        self._deaths = 0
        self._workers: list[_Worker] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._slots: asyncio.Queue[InlineExecutor | _Worker] = asyncio.Queue()
        for _ in range(BATCHES):
            self._slots.put_nowait(inline)
        self._under_way = 0
        self._idle: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def batches_at_once(self) -> int:
        return (BATCHES + AHEAD) * self._processes.count

    @property
    def window(self) -> int:
        if not self._under_way:
            return 0
        return self._inline.window + sum(worker.window for worker in self._workers if worker.is_alive)

    def bind_run(self, token: int) -> None:
        self._token = token

    def expect(self, copies: int) -> None:
        """Start the workers that so many copies are worth; should none come, they are let go."""
        if copies > self._small:
            self._fill()
            self._rest()

    async def copy(self, batch: CopyBatch) -> BatchAnswer:
        self._asked += len(batch.units)
        if self._asked > self._small:
            self._fill()
        self._under_way += 1
        try:
            try:
                slot = await self._slot()
            except asyncio.CancelledError:
                raise CutOff(BatchAnswer((UNSENT,) * len(batch.units))) from None
            try:
                return await slot.copy(batch)
            finally:
                self._slots.put_nowait(slot)
        finally:
            self._under_way -= 1
            if not self._under_way and self._workers:
                self._rest()

    @property
    def lanes_at_once(self) -> int:
        return LOOKS * self._processes.count

    def expect_lanes(self, names: int) -> bool:
        """Looking is for other processes alone: in this one, whoever asks can do it himself."""
        self._looked += names
        if self._looked > LOOKS_WORTH:
            self._fill()
        is_ready = any(worker.is_alive for worker in self._workers)
        if not self._under_way and (is_ready or self._starting):
            self._rest()
        return is_ready

    async def look(self, lane: LaneToLook) -> LaneAnswer:
        alive = [worker for worker in self._workers if worker.is_alive]
        if not alive:
            return LaneAnswer(lane.number, None, UNSENT)
        self._under_way += 1
        try:
            worker = min(alive, key=lambda one: one.looks)
            answer = await worker.look(lane)
            if not worker.is_alive:
                self._bury(worker)
            return answer
        finally:
            self._under_way -= 1
            if not self._under_way and self._workers:
                self._rest()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that are ready for work."""
        return tuple(worker.pid for worker in self._workers if worker.is_alive)

    async def ready(self) -> None:
        """Start the workers now and wait until they are up, or have failed to be."""
        for worker in [one for one in self._workers if not one.is_alive]:
            self._bury(worker)
        self._fill()
        await asyncio.gather(*self._starting, return_exceptions=True)

    async def close(self) -> None:
        self._is_closed = True
        if self._idle is not None:
            self._idle.cancel()
        for task in list(self._starting):
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        workers, self._workers = self._workers, []
        await asyncio.gather(*(worker.close() for worker in workers), *self._ending)

    async def _slot(self) -> InlineExecutor | _Worker:
        """Who has room: a worker, or this process while no worker is ready. Slots of the dead are thrown away."""
        while True:
            slot = await self._slots.get()
            if isinstance(slot, _Worker):
                if slot.is_alive:
                    return slot
                self._bury(slot)
            elif not any(worker.is_alive for worker in self._workers):
                return slot
            # else: the workers have taken over from this process

    def _bury(self, worker: _Worker) -> None:
        if worker in self._workers:
            self._workers.remove(worker)
            self._end(worker)
            self._deaths += 1
            if not self._workers:
                for _ in range(BATCHES):
                    self._slots.put_nowait(self._inline)
            self._fill()

    def _fill(self) -> None:
        """Start the workers that are missing, beside the work."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        missing = self._processes.count - len(self._workers) - len(self._starting)
        if self._is_closed or self._deaths >= MAX_DEATHS:
            return
        for _ in range(missing):
            task = asyncio.create_task(self._start())
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _start(self) -> None:
        worker = _Worker()
        try:
            async with asyncio.timeout(START_SECONDS):
                await worker.open(self._processes.take(), opening_letter(self._accounts, self._cloud, self._token))
        except (OSError, EOFError, ValueError, TimeoutError):
            self._deaths += 1  # this process goes on alone; its own accounts say what is wrong
            await worker.close()
            return
        except asyncio.CancelledError:
            await worker.close()
            raise
        self._workers.append(worker)
        for _ in range(BATCHES + AHEAD):
            self._slots.put_nowait(worker)

    def _end(self, worker: _Worker) -> None:
        ending = asyncio.create_task(worker.close())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _rest(self) -> None:
        if self._idle is None and not self._is_closed:
            self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._dismiss)

    def _dismiss(self) -> None:
        """Nothing was asked for a while (a soak, a hold): give the memory back."""
        self._idle = None
        if self._under_way or self._is_closed:
            return
        self._asked = self._looked = 0
        workers, self._workers = self._workers, []
        for worker in workers:
            self._end(worker)
        while not self._slots.empty():
            self._slots.get_nowait()
        for _ in range(BATCHES):
            self._slots.put_nowait(self._inline)


class _Worker:
    """One process and what it has before it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = asyncio.StreamReader(limit=_STREAM_LIMIT)
        self._incoming: asyncio.ReadTransport | None = None
        self._outgoing: asyncio.WriteTransport | None = None
        self._number = READY
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.looks = 0
        """Lanes that it is looking at."""
        self._listener: asyncio.Task[None] | None = None
        self.is_alive = False
        self.window = START
        """As it said last."""

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    async def open(self, process: subprocess.Popen[bytes], opening: bytes) -> None:
        """Tell it which accounts to open, and wait until it has. OSError, EOFError or ValueError if it does not come up."""
        self._process = process
        loop = asyncio.get_running_loop()
        self._incoming, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), process.stdout
        )
        self._outgoing, _ = await loop.connect_write_pipe(asyncio.Protocol, process.stdin)
        self._outgoing.write(opening)
        await self._letter()
        self.is_alive = True
        self._listener = asyncio.create_task(self._listen())

    async def copy(self, batch: CopyBatch) -> BatchAnswer:
        assert self._outgoing is not None
        self._number += 1
        number = self._number
        answer: asyncio.Future[BatchAnswer] = asyncio.get_running_loop().create_future()
        if not self.is_alive:
            return BatchAnswer((UNSENT,) * len(batch.units))
        self._waiting[number] = answer
        self._outgoing.write(batch_letter(number, batch))
        try:
            answered = await asyncio.shield(answer)
            self.window = answered.window
            return answered
        except EOFError:
            return _nobody_knows(batch)
        except asyncio.CancelledError:
            raise CutOff(await self._stop(number, answer) or _nobody_knows(batch)) from None
        finally:
            self._waiting.pop(number, None)

    async def look(self, lane: LaneToLook) -> LaneAnswer:
        assert self._outgoing is not None
        self._number += 1
        number = self._number
        answer: asyncio.Future[LaneAnswer] = asyncio.get_running_loop().create_future()
        if not self.is_alive:
            return LaneAnswer(lane.number, None, UNSENT)
        self._waiting[number] = answer
        self.looks += 1
        self._outgoing.write(lane_letter(number, lane))
        try:
            return await answer
        except EOFError:
            return LaneAnswer(lane.number, None, Refusal("unknown", "the worker that looked died"))
        except asyncio.CancelledError:
            if self.is_alive:
                self._outgoing.write(stop_letter(number))
            raise
        finally:
            self.looks -= 1
            self._waiting.pop(number, None)

    async def _stop(self, number: int, answer: asyncio.Future[BatchAnswer]) -> BatchAnswer | None:
        """Whoever asked is going: let nothing more be sent, and wait for what is under way - not for long."""
        if self.is_alive and self._outgoing is not None:
            self._outgoing.write(stop_letter(number))
        with contextlib.suppress(EOFError, TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                return await answer
        return None

    async def close(self) -> None:
        """End it and wait for that."""
        self.is_alive = False
        if self._outgoing is not None:
            self._outgoing.abort()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        if self._incoming is not None:
            self._incoming.close()
        if self._process is not None:
            await asyncio.to_thread(end, self._process)

    async def _letter(self) -> bytes:
        reader = self._reader
        return await reader.readexactly(length_of(await reader.readexactly(LENGTH_BYTES)))

    async def _listen(self) -> None:
        try:
            while True:
                number, answer = read_outcome(await self._letter())
                future = self._waiting.pop(number, None)
                if future is not None and not future.done():
                    future.set_result(answer)
        except (EOFError, OSError, ValueError):
            pass
        finally:
            self.is_alive = False
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(EOFError())
                    future.exception()  # whoever waits is told; nobody else need be


def _nobody_knows(batch: CopyBatch) -> BatchAnswer:
    text = "cannot tell whether it was copied: the worker that had it died"
    return BatchAnswer((Refusal("unknown", text),) * len(batch.units))
