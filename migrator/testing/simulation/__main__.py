"""``python -m migrator.testing.simulation --seeds 1000 [--start N] [--processes N] [--breakage NAME] [--theme NAME]
[--show SEED]``.

Prints every broken promise with its seed, and seeds a second; exits 1 if there was one, or a story without an end. Rule: the
same seed is the same story in every process, so the hash seed of the interpreter is fixed first.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter

from migrator.testing.simulation.history import Report
from migrator.testing.simulation.many import breakage_of, stories
from migrator.testing.simulation.reach import ARGUED, never
from migrator.testing.simulation.scenario import run
from migrator.testing.simulation.themes import THEMES


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m migrator.testing.simulation")
    parser.add_argument("--seeds", type=int, default=100, help="how many stories")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--breakage", help="break something on purpose (a name of tests/simulation/breakages.py)")
    parser.add_argument("--show", type=int, metavar="SEED", help="print one story, effect by effect")
    parser.add_argument("--stop-after", type=int, default=0, metavar="N", help="stop after so many failing seeds")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="share the stories among N processes")
    parser.add_argument("--theme", default="", choices=THEMES, help="stories in which one trouble comes often")
    wanted = parser.parse_args(argv)
    if wanted.show is not None:
        return _show(run(wanted.show, breakage=breakage_of(wanted.breakage), theme=wanted.theme))
    seeds = range(wanted.start, wanted.start + wanted.seeds)
    return _many(seeds, wanted.breakage, wanted.stop_after, wanted.processes, wanted.theme)


def _show(report: Report) -> int:
    for at, *facts in report.history:
        print(f"{at:12.6f}", *facts)
    for violation in report.violations:
        print(violation)
    print(f"digest {report.digest}")
    return 1 if report.violations else 0


def _many(seeds: range, breakage: str | None, stop_after: int, processes: int, theme: str) -> int:
    seconds, done, failing, unfinished = 0.0, 0, 0, 0
    kinds: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    reached: Counter[str] = Counter()
    excused: Counter[str] = Counter()
    for told, took in stories(seeds, breakage, processes, theme):
        seconds += took
        for one in told:
            done += 1
            totals.update(one.figures)
            reached.update(one.reached)
            excused.update(one.excused)
            if one.is_unfinished:
                unfinished += 1
                print(f"seed {one.seed}: unfinished", flush=True)
            if one.violations:
                failing += 1
                kinds.update({violation.invariant for violation in one.violations})
                more = f" (and {len(one.violations) - 1} more)" if len(one.violations) > 1 else ""
                print(f"seed {one.seed}: {one.violations[0]}{more}", flush=True)
        if stop_after and failing >= stop_after:
            break
    print(f"{done} seeds; {failing} with violations; {unfinished} unfinished; {done / seconds:.1f} seeds/s per core")
    print("a seed on average: " + ", ".join(f"{name} {total / done:.1f}" for name, total in totals.items()))
    print(f"{totals['switches']} switches; {totals['judged by all laws']} judged by all laws")
    if excused:
        print("excuses: " + ", ".join(f"{name} {count}" for name, count in excused.most_common()))
    blind = [one for one in never(reached) if one not in ARGUED]
    print(f"never reached: {', '.join(blind) or 'nothing'} (and {len(ARGUED)} that need not be)")
    for kind, count in kinds.most_common():
        print(f"  {kind}: {count} seeds")
    return 1 if failing or unfinished else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        again = [
            sys.executable,
            *(["-P"] if sys.flags.safe_path else []),
            "-m",
            "migrator.testing.simulation",
            *sys.argv[1:],
        ]
        os.execv(sys.executable, again)
    raise SystemExit(main(sys.argv[1:]))
