"""What runs that did not end in order may have sent: for how long it is waited for, by whichever run comes.

Kept as two notes of the state store, because the lock tells of one run only. Time counts only on the clock that was written down:
of another machine, or after this one was started again, nobody can tell how much went by.
"""

from __future__ import annotations

from collections.abc import Collection
from math import isfinite

from migrator.model import notes
from migrator.model.moves import LockRecord
from migrator.model.values import value
from migrator.ports.state_store import SetNote, StateStore

ACCOUNTED_RUNS = 200
"""So many of the latest are kept, and older ones that a route record still names."""


@value(frozen=True, slots=True)
class Lingering:
    """``seconds`` may be infinite, where credentials have no end that we know. ``lock``: what ``migrate unlock`` takes."""

    seconds: float = 0.0
    lock: str = ""

    def in_words(self) -> str:
        return f"for {self.seconds:.0f} s" if isfinite(self.seconds) else "for as long as its signature holds"


@value(frozen=True, slots=True)
class Moment:
    """Now, on a machine's monotonic clock. ``boot``: which machine, from one start to the next; empty if nobody can tell."""

    boot: str
    monotonic: float

    @classmethod
    def of(cls, boot_id: str, monotonic: float) -> Moment:
        """``boot_id`` as a lock has it: whatever container reads it, the clock is the machine's."""
        return cls(boot_id.partition(" ")[0], monotonic)


def lingering(state: StateStore, now: Moment) -> Lingering:
    """What earlier runs left to be waited for."""
    noted = state.note(notes.LINGERING)
    if not noted:
        return Lingering()
    gone = now.monotonic - noted["at"] if now.boot and now.boot == noted["boot"] else 0.0
    left = max(0.0, float(noted["seconds"]) - max(0.0, gone))
    return Lingering(left, str(noted["lock"])) if left else Lingering()


def noted(left: Lingering, now: Moment) -> SetNote:
    """To be committed: ``left`` is to be waited for from now on."""
    if left.seconds <= 0:
        return SetNote(notes.LINGERING, None)
    return SetNote(notes.LINGERING, {"seconds": left.seconds, "boot": now.boot, "at": now.monotonic, "lock": left.lock})


def accounted(state: StateStore) -> list[str]:
    return list(state.note(notes.ACCOUNTED) or ())


def account_for(state: StateStore, run: str, named: Collection[str] | None = None) -> SetNote:
    """To be committed with what ``run`` left to be waited for. A run that a route record still names is remembered for as long
    as it does, by a halted move for a year if it must.

    Args:
        named: the runs that records name; None: nobody looked, so none is forgotten.
    """
    runs = [*accounted(state), run]
    if named is not None:
        old = runs[:-ACCOUNTED_RUNS]
        runs = [one for one in old if one in named] + runs[-ACCOUNTED_RUNS:]
    return SetNote(notes.ACCOUNTED, runs)


def left_by(lock: LockRecord, *, is_dead: bool) -> Lingering:
    """What the run of a lock that is taken from it may have sent; ``is_dead``: on proof, or on a person's word."""
    return Lingering(lock.linger_seconds(is_dead=is_dead), lock.nonce)


def longer(one: Lingering, other: Lingering) -> Lingering:
    return other if other.seconds > one.seconds else one
