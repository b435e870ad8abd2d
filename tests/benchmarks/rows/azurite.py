"""Row 2: a copy inside one Azurite, beside rclone, and beside wrk that sends our requests and does nothing else.

Azurite is the bottleneck here, so this row shows how little a tool wastes of a slow service. AzCopy is not in it: it needs a
request that Azurite does not know. A run counts with its proper end and a target that holds the same names, sizes and MD5s;
who sends how many requests is counted in one run of its own through a relay, which is not timed.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from tests.azurite import server
from tests.azurite.server import Azurite
from tests.benchmarks import contestants, filling, nginx, timed
from tests.benchmarks.contestants import CONCURRENCIES, Ended, Job, Side
from tests.benchmarks.measure import Claim, Figures, Row, Sample, best, rate, take_turns
from tests.benchmarks.rows import Bench

OBJECTS = 5_000
RUNS = 5
CONTAINER = "data"
AZURITES_OWN = "axios/"
"""Who Azurite says it is when it asks the relay for the source of a copy."""
REPLAY = Path(__file__).resolve().parent.parent / "replay.lua"
REPLAYED = re.compile(r"REPLAYED (\d+) (\d+) ([\d.]+)")
VERSION = "2025-11-05"


def side_by_side(bench: Bench) -> list[Row]:
    objects = bench.count(OBJECTS)
    with server.running() as azurite:
        source = side_of(azurite)
        filling.fill(source, CONTAINER, filling.small_sizes(objects))
        held = filling.contents(source, CONTAINER)
        relayed = {
            "migrate": _relayed(bench, azurite, source, contestants.migrate_copy),
            "rclone": _relayed(bench, azurite, source, partial(contestants.rclone_copy, concurrency=32)),
        }
        run = partial(_one_run, bench, azurite, source, held)
        contests: dict[str, Callable[[], Sample]] = {"migrate": partial(run, contestants.migrate_copy)}
        for concurrency in CONCURRENCIES:
            contests[f"rclone {concurrency}"] = partial(run, partial(contestants.rclone_copy, concurrency=concurrency))
        contests["wrk"] = partial(_replay, bench, azurite, source, held, relayed["migrate"])
        figures = take_turns(contests, bench.turns(RUNS), row="azurite")
    return [
        Row("2", "server-side copy inside one Azurite", objects, tuple(figures.values()), _claims(figures, relayed))
    ]


def _claims(figures: dict[str, Figures], relayed: dict[str, Counter[str]]) -> tuple[Claim, ...]:
    ours, ceiling = figures["migrate"], figures["wrk"]
    fastest = best(figures, "rclone", rate, least=False)
    sent = {name: counts.total() for name, counts in relayed.items()}
    note = f"{sent['migrate']:,} against {sent['rclone']:,}"
    return (
        Claim("objects/s of wrk with the same requests", "at least", 0.8, rate(ours) / rate(ceiling), note="wrk"),
        Claim("objects/s of rclone", "at least", 1.15, rate(ours) / rate(fastest), note=fastest.name),
        Claim("requests of rclone", "at most", 1.0, sent["migrate"] / sent["rclone"], note=note),
    )


def side_of(azurite: Azurite) -> Side:
    """An account that nobody has used yet."""
    account = azurite.take()
    return Side(account, azurite.endpoint(account), azurite.key(account))


def _one_run(
    bench: Bench,
    azurite: Azurite,
    source: Side,
    held: dict[str, tuple[int, bytes]],
    contest: Callable[[Job], Ended],
) -> Sample:
    target = side_of(azurite)
    ended = contest(Job(bench.tools, source, target, CONTAINER, bench.room("runs")))
    return Sample.of(ended.timing, len(held), ended.fault or difference(held, target))


def difference(held: dict[str, tuple[int, bytes]], target: Side) -> str:
    arrived = filling.contents(target, CONTAINER)
    if arrived == held:
        return ""
    wrong = sum(arrived.get(name) != what for name, what in held.items()) + len(arrived.keys() - held.keys())
    return f"{wrong:,} of {len(held):,} objects did not arrive as they are"


# Counting requests.


def _relayed(bench: Bench, azurite: Azurite, source: Side, contest: Callable[[Job], Ended]) -> Counter[str]:
    """What this contestant asks for, by ``METHOD path comp query``, from the log of a relay in front of Azurite."""
    folder, port = bench.room("relay"), nginx.free_port()
    upstream = f"127.0.0.1:{azurite.ports['Blob']}"
    text = nginx.conf(
        folder, _RELAY % {"port": port}, before=f"upstream azurite {{ server {upstream}; keepalive 256; }}"
    )
    sides = [Side(one.account, f"http://127.0.0.1:{port}/{one.account}", one.key) for one in (source, side_of(azurite))]
    with nginx.running(bench.tools.nginx, folder, text, [port]):
        ended = contest(Job(bench.tools, sides[0], sides[1], CONTAINER, bench.room("runs")))
    if ended.fault:
        raise RuntimeError(f"cannot count the requests of a run that failed: {ended.fault}")
    own = f"/{sides[1].account}"
    return Counter(
        f"{one.method} {one.path.replace(own, '/target', 1)} {one.query}"
        for one in nginx.asked(folder)
        if not one.agent.startswith(AZURITES_OWN)
    )


_RELAY = """
  server {
    listen 127.0.0.1:%(port)d;
    location / {
      proxy_pass http://azurite;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_buffering off;
      proxy_request_buffering off;
    }
  }
