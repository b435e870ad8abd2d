"""One round of the live test: writers and readers on a real blob service, a whole apply with kills, a whole way back with kills.

Everything is a process of its own. The orchestrator is killed by SIGKILL at random moments of the states that the seed
chooses, alone or with its guardian and workers, and run again until it says that it is done. After each of the two legs the
writers end and their logs are compared with the account that the route names - through the SDK alone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from azure.storage.blob import BlobServiceClient, BlobType

from tests.azurite.server import Azurite
from tests.children import children
from tests.live.gateway import Gateway
from tests.live.journal_of_writes import Replayed, State, replay, state_of
from tests.live.troubles import KINDS, Trouble
from tests.live.writer import API, Order

ROOT = Path(__file__).resolve().parents[2]
REGION, AREA, BOX = "europe", "images", "images"
HOT = 50
"""Of each writer; with four writers the hot set has 200 names."""
REST_SECONDS = float(os.environ.get("REST", "0.02"))
"""Between two requests of a customer: several without a rest are all that one Azurite serves, and nothing is left for passes. A
machine that others use too needs more."""
PATIENCE_SECONDS = 1200.0
"""More than a signature is good for: so long is a write waited for that was cut off."""
SHORT_PATIENCE_SECONDS = 200.0
ENDING_SECONDS = 120.0
"""For a customer to end: its last request may have to be tried again."""
EDGE_SECONDS = 3.0
NOT_OBEYED = ("its mode changed within epoch", "its epoch went back from")
"""What followers say of a record that somebody edited without a later epoch, until there is one: they write nothing."""

PLAN = """\
version: 1
name: live
defaults:
  account: {{requests_per_minute: 60k, api_version: "2025-11-05"}}
accounts:
  core: {{endpoint: "{core}", credential: "env:CORE"}}
  split: {{endpoint: "{split}", credential: "env:SPLIT"}}
areas:
  images: {{containers: [images]}}
regions:
  europe:
    source: core
    targets: {{images: split}}
routing: {{kind: blob, account: core, container: routing, name: routes.json, ttl: 1s, protocol: {protocol}}}
budget: {{requests_per_minute: {budget}, bytes_per_second: 50MiB}}
cutover: {{max_write: 2s, clock_margin: 200ms, fence_timeout: 60s, straggler_interval: 2s, max_delete: 100%, reverse: {reverse}}}
waves:
  - name: only
    moves: [{{region: europe, areas: "*"}}]
    soak: {soak}
    interval: 1s
    gates: []
