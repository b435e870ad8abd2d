"""Removing a lock by hand, or the wait that it left.

Decides when that is refused: while its run gives signs of life. A lock whose run used credentials that outlive it by more
than an hour is removed only after the person typed that the process is stopped, because nothing else can bound its writes. Rule:
what the run may have sent is waited for after that as if another run had taken the lock.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from math import isfinite
from typing import Final

from migrator.adapters.clock import SystemClock
from migrator.cli.consent import require_typed
from migrator.cli.identity import boot_id, is_proven_dead, new_run, user
from migrator.cli.settings import Settings
from migrator.cli.views.figures import duration
from migrator.cli.wiring import open_state_of, place_of_state, state_url, stored_plans
from migrator.engine import pulse
from migrator.engine.lingering import Lingering, Moment, account_for, left_by, lingering, longer, noted
from migrator.errors import LockedError, UsageError
from migrator.machine import liveness
from migrator.model.happenings.wishes import LockRemoved, WaitRemoved
from migrator.model.moves import PROVEN_DEAD_SECONDS, LockRecord
from migrator.ports.state_store import AddJournal, StateStore
from migrator.words.journal import entry

LONG_BOUND_SECONDS: Final = 3600.0
SENTENCE: Final = "the old process is stopped"


def remove_lock(settings: Settings, nonce: str) -> str:
    """Remove the lock with this id from the state store, or what the run of that lock left to be waited for; what it was.

    Raises:
        UsageError: there is none, or a sentence must be typed and there is no terminal.
        LockedError: its run is alive, or another is.
        FindingsError: the sentence was not typed.
    """
    url = state_url(settings)
    others = []
    for plan in stored_plans(url):
        with closing(open_state_of(url, plan)) as store:
            lock = store.lock()
            if lock is not None and lock.nonce == nonce:
                _remove(store, lock)
                return f"lock {lock.nonce} of {_who(lock)}"
            others += [lock] if lock is not None else []
            if (left := lingering(store, _now())).seconds and left.lock == nonce:
                _stop_waiting(store, left)
                return f"what was waited for because of lock {nonce}"
    raise UsageError(f"cannot remove lock {nonce}: {place_of_state(url)} has no such lock", hint=_there_is(others))


def _there_is(locks: Sequence[LockRecord]) -> str:
    """Whoever types the plan, which every other command takes, is told what to type."""
    if not locks:
        return "it has none: `migrate apply PLAN` may begin"
    named = ", ".join(f"`migrate unlock {lock.nonce}` (of {_who(lock)})" for lock in locks)
    return f"give the id of a lock: {named}"


def _remove(store: StateStore, lock: LockRecord) -> None:
    """What its run may have sent is waited for all the same; of a process that is stopped nothing comes for long."""
    now = datetime.now(UTC)
    age = (now - lock.heartbeat).total_seconds()
    clock = SystemClock()
    if not is_proven_dead(lock) and asyncio.run(pulse.silent(store, clock, lambda lock: False, _say_watch)) is None:
        ago = duration(age) if liveness.beat_just_now(lock, now) else "a moment"
        raise LockedError(
            f"cannot remove lock {lock.nonce}: its run ({_who(lock)}) gave a sign of life {ago} ago",
            hint="stop that run first, with Ctrl-C where it runs",
        )
    is_stopped = lock.bound_seconds > LONG_BOUND_SECONDS
    if is_stopped:
        _require_sentence(f"cannot remove lock {lock.nonce}", _who(lock), lock.bound_seconds)
    moment = _now()
    left = longer(lingering(store, moment), left_by(lock, is_dead=is_stopped))
    row = entry(LockRemoved(lock.nonce, _who(lock), round(age)), now, actor=user(), run=lock.run)
    store.remove_lock(lock.nonce, changes=[account_for(store, lock.run), noted(left, moment), AddJournal(row)])


def _say_watch(lock: LockRecord) -> None:
    text = f"Watching for {liveness.SILENT_SECONDS:.0f} s whether {_who(lock)} gives a sign of life ..."
    print(text, file=sys.stderr, flush=True)


def _stop_waiting(store: StateStore, left: Lingering) -> None:
    """The lock itself is gone: another run took it, and ended since. The lock is taken for a moment, so that none begins."""
    _require_sentence(f"cannot stop waiting for the run of lock {left.lock}", "that run", left.seconds)
    now, moment, run = datetime.now(UTC), _now(), new_run()
    shorter = Lingering(min(left.seconds, PROVEN_DEAD_SECONDS), left.lock)
    mine = LockRecord(f"unlock-{run.id}", 0, run.id, run.owner, run.host, run.pid, run.boot_id, now, now, 0.0)
    row = entry(WaitRemoved(left.lock), now, actor=user())
    store.give_back(store.acquire(mine, changes=[noted(shorter, moment), AddJournal(row)]).token)


def _now() -> Moment:
    return Moment.of(boot_id(), SystemClock().monotonic())


def _who(lock: LockRecord) -> str:
    return f"{lock.owner}@{lock.host}, pid {lock.pid}"


def _require_sentence(refusal: str, who: str, seconds: float) -> None:
    holds = f"hold for {duration(seconds)}" if isfinite(seconds) else "hold for as long as nobody revokes them"
    require_typed(
        SENTENCE,
        f"{refusal} without asking: its credentials {holds}",
        f"The credentials of {who} {holds}; if it still runs, it can still write.",
    )
