"""Workers for small server-side copies: work units that are values, answered one for one.

The engine's process keeps all judgement and all state; an executor only sends. A batch could as well go to another
machine: it names accounts as the plan does, and holds no connection, no secret and no order of its own.

Promises of every implementation (tests/contract holds them all to it):
- each copy of a batch is sent at most once, and never after the batch's ``until``; what is not sent is answered
  ``UNSENT``, and was not applied;
- the answers are as many as the copies, in their order; ``copy`` raises only if it is cancelled, and then ``CutOff``
  with the answers that came, where it can wait for them;
- a copy that may have been applied without an answer - the hand died, or the batch was cancelled - is answered with
  OutcomeUnknown's refusal, or not at all;
- after a "throttled" answer nothing more of the same batch is sent: whoever paces decides when to go on;
- a lane is looked at by one hand, once, and no page of it is asked for after its ``until``; its answer says what was seen of all
  of it after it was handed out, or why nothing was: a hand that died has seen nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final, Literal, NamedTuple, Protocol

from migrator.errors import (
    AccessRefused,
    CloudError,
    ConditionFailed,
    NotFound,
    OutcomeUnknown,
    SourceChanged,
    Throttled,
    Unreachable,
    Unsupported,
)
from migrator.model.looks import LaneLooked, LaneToLook
from migrator.model.values import value


class CopyUnit(NamedTuple):
    """Copy generation ``etag`` of block blob ``name`` in one request. ``if_match`` None creates, else it replaces that
    generation. ``tags`` and ``tier`` are set at the destination; headers and metadata come with the copy."""

    name: str
    etag: str
    if_match: str | None = None
    tags: Mapping[str, str] | None = None
    tier: str | None = None


@value(frozen=True, slots=True)
class CopyBatch:
    """Copies inside one container between two accounts. ``until``: on the clock of this host that does not go back
    (``Clock.monotonic``), the last moment at which one of them may be sent."""

    origin: str
    destination: str
    container: str
    units: tuple[CopyUnit, ...]
    until: float


RefusalKind = Literal[
    "unsent",
    "unknown",
    "throttled",
    "condition-failed",
    "source-changed",
    "not-found",
    "access-refused",
    "unsupported",
    "unreachable",
    "other",
]


@value(frozen=True, slots=True)
class Refusal:
    """Why a copy was not done, as a value: what an error of ``migrator.errors`` says, and ``as_error`` makes it again."""

    kind: RefusalKind
    message: str = ""
    hint: str = ""
    code: str = ""
    what: str = ""
    """Of "not-found": blob, container or account."""
    retry_after_seconds: float | None = None
    is_origin: bool = False
    """Of "throttled": the copy's source refused, not the destination."""

    @classmethod
    def of(cls, fault: CloudError) -> Refusal:
        other: RefusalKind = "other"
        kind = next((word for word, family in _FAMILIES.items() if isinstance(fault, family)), other)
        what = fault.what if isinstance(fault, NotFound) else ""
        if isinstance(fault, Throttled):
            is_origin = fault.account_side == "origin"
            return cls(kind, fault.message, fault.hint, fault.code, what, fault.retry_after_seconds, is_origin)
        return cls(kind, fault.message, fault.hint, fault.code, what)

    def as_error(self) -> CloudError:
        """The error that an ObjectStore would have raised."""
        if self.kind == "not-found":
            return NotFound(self.message, what=self.what, hint=self.hint, code=self.code)
        if self.kind == "throttled":
            side = "origin" if self.is_origin else "self"
            return Throttled(
                self.message,
                hint=self.hint,
                code=self.code,
                retry_after_seconds=self.retry_after_seconds,
                account_side=side,
            )
        return _FAMILIES.get(self.kind, CloudError)(self.message, hint=self.hint, code=self.code)


_FAMILIES: Final[Mapping[RefusalKind, type[CloudError]]] = {
    "unknown": OutcomeUnknown,
    "throttled": Throttled,
    "condition-failed": ConditionFailed,
    "source-changed": SourceChanged,
    "not-found": NotFound,
    "access-refused": AccessRefused,
    "unsupported": Unsupported,
    "unreachable": Unreachable,
}

UNSENT: Final = Refusal("unsent")
"""Nothing was sent: its time was over, or the service had asked for less."""


@value(frozen=True, slots=True)
class BatchAnswer:
    """``answers``: for each copy, in order, the new ETag (normalised) or why there is none. ``answered``: how many of them
    the service answered, by minute (Unix time // 60)."""

    answers: Sequence[str | Refusal]
    answered: Mapping[int, int] = field(default_factory=dict)
    window: int = 0
    """How many copies whoever answers has under way at once, at most."""


@value(frozen=True, slots=True)
class LaneAnswer:
    """What came of the look ``number``: all that was seen of its lane, or why it is not known. ``answered``: pages that were
    answered, as (account, minute, how many)."""

    number: int
    looked: LaneLooked | None
    refusal: Refusal | None = None
    answered: tuple[tuple[str, int, int], ...] = ()


class CutOff(asyncio.CancelledError):
    """``copy`` was cancelled; these answers are all that will be known of the batch. Nothing of it is sent any more."""

    def __init__(self, answer: BatchAnswer) -> None:
        super().__init__("the batch was cut off")
        self.answer = answer


class Executor(Protocol):
    @property
    def batches_at_once(self) -> int:
        """How many batches it can use at a time; more of them would only lie about."""
        ...

    @property
    def window(self) -> int:
        """How many copies may be under way at once, of all its hands, as the service takes them now; 0 while it has no work."""
        ...

    def bind_run(self, token: int) -> None:
        """Which run sends (``ObjectStore.bind_run``); said once, before the first batch."""
        ...

    def expect(self, copies: int) -> None:
        """About so many copies are to come soon: workers that need a while to be ready may begin now. Only a hint."""
        ...

    async def copy(self, batch: CopyBatch) -> BatchAnswer:
        """Carry out a batch; several may be under way at once."""
        ...

    @property
    def lanes_at_once(self) -> int:
        """How many lanes it can look at at a time; 0: it looks at none."""
        ...

    def expect_lanes(self, names: int) -> bool:
        """So many names are to be looked at now or soon. Are hands ready for them? Not where few names are not worth it yet: then
        whoever asks looks himself."""
        ...

    async def look(self, lane: LaneToLook) -> LaneAnswer:
        """Look at a lane; several may be under way at once. Cancelled, it asks for nothing more."""
        ...

    async def close(self) -> None:
        """Give up what is under way and end; safe to repeat."""
        ...
