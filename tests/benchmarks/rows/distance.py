"""Row 6: copy and verify against a server that takes 20 ms for a copy and 200 ms for a page of a listing.

Nothing is scarce here but time on the way, so this row shows how well a tool keeps a distant service busy. Peers run with 64 to
512 transfers. A run counts as in rows 1 and 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.benchmarks import contestants, distant, nginx
from tests.benchmarks.contestants import Ended
from tests.benchmarks.ideal import CONTAINER, copies_of
from tests.benchmarks.listing import PAGE
from tests.benchmarks.measure import Claim, Row, Sample, best, cpu, rate, take_turns
from tests.benchmarks.rows import Bench
from tests.benchmarks.rows.copying import fault_of, job_for

COPIED = 50_000
VERIFIED = 400_000
RUNS = 3
TRANSFERS = (64, 128, 256, 512)


def there(bench: Bench) -> list[Row]:
    return [_copy(bench), _verify(bench)]


def _copy(bench: Bench) -> Row:
    objects = bench.count(COPIED)
    folder = bench.room("distant")
    distant.prepare(folder, objects)
    run = partial(_copy_once, bench, folder, objects)
    contests: dict[str, Callable[[], Sample]] = {"migrate": partial(run, contestants.migrate_copy, is_ours=True)}
    for transfers in bench.transfers(TRANSFERS):
        contests[f"azcopy {transfers}"] = partial(run, partial(contestants.azcopy_copy, concurrency=transfers))
        contests[f"rclone {transfers}"] = partial(run, partial(contestants.rclone_copy, concurrency=transfers))
    figures = take_turns(contests, bench.turns(RUNS), row="distance")
    ours = figures.pop("migrate")
    fastest, leanest = best(figures, "", rate, least=False), best(figures, "", cpu, least=True)
    claims = (
        Claim("objects/s of the faster peer", "at least", 3.0, rate(ours) / rate(fastest), note=fastest.name),
        Claim("CPU an object of the leaner peer", "at most", 1.0, cpu(ours) / cpu(leanest), note=leanest.name),
    )
    return Row("6", "server-side copy at a distance", objects, (ours, *figures.values()), claims)


def _copy_once(
    bench: Bench, folder: Path, objects: int, contest: Callable[[contestants.Job], Ended], *, is_ours: bool = False
) -> Sample:
    with distant.running(bench.tools.nginx, folder) as server:
        ended = contest(job_for(bench, server, None))
    fault = ended.fault or fault_of(copies_of(folder), objects, is_ours=is_ours)
    return Sample.of(ended.timing, objects, fault)


def _verify(bench: Bench) -> Row:
    objects = bench.count(VERIFIED)
    folder = bench.room("distant-verify")
    distant.prepare(folder, objects)
    prepared = copied(bench, folder)
    run = partial(_verify_once, bench, folder, objects)
    contests: dict[str, Callable[[], Sample]] = {
        "migrate": partial(run, partial(contestants.migrate_verify, prepared=prepared))
    }
    for transfers in bench.transfers(TRANSFERS[::3]):  # a check lists; more transfers list no faster
        contests[f"rclone {transfers}"] = partial(run, partial(contestants.rclone_check, concurrency=transfers))
    figures = take_turns(contests, bench.turns(RUNS), row="distance-verify")
    ours = figures.pop("migrate")
    fastest = best(figures, "", rate, least=False)
    one_by_one = PAGE / distant.PAGE_SECONDS
    claims = (
        Claim("objects/s of rclone check --fast-list", "at least", 5.0, rate(ours) / rate(fastest), note=fastest.name),
        Claim("of what one page after the other allows", "at least", 4.0, rate(ours) / one_by_one),
    )
    return Row("6", "verify by attributes at a distance", objects, (ours, *figures.values()), claims)


def copied(bench: Bench, folder: Path, *, name: str = "distant-copied") -> Path:
    """The folder of a copy that has ended, made without any distance, whose state others go on from."""
    with distant.running(bench.tools.nginx, folder, copy_seconds=0, page_seconds=0) as server:
        ended = contestants.migrate_copy(replace(job_for(bench, server, None), limit_seconds=3600.0))
    if ended.fault:
        raise RuntimeError(f"cannot prepare the row: {ended.fault}")
    return ended.folder.rename(bench.room(name) / f"{ended.folder.stat().st_mtime_ns}")


def _verify_once(bench: Bench, folder: Path, objects: int, contest: Callable[[contestants.Job], Ended]) -> Sample:
    with distant.running(bench.tools.nginx, folder, target="full") as server:
        ended = contest(job_for(bench, server, None))
    return Sample.of(ended.timing, objects, ended.fault or _fault(folder, objects))


def _fault(folder: Path, objects: int) -> str:
    """Were both sides' whole listings asked for? In whatever pieces."""
    least = -(-objects // PAGE)
    pages = {f"/{side}/{CONTAINER}": 0 for side in ("source", "target")}
    for one in nginx.asked(folder):
        place = one.path.rstrip("/")
        if one.comp == "list" and one.status == 200 and place in pages:
            pages[place] += 1
    short = [place for place, count in pages.items() if count < least]
    return f"only {min(pages.values())} pages of {short[0]} were read, not {least}" if short else ""
