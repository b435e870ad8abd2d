"""``migrate`` that ends itself by SIGKILL at one commit of its state store: ``python -m tests.crash.killed ORDER WORDS...``.

ORDER is JSON (see ``Order``). The product knows nothing of this: the launcher wraps the store's ``commit`` in its own process
and reads from the changes which row of the transition table is being committed. Everything else - the guardian too - is what
an operator would have.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.children import children

MARK = Path("killed-at")
"""What the launcher writes directly before it kills; a file is there even if the process is not."""


@dataclass(frozen=True)
class Order:
    """Die when a move commits ``row`` ("direction state event"; out of a halt the state is "halted").

    ``when``: before or after the commit. ``group``: with the processes that it started, so that no guardian is left.
    ``acts``: what happens directly after the commits of other rows: ``{"row": act}``. ``ready_pass_seconds``: how often a
    waiting move looks again, instead of every five minutes. ``dead_run_seconds``: for how long requests of an earlier run may
    still be under way, so that no fence begins.
    """

    row: str
    when: str = "after"
    group: bool = False
    acts: dict[str, str] = field(default_factory=dict)
    ready_pass_seconds: float | None = None
    dead_run_seconds: float | None = None

    def text(self) -> str:
        return json.dumps(asdict(self))


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def edit_route() -> None:
    """Somebody writes another account into the route of web-tracking, by hand."""
    path = Path("state/routes.json")
    document = json.loads(path.read_text())
    Path("routes.before").write_text(path.read_text())
    for key, record in document["routes"].items():
        if key.endswith("/web-tracking"):
            record.update(account="elsewhere", endpoint="local:/elsewhere.db", epoch=record["epoch"] + 5)
    new = path.with_suffix(".by-hand")
    new.write_text(json.dumps(document))
    new.replace(path)


def put_all(account: str, names: Sequence[str]) -> None:
    """Objects appear in an account."""
    from tests.crash.world import put

    async def work() -> None:
        for name in names:
            await put(account, "web-visits", name, name.encode())

    _aside(lambda: asyncio.run(work()))


FLOOD = [f"flood-{index:02d}" for index in range(12)]
"""More than the plan's lag limit."""


def _aside(work: Callable[[], None]) -> None:
    """In a thread of its own: this one runs the engine's event loop."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def call_trouble() -> None:
    """Somebody who watches for this file makes it, and takes the file away when it is there."""
    path = Path("trouble")
    path.touch()
    while path.exists():
        time.sleep(0.01)


ACTS: dict[str, Callable[[], None]] = {
    "call-trouble": call_trouble,
    "interrupt": interrupt,
    "edit-route": edit_route,
    "flood-source": lambda: put_all("core", FLOOD),
    "flood-target": lambda: put_all("web", FLOOD),
    "foreign": lambda: put_all("web", ["foreign"]),
    "stray": lambda: put_all("core", ["stray"]),
}


def row_of(store: Any, changes: Sequence[Any]) -> str | None:
    """Which row of web-tracking this commit holds, by what the store knew before it."""
    for change in changes:
        entry = getattr(change, "entry", None)
        if entry is None or entry.kind != "state-changed" or entry.move is None or entry.move.area != "web-tracking":
            continue
        before = store.move(entry.move)
        return f"{before.direction} {before.state} {entry.evidence['event']}"
    return None


def arm(order: Order) -> None:
    from migrator.adapters.state.store import SqlStateStore
    from migrator.engine.session import Session
    from migrator.engine.world import World
    from migrator.model.values import replace

    if order.dead_run_seconds is not None:
        wait_seconds, opened = order.dead_run_seconds, Session.open

        def open_after_another(self: Session, *arguments: Any) -> None:
            opened(self, *arguments)
            self.wait_until = time.monotonic() + wait_seconds

        Session.open = open_after_another  # type: ignore[method-assign]
    if order.ready_pass_seconds is not None:
        seconds, made = order.ready_pass_seconds, World.__init__

        def hurried(self: World, *arguments: Any, **more: Any) -> None:
            made(self, *arguments, **more)
            self.rhythm = replace(self.rhythm, ready_pass_seconds=seconds)

        World.__init__ = hurried  # type: ignore[method-assign]
    commit = SqlStateStore.commit

    def die(row: str) -> None:
        MARK.write_text(f"{row} {order.when}")
        if order.group:
            for child in children():
                os.kill(child, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def watched(self: SqlStateStore, changes: Sequence[Any], *, token: int | None) -> None:
        row = row_of(self, changes)
        if row == order.row and order.when == "before":
            die(row)
        commit(self, changes, token=token)
        if row == order.row and order.when == "after":
            die(row)
        if row in order.acts:
            ACTS[order.acts[row]]()

    SqlStateStore.commit = watched  # type: ignore[method-assign]


def main() -> int:
    from migrator.cli.app import main as migrate

    arm(Order(**json.loads(sys.argv[1])))
    sys.argv = ["migrate", *sys.argv[2:]]
    return migrate()


if __name__ == "__main__":
    sys.exit(main())
