"""``python -m migrator.testing.simulation --seeds 1000 [--start N] [--breakage NAME] [--show SEED]``.

Prints seeds a second and every broken promise with its seed; exits 1 if there was one. Rule: the same seed is the same story in
every process, so the hash seed of the interpreter is fixed first.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from migrator.testing.simulation.scenario import Report, run


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m migrator.testing.simulation")
    parser.add_argument("--seeds", type=int, default=100, help="how many stories")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--breakage", help="break something on purpose (a name of tests/simulation/breakages.py)")
    parser.add_argument("--show", type=int, metavar="SEED", help="print one story, effect by effect")
    parser.add_argument("--stop-after", type=int, default=0, metavar="N", help="stop after so many failing seeds")
    wanted = parser.parse_args(argv)
    breakage = _breakage(wanted.breakage)
    if wanted.show is not None:
        return _show(run(wanted.show, breakage=breakage))
    return _many(range(wanted.start, wanted.start + wanted.seeds), breakage, wanted.stop_after)


def _breakage(name: str | None) -> Callable[[], Any] | None:
    """Breakages live beside the tests; they are found when the checkout is the working directory."""
    if name is None:
        return None
    sys.path.insert(0, os.getcwd())
    known: dict[str, Callable[[], Any]] = importlib.import_module("tests.simulation.breakages").BREAKAGES
    if name not in known:
        raise SystemExit(f"there is no breakage {name}; known: {', '.join(known)}")
    return known[name]


def _show(report: Report) -> int:
    for at, *facts in report.history:
        print(f"{at:12.6f}", *facts)
    for violation in report.violations:
        print(violation)
    print(f"digest {report.digest}")
    return 1 if report.violations else 0


def _many(seeds: range, breakage: Callable[[], Any] | None, stop_after: int) -> int:
    begun = time.process_time()
    failing, unfinished, done = 0, 0, 0
    kinds: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for seed in seeds:
        report = run(seed, breakage=breakage)
        done += 1
        unfinished += report.is_unfinished
        totals.update(report.figures)
        if report.violations:
            failing += 1
            kinds.update({violation.invariant for violation in report.violations})
            print(f"seed {seed}: {report.violations[0]}", flush=True)
            if len(report.violations) > 1:
                print(f"    and {len(report.violations) - 1} more")
        if stop_after and failing >= stop_after:
            break
    seconds = time.process_time() - begun
    print(f"{done} seeds, {done / seconds:.1f} a second; {failing} with violations; {unfinished} unfinished")
    print("a seed on average: " + ", ".join(f"{name} {total / done:.1f}" for name, total in totals.items()))
    for kind, count in kinds.most_common():
        print(f"  {kind}: {count} seeds")
    return 1 if failing else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        again = [sys.executable, "-m", "migrator.testing.simulation", *sys.argv[1:]]
        os.execv(sys.executable, again)
    raise SystemExit(main(sys.argv[1:]))
