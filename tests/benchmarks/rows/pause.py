"""Row 7: how long a whole ``apply`` keeps writers waiting, where a page of a listing takes 200 ms.

A copy that has ended, made without any distance, goes on to its cut-over against the distant server: nothing changed since, or
1 % of the objects change when the route says read-only. What counts is the pause beside the drain, which no comparison can
shorten: from the fence to the switch by the journal, less the time between fenced and drained. A run counts if it ends in its
soak, and has copied exactly what changed.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks import contestants, distant, nginx, timed
from tests.benchmarks.contestants import WAITING, Job
from tests.benchmarks.measure import Claim, Row, Sample, take_turns
from tests.benchmarks.rows import Bench
from tests.benchmarks.rows.copying import job_for

RUNS = 3
EVERY = 100
"""Every so manieth object changes."""
LOOK_SECONDS = 0.02
CUTOVER = {"max_write": "1s", "clock_margin": "1s"}


@dataclass(frozen=True, slots=True)
class Shape:
    """``wanted``: seconds beside the drain, at most."""

    title: str
    objects: int
    containers: tuple[str, ...]
    wanted: float

    @property
    def total(self) -> int:
        return self.objects * len(self.containers)

    @property
    def changed(self) -> int:
        return -(-self.total // EVERY)


@dataclass(slots=True)
class Pauses:
    """Of the runs of one contestant, in their order: the whole pause, and the drain in it."""

    seconds: list[float] = field(default_factory=list)
    drains: list[float] = field(default_factory=list)

    @property
    def note(self) -> str:
        told = [f"{pause:.1f}" for pause in self.seconds]
        return f"pauses {', '.join(told)} s, drain {max(self.drains, default=0.0):.1f} s"


def _one(objects: int, wanted: float) -> Shape:
    return Shape(f"{objects:,} objects", objects, ("box-000",), wanted)


USUAL = (
    _one(10_000, 2.0),
    _one(100_000, 3.0),
    Shape("200 containers of 10", 10, tuple(f"box-{number:03}" for number in range(200)), 3.0),
)


def of_writers(bench: Bench) -> list[Row]:
    """``--objects N`` asks for one container of so many instead."""
    shapes = USUAL if bench.objects is None else (_one(bench.objects, _wanted(bench.objects)),)
    return [_row(bench, shape) for shape in shapes]


def _wanted(objects: int) -> float:
    return 2.0 if objects <= 10_000 else 3.0 if objects <= 100_000 else 8.0


def _row(bench: Bench, shape: Shape) -> Row:
    folder, port = bench.room(f"pause-{shape.total}-{len(shape.containers)}"), nginx.free_port()
    distant.prepare(folder, shape.objects, shape.containers)
    job = _prepared(bench, folder, port)
    still, moving = Pauses(), Pauses()
    run = partial(_run, bench, folder, port, job, shape)
    figures = take_turns(
        {"unchanged": partial(run, still, changed=0), "1 % changed": partial(run, moving, changed=shape.changed)},
        bench.turns(RUNS),
        row="pause",
    )
    claims = []
    for (name, one), pauses, wanted in zip(figures.items(), (still, moving), (1, 2), strict=True):
        seconds = shape.total / one.objects_per_second
        most = wanted * shape.wanted
        claims.append(Claim(f"the pause beside the drain, {name}", "at most", most, seconds, " s", note=pauses.note))
    return Row("7", f"pause of writers, {shape.title}", shape.total, tuple(figures.values()), tuple(claims))


def _write_plan(job: Job, folder: Path, *, is_held: bool) -> None:
    plan = json.loads(contestants.write_plan(job, folder).read_text())
    plan["areas"] = {"all": {"containers": [job.container]}}
    plan["cutover"] = {**CUTOVER, "hold": is_held}
    (folder / "plan.yaml").write_text(json.dumps(plan, indent=1))


def _prepared(bench: Bench, folder: Path, port: int) -> Job:
    """The job of a copy that has ended, in its folder."""
    with distant.running(bench.tools.nginx, folder, copy_seconds=0, page_seconds=0, port=port) as server:
        job = replace(job_for(bench, server, None), container="box-*", folder=folder / "runs")
        ended = _apply(bench, job, job.at("copied"), is_held=True)
    if ended.code != WAITING:
        raise RuntimeError(f"cannot prepare the row: exit {ended.code}: {ended.last_words()}")
    return job


def _apply(bench: Bench, job: Job, folder: Path, *, is_held: bool) -> timed.Timing:
    _write_plan(job, folder, is_held=is_held)
    command = [bench.tools.migrate, "apply", "plan.yaml", "--yes", "--no-wait"]
    return timed.run(command, folder, environ=contestants.our_environ(job), limit_seconds=3600.0)


def _run(bench: Bench, folder: Path, port: int, job: Job, shape: Shape, pauses: Pauses, *, changed: int) -> Sample:
    here = job.folder / "cut"
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(job.folder / "copied", here)
    with distant.running(bench.tools.nginx, folder, target="full", port=port) as server:
        with _changing(server, here / "routes.json") if changed else contextlib.nullcontext():
            timing = _apply(bench, job, here, is_held=False)
    entries = _journal(bench, job, here)
    fault = _fault(timing, entries, folder, changed)
    if fault:
        return Sample.of(timing, shape.total, fault)
    pause, drain = _pause(entries)
    pauses.seconds.append(pause)
    pauses.drains.append(drain)
    return replace(Sample.of(timing, shape.total), seconds=max(pause - drain, 1e-3))


@contextlib.contextmanager
def _changing(server: distant.Distant, routes: Path) -> Iterator[None]:
    """Let names change in the moment in which the route says read-only, as by writers that still hold their leases."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_SECONDS):
            if "read-only" in routes.read_text():
                server.now(changed=str(EVERY))
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _journal(bench: Bench, job: Job, folder: Path) -> list[Mapping[str, Any]]:
    command = [bench.tools.migrate, "history", "plan.yaml", "--json"]
    said = subprocess.run(
        command, cwd=folder, env=contestants.our_environ(job), capture_output=True, text=True, check=True
    )
    found: list[Mapping[str, Any]] = json.loads(said.stdout)["entries"]
    return found


def _pause(entries: list[Mapping[str, Any]]) -> tuple[float, float]:
    """The last fence, and the drain in it; seconds."""
    at = {entry["evidence"].get("event"): entry["at"] for entry in entries if entry["kind"] == "state-changed"}
    fenced, drained = (datetime.fromisoformat(at[event]) for event in ("fenced", "drained"))
    pause = next(entry["evidence"]["fence_seconds"] for entry in reversed(entries) if entry["kind"] == "switched")
    return pause, (drained - fenced).total_seconds()


def _fault(timing: timed.Timing, entries: list[Mapping[str, Any]], folder: Path, changed: int) -> str:
    if timing.code != WAITING or not any(entry["kind"] == "switched" for entry in entries):
        return f"exit {timing.code}, not switched: {timing.last_words()}"
    copied = sum(
        one.method == "PUT" and not one.comp and "/visit-" in one.path and one.path.startswith("/target/")
        for one in nginx.asked(folder)
    )
    return f"{copied:,} copies instead of {changed:,}" if copied != changed else ""
