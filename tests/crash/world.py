"""A plan on embedded accounts in one folder, real `migrate` processes on it, and what must hold when they have been killed.

The judge knows what customers wrote (``Folder.live``) and reads accounts, route document and journal from outside. Durations
are as short as the promises allow, so that a whole rollout takes a second.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migrator.adapters.local import LocalStore
from migrator.errors import NotFound
from migrator.machine.events import Event
from migrator.machine.transitions import follow
from migrator.model.moves import MoveRecord
from migrator.model.names import MoveId
from migrator.model.objects import CREATE, BlobType, Condition, ContainerInfo, ContentHeaders, Listed, Shape
from tests.crash.killed import MARK, Order
from tests.crash.shelf import Files, Shelf, opened
from tests.tiny import HEAD

ROOT = Path(__file__).resolve().parents[2]
MOVE = MoveId("north-america", "web-tracking")
PATIENCE_SECONDS = 60.0
"""Until a process that should end is taken for hanging."""

PLAN = (
    HEAD.replace("tiny", "crash")
    + """\
routing: {kind: file, path: state/routes.json, ttl: 50ms}
cutover: {max_write: 50ms, clock_margin: 10ms, fence_timeout: 20s, straggler_interval: 1s, max_lag_objects: 5}
waves:
  - name: first
    moves: [{region: north-america, areas: [web-tracking, email-events]}]
    soak: 200ms
    interval: 100ms
    on_failure: halt
    gates: []
"""
)
ANOTHER_WAVE = """\
  - name: second
    moves: [{region: north-america, areas: [images]}]
    soak: 200ms
    interval: 100ms
    gates: []
"""

Content = tuple[bytes, dict[str, str], dict[str, str], str]
"""Bytes, metadata, tags, type."""
Contents = dict[tuple[str, str], Content]
"""By container and name."""


METADATA = {"by": "customer"}


def tags_of(body: bytes) -> dict[str, str]:
    return {"turn": body.hex()[:8]}


async def put(account: str, container: str, name: str, body: bytes, *, folder: Path = Path()) -> None:
    """Create or overwrite, as a customer does."""
    store = LocalStore(account, folder / f"state/{account}.db")
    await store.create_container(ContainerInfo(container))
    shape = Shape(BlobType.BLOCK, ContentHeaders("text/plain"), METADATA, tags_of(body), None)
    try:
        condition = Condition(if_match=(await store.head(container, name)).etag)
    except NotFound:
        condition = CREATE
    try:
        await store.put(container, name, body, shape, condition=condition)
    finally:
        await store.close()


async def erase(account: str, container: str, name: str, *, folder: Path) -> None:
    store = LocalStore(account, folder / f"state/{account}.db", create=False)
    try:
        await store.delete(container, name, if_match=(await store.head(container, name)).etag)
    finally:
        await store.close()


async def read_all(account: str, folder: Path) -> Contents:
    """Everything in an account, the tool's own names left out."""
    store = LocalStore(account, folder / f"state/{account}.db", create=False)
    try:
        found: Contents = {}
        for info in await store.containers():
            for blob in (await store.page(info.name)).entries:
                if not blob.name.startswith(".migrate/"):
                    found[(info.name, blob.name)] = await _content(store, info.name, blob)
        return found
    finally:
        await store.close()


async def _content(store: LocalStore, container: str, blob: Listed) -> Content:
    async with store.read(container, blob.name, if_match=blob.etag) as chunks:
        body = b"".join([chunk async for chunk in chunks])
    return body, dict(blob.metadata), dict(blob.tags), blob.blob_type.value


