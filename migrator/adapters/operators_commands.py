"""Executables of the operator's own, which a plan names: how they are run, and what of the environment they get.

Decides that they end. Leaves what goes in and comes out to whoever runs them. Rules: no shell; a small environment, since this
one holds the keys of the accounts; time and output are bounded, and what runs over is killed with all that it started; what it
says on standard error is not passed on, for it may hold secrets; a secret of a storage account goes to storage alone.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from migrator.errors import AccessRefused, CloudError, Unreachable

ALWAYS_GIVEN: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
"""Of the environment, to a command."""
MOST_BYTES: Final = 1024 * 1024
"""Of output; a week of minutes is some 700 KB."""
END_SECONDS: Final = 5.0
"""How long a killed process is waited for."""


class NotStarted(CloudError):
    """The command was not started: nothing of it can have happened."""


def small_environment(environ: Mapping[str, str], named: Iterable[str], *, doing: str) -> dict[str, str]:
    """Enough to run, and the variables that the plan names. AccessRefused if one of these holds a secret of a storage account."""
    names = [str(name) for name in named]
    for name in names:
        refuse_storage(name, environ.get(name, ""), doing=doing)
    return {name: environ[name] for name in (*ALWAYS_GIVEN, *names) if name in environ}


def refuse_storage(name: str, value: str, *, doing: str) -> None:
    """AccessRefused if the variable ``name`` holds what opens a storage account. ``doing`` completes "cannot ..."."""
    from migrator.adapters.azure.credentials import opens_storage

    if value and opens_storage(value):
        raise AccessRefused(
            f"cannot {doing}: the environment variable {name} holds a key, a signature or a connection"
            " string of a storage account",
            hint="such a value is sent to storage alone; use a variable of its own",
        )


async def run(
    argv: Sequence[str],
    asked: bytes,
    *,
    environ: Mapping[str, str],
    seconds: float,
    doing: str,
    slow: str = "",
    failed: str = "",
    long: str = "",
) -> bytes:
    """What it printed.

    Args:
        asked: for its standard input; it need not read it.
        environ: its whole environment.
        seconds: from its start to its end.
        doing: completes "cannot ...".
        slow, failed, long: what to do next where it takes too long, exits otherwise than with 0, or prints too much.
    Raises:
        Unreachable: it takes too long.
        NotStarted: it cannot be started.
        CloudError: it prints too much, or fails.
    """
    process = await _start(argv, environ)
    try:
        async with asyncio.timeout(seconds):
            output, _ = await asyncio.gather(_read(process, doing, long), _write(process, asked))
            code = await process.wait()
    except TimeoutError:
        raise Unreachable(f"cannot {doing}: it did not end within {seconds:g} s", hint=slow) from None
    finally:
        await _end(process)
    if code != 0:
        how = f"exited with {code}" if code > 0 else f"was killed by signal {-code}"
        raise CloudError(f"cannot {doing}: it {how}", hint=failed)
    return output


async def _start(argv: Sequence[str], environ: Mapping[str, str]) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            env=dict(environ),
        )
    except (OSError, ValueError) as failure:
        why = failure.strerror.lower() if isinstance(failure, OSError) and failure.strerror else "not a command"
        raise NotStarted(
            f"cannot run the command {os.path.basename(argv[0])}: {why}", hint="correct its argv in the plan"
        ) from failure


async def _read(process: asyncio.subprocess.Process, doing: str, long: str) -> bytes:
    assert process.stdout is not None
    output = bytearray()
    while chunk := await process.stdout.read(64 * 1024):
        output += chunk
        if len(output) > MOST_BYTES:
            raise CloudError(f"cannot {doing}: it printed more than {MOST_BYTES:,} bytes", hint=long)
    return bytes(output)


async def _write(process: asyncio.subprocess.Process, asked: bytes) -> None:
    """It need not read the question, and may have ended without it."""
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):
        if not process.stdin.is_closing():  # uvloop takes no write after the end of the pipe was seen
            process.stdin.write(asked)
            await process.stdin.drain()
    process.stdin.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill it and what it started, unless it has ended by itself; the session it began is its group. Its pipes are read to
    their end, so that nothing of it stays open here."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    if process.returncode is None or not process.stdout.at_eof():
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):  # what left the session may still hold a pipe
        async with asyncio.timeout(END_SECONDS):
            while await process.stdout.read(64 * 1024):
                pass
            await process.wait()
