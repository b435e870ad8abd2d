"""Row 8: how long the comparison of a barrier takes for 10^8 objects in 10^4 ranges of evidence, in simulated time.

No network and no waiting: accounts that make up their names, and a clock that jumps (``simulated_lanes``). Pages and ranges are
thinned out to a hundredth of their names, so that pages, ranges and lanes are as many as they are, and a run ends within two
minutes. What a name costs one process is measured; a comparison takes the longer of both times. How many lanes a rollout really
has under way is bounded by the memory for their pages (``Sizes.names_listed``).
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial

from tests.benchmarks.measure import Claim, Row, Sample, take_turns
from tests.benchmarks.rows import Bench

OBJECTS, THINNED = 100_000_000, 100
RANGE, PAGE = 10_000, 5_000
RUNS = 1
WANTED = {64: 70.0, 256: 20.0}
"""Seconds for all objects, by lanes."""
FLAT = 1.2
BEGINNING_SECONDS = 2.0
"""The containers, the first pages, and lanes that end with a part of one: what fewer objects take too."""


def of_a_barrier(bench: Bench) -> list[Row]:
    objects = bench.count(OBJECTS)
    ranges = max(4, objects // RANGE)
    contests = {f"{lanes} lanes": partial(_run, ranges, lanes) for lanes in WANTED}
    contests["64 lanes, a quarter of it"] = partial(_run, ranges // 4, 64)
    figures = take_turns(contests, bench.turns(RUNS), row="lanes")
    claims = []
    for lanes, most in WANTED.items():
        one = figures[f"{lanes} lanes"]
        seconds = ranges * RANGE / THINNED / one.objects_per_second
        note = f"and {one.cpu_us_per_object:.1f} us CPU a name in one process"
        wanted = most if objects >= OBJECTS else most * objects / OBJECTS + BEGINNING_SECONDS
        claims.append(Claim(f"the comparison, {lanes} lanes", "at most", wanted, seconds, " s", note))
    few, many = figures["64 lanes, a quarter of it"], figures["64 lanes"]
    claims.append(Claim("memory beside a quarter of the objects", "at most", FLAT, many.peak_mib / few.peak_mib))
    title = f"simulated barrier over {objects:,} objects in {ranges:,} ranges, 0.2 s a page"
    return [Row("8", title, objects, tuple(figures.values()), tuple(claims))]


def _run(ranges: int, lanes: int) -> Sample:
    sizes = {"ranges": ranges, "names": RANGE // THINNED, "page": PAGE // THINNED, "lanes": lanes}
    words = [word for key, number in sizes.items() for word in (f"--{key}", str(number))]
    command = [sys.executable, "-m", "tests.benchmarks.simulated_lanes", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    objects = ranges * RANGE // THINNED
    if done.returncode:
        return Sample(objects, 1.0, 0.0, 0, 0, 1, fault=done.stderr.strip()[-200:] or f"exit {done.returncode}")
    said = json.loads(done.stdout)
    peak = int(said["peak_bytes"])
    return Sample(objects, said["seconds"], said["cpu_seconds"], peak, peak, 1)
