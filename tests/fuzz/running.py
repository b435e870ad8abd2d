"""One target for some seconds: inputs are made, tried and judged, and what goes wrong is kept.

Decides what is wrong: an exception that the target does not promise, more than ``HANG_SECONDS`` for one input, more than
``GROWTH_MIB`` of memory gained. What was ever wrong lies in ``corpus/TARGET`` and is tried first, for ever.
"""

from __future__ import annotations

import hashlib
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

CORPUS: Final = Path(__file__).parent / "corpus"
HANG_SECONDS: Final = 2.0
GROWTH_MIB: Final = 500


class Hang(BaseException):
    """An input took longer than it may."""


@dataclass(slots=True)
class Target:
    """``make`` gives the next input as bytes, ``check`` tries it; ``refusals`` is what it may raise."""

    name: str
    make: Callable[[Random], bytes]
    check: Callable[[bytes], Any]
    refusals: tuple[type[BaseException], ...] = ()

    def kept(self) -> list[bytes]:
        """Inputs that once went wrong, and others worth trying each time."""
        folder = CORPUS / self.name
        return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.is_dir() else []


@dataclass(slots=True)
class Report:
    target: str
    seconds: float = 0.0
    inputs: int = 0
    refused: int = 0
    slow: int = 0
    large: int = 0
    slowest: float = 0.0
    crashes: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    """Place -> the smallest input that ends there, and the traceback."""

    @property
    def is_clean(self) -> bool:
        return not (self.crashes or self.slow or self.large)

    def line(self) -> str:
        return (
            f"{self.target:<14} {self.inputs:>9,} inputs {self.refused:>9,} refused {self.seconds:>6.1f} s"
            f" {len(self.crashes):>3} crashes {self.slow:>3} > {HANG_SECONDS:g} s {self.large:>3} > {GROWTH_MIB} MB"
            f"  slowest {self.slowest:.2f} s"
        )


def run(target: Target, seconds: float, seed: int) -> Report:
    """Try what is kept, then new inputs until the seconds are over. In the main thread: hangs are ended by a signal."""
    report, random = Report(target.name), Random(f"{seed}/{target.name}")
    before = signal.signal(signal.SIGALRM, _end)
    began = time.monotonic()
    try:
        for item in target.kept():
            _try(target, item, report)
        while time.monotonic() - began < seconds:
            _try(target, target.make(random), report)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        report.seconds = time.monotonic() - began
    return report


def keep(report: Report) -> Iterable[Path]:
    """Write what went wrong into the corpus, so that it is tried first from now on."""
    for item, _ in report.crashes.values():
        path = CORPUS / report.target / f"found-{hashlib.sha256(item).hexdigest()[:12]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item)
        yield path


def _try(target: Target, item: bytes, report: Report) -> None:
    report.inputs += 1
    memory, began = _resident_mib(), time.process_time()
    signal.setitimer(signal.ITIMER_REAL, 10 * HANG_SECONDS)  # of the clock; a busy machine is no fault of the input
    try:
        target.check(item)
    except target.refusals:
        report.refused += 1
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as fault:
        _note(report, fault, item)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    took = time.process_time() - began
    report.slowest = max(report.slowest, took)
    report.slow += took > HANG_SECONDS
    report.large += _resident_mib() - memory > GROWTH_MIB


def _note(report: Report, fault: BaseException, item: bytes) -> None:
    frames = traceback.extract_tb(fault.__traceback__)
    ours = [frame for frame in frames if "/migrator/" in frame.filename] or list(frames)
    place = f"{type(fault).__name__} at {Path(ours[-1].filename).name}:{ours[-1].lineno}"
    known = report.crashes.get(place)
    if known is None or len(item) < len(known[0]):
        report.crashes[place] = (item, "".join(traceback.format_exception(fault)))


def _resident_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _end(*_: object) -> None:
    raise Hang
