"""``make demo``: the whole product in about a minute, on embedded accounts of this machine.

Fills the sources of ``plans/quickstart.yaml``, shows the plan, applies it while writers that use ``migrator.client`` never
stop, shows status and routes, and then lets an audit compare every acknowledged write with the accounts. Every step is the
installed command, as an operator would type it. The last line is the audit's. Only ``state/demo`` is touched.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from migrator.adapters.own_processes import command, environment

PLAN: Final = Path("plans/quickstart.yaml")
OBJECTS: Final = 2000
WRITERS: Final = (
    ("north-america", "web-tracking", "web-visits", ""),
    ("north-america", "email-events", "events", "email/"),
    ("europe", "image-manager", "images", ""),
    ("asia-pacific", "campaign-automation", "participants", ""),
)
"""(region, area, container, prefix) of each writer: one in every area, one or more in every region."""


def main() -> int:
    root = Path.cwd()
    if not (root / PLAN).is_file():
        print(f"error: cannot find {PLAN}; run the demo from the project's folder", file=sys.stderr)
        return 1
    place = root / "state" / "demo"
    shutil.rmtree(place, ignore_errors=True)
    (place / "state").mkdir(parents=True)
    shutil.copy(root / PLAN, place / PLAN.name)
    os.chdir(place)
    say("Three regions keep everything in one account each. Fill them with realistic objects.")
    migrate("sample", PLAN.name, "--objects", str(OBJECTS))
    say("What would happen? The preview reads both sides and writes nothing.")
    migrate("plan", PLAN.name)
    say("Customers begin to write, and never stop: four writers that follow the routes.")
    writers, logs = start_writers()
    try:
        say("Apply: copy, catch up, fence, verify, switch, soak; wave after wave.")
        migrate("apply", PLAN.name, "--yes")
        time.sleep(2)  # a little more life on the new accounts
    finally:
        for writer in writers:
            writer.send_signal(signal.SIGTERM)
        for writer in writers:
            writer.wait(timeout=30)
    say("Where is everything now?")
    migrate("status", PLAN.name)
    migrate("routes", PLAN.name)
    say("The audit: every acknowledged write against the account that the route names.")
    audit = [*command("migrator.testing.audit"), "--routes", "state/routes.json", "--log", *logs]
    return subprocess.run(audit, env=environment(), check=False).returncode


def start_writers() -> tuple[list[subprocess.Popen[bytes]], list[str]]:
    """They wait for the first route record, so they can begin before the apply does."""
    writers, logs = [], []
    for seed, (region, area, container, prefix) in enumerate(WRITERS, start=1):
        log = f"state/writer-{seed}.jsonl"
        argv = [*command("migrator.testing.writer"), "--routes", "state/routes.json", "--log", log]
        argv += ["--region", region, "--area", area, "--container", container, "--prefix", prefix]
        argv += ["--seconds", "300", "--rate", "20", "--seed", str(seed)]
        writers.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, env=environment()))
        logs.append(log)
    return writers, logs


def migrate(*words: str) -> None:
    print(f"\n$ migrate {' '.join(words)}", flush=True)
    installed = Path(sys.executable).parent / "migrate"
    done = subprocess.run([str(installed), *words], stdin=subprocess.DEVNULL, env=environment(), check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def say(text: str) -> None:
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
