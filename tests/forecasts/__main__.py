"""``python -m tests.forecasts``: every shape is applied, and what was forecast is printed beside what came of it.

Ends with 1 if fewer than nine of ten runs were within 20 % in copy time, pause and requests.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.forecasts.judging import Run, enough, table
from tests.forecasts.running import one_run
from tests.forecasts.shapes import SHAPES

ROOM = Path(__file__).resolve().parent.parent.parent / ".build" / "forecasts"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.forecasts", description="Hold forecasts against outcomes.")
    parser.add_argument("--shapes", default=",".join(SHAPES), help="some of them, by comma")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each shape")
    asked = parser.parse_args(arguments)
    runs = []
    for number in range(1, asked.rounds + 1):
        for shape in asked.shapes.split(","):
            print(f"{shape}, round {number} ...", file=sys.stderr, flush=True)
            runs.append(Run(shape, one_run(shape, ROOM / f"{shape.replace(' ', '-')}-{number}")))
    print(table(runs))
    return 0 if enough(runs) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
