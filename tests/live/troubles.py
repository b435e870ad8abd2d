"""What happens to a run beside being killed: keys at its terminal, a failing guardian, a busy store, a hand at the route, an
account that is away.

Each trouble comes in a state of the move, is over by itself, and needs nobody. Every second seed has one on either way, each
kind in its turn.
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
EDIT_SECONDS: Final = 0.5
AWAY_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Trouble:
    """``kind``: of ``KINDS``; ``delay``: seconds after ``state`` was entered."""

    kind: str
    state: str
    delay: float

    def told(self) -> str:
        return f"{self.kind} in {self.state}"


def chosen(seed: int, leg: int, wanted: str = "") -> list[Trouble]:
    """What a leg (0 there, 1 back) suffers: nothing if the seed is even. ``wanted``: kinds by comma, instead of the seed's."""
    kinds = wanted.split(",") if wanted else list(KINDS)
    if not wanted and seed % 2 == 0:
        return []
    kind = kinds[(seed - seed % 2 + leg) % len(kinds)]
    state = STATES.get(kind, ("draining", "draining"))[leg]
    # The run that goes on in its copy is at work some seconds after it began.
    return [Trouble(kind, state, Random(f"{seed}/{leg}").uniform(0.0, 1.0) + (2.0 if state == "copying" else 0.0))]


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
        watchers = children(pid)
        assert watchers, "nobody watches the fence"
        for child in watchers:
            os.kill(child, number)

    return fails


def backup(one: Round, pid: int) -> None:
    """Somebody reads the whole store, slowly."""
    reader = sqlite3.connect(one.folder / "state/migrator.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    time.sleep(BACKUP_SECONDS)
    reader.close()


def there_and_back(how: Callable[[dict[str, Any], int], dict[str, Any]]) -> Callable[[Round, int], None]:
    """Somebody lets the writers go, thinks again, and puts back what was there. ``how``: what a record becomes by the first and
    the second edit."""

    def edits(one: Round, pid: int) -> None:
        blob = one.service("core").get_blob_client("routing", "routes.json")
        document = json.loads(blob.download_blob().readall())
        ((key, fence),) = document["routes"].items()
        assert fence["mode"] == "read-only", "the fence is over before anybody edits it"
        for number in (1, 2):
            edited = {**document, "routes": {key: how(fence, number)}}
            blob.upload_blob(json.dumps(edited), overwrite=True)
            time.sleep(EDIT_SECONDS)

    return edits


def by_mode_alone(fence: dict[str, Any], number: int) -> dict[str, Any]:
    """As an editor and a saved copy do it: followers refuse one epoch that says two things."""
    return {**fence, "mode": "read-write"} if number == 1 else fence


def with_epochs(fence: dict[str, Any], number: int) -> dict[str, Any]:
    """As PROTOCOL.md asks of everybody: followers obey both."""
    return {**fence, "epoch": fence["epoch"] + number, "mode": "read-write" if number == 1 else fence["mode"]}


def account(name: str, *, answers: bool = False) -> Callable[[Round, int], None]:
    """It is away for a minute, for the orchestrator. ``answers``: it takes connections."""

    def goes(one: Round, pid: int) -> None:
        gateway = one.gateways[name]
        gateway.silent() if answers else gateway.away()
        time.sleep(AWAY_SECONDS)
        gateway.back()

    return goes


KINDS: Final[Mapping[str, Callable[[Round, int], None]]] = {
    "ctrl-backslash": ctrl_backslash,
    "source-away": account("core"),
    "guardian-dies": guardian(signal.SIGKILL),
    "edit-and-undo": there_and_back(with_epochs),
    "away-in-fence": account("split"),
    "backup-in-fence": backup,
    "source-silent": account("core", answers=True),
    "ctrl-z": ctrl_z,
    "target-away": account("split"),
    "there-and-back": there_and_back(by_mode_alone),
    "backup": backup,
    "guardian-stops": guardian(signal.SIGSTOP),
}
"""In turn, one on the way there and one on the way back. The five rounds of ``make live`` have the last six; twelve have all."""
OF_ACCOUNTS: Final = frozenset({"source-away", "target-away", "source-silent", "away-in-fence"})
STATES: Final[Mapping[str, tuple[str, str]]] = {
    "source-away": ("soaking", "catching-up"),
    "source-silent": ("soaking", "ready"),
    "target-away": ("copying", "catching-up"),
    "backup": ("catching-up", "catching-up"),
}
"""When there, and on the way back; the others come in the drain of a fence."""
