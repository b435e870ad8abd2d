"""The inside of a worker's process: letters with batches and lanes come in, letters with answers go out.

Rules: the end of the pipe from the engine ends the process at once, whatever is under way - a batch belongs to a claim that
only the engine keeps; signals that a terminal sends to the whole group are the engine's to judge; nothing but letters is
written to the pipe, whoever prints. It imports what its accounts need and no more: its memory is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Final

from migrator.adapters.workers.inline import BATCHES, LOOKS, InlineExecutor, Look
from migrator.adapters.workers.lane_letters import looked_letter, read_order
from migrator.adapters.workers.letters import answer_letter
from migrator.model.letters import LENGTH_BYTES, framed, length_of
from migrator.model.looks import LaneToLook
from migrator.model.schedule import Account
from migrator.ports.clock import Clock
from migrator.ports.executor import CopyBatch
from migrator.ports.object_store import ObjectStore

OpenAccount = Callable[[Account, Mapping[str, str]], ObjectStore]
AHEAD: Final = 4
"""Batches that lie before a worker beside those it carries out, so that it goes on while the engine reads a page or commits."""
SIGNALS_OF_TERMINALS: Final = (
    *(signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP),
    *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),
)
READY: Final = 0
"""The number of the letter that says that the accounts are open; batches are numbered from 1."""


def opening_letter(accounts: list[dict[str, Any]], cloud: Mapping[str, str], token: int) -> bytes:
    """The first letter to a worker: accounts by reference - never a secret - and the run's token."""
    return framed({"accounts": accounts, "cloud": dict(cloud), "token": token})


async def serve(incoming: BinaryIO, outgoing: BinaryIO, open_account: OpenAccount, clock: Clock, look: Look) -> None:
    """Carry out batches, and look at lanes, until ``incoming`` ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**20, loop=loop)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader, loop=loop), incoming)
    order = json.loads(await _letter(reader))
    stores: dict[str, ObjectStore] = {}
    for fields in order["accounts"]:
        account = Account(**fields)
        stores[account.name] = open_account(account, order["cloud"])
        await stores[account.name].bind_run(order["token"])
    executor, turn = InlineExecutor(stores, clock, adapts=True, look=look), asyncio.Semaphore(BATCHES)
    looks = asyncio.Semaphore(LOOKS)
    wanted: dict[int, asyncio.Task[None]] = {}

    async def carry_out(number: int, batch: CopyBatch) -> None:
        async with turn:
            answer = await executor.copy(batch, is_wanted=lambda: number in wanted)
        _write(outgoing, answer_letter(number, answer))
        wanted.pop(number, None)

    async def look_at(number: int, lane: LaneToLook) -> None:
        async with looks:
            answer = await executor.look(lane, is_wanted=lambda: number in wanted)
        _write(outgoing, looked_letter(number, answer))
        wanted.pop(number, None)

    _write(outgoing, framed([READY, "ready"]))
    stopped: set[asyncio.Task[None]] = set()
    while True:
        number, order = read_order(await _letter(reader))
        if order is not None:
            work = carry_out(number, order) if isinstance(order, CopyBatch) else look_at(number, order)
            wanted[number] = asyncio.create_task(work)
            wanted[number].add_done_callback(_die_of_bugs)
        elif number in wanted:
            stopped.add(wanted[number])
            wanted.pop(number).add_done_callback(stopped.discard)


def main(open_account: OpenAccount, clock: Clock, look: Look, run: Callable[[Any], Any]) -> None:
    """The whole life of the process; never returns. ``look`` looks at a lane, ``run`` runs a coroutine in the program's event
    loop."""
    for number in SIGNALS_OF_TERMINALS:
        signal.signal(number, signal.SIG_IGN)
    outgoing = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with contextlib.suppress(asyncio.IncompleteReadError, BrokenPipeError):
        run(serve(sys.stdin.buffer, outgoing, open_account, clock, look))
    os._exit(0)


async def _letter(reader: asyncio.StreamReader) -> bytes:
    """The next letter; at the end of the pipe the process ends here, before anything else is sent."""
    try:
        return await reader.readexactly(length_of(await reader.readexactly(LENGTH_BYTES)))
    except (asyncio.IncompleteReadError, ConnectionError):
        os._exit(0)


def _write(outgoing: BinaryIO, letter: bytes) -> None:
    rest = memoryview(letter)
    while rest:
        try:
            rest = rest[outgoing.write(rest) :]
        except BrokenPipeError:
            os._exit(0)


def _die_of_bugs(task: asyncio.Task[None]) -> None:
    """A batch without an answer would wait for ever: the engine learns of the death and settles what was under way."""
    if not task.cancelled() and (bug := task.exception()) is not None:
        text = f"migrate worker: internal error: {type(bug).__name__}: {bug}"
        sys.stderr.write(ascii(text)[1:-1] + "\n")  # a bug may say names, and names are data
        sys.stderr.flush()
        os._exit(70)