"""


@dataclass(frozen=True)
class Kill:
    """``state``: of the move; ``delay``: seconds after it was entered; ``gently``: SIGINT instead of SIGKILL."""

    state: str
    delay: float
    group: bool
    gently: bool = False


@dataclass
class Leg:
    """What one leg showed. ``phases``: acknowledged writes by phase."""

    name: str
    acknowledged: int
    phases: dict[str, int]
    lost: list[str]
    split: list[str]
    reads: int
    failed_reads: list[str]
    pauses: list[float]
    fences: list[float]
    kills: list[str]
    seconds: float
    unknown: int = 0
    freed: list[float] = field(default_factory=list)
    """Seconds from a kill in the fence to a writable route, by the guardian alone."""
    drains: list[tuple[float, bool]] = field(default_factory=list)
    """Of each of ``fences``: seconds of its drain, and whether a roll-call ended it."""
    cancelled: list[float] = field(default_factory=list)
    """Seconds of the fences that were released, from their intents on."""
    troubles: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    """Why writers refused to follow the route, where nobody had edited it within an epoch."""
    needed: list[str] = field(default_factory=list)
    """For what the run halted: a person would have had to come."""

    @property
    def beside_drains(self) -> list[float]:
        """Seconds that writers waited in each fence beside its drain."""
        return [fence - drain for fence, (drain, _) in zip(self.fences, self.drains, strict=True)]

    def told(self) -> str:
        phases = ", ".join(f"{name} {count}" for name, count in self.phases.items())
        pauses = f"{max(self.pauses, default=0):.1f} s at most ({len(self.pauses)} times)"
        drained = zip(self.fences, self.drains, strict=True)
        fences = ", ".join(
            f"{one:.1f} s (drain {drain:.1f} s{' by roll-call' * called})" for one, (drain, called) in drained
        )
        cancelled = ", ".join(f"{one:.1f} s" for one in self.cancelled) or "none"
        freed = "".join(f"; freed by the guardian after {one:.1f} s" for one in self.freed)
        return (
            f"{self.name}: {self.acknowledged} writes acknowledged ({phases}), {len(self.lost)} lost, {self.unknown} unknown,"
            f" {len(self.split)} epochs at two accounts; {self.reads} reads, {len(self.failed_reads)} failed;"
            f" fences {fences or 'none'}; cancelled {cancelled}; writers paused {pauses}{freed};"
            f" killed {', '.join(self.kills) or 'never'}; trouble {', '.join(self.troubles) or 'none'};"
            f" {'needed: ' + '; '.join(self.needed) if self.needed else 'nobody was needed'}; {self.seconds:.0f} s"
        )


class Round:
    """Two accounts of ``azurite``, a plan, and the processes around it."""

    def __init__(
        self,
        azurite: Azurite,
        folder: Path,
        *,
        seed: int,
        objects: int,
        short: bool = False,
        behind: bool = False,
        protocol: int = 1,
    ):
        """``behind``: the orchestrator reaches each account by a gateway of its own, so that it can be away. ``protocol``: of the
        route; customers of 2 are in the register."""
        self.folder, self.protocol = folder, protocol
        self.chance = Random(seed)
        self.reverse = "continuous" if seed % 2 else "on-demand"
        """Half of the rounds keep the source warm for the way back."""
        self.writers, self.readers = 4, 2
        self.accounts = {"core": azurite.take(), "split": azurite.take()}
        here = azurite.ports["Blob"]
        self.gateways = {name: Gateway(here) for name in self.accounts} if behind else {}
        self.ports = {name: self.gateways[name].port if behind else here for name in self.accounts}
        self.direct = {name: azurite.endpoint(account) for name, account in self.accounts.items()}
        self.texts = {name: azurite.connection_string(account) for name, account in self.accounts.items()}
        # What the plan and the route say; customers have it from the route, and reach the service directly.
        self.endpoints = {
            name: endpoint.replace(f":{here}/", f":{self.ports[name]}/") for name, endpoint in self.direct.items()
        }
        self.environ = {
            name.upper(): text.replace(self.direct[name], self.endpoints[name]) for name, text in self.texts.items()
        }
        self.environ |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        folder.mkdir(parents=True, exist_ok=True)
        self.patience_seconds = SHORT_PATIENCE_SECONDS if short else PATIENCE_SECONDS
        self._write_plan(objects, short=short)
        self.said: list[str] = []
        box = self.service("core").create_container(BOX)
        self.still = {f"still/{index:05d}": f"object {index}".encode() for index in range(objects)}
        for name, body in self.still.items():
            box.upload_blob(name, body, tags={"index": name[-5:]})

    def _write_plan(self, objects: int, *, short: bool) -> None:
        # So that the first copy takes some ten seconds; as fast as it goes where there is no time for that.
        budget, soak = (60_000, "5s") if short else (objects * 12, "10s")
        words = {"budget": budget, "soak": soak, "reverse": self.reverse, "protocol": self.protocol}
        (self.folder / "p.yaml").write_text(PLAN.format(**self.endpoints, **words))

    def service(self, name: str) -> BlobServiceClient:
        return BlobServiceClient.from_connection_string(self.texts[name], api_version=API)

    # Processes.

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env={**os.environ, **self.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def migrate(self, *words: str) -> tuple[int, str]:
        process = self.start("migrator.cli.app", *words)
        out, err = process.communicate(timeout=self.patience_seconds)
        self.said.append(f"$ migrate {' '.join(words)} -> {process.returncode}\n{out}{err}")
        return process.returncode, out

    def order(self, number: int, log: Path, seed: int) -> Order:
        credentials = {endpoint: name.upper() for name, endpoint in self.endpoints.items()}
        ways = {self.endpoints[name]: self.direct[name] for name in self.gateways}
        routes = f"{self.direct['core']}/routing/routes.json"
        place = (REGION, AREA, BOX, number, HOT)
        return Order(routes, "env:CORE", credentials, *place, str(log), seed, REST_SECONDS, ways)

    @contextmanager
    def customers(self, leg: str) -> Iterator[list[Path]]:
        """Writers and readers, until the end of the block; the readers' files."""
        logs = [self.log(number) for number in range(self.writers)]
        begins = [_begins(log) for log in logs]
        working = [
            self.start("tests.live.writer", self.order(number, log, self.chance.getrandbits(30)).text())
            for number, log in enumerate(logs)
        ]
        answers = [self.folder / f"reader-{leg}-{number}.json" for number in range(self.readers)]
        try:
            for log, process, begun in zip(logs, working, begins, strict=True):
                _wait_ready(log, process, begun)
            for path in answers:
                order = self.order(self.writers, path, self.chance.getrandbits(30))
                working.append(self.start("tests.live.reader", order.text()))
            yield answers
        finally:
            for process in working:
                process.send_signal(signal.SIGTERM)
            for process in working:
                out, err = process.communicate(timeout=ENDING_SECONDS)
                assert process.returncode == 0, out + err

    def log(self, number: int) -> Path:
        return self.folder / f"writer-{number}.jsonl"

    # A leg.

    def leg(
        self,
        name: str,
        words: Sequence[str],
        kills: Sequence[Kill],
        *,
        live: str,
        before: float = 0.0,
        troubles: Sequence[Trouble] = (),
    ) -> Leg:
        """Run ``migrate words`` to its end, killed on the way, while customers work; then compare.

        Args:
            live: the account that the route must name afterwards.
            before: seconds of customers' work ahead of it.
        """
        begun = time.time()
        number = max((entry["number"] for entry in self.journal()), default=0)
        done_kills: list[str] = []
        suffered: list[str] = []
        freed: list[float] = []
        with self.customers(name) as answers:
            time.sleep(before)
            for kill in kills:
                if not self.run_until(kill, words, freed):
                    break
                done_kills.append(f"{'group' if kill.group else 'engine'} in {kill.state}")
            for trouble in troubles:
                assert self.suffer(trouble, words), f"no {trouble.told()}: {self.said[-1]}"
                suffered.append(trouble.told())
            code, _ = self.migrate(*words)
            assert code == 0, self.said[-1]
            time.sleep(1.0)
        entries = [entry for entry in self.journal() if entry["number"] > number]
        written = replay(self.log(index) for index in range(self.writers))
        mine = [one for one in written.acknowledged if one[0] >= begun]
        told = [json.loads(path.read_text()) for path in answers]
        fences = _fences(entries)
        return Leg(
            name=name,
            acknowledged=len(mine),
            phases=_phases([at for at, _, _ in mine], entries),
            lost=[*written.surprises, *self._compare(written, live)],
            unusable=[why for at, why in written.unusable if at >= begun and not _is_expected(why, troubles)],
            split=[f"epoch {epoch}: {sorted(names)}" for epoch, names in written.accounts.items() if len(names) > 1],
            reads=sum(one["reads"] for one in told),
            failed_reads=[line for one in told for line in one["failed"]],
            pauses=[seconds for at, seconds in written.pauses if at >= begun],
            fences=[fence for fence, _ in fences],
            drains=[drain for _, drain in fences],
            kills=done_kills,
            seconds=time.time() - begun,
            unknown=written.unknown,
            freed=freed,
            cancelled=_cancelled(entries),
            troubles=suffered,
            needed=[entry["text"] for entry in entries if entry["evidence"].get("event") == "halted"],
        )

    def journal(self) -> list[dict[str, Any]]:
        if not (self.folder / "state/migrator.db").exists():
            return []
        _, out = self.migrate("history", "p.yaml", "--json")
        entries: list[dict[str, Any]] = json.loads(out)["entries"]
        return entries

    def run_until(self, kill: Kill, words: Sequence[str], freed: list[float] | None = None) -> bool:
        """False if the command ended before it came to the kill. It may be in that state already."""
        is_there = self.state() == kill.state
        process = self.start("migrator.cli.app", *words, "--json")
        watchdog = threading.Timer(self.patience_seconds, process.kill)
        watchdog.start()
        assert process.stdout is not None
        try:
            for line in process.stdout:
                event = json.loads(line)
                is_there = is_there or (event["kind"] == "state-changed" and event["facts"]["state"] == kill.state)
                if is_there:
                    break
            else:
                _, err = process.communicate()
                self.said.append(
                    f"$ migrate {' '.join(words)} ended before {kill.state} -> {process.returncode}\n{err}"
                )
                assert process.returncode == 0, self.said[-1]
                return False
            time.sleep(kill.delay)
            if kill.gently:
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=60)
                self.said.append(
                    f"$ migrate {' '.join(words)} interrupted in {kill.state} -> {process.returncode}\n{err}"
                )
                assert process.returncode == 130, self.said[-1]
                return True
            for child in children(process.pid) if kill.group else ():
                with suppress(ProcessLookupError):  # the guardian first, as when a machine dies
                    os.kill(child, signal.SIGKILL)
            process.kill()
        finally:
            watchdog.cancel()
        at = time.monotonic()
        process.stdout.close()
        process.wait(timeout=60)
        self.said.append(f"$ migrate {' '.join(words)} killed in {kill.state} (group: {kill.group})")
        if not kill.group and self.mode() == "read-only":
            while self.mode() == "read-only":
                assert time.monotonic() < at + 5.0, "the guardian leaves writers blocked"
                time.sleep(0.02)
            if freed is not None:
                freed.append(time.monotonic() - at)
        return True

    def suffer(self, trouble: Trouble, words: Sequence[str]) -> bool:
        """Run until ``trouble`` came and, unless it ended the run, until the run ends by itself. False if it ended before."""
        is_there = self.state() == trouble.state
        process = self.start("migrator.cli.app", *words, "--json")
        watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
        watchdog.start()
        assert process.stdout is not None
        said, has_come = [], False
        try:
            for line in process.stdout:
                event = json.loads(line)
                said.append(event["text"])
                is_there = is_there or (event["kind"] == "state-changed" and event["facts"]["state"] == trouble.state)
                if is_there and not has_come:
                    has_come = True
                    time.sleep(trouble.delay)
                    if process.poll() is None:
                        KINDS[trouble.kind](self, process.pid)
            _, err = process.communicate(timeout=60)
        finally:
            watchdog.cancel()
        story = "\n".join([f"$ migrate {' '.join(words)} ! {trouble.told()} -> {process.returncode}", *said[-40:], err])
        self.said.append(story)
        assert process.returncode in ({130} if trouble.kind == "ctrl-backslash" and has_come else {0}), story
        return has_come

    def state(self) -> str:
        """Of the move, as it is recorded."""
        _, out = self.migrate("status", "p.yaml", "--json")
        state: str = json.loads(out)["waves"][0]["moves"][0]["state"]
        return state

    def mode(self) -> str:
        blob = self.service("core").get_blob_client("routing", "routes.json")
        mode: str = json.loads(blob.download_blob().readall())["routes"][f"{REGION}/{AREA}"]["mode"]
        return mode

    # The judge.

    def _compare(self, written: Replayed, live: str) -> list[str]:
        found = self.everything(live)
        lost = []
        wanted: dict[str, set[State]] = dict(written.may_be)
        wanted |= {name: {state_of(body, {"index": name[-5:]}, "BlockBlob", None)} for name, body in self.still.items()}
        for name, states in wanted.items():
            if found.get(name) not in states:
                lost.append(f"{name}: {found.get(name)}, wanted {states}")
        lost += [f"{name}: nobody wrote it" for name in found if name not in wanted]
        return lost

    def everything(self, name: str) -> dict[str, State]:
        """All objects of an account as the plain SDK shows them, the tool's own names left out."""
        box = self.service(name).get_container_client(BOX)
        found: dict[str, State] = {}
        for blob in box.list_blobs(include=["tags"]):
            if blob.name.startswith(".migrate/"):
                continue
            body = box.download_blob(blob.name, decompress=False).readall()
            kind = BlobType(blob.blob_type).value
            tier = None if blob.blob_tier_inferred or kind != "BlockBlob" else blob.blob_tier
            found[blob.name] = state_of(body, dict(blob.tags or {}), kind, tier)
        return found


