"""``python -m tests.fuzz SECONDS [TARGET ...] [--seed N]``: each for its share of the seconds; exit 1 if one is not clean.

What goes wrong is written into the corpus and shown with its traceback.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz.running import keep, run
from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("seconds", type=float, help="for all targets together")
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], help="default: all")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: another one each time")
    asked = parser.parse_args()
    names = asked.targets or list(TARGETS)
    print(f"seed {asked.seed}, {len(names)} targets, {asked.seconds:g} s", flush=True)
    is_clean = True
    for name in names:
        report = run(TARGETS[name](), asked.seconds / len(names), asked.seed)
        print(report.line(), flush=True)
        for place, (item, trace) in report.crashes.items():
            print(f"-- {place}: {item[:300]!r}\n{trace}", flush=True)
        for path in keep(report):
            print(f"-- kept as {path}", flush=True)
        is_clean = is_clean and report.is_clean
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