@dataclass
class Folder:
    """One rollout. ``live``: what the account that customers use must hold, area by area; ``epochs``: of web-tracking's
    route, each time somebody looked."""

    path: Path
    live: dict[str, Contents] = field(default_factory=dict)
    epochs: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    shelf: Shelf = field(default_factory=Files)

    @classmethod
    def fresh(cls, path: Path, shelf: Shelf) -> Folder:
        """Sources filled, nothing applied."""
        folder = cls(path, shelf=shelf)
        path.mkdir(parents=True)
        (path / "p.yaml").write_text(PLAN)
        folder.migrate("sample", "p.yaml", "--objects", "24", expect=0)
        folder.live = folder.found_at({"web-tracking": "core", "email-events": "core"})
        return folder

    def copy_to(self, path: Path) -> Folder:
        """The same world again, at rest; only the routes know where it is."""
        shutil.copytree(self.path, path)
        self.shelf.copy(self.path, path)
        routes = path / "state/routes.json"
        if routes.exists():
            routes.write_text(routes.read_text().replace(str(self.path), str(path)))
        live = {area: dict(contents) for area, contents in self.live.items()}
        return Folder(path, live, list(self.epochs), shelf=self.shelf)

    # Processes.

    def start(self, *words: str, order: Order | None = None, typed: str = "") -> subprocess.Popen[str]:
        """A process group of its own. ``typed``: on a terminal, for whoever asks."""
        stdin = subprocess.DEVNULL
        if typed:
            ours, stdin = os.openpty()
            os.write(ours, f"{typed}\n".encode())
        program = ["-m", "migrator.cli.app"] if order is None else ["-m", "tests.crash.killed", order.text()]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        environ["MIGRATE_STATE"] = self.shelf.url(self.path)
        return subprocess.Popen(
            [sys.executable, *program, *words],
            cwd=self.path,
            env=environ,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def migrate(self, *words: str, expect: int | None = None, typed: str = "") -> str:
        """Run to the end; what it said."""
        process = self.start(*words, typed=typed)
        text = _ended(process)
        self.said.append(f"$ migrate {' '.join(words)} -> {process.returncode}\n{text}")
        assert "Traceback" not in text, text
        assert expect is None or process.returncode == expect, self.story()
        return text

    def migrate_until_killed(self, order: Order, *words: str, typed: str = "") -> None:
        """Run until it kills itself as ordered; the test fails if it does not."""
        (self.path / MARK).unlink(missing_ok=True)
        process = self.start(*words, order=order, typed=typed)
        text = _ended(process)
        self.said.append(f"$ migrate {' '.join(words)} ! {order.text()} -> {process.returncode}\n{text}")
        mark = self.path / MARK
        assert mark.exists(), f"never came to {order.row}:\n{self.story()}"
        assert mark.read_text() == f"{order.row} {order.when}"
        assert process.returncode == -signal.SIGKILL
        self.look_at_route()

    def story(self) -> str:
        return "\n".join(self.said)

    # Routes.

    def route(self) -> dict[str, Any] | None:
        """The record of web-tracking."""
        found: dict[str, Any] | None = self.routes()["routes"].get(str(MOVE))
        return found

    def routes(self) -> dict[str, Any]:
        path = self.path / "state/routes.json"
        if not path.exists():
            return {"version": 1, "ttl_seconds": 0.05, "max_write_seconds": 0.05, "routes": {}}
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def set_route(self, record: Mapping[str, Any] | None) -> None:
        """Write the record of web-tracking by hand (None: remove it)."""
        document = self.routes()
        document["routes"].pop(str(MOVE), None)
        if record is not None:
            document["routes"][str(MOVE)] = dict(record)
        new = self.path / "state/routes.by-hand"
        new.write_text(json.dumps(document))
        new.replace(self.path / "state/routes.json")

    def look_at_route(self) -> None:
        record = self.route()
        if record is not None and record["account"] != "elsewhere":
            self.epochs.append(record["epoch"])

    def wait_until_writable(self, seconds: float) -> None:
        """The guardian's work. Fails if writers are still blocked after that."""
        end = time.monotonic() + seconds
        while (record := self.route()) is not None and record["mode"] != "read-write":
            assert time.monotonic() < end, f"writers are still blocked after {seconds} s\n{self.story()}"
            time.sleep(0.02)
        self.look_at_route()

    # Customers.

    def write_something(self, mark: str) -> None:
        """Create, overwrite and delete at the account that the route names, if it may be written."""
        record = self.route()
        account = "core" if record is None else record["account"]
        if account == "elsewhere" or (record is not None and record["mode"] != "read-write"):
            return
        visits = (name for container, name in self.live["web-tracking"] if container == "web-visits")
        names = sorted(name for name in visits if "/" in name)  # those of the sample
        self.put(account, f"new-{mark}", mark.encode())
        self.put(account, names[0], f"over-{mark}".encode())
        asyncio.run(erase(account, "web-visits", names[-1], folder=self.path))
        del self.live["web-tracking"]["web-visits", names[-1]]

    def put(self, account: str, name: str, body: bytes) -> None:
        """A customer's write to the live account of web-tracking."""
        asyncio.run(put(account, "web-visits", name, body, folder=self.path))
        self.know(name, body)

    def know(self, name: str, body: bytes) -> None:
        """Somebody else made this write of ours."""
        self.live["web-tracking"]["web-visits", name] = (body, dict(METADATA), tags_of(body), BlobType.BLOCK.value)

    def found_at(self, accounts: Mapping[str, str]) -> dict[str, Contents]:
        """What lies in these accounts, area by area."""
        found = {}
        for area, account in accounts.items():
            everything = asyncio.run(read_all(account, self.path))
            found[area] = {
                key: value for key, value in everything.items() if (key[0] == "events") == (area != "web-tracking")
            }
        return found

    # The judge.

    def judge(self, *, web: str, state: str) -> None:
        """Nothing lost, nothing doubled, journal complete, epochs grew, nobody blocked, no lock left.

        Args:
            web: the account that must serve web-tracking now.
            state: "direction state" of its move.
        """
        record = self.route()
        if record is not None:
            assert (record["account"], record["mode"]) == (web, "read-write"), self.story()
        self.look_at_route()
        assert self.epochs == sorted(self.epochs), self.story()
        found = self.found_at({"web-tracking": web})["web-tracking"]
        assert found == self.live["web-tracking"], f"{_difference(found, self.live['web-tracking'])}\n{self.story()}"
        found_store = opened(self.shelf, self.path, "crash")
        assert found_store is not None
        with found_store as store:
            assert store.lock() is None
            journal = store.journal()
            move = store.move(MOVE)
        assert move is not None
        assert f"{move.direction} {move.state}" == state, self.story()
        assert move.intent is None, self.story()
        assert [entry.number for entry in journal] == list(range(1, len(journal) + 1))
        assert replayed(journal) == state

    def journal_after(self, number: int) -> list[Any]:
        found = opened(self.shelf, self.path, "crash")
        if found is None:
            return []
        with found as store:
            return list(store.journal(after=number))

    def last_number(self) -> int:
        return max((entry.number for entry in self.journal_after(0)), default=0)

    def move(self) -> MoveRecord | None:
        found = opened(self.shelf, self.path, "crash")
        if found is None:
            return None
        with found as store:
            return store.move(MOVE)


def replayed(journal: Sequence[Any]) -> str:
    """ "direction state" of web-tracking by its journal alone: every line follows the law and says where it led."""
    move = MoveRecord(MOVE, "first", "core", "web")
    for entry in journal:
        if entry.kind == "state-changed" and entry.move == MOVE:
            move = follow(move, Event(entry.evidence["event"]))
            assert move.state.value == entry.evidence["state"], entry
    return f"{move.direction} {move.state}"


def _difference(found: Contents, wanted: Contents) -> str:
    lost = sorted(wanted.keys() - found.keys())
    extra = sorted(found.keys() - wanted.keys())
    changed = sorted(key for key in found.keys() & wanted.keys() if found[key] != wanted[key])
    return f"lost {lost}, extra {extra}, changed {changed}"


def _ended(process: subprocess.Popen[str]) -> str:
    try:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"it hangs:\n{out}{err}") from None
    return out + err
