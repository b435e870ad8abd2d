"""Removing a lock by hand.

Decides when that is refused: while its run gives signs of life. A lock whose run used credentials that outlive it by more
than an hour is removed only after the person typed that the process is stopped, because nothing else can bound its writes.
"""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from migrator.cli.identity import user
from migrator.cli.settings import Settings
from migrator.cli.situation import LOCK_TIMEOUT_SECONDS
from migrator.cli.views.figures import duration
from migrator.cli.wiring import open_state_of, state_url, stored_plans
from migrator.errors import FindingsError, LockedError, UsageError
from migrator.model.moves import JournalEntry, LockRecord
from migrator.ports.state_store import AddJournal, StateStore

LONG_BOUND_SECONDS: Final = 3600.0
SENTENCE: Final = "the old process is stopped"


def remove_lock(settings: Settings, nonce: str) -> LockRecord:
    """Remove the lock with this id from the state store; the removed lock.

    Raises:
        UsageError: there is none, or a sentence must be typed and there is no terminal.
        LockedError: its run is alive.
        FindingsError: the sentence was not typed.
    """
    url = state_url(settings)
    for plan in stored_plans(url):
        with closing(open_state_of(url, plan)) as store:
            lock = store.lock()
            if lock is not None and lock.nonce == nonce:
                _remove(store, lock)
                return lock
    raise UsageError(f"cannot remove lock {nonce}: {url} has no such lock", hint="see `migrate status`")


def _remove(store: StateStore, lock: LockRecord) -> None:
    now = datetime.now(UTC)
    age = (now - lock.heartbeat).total_seconds()
    who = f"{lock.owner}@{lock.host}, pid {lock.pid}"
    if age < LOCK_TIMEOUT_SECONDS:
        raise LockedError(
            f"cannot remove lock {lock.nonce}: its run ({who}) gave a sign of life {duration(max(0.0, age))} ago",
            hint="stop that run first, with Ctrl-C where it runs",
        )
    if lock.bound_seconds > LONG_BOUND_SECONDS:
        _require_sentence(lock, who)
    if store.remove_lock(lock.nonce):
        text = f"lock {lock.nonce} of {who} removed"
        entry = JournalEntry(now, user(), "unlock", text, run=lock.run, evidence={"heartbeat_age_seconds": round(age)})
        store.commit([AddJournal(entry)], token=None)


def _require_sentence(lock: LockRecord, who: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            f"cannot remove lock {lock.nonce} without asking: its credentials hold for {duration(lock.bound_seconds)}",
            hint="run this on a terminal",
        )
    print(
        f"The credentials of {who} hold for {duration(lock.bound_seconds)}; if it still runs, it can still write.\n"
        f"Type `{SENTENCE}` to go on: ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    if sys.stdin.readline().strip() != SENTENCE:
        raise FindingsError("nothing was done: the sentence was not typed")
