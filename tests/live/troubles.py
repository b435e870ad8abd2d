"""What happens to a run beside being killed: keys at its terminal, a failing guardian, a busy store, a hand at the route.

Each trouble comes in a state of the move, is over by itself, and needs nobody - except that a person answers for an edit of the
route. Every second seed has one on either way, each kind in its turn.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

from tests.children import children, state_of

if TYPE_CHECKING:
    from tests.live.rounds import Round

CTRL_Z_SECONDS: Final = 40.0
"""Longer than the guardian waits for an engine that says nothing."""
FREED_SECONDS: Final = 36.0
BACKUP_SECONDS: Final = 15.0
HALTED: Final = 4


@dataclass(frozen=True)
class Trouble:
    """``kind``: of ``KINDS``; ``delay``: seconds after ``state`` was entered."""

    kind: str
    state: str
    delay: float

    def told(self) -> str:
        return f"{self.kind} in {self.state}"


def chosen(seed: int, leg: int, wanted: str = "") -> list[Trouble]:
    """What the ``leg`` (0 or 1) of a round suffers: nothing if the seed is even. ``wanted``: kinds, by comma, instead."""
    kinds = wanted.split(",") if wanted else sorted(KINDS.keys() - BY_NAME_ONLY)
    if not wanted and seed % 2 == 0:
        return []
    kind = kinds[(seed - seed % 2 + leg) % len(kinds)]
    return [Trouble(kind, "catching-up" if kind == "backup" else "draining", Random(f"{seed}/{leg}").uniform(0.0, 1.0))]


def ctrl_z(one: Round, pid: int) -> None:
    """Its writers are free before it goes on."""
    os.killpg(pid, signal.SIGTSTP)
    begun = time.monotonic()
    while state_of(pid) != "T":
        assert time.monotonic() < begun + 10, "Ctrl-Z does not stop it"
        time.sleep(0.1)
    while one.mode() == "read-only":
        assert time.monotonic() < begun + FREED_SECONDS, "a run that stands still keeps writers out"
        time.sleep(0.1)
    time.sleep(max(0.0, min(CTRL_Z_SECONDS, CTRL_Z_SECONDS - (time.monotonic() - begun))))
    os.killpg(pid, signal.SIGCONT)


def ctrl_backslash(one: Round, pid: int) -> None:
    os.killpg(pid, signal.SIGQUIT)


def guardian(number: signal.Signals) -> Callable[[Round, int], None]:
    def fails(one: Round, pid: int) -> None:
        for child in children(pid):
            os.kill(child, number)

    return fails


def backup(one: Round, pid: int) -> None:
    """Somebody reads the whole store, slowly."""
    reader = sqlite3.connect(one.folder / "state/migrator.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    time.sleep(BACKUP_SECONDS)
    reader.close()


def there_and_back(one: Round, pid: int) -> None:
    """Somebody lets the writers go, thinks again, and puts back what was there."""
    blob = one.service("core").get_blob_client("routing", "routes.json")

    def edit(change: Mapping[str, Any]) -> dict[str, Any]:
        document = json.loads(blob.download_blob().readall())
        before = next(iter(document["routes"].values()))
        key = next(iter(document["routes"]))
        blob.upload_blob(json.dumps({**document, "routes": {key: {**before, **change}}}), overwrite=True)
        return dict(before)

    fence = edit({})
    if fence["mode"] == "read-only":
        edit({"mode": "read-write", "epoch": fence["epoch"] + 1})
        time.sleep(0.5)
        edit({"mode": fence["mode"], "epoch": fence["epoch"] + 2})


KINDS: Final[Mapping[str, Callable[[Round, int], None]]] = {
    "ctrl-z": ctrl_z,
    "ctrl-backslash": ctrl_backslash,
    "guardian-dies": guardian(signal.SIGKILL),
    "guardian-stops": guardian(signal.SIGSTOP),
    "backup": backup,
    "there-and-back": there_and_back,
}
BY_NAME_ONLY: Final = frozenset({"backup", "there-and-back"})
"""Not yet seen to pass whole rounds: ask for them with TROUBLES."""
