"""What every state store refuses, whatever keeps its rows: pure rules of commits, ranges and the lock.

Decides which changes need the lock, whether new ranges tile the stretch they replace, and when a lock may be taken. Leaves
rows and transactions to the stores. Rule: a broken promise of the caller is an InternalError and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from migrator.errors import InternalError, LockedError
from migrator.model.moves import EvidenceRange, LockRecord
from migrator.model.notes import OF_OPERATORS
from migrator.model.values import replace
from migrator.ports.state_store import AddApproval, AddJournal, Change, ReplaceRanges, SetControl, SetNote

BEFORE_ALL: Final = b""
"""Sorts below the position of every range."""

_OPERATOR_CHANGES: Final = (SetControl, AddJournal, AddApproval)
"""Notes with keys like these are what somebody counted or compared: no run decides anything by them."""


def position(upper: bytes | None) -> bytes:
    """Bytes that sort as ranges do: by upper bound, the range that is open above last."""
    return b"\x01" if upper is None else b"\x00" + upper


def upper_at(position: bytes) -> bytes | None:
    """The upper bound that ``position`` was made from."""
    return None if position == b"\x01" else position[1:]


def check_aware(*times: datetime | None) -> None:
    """InternalError for a time that does not say its zone."""
    for at in times:
        if at is not None and at.tzinfo is None:
            raise InternalError("a time without a zone was to be saved")


def check_operator_changes(changes: Sequence[Change]) -> None:
    """Without a token only wishes, approvals, journal lines, inventories, measured traffic and proofs may be written."""
    for change in changes:
        is_looked_up = isinstance(change, SetNote) and change.key.startswith(OF_OPERATORS)
        if not is_looked_up and not isinstance(change, _OPERATOR_CHANGES):
            raise InternalError(f"{type(change).__name__} was committed without the lock's token")


def tile(change: ReplaceRanges, *, has_ranges: bool, is_boundary: Callable[[bytes], bool]) -> tuple[EvidenceRange, ...]:
    """The ranges to put in place of those in the change's stretch.

    Where nothing was ever written for the container and prefix, the rest below and above is filled by one empty range each,
    so that ranges always tile everything.

    Args:
        has_ranges: is there any range of this container and prefix?
        is_boundary: does an existing range end at exactly this upper bound?
    Raises:
        InternalError: the new ranges do not tile the stretch, or the stretch cuts an existing range.
    """
    _check_tiling(change)
    if has_ranges:
        for end in (change.above, change.upper):
            if end is not None and not is_boundary(end):
                raise InternalError(f"{_stretch(change)} is replaced, but no range ends at {end!r}")
        return change.ranges
    empty = EvidenceRange(change.container, change.prefix, None)
    below = () if change.above is None else (replace(empty, upper=change.above),)
    beyond = () if change.upper is None else (empty,)
    return (*below, *change.ranges, *beyond)


def _check_tiling(change: ReplaceRanges) -> None:
    for new in change.ranges:
        if (new.container, new.prefix) != (change.container, change.prefix):
            raise InternalError(f"{_stretch(change)} is replaced by a range of {new.container}/{new.prefix}")
    low = BEFORE_ALL if change.above is None else position(change.above)
    ends = [low, *(position(new.upper) for new in change.ranges)]
    if (
        not change.ranges
        or ends[-1] != position(change.upper)
        or any(first >= second for first, second in pairwise(ends))
    ):
        raise InternalError(f"{_stretch(change)} is replaced by ranges that do not tile it")


def _stretch(change: ReplaceRanges) -> str:
    return f"the stretch ({change.above!r}, {change.upper!r}] of {change.container}/{change.prefix} of {change.move}"


def check_free(held: LockRecord | None, wanted: LockRecord, *, dead: str, silent: datetime | None = None) -> None:
    """LockedError if a run other than ``wanted`` holds the lock, unless it is the one of ``dead``: proven gone, or watched in
    silence - then ``silent`` is the heartbeat that did not change. Somebody else may have found that too, and hold another lock
    by now; or the silent run beat after all."""
    if held is None or held.nonce == wanted.nonce:
        return
    if held.nonce == dead and silent in (None, held.heartbeat):
        return
    raise LockedError(
        f"cannot start: {held.owner}@{held.host} (pid {held.pid}) has been running since {held.since:%Y-%m-%d %H:%M:%S} "
        f"UTC under lock {held.nonce}",
        hint="wait for it, steer it with hold, pause or rollback, or end it with Ctrl-C, which loses nothing;"
        f" if it is surely dead: migrate unlock {held.nonce}",
    )


def check_token(held: LockRecord | None, token: int) -> LockRecord:
    """The lock that ``token`` holds now; else LockedError."""
    if held is None:
        raise LockedError("cannot go on: this run's lock was removed", hint="run the same command again")
    if held.token != token:
        raise LockedError(
            f"cannot go on: {held.owner}@{held.host} (pid {held.pid}) has taken over under lock {held.nonce}",
            hint="let that run go on; see migrate status",
        )
    return held
