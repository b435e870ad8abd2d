"""``python -m tests.mutants [--only NAME ...] [--processes N] [--shard I/N] [--discover]``: how many mistakes are caught.

Exits 1 if fewer than 95 % are caught, if a mutant that is not argued for survives, or if a trial was worth nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.trial import Outcome, copy_of_the_project, run_tests, try_mutant

WANTED = 0.95
"""The share of all mutants, those that are argued for included, that must be caught."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these mutants alone")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="mutants tried side by side")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="the I-th of N parts of the catalogue")
    wanted = parser.parse_args()
    part, parts = (int(number) for number in wanted.shard.split("/"))
    mutants = [mutant for mutant in MUTANTS if not wanted.only or mutant.name in wanted.only][part - 1 :: parts]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies = [copy_of_the_project(Path(folder) / str(number)) for number in range(wanted.processes)]
        if not _is_green(copies[0], mutants):
            return 1
        outcomes = list(_outcomes([mutant for mutant in mutants if not mutant.survives], copies))
    return _report(mutants, outcomes, time.monotonic() - begun)


def _is_green(copy: Path, mutants: Sequence[Mutant]) -> bool:
    """Tests that fail without any mutant would catch them all."""
    tests = sorted({test for mutant in mutants for test in mutant.caught_by})
    red = [test for test in tests if run_tests(copy, (test,)) != 0]
    if red:
        print("cannot try mutants: these tests fail without any; run them first:", *red)
    return not red


def _outcomes(mutants: Sequence[Mutant], copies: Sequence[Path]) -> Iterator[Outcome]:
    idle: SimpleQueue[Path] = SimpleQueue()
    for copy in copies:
        idle.put(copy)

    def one(mutant: Mutant) -> Outcome:
        copy = idle.get()
        try:
            return try_mutant(mutant, copy)
        finally:
            idle.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        for outcome in pool.map(one, mutants):
            if outcome.broken:
                print(f"BROKEN   {outcome.mutant.name}: {outcome.broken}", flush=True)
            elif not outcome.caught_by:
                print(f"SURVIVES {outcome.mutant.name}: {outcome.mutant.mistake}", flush=True)
            else:
                print(f"caught   {outcome.mutant.name}: by {outcome.caught_by}", flush=True)
            yield outcome


def _report(mutants: Sequence[Mutant], outcomes: Sequence[Outcome], seconds: float) -> int:
    argued = [mutant for mutant in mutants if mutant.survives]
    for mutant in argued:
        print(f"argued   {mutant.name}: {mutant.survives}")
    caught = sum(bool(outcome.caught_by) for outcome in outcomes)
    share = caught / len(mutants) if mutants else 1.0
    broken = sum(bool(outcome.broken) for outcome in outcomes)
    unseen = len(outcomes) - caught - broken
    print(
        f"{len(mutants)} mutants: {caught} caught ({share:.1%}, wanted {WANTED:.0%}), {unseen} survive unseen,"
        f" {len(argued)} argued, {broken} trials broken; {seconds:.0f} s"
    )
    return 1 if unseen or broken or share < WANTED else 0


if __name__ == "__main__":
    raise SystemExit(main())
