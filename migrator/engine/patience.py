"""What passes by itself is waited out and said: an account that does not answer or asks for less, a state store that is busy, a
container that vanished while it was listed.

Decides by *who acts next* whether a fault needs a person, how long to wait before another try, and how often to speak of it.
Rules:

- outside a fence there is no count of tries: a wait ends when the service answers, or when somebody stops the run;
- inside a fence writers wait, so nothing here is patient: an account that is away is asked for some seconds (``transfer.paced``),
  then the fence is cancelled, and the waiting is done after it. Only a throttled barrier tries on, because its time is bounded
  anyway (``fence_timeout``);
- a run that may not wait (``--no-wait``) leaves the move as it is (``Stalled``), and says why;
- on the way back a target that stays away is a person's question, for there is another way (``--abandon-target-writes``): its
  requests are tried for some minutes, then the move halts. One that asks for less is there, and is waited for like any other;
- a soak does not stand still for a look that cannot be made: that is a sample like any other (``steps.soak``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from math import inf
from typing import Final, TypeVar

from migrator.engine.claim import Claimant
from migrator.engine.committing import surely
from migrator.errors import (
    CloudError,
    MigrateError,
    NotFound,
    OutcomeUnknown,
    StateError,
    StateUnusable,
    Throttled,
    Unreachable,
)
from migrator.machine.states import is_getting_ready, is_in_fence
from migrator.model import notes
from migrator.model.happenings.waits import TroubleMet, TroubleOver
from migrator.model.moves import Direction, MoveState
from migrator.ports.state_store import Change, SetNote

T = TypeVar("T")
SINCE: Final = "\N{NULL}"
"""In a clause: where the moment belongs at which the trouble began."""
STORE: Final = "the state store"
ROUTE: Final = "the route document"
NAMES: Final = "the objects that were not there yet"


def passes_by_itself(fault: MigrateError) -> bool:
    """Does the fault end without a person?"""
    if isinstance(fault, StateError):
        return not isinstance(fault, StateUnusable)
    if isinstance(fault, NotFound):
        return fault.what == "container"
    return isinstance(fault, Unreachable | Throttled | OutcomeUnknown)


class MovePatience:
    """Of one move; implements ``transfer.paced.Patience``."""

    def __init__(self, mover: Claimant) -> None:
        self._mover = mover
        self._since: datetime | None = None
        self._about = ""
        self._tries = 0
        self._missed = 0
        self._journaled: dict[str, float] = {}
        self._is_noted = mover.world.state.note(notes.waits_out(mover.id)) is not None
        """A sentence is, or may be, on record: an earlier run's, too."""

    # Requests (transfer.paced).

    @property
    def is_hurried(self) -> bool:
        return is_in_fence(self._mover.record.state)

    async def keep_trying(self, account: str, fault: CloudError, attempt: int) -> bool:
        mover = self._mover
        state, is_throttled = mover.record.state, isinstance(fault, Throttled)
        if is_in_fence(state):
            return is_throttled and state is MoveState.VERIFYING
        if not is_getting_ready(state):
            return is_throttled and attempt < mover.world.rhythm.throttled_attempts
        if not is_throttled and self._is_given_up(account):
            return attempt < mover.world.rhythm.way_back_attempts
        if not mover.is_patient:
            return is_throttled and attempt < mover.world.rhythm.throttled_attempts
        self._say(f"account {account}", fault)
        await mover.unpaused()
        mover.shared.session.check()
        return True

    def _is_given_up(self, account: str) -> bool:
        mover = self._mover
        return mover.record.direction is Direction.REVERSE and account == mover.plan.target

    def answered(self, account: str) -> None:
        if self._about == f"account {account}":
            self.over()

    # Steps.

    def ends_in_halt(self, fault: MigrateError) -> bool:
        """Must a person look at what ended a step outside a fence?"""
        is_missing = isinstance(fault, NotFound) and fault.what == "container"
        self._missed = self._missed + 1 if is_missing else 0
        if not passes_by_itself(fault) or self._missed > self._mover.world.rhythm.most_missed:
            return True
        if not isinstance(fault, CloudError) or isinstance(fault, Throttled):
            return False
        return self._is_given_up(fault.account)

    async def wait_out(self, fault: MigrateError) -> None:
        """Until another try of the step is worth while."""
        clock, rhythm = self._mover.world.clock, self._mover.world.rhythm
        self._say(_about(fault), fault)
        pause = min(rhythm.first_pause_seconds * 2.0**self._tries, rhythm.longest_pause_seconds)
        self._tries = min(self._tries + 1, 20)
        await clock.sleep(pause * (0.5 + clock.random()))

    def over(self) -> None:
        """Something went well: the next trouble is another one."""
        self._tries = self._missed = 0
        mover, about, was_away = self._mover, self._about, self._since is not None
        if not self._is_noted:
            return
        self._since, self._about = None, ""
        if was_away:
            mover.waiting_for = ""
            mover.tell(TroubleOver(about, is_there=about == NAMES))
        self._is_noted = not self._note(SetNote(notes.waits_out(mover.id), None))

    async def surely(self, act: Callable[[], T], *, within: float = inf, full_within: float = inf) -> T:
        """``act`` commits; again while the store is busy or full."""
        clock, rhythm = self._mover.world.clock, self._mover.world.rhythm
        done = await surely(
            clock, rhythm, act, within=within, full_within=full_within, say=lambda fault: self._say(STORE, fault)
        )
        if self._about == STORE:
            self.over()
        return done

    # Words.

    def waits_for(self, about: str, clause: str) -> None:
        """Say ``clause`` once for each trouble; into the journal at most every ``say_again_seconds``."""
        mover = self._mover
        if self._since is not None and self._about == about:
            return
        self._since, self._about, self._is_noted = mover.world.clock.now(), about, True
        text = clause.replace(SINCE, f"{self._since:%Y-%m-%d %H:%M:%S} UTC")
        mover.waiting_for = f"waiting for {text}"
        met = TroubleMet(about, text)
        mover.tell(met)
        now = mover.world.clock.monotonic()
        if now - self._journaled.get(about, -inf) >= mover.world.rhythm.say_again_seconds:
            if self._note(SetNote(notes.waits_out(mover.id), text), mover.note(met)):
                self._journaled[about] = now
        else:
            self._note(SetNote(notes.waits_out(mover.id), text))

    def _say(self, about: str, fault: MigrateError) -> None:
        self.waits_for(about, f"{about}, {_word(fault)} since {SINCE} ({fault.message})")

    def _note(self, *changes: Change) -> bool:
        try:
            self._mover.commit(*changes)
        except StateError:
            return False  # what cannot be written down now was told at least
        return True


def _about(fault: MigrateError) -> str:
    if isinstance(fault, StateError):
        return STORE
    if isinstance(fault, CloudError) and fault.account:
        return f"account {fault.account}"
    if isinstance(fault, NotFound):
        return "a whole listing"
    return ROUTE if isinstance(fault, Unreachable | Throttled) else "an answer"


def _word(fault: MigrateError) -> str:
    if isinstance(fault, Throttled):
        return "throttled"
    if isinstance(fault, StateError):
        return "busy"
    return "unreachable" if isinstance(fault, Unreachable) else "missing"
