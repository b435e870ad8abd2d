"""Run one program to its end and say what it cost: seconds, CPU seconds and memory of it and all its children.

Decides what counts: wall time from the start of the process to its end, CPU by the kernel's account of every process that
descends from it (also of those it left behind), memory as the sum of the resident sets that live at the same moment.
Rule: nothing of a run outlives it, and a run that takes too long is ended and does not count.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_SECONDS = 0.1
"""Memory is looked at so often. The kernel's own maximum (ru_maxrss) begins with what the *parent* had, so it tells nothing."""
LEFT_BEHIND_SECONDS = 10.0
"""How long a child may take to notice that its parent has ended."""
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Timing:
    """``peak_bytes``: of all processes together; ``largest_bytes``: the most that one of them ever had."""

    code: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    largest_bytes: int
    processes: int
    out: Path
    err: Path

    def last_words(self) -> str:
        """The end of what it said, for a failure's message."""
        said = [file.read_text(errors="replace").strip()[-600:] for file in (self.out, self.err)]
        return " | ".join(text.replace("\n", " / ") for text in said if text)


@dataclass(slots=True)
class _Family:
    """The processes that descend from one, as far as they were seen."""

    root: int
    seen: set[int] = field(default_factory=set)
    peak_bytes: int = 0
    largest_bytes: int = 0

    def look(self) -> None:
        self.seen.add(self.root)
        waiting, alive = list(self.seen), 0
        looked: set[int] = set()
        while waiting:
            pid = waiting.pop()
            if pid in looked:
                continue
            looked.add(pid)
            with contextlib.suppress(OSError, ValueError):
                resident, most = _memory(pid)
                alive += resident
                self.largest_bytes = max(self.largest_bytes, most)
                children = _children(pid)
                self.seen.update(children)
                waiting.extend(children)
        self.peak_bytes = max(self.peak_bytes, alive)


def run(
    command: Sequence[str], folder: Path, *, environ: Mapping[str, str], limit_seconds: float, cwd: Path | None = None
) -> Timing:
    """Start it, wait for its end, reap what it left behind."""
    with _adopting_orphans():
        return _run(command, folder, environ, limit_seconds, cwd or folder)


def _run(command: Sequence[str], folder: Path, environ: Mapping[str, str], limit_seconds: float, cwd: Path) -> Timing:
    out, err = folder / "out", folder / "err"
    others = set(_children(os.getpid()))
    begun = time.perf_counter()
    with out.open("wb") as out_file, err.open("wb") as err_file:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=out_file,
            stderr=err_file,
            env=dict(environ),
            cwd=cwd,
            start_new_session=True,
        )
    family, over = _Family(process.pid), threading.Event()
    sampler = threading.Thread(target=_sample, args=(family, over), daemon=True)
    sampler.start()
    limit = threading.Timer(limit_seconds, _end, args=(process.pid,))
    limit.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        _end(process.pid)
        raise
    finally:
        limit.cancel()
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime + _reap(others)
    over.set()
    sampler.join()
    peak, largest = max(family.peak_bytes, family.largest_bytes), family.largest_bytes
    return Timing(process.returncode, seconds, cpu, peak, largest, len(family.seen), out, err)


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


@contextlib.contextmanager
def _adopting_orphans() -> Iterator[None]:
    """What a run leaves behind becomes a child of ours meanwhile, so its CPU is known and it can be ended."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _sample(family: _Family, over: threading.Event) -> None:
    while not over.wait(SAMPLE_SECONDS):
        family.look()


def _reap(others: set[int]) -> float:
    """CPU seconds of what became ours since: all our children but those that were there before. Waits for their end, and
    ends what does not end by itself."""
    cpu, deadline = 0.0, time.monotonic() + LEFT_BEHIND_SECONDS
    while left := set(_children(os.getpid())) - others:
        for pid in left:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            done, _, usage = os.wait4(pid, os.WNOHANG)
            if done:
                cpu += usage.ru_utime + usage.ru_stime
        time.sleep(0.01)
    return cpu


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # threads come and go
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _memory(pid: int) -> tuple[int, int]:
    """Bytes resident now, and the most there ever were."""
    found = {"VmRSS": 0, "VmHWM": 0}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in found:
            found[name] = int(rest.split()[0]) * 1024
    return found["VmRSS"], found["VmHWM"]
