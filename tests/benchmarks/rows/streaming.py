"""Row 5: through this machine, between two Azurites that cannot read from each other, beside rclone without server-side copy.

Small blobs and blobs of 64 MiB. A run counts with its proper end and a target that holds the same names, sizes and MD5s.
Every run gets a second Azurite of its own, as these keep in memory what they are given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.azurite import server
from tests.benchmarks import contestants, filling
from tests.benchmarks.contestants import CONCURRENCIES, Ended, Job, Side
from tests.benchmarks.measure import Claim, Row, Sample, best, rate, take_turns
from tests.benchmarks.rows import Bench
from tests.benchmarks.rows.azurite import difference, side_of

SMALL = 10_000
LARGE = 32
"""Both long enough that starting a process is a small part of it: these Azurites take some 800 small blobs a second, and 220
MiB. What precedes the first write of small blobs does not shrink beside more of them, since an Azurite sorts all it has for
every page of a listing."""
LARGE_BYTES = 64 * 1024 * 1024
LARGE_TRANSFERS = (4, 8, 16)
RUNS = 3
CONTAINER = "data"
ACCOUNTS = 3
OPTIONS = ("--disable", "copy")


def between_two(bench: Bench) -> list[Row]:
    small = bench.count(SMALL)
    large = max(2, min(LARGE, small))
    with server.running(accounts=4) as azurite:
        return [
            _row(bench, side_of(azurite), "small blobs", filling.small_sizes(small), CONCURRENCIES, 1.5),
            _row(bench, side_of(azurite), "64 MiB blobs", [LARGE_BYTES] * large, LARGE_TRANSFERS, 1.0),
        ]


def _row(bench: Bench, source: Side, what: str, sizes: list[int], transfers: tuple[int, ...], faster: float) -> Row:
    filling.fill(source, CONTAINER, sizes)
    held = filling.contents(source, CONTAINER)
    run = partial(_one_run, bench, source, held)
    contests: dict[str, Callable[[], Sample]] = {"migrate": partial(run, contestants.migrate_copy)}
    for concurrency in transfers:
        contest = partial(contestants.rclone_copy, concurrency=concurrency, options=OPTIONS)
        contests[f"rclone {concurrency}"] = partial(run, contest)
    figures = take_turns(contests, bench.turns(RUNS), row="streaming")
    ours, fastest = figures["migrate"], best(figures, "rclone", rate, least=False)
    claim = Claim(
        "objects/s of rclone --disable copy", "at least", faster, rate(ours) / rate(fastest), note=fastest.name
    )
    return Row("5", f"streamed between two Azurites, {what}", len(sizes), tuple(figures.values()), (claim,))


def _one_run(bench: Bench, source: Side, held: dict[str, tuple[int, bytes]], contest: Callable[[Job], Ended]) -> Sample:
    with server.running(accounts=ACCOUNTS) as other:
        # Not the source's name: the server would take the copy's source for a blob of its own, which it does not have.
        target = next(side for _ in range(ACCOUNTS) if (side := side_of(other)).account != source.account)
        ended = contest(Job(bench.tools, source, target, CONTAINER, bench.room("runs")))
        fault = ended.fault or difference(held, target)
    return Sample.of(ended.timing, len(held), fault)