"""


# The ceiling.


def _replay(
    bench: Bench, azurite: Azurite, source: Side, held: dict[str, tuple[int, bytes]], asked: Counter[str]
) -> Sample:
    """The same requests from wrk: the same listings, then a conditional copy of every name."""
    target = side_of(azurite)
    filling.make_container(target, CONTAINER)
    folder = bench.room("replay")
    requests = folder / "requests"
    requests.touch(0o600)
    requests.write_text("\n".join([*_listings(source, target, asked), *_copies(source, target, held)]) + "\n")
    command = [bench.tools.wrk, "-t1", "-c32", "-d600s", "--timeout", "60s", "-s", str(REPLAY)]
    command += [f"http://127.0.0.1:{azurite.ports['Blob']}", "--", str(requests)]
    timing = timed.run(command, folder, environ={"PATH": ""}, limit_seconds=600)
    said = REPLAYED.search(timing.out.read_text(errors="replace"))
    if said is None:
        return Sample.of(timing, len(held), f"wrk ended early: {timing.last_words()}")
    fault = f"{said[2]} requests were refused" if said[2] != "0" else difference(held, target)
    # Its own start and the preparation of its requests are not part of a ceiling.
    return Sample(len(held), float(said[3]), timing.cpu_seconds, timing.peak_bytes, timing.largest_bytes, 1, fault)


def _listings(source: Side, target: Side, asked: Counter[str]) -> list[str]:
    found = []
    for line, times in asked.items():
        method, path, query = line.split(" ", 2)
        if method != "GET" or "comp=list" not in query:
            continue
        side = target if path.startswith("/target") else source
        place = path.replace("/target", f"/{target.account}", 1)
        found += [f"GET\t{place}?{query}&{side.sas()}\tx-ms-version: {VERSION}"] * times
    return found


def _copies(source: Side, target: Side, held: dict[str, tuple[int, bytes]]) -> list[str]:
    read, write, etags = source.sas(), target.sas(), filling.etags(source, CONTAINER)
    lines = []
    for name in held:
        headers = {
            "Content-Length": "0",
            "x-ms-version": VERSION,
            "x-ms-date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
            "x-ms-requires-sync": "true",
            "x-ms-copy-source": f"{source.endpoint}/{CONTAINER}/{quote(name)}?{read}",
            "x-ms-source-if-match": f'"{etags[name]}"',
            "If-None-Match": "*",
        }
        fields = [f"{field}: {value}" for field, value in headers.items()]
        lines.append("\t".join(["PUT", f"/{target.account}/{CONTAINER}/{quote(name)}?{write}", *fields]))
    return lines
