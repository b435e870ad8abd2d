"""Many stories, in one process or shared among several. Each is told by its seed alone, so it does not matter where."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from migrator.testing.simulation.cases import Violation
from migrator.testing.simulation.scenario import run

CHUNK = 25
"""Stories that one process tells at a time."""


def breakage_of(name: str | None) -> Callable[[], Any] | None:
    """Breakages live beside the tests; they are found when the checkout is the working directory."""
    if name is None:
        return None
    sys.path.insert(0, os.getcwd())
    known: dict[str, Callable[[], Any]] = importlib.import_module("tests.simulation.breakages").BREAKAGES
    if name not in known:
        raise SystemExit(f"there is no breakage {name}; known: {', '.join(known)}")
    return known[name]


@dataclass(slots=True)
class Told:
    """What a report needs of one story, small enough to come from another process."""

    seed: int
    violations: tuple[Violation, ...]
    is_unfinished: bool
    figures: dict[str, float]
    reached: Counter[str]
    excused: Counter[str]


def tell(seeds: Sequence[int], breakage: str | None, theme: str = "") -> tuple[list[Told], float]:
    """Some stories, and the CPU seconds they took. Runs in a process of its own, or in this one."""
    if not gc.get_freeze_count():
        gc.freeze()  # the modules are no garbage: nobody need look at them after each story
    begun = time.process_time()
    told = []
    for seed in seeds:
        report = run(seed, breakage=breakage_of(breakage), theme=theme)
        told.append(Told(seed, report.violations, report.is_unfinished, report.figures, report.reached, report.excused))
    return told, time.process_time() - begun


def stories(seeds: range, breakage: str | None, processes: int, theme: str = "") -> Iterator[tuple[list[Told], float]]:
    """All ``seeds`` in order, some at a time, with the CPU seconds each lot took."""
    chunks = [seeds[begin : begin + CHUNK] for begin in range(0, len(seeds), CHUNK)]
    if processes == 1:
        yield from (tell(chunk, breakage, theme) for chunk in chunks)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        coming = [pool.submit(tell, chunk, breakage, theme) for chunk in chunks]
        try:
            for one in coming:
                yield one.result()
        finally:
            for one in coming:
                one.cancel()
