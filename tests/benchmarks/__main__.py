"""``python -m tests.benchmarks``: run rows of the table and print it; ``make bench`` sets everything up first.

Ends with 0 if every run counted, whatever the ratios are, and with 1 if one did not: a number that does not count is an
error of the measurement, a promise that is missed is its result. ``--strict`` makes both an error.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.install import find
from tests.benchmarks.measure import Row
from tests.benchmarks.rows import USUAL, Bench, rows

ROOM = Path(__file__).resolve().parent.parent.parent / ".build" / "benchmarks"


def main(arguments: list[str]) -> int:
    asked = _parser().parse_args(arguments)
    makers, begun, load = rows(), time.time(), os.getloadavg()[0]
    bench = Bench(find(), asked.folder.resolve(), asked.objects, asked.runs, asked.peers_at)
    bench.folder.mkdir(parents=True, exist_ok=True)
    done: list[Row] = []
    for name in asked.rows:
        done += makers[name](bench)
        report.write(asked.json or bench.folder / "results.json", done, bench.tools, begun=begun, load=load)
    print(report.table(done))
    missed = any(claim.verdict != "met" for row in done for claim in row.claims)
    return 1 if any(row.has_faults for row in done) or (asked.strict and missed) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure migrate beside its peers.")
    parser.add_argument("--rows", type=_names, default=list(USUAL), help=f"comma-separated, of: {', '.join(rows())}")
    parser.add_argument("--objects", type=int, help="instead of each row's own number")
    parser.add_argument("--runs", type=int, help="instead of each row's own number")
    parser.add_argument("--peers-at", type=_numbers, help="requests under way of each peer, comma-separated (distance)")
    parser.add_argument("--json", type=Path, help="where the results go; default .build/benchmarks/results.json")
    parser.add_argument("--folder", type=Path, default=ROOM, help="where runs leave their files")
    parser.add_argument("--strict", action="store_true", help="fail if a promise is missed")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in text.split(","))


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in rows()]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no row {unknown[0]}; there are {', '.join(rows())}")
    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
