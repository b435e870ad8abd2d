"""Row 3: comparing two identical sides by what their listings show, beside ``rclone check``.

Ours uses the plan and the state of a copy that has ended, made once and not timed. A run counts if it ends with "equal" and
asked for both sides' whole listings.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.benchmarks import contestants, ideal, nginx
from tests.benchmarks.contestants import CONCURRENCIES, Ended, Job
from tests.benchmarks.listing import PAGE
from tests.benchmarks.measure import Claim, Row, Sample, best, rate, take_turns
from tests.benchmarks.rows import Bench
from tests.benchmarks.rows.copying import job_for

OBJECTS = 50_000
RUNS = 3


def attributes(bench: Bench) -> list[Row]:
    objects = bench.count(OBJECTS)
    folder = bench.room("ideal")
    ideal.prepare(folder, objects)
    with ideal.running(bench.tools.nginx, folder) as server:
        copied = contestants.migrate_copy(job_for(bench, server, None))
    if copied.fault:
        raise RuntimeError(f"cannot prepare the comparison: {copied.fault}")
    prepared = copied.folder.rename(bench.room("verify") / f"copied-{copied.folder.stat().st_mtime_ns}")
    run = partial(_one_run, bench, folder, objects)
    contests: dict[str, Callable[[], Sample]] = {
        "migrate": partial(run, partial(contestants.migrate_verify, prepared=prepared))
    }
    for concurrency in CONCURRENCIES:
        contests[f"rclone {concurrency}"] = partial(run, partial(contestants.rclone_check, concurrency=concurrency))
    figures = take_turns(contests, bench.turns(RUNS), row="verify")
    ours = figures.pop("migrate")
    fastest = best(figures, "", rate, least=False)
    claim = Claim(
        "objects/s of rclone check --fast-list", "at least", 2.0, rate(ours) / rate(fastest), note=fastest.name
    )
    return [Row("3", "verify by attributes, identical sides", objects, (ours, *figures.values()), (claim,))]


def _one_run(bench: Bench, folder: Path, objects: int, contest: Callable[[Job], Ended]) -> Sample:
    with ideal.running(bench.tools.nginx, folder, target="full") as server:
        ended = contest(job_for(bench, server, None))
    return Sample.of(ended.timing, objects, ended.fault or _fault(folder, objects))


def _fault(folder: Path, objects: int) -> str:
    wanted = -(-objects // PAGE)
    pages = {f"/{side}/{ideal.CONTAINER}": 0 for side in ("source", "target")}
    for one in nginx.asked(folder):
        place = one.path.rstrip("/")
        if one.comp == "list" and one.status == 200 and place in pages:
            pages[place] += 1
    short = [place for place, count in pages.items() if count < wanted]
    return f"only {min(pages.values())} pages of {short[0]} were read, not {wanted}" if short else ""
