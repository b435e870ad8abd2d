"""`python -m tests.coverage REPORT [--raise]`: the report of `coverage json` by room; exit 1 below a floor.

With `--raise` floors rise to what was measured. None is ever lowered: whoever has a reason edits `floors.json` and says why.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.coverage import floors


def main(report: str, *options: str) -> int:
    measured = floors.figures(json.loads(Path(report).read_text()))
    if "--raise" in options:
        floors.write(floors.raised(measured, floors.read()))
    wanted = floors.read()
    print(f"{'room':<12}{'covered':>9}{'floor':>8}{'not run':>9}")
    for room, figure in measured.items():
        print(f"{room:<12}{figure.percent:>8.1f}%{wanted.get(room, 0):>7}%{figure.all - figure.ran:>9}")
    found = floors.faults(measured, wanted)
    print(*found, sep="\n", file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
