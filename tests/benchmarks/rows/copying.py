"""Row 1: server-side copy of many small blobs against the ideal server, plain and over TLS.

A run counts with its proper end, exactly N copies of exactly N distinct names in the server's log, and nothing refused; ours
must also name, with every copy, the very generation that the listing showed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.benchmarks import certificates, contestants, ideal
from tests.benchmarks.contestants import CONCURRENCIES, Ended, Job, Side
from tests.benchmarks.listing import etag_of, index_of
from tests.benchmarks.measure import Claim, Row, Sample, best, cpu, rate, take_turns
from tests.benchmarks.rows import Bench

OBJECTS = 50_000
RUNS = 3


def plain(bench: Bench) -> list[Row]:
    return [_row(bench, "1", "server-side copy, plain http", None, faster=3.0, leaner=0.4)]


def over_tls(bench: Bench) -> list[Row]:
    tls = certificates.make(bench.room("certificates"))
    return [_row(bench, "1", "server-side copy, TLS", tls, faster=2.5, leaner=0.5)]


def _row(
    bench: Bench, number: str, title: str, tls: certificates.Certificates | None, *, faster: float, leaner: float
) -> Row:
    objects = bench.count(OBJECTS)
    folder = bench.room("ideal")
    ideal.prepare(folder, objects)
    run = partial(one_run, bench, folder, objects, tls)
    contests: dict[str, Callable[[], Sample]] = {"migrate": partial(run, contestants.migrate_copy, is_ours=True)}
    for concurrency in CONCURRENCIES:
        contests[f"azcopy {concurrency}"] = partial(run, partial(contestants.azcopy_copy, concurrency=concurrency))
        contests[f"rclone {concurrency}"] = partial(run, partial(contestants.rclone_copy, concurrency=concurrency))
    figures = take_turns(contests, bench.turns(RUNS), row="copy-tls" if tls else "copy")
    ours = figures.pop("migrate")
    fastest, leanest = best(figures, "", rate, least=False), best(figures, "", cpu, least=True)
    claims = (
        Claim("objects/s of the faster peer", "at least", faster, rate(ours) / rate(fastest), note=fastest.name),
        Claim("CPU an object of the leaner peer", "at most", leaner, cpu(ours) / cpu(leanest), note=leanest.name),
    )
    return Row(number, title, objects, (ours, *figures.values()), claims)


def one_run(
    bench: Bench,
    folder: Path,
    objects: int,
    tls: certificates.Certificates | None,
    contest: Callable[[Job], Ended],
    *,
    is_ours: bool = False,
    limit_seconds: float = 900.0,
) -> Sample:
    """One contestant, one server, one log."""
    with ideal.running(bench.tools.nginx, folder, tls=tls) as server:
        ended = contest(job_for(bench, server, tls, limit_seconds=limit_seconds))
    fault = ended.fault or fault_of(ideal.copies_of(folder), objects, is_ours=is_ours)
    return Sample.of(ended.timing, objects, fault)


def job_for(
    bench: Bench, server: ideal.Ideal, tls: certificates.Certificates | None, *, limit_seconds: float = 900.0
) -> Job:
    key = contestants.made_up_key()
    source, target = (Side(name, server.endpoint(name), key) for name in ("source", "target"))
    authority = tls.authority if tls else None
    return Job(bench.tools, source, target, ideal.CONTAINER, bench.room("runs"), authority, limit_seconds=limit_seconds)


def fault_of(copies: ideal.Copies, objects: int, *, is_ours: bool) -> str:
    if copies.refused:
        return f"{copies.refused:,} requests were refused"
    if (copies.writes, len(copies.names)) != (objects, objects):
        return f"{copies.writes:,} copies of {len(copies.names):,} names instead of {objects:,}"
    if is_ours:
        wrong = sum(condition.strip('"') != etag_of(index_of(name)) for name, condition in copies.conditions.items())
        if wrong:
            return f"{wrong:,} copies without the source's generation as a condition"
    return ""