def _begins(log: Path) -> int:
    return log.read_text().count('"begin"') if log.exists() else 0


def _wait_ready(log: Path, process: subprocess.Popen[str], begun: int) -> None:
    """The hot set is there, for this process and not for the ``begun`` ones before it."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        text = log.read_text() if log.exists() else ""
        if text.count('"begin"') > begun and '"ready"' in text[text.rfind('"begin"') :]:
            return
        time.sleep(0.1)
    raise AssertionError("a writer does not begin")


def _is_expected(why: str, troubles: Sequence[Trouble]) -> bool:
    is_by_hand = any(trouble.kind == "there-and-back" for trouble in troubles)
    return is_by_hand and any(words in why for words in NOT_OBEYED)


def _changes(entries: Sequence[dict[str, Any]]) -> list[tuple[float, str]]:
    """When which event changed the move's state."""
    return [
        (datetime.fromisoformat(entry["at"].replace("Z", "+00:00")).timestamp(), entry["evidence"]["event"])
        for entry in entries
        if entry["kind"] == "state-changed"
    ]


def _fences(entries: Sequence[dict[str, Any]]) -> list[tuple[float, tuple[float, bool]]]:
    """Of each that ended in a switch: its seconds, and its drain."""
    drain, found = (0.0, False), []
    for entry in entries:
        evidence = entry["evidence"]
        if entry["kind"] == "drained" and "by_roll_call" in evidence:
            drain = evidence["seconds"], evidence["by_roll_call"]
        elif entry["kind"] == "switched" and "fence_seconds" in evidence:
            found.append((evidence["fence_seconds"], drain))
    return found


def _cancelled(entries: Sequence[dict[str, Any]]) -> list[float]:
    """Seconds from the intent of each fence to its release; writers waited less where the fence was late or was freed before."""
    fenced, seconds = 0.0, []
    for at, event in _changes(entries):
        if event == "released" and fenced:
            seconds.append(at - fenced)
        if event in ("admitted", "released", "switched"):
            fenced = at if event == "admitted" else 0.0
    return seconds


def _phases(times: Sequence[float], entries: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Acknowledged writes before the first fence, at the edges of fences, and after the switch."""
    changes = _changes(entries)
    edges = [at for at, event in changes if event in ("fenced", "released", "switched")]
    switched = [at for at, event in changes if event == "switched"]
    first, last = min(edges, default=0.0), max(switched, default=0.0)
    return {
        "before the fence": sum(at < first for at in times),
        "edge of the fence": sum(any(abs(at - edge) <= EDGE_SECONDS for edge in edges) for at in times),
        "after the switch": sum(at > last for at in times),
    }
