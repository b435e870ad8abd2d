"""Was anything lost? Replays the logs of ``writer`` and compares them with the accounts that the routes name now.

    python -m migrator.testing.audit --routes routes.json [--json] --log w1.jsonl w2.jsonl ...

Decides what each object may look like now, from acknowledged writes and from those whose outcome is unknown, and what counts
as lost. Rules: an acknowledged write must be there; one that was surely refused must not; an unknown one may be either; what
a writer missed while it ran (a surprise) is lost even if it was written again. Exit 1 if anything was lost, or if two
accounts acknowledged writes in one epoch.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from migrator.adapters.local import LocalStore, path_of
from migrator.client import Routes
from migrator.errors import MigrateError, NotFound, UsageError
from migrator.model.values import value

SHOWN: Final = 20
"""Most losses that are told one by one."""

Content = tuple[str, tuple[tuple[str, str], ...]] | None
"""What an object is: digest of its bytes, and its tags in order. None: not there."""


@dataclass(slots=True)
class Replayed:
    """One run of one writer, from its log. ``may_be``: for each name the states it may be in; more than one only after a
    write of unknown outcome."""

    region: str
    area: str
    container: str
    stem: str
    may_be: dict[str, set[Content]] = field(default_factory=dict)
    acknowledged: int = 0
    unknown: int = 0
    surprises: list[str] = field(default_factory=list)
    pauses_seconds: list[float] = field(default_factory=list)
    accounts: dict[int, set[str]] = field(default_factory=dict)
    """Endpoints that acknowledged writes, by epoch."""


@value(frozen=True, slots=True)
class Report:
    """``lost``: one line for each object that is not as it must be; ``split``: one for each epoch of two accounts."""

    writers: int
    acknowledged: int
    unknown: int
    objects: int
    lost: tuple[str, ...]
    split: tuple[str, ...]
    pauses: int
    longest_pause_seconds: float
    total_pause_seconds: float

    @property
    def is_good(self) -> bool:
        return not self.lost and not self.split

    def summary(self) -> str:
        """One line for people."""
        return (
            f"{self.acknowledged} writes acknowledged to {self.writers} writers, {len(self.lost)} lost"
            f" ({self.objects} objects compared, {self.unknown} writes of unknown outcome,"
            f" {len(self.split)} epochs written at two accounts); writers paused {self.pauses} times,"
            f" {self.longest_pause_seconds:.1f} s at the longest, {self.total_pause_seconds:.1f} s in all"
        )


def replay(lines: Iterable[str]) -> list[Replayed]:
    """The runs in one log, in order. A torn last line is a killed writer's: what it would have said is unknown.

    Raises UsageError for a file that is no log of a writer.
    """
    runs: list[Replayed] = []
    pending: dict[int, dict[str, Any]] = {}
    for text in lines:
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if line["kind"] == "writer":
            _settle_unknown(runs, pending)
            runs.append(Replayed(line["region"], line["area"], line["container"], line["stem"]))
        elif not runs:
            raise UsageError("cannot read the log: it does not begin with a writer's first line")
        else:
            _replay_line(runs[-1], pending, line)
    _settle_unknown(runs, pending)
    return runs


def _replay_line(run: Replayed, pending: dict[int, dict[str, Any]], line: dict[str, Any]) -> None:
    match line["kind"]:
        case "sent":
            pending[line["number"]] = line
        case "done":
            del pending[line["number"]]
            run.may_be[line["name"]] = {_content(line)}
            run.acknowledged += 1
            run.accounts.setdefault(line["epoch"], set()).add(line["endpoint"])
        case "refused":
            del pending[line["number"]]
        case "surprise":
            run.surprises.append(f"{line['name']}: {line['why']}")
            run.may_be.pop(line["name"], None)
        case "pause-end":
            run.pauses_seconds.append(line["seconds"])


def _settle_unknown(runs: list[Replayed], pending: dict[int, dict[str, Any]]) -> None:
    """What was sent and never answered may have happened; the writer did not touch the object again."""
    for line in pending.values():
        run = runs[-1]
        run.may_be.setdefault(line["name"], {None}).add(_content(line))
        run.unknown += 1
    pending.clear()


def _content(line: dict[str, Any]) -> Content:
    return None if line["digest"] is None else (line["digest"], tuple(sorted(line["tags"].items())))


async def judge(runs: Sequence[Replayed], routes: Routes) -> Report:
    """Compare with the accounts that ``routes`` names now. No writer may be running.

    Raises:
        LeaseError: an area has no route.
        CloudError: an account cannot be read.
    """
    lost: list[str] = []
    for run in runs:
        where = (await routes.resolve(run.region, run.area)).endpoint
        lost += [f"{run.container}/{one}" for one in run.surprises]
        lost += await _compare(run, where)
    pauses = [seconds for run in runs for seconds in run.pauses_seconds]
    return Report(
        writers=len(runs),
        acknowledged=sum(run.acknowledged for run in runs),
        unknown=sum(run.unknown for run in runs),
        objects=sum(len(run.may_be) for run in runs),
        lost=tuple(lost),
        split=tuple(_split(runs)),
        pauses=len(pauses),
        longest_pause_seconds=max(pauses, default=0.0),
        total_pause_seconds=sum(pauses),
    )


async def _compare(run: Replayed, endpoint: str) -> list[str]:
    path = path_of(endpoint)
    store = LocalStore(path.stem, path, create=False)
    try:
        lost = []
        for name, states in sorted(run.may_be.items()):
            found = await _live(store, run.container, name)
            if found not in states:
                lost.append(f"{run.container}/{name} in {path.stem}: {_difference(states, found)}")
        for name in await _names(store, run):
            if name not in run.may_be and not any(one.startswith(f"{name}: ") for one in run.surprises):
                lost.append(f"{run.container}/{name} in {path.stem}: nobody wrote it")
        return lost
    finally:
        await store.close()


async def _live(store: LocalStore, container: str, name: str) -> Content:
    try:
        blob = await store.head(container, name)
    except NotFound as missing:
        if missing.what == "account":
            raise
        return None
    digest = hashlib.sha256()
    async with store.read(container, name, if_match=blob.etag) as chunks:
        async for chunk in chunks:
            digest.update(chunk)
    return digest.hexdigest(), tuple(sorted(blob.tags.items()))


async def _names(store: LocalStore, run: Replayed) -> list[str]:
    found: list[str] = []
    marker: str | None = None
    while True:
        try:
            page = await store.page(run.container, prefix=run.stem, marker=marker)
        except NotFound:
            return found
        found += [blob.name for blob in page.entries]
        marker = page.marker
        if marker is None:
            return found


def _difference(states: set[Content], found: Content) -> str:
    if found is None:
        return "missing"
    if states == {None}:
        return "deleted, and there again"
    digests = {state[0] for state in states if state is not None}
    return "tags differ" if found[0] in digests else "content differs"


def _split(runs: Sequence[Replayed]) -> list[str]:
    accounts: dict[tuple[str, str, int], set[str]] = {}
    for run in runs:
        for epoch, endpoints in run.accounts.items():
            accounts.setdefault((run.region, run.area, epoch), set()).update(endpoints)
    return [
        f"{region}/{area} epoch {epoch}: {', '.join(sorted(endpoints))}"
        for (region, area, epoch), endpoints in sorted(accounts.items())
        if len(endpoints) > 1
    ]


async def audit(routes_url: str, logs: Sequence[Path]) -> Report:
    """Replay ``logs`` and judge them by the route document at ``routes_url``."""
    runs = []
    for log in logs:
        try:
            text = await asyncio.to_thread(log.read_text, encoding="utf-8")
        except OSError as fault:
            raise UsageError(f"cannot read the log {log}: {(fault.strerror or 'unknown cause').lower()}") from fault
        runs += replay(text.splitlines())
    async with Routes.from_url(routes_url) as routes:
        return await judge(runs, routes)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m migrator.testing.audit", description="Was any write lost?")
    parser.add_argument("--routes", required=True)
    parser.add_argument("--log", nargs="+", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    try:
        report = asyncio.run(audit(wanted.routes, wanted.log))
    except MigrateError as fault:
        print(fault, file=sys.stderr)
        return 1
    if wanted.json:
        print(json.dumps({"format_version": 1, **asdict(report)}, indent=2))
    else:
        for line in (*report.split, *report.lost)[:SHOWN]:
            print(ascii(line)[1:-1], file=sys.stderr)
        print(report.summary())
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
