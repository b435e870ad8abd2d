"""An account that has too much to do: shares of requests refused before, answered too late after, or lost on the way.

Leaves what a request does to the others. Rule: all chance comes from the service's own seed.
"""

from __future__ import annotations

import random

from migrator.testing.strict.call import Call, Refused, Unanswered
from migrator.testing.strict.operations import Operation
from migrator.testing.strict.settings import Faults

BUSY = "The server is currently unable to receive requests. Please retry your request."
OPERATIONS_OVER = "Operations per second is over the account limit."
TIMED_OUT = "The operation could not be completed within the permitted time."


class Bucket:
    """Requests of one account within the second that has begun."""

    def __init__(self) -> None:
        self._second = 0
        self._requests = 0

    def takes(self, now: float, most: float) -> bool:
        if int(now) != self._second:
            self._second, self._requests = int(now), 0
        self._requests += 1
        return self._requests <= most


def check_before(faults: Faults, chance: random.Random, bucket: Bucket, now: float) -> None:
    """Raises Refused or Unanswered; nothing of the request has been done."""
    if faults.unreachable:
        raise Unanswered
    wish = [("Retry-After", str(faults.retry_after))] if faults.retry_after is not None else []
    if faults.most_per_second is not None and not bucket.takes(now, faults.most_per_second):
        raise Refused("busy", 503, "ServerBusy", OPERATIONS_OVER, headers=wish)
    if faults.busy and chance.random() < faults.busy:
        raise Refused("busy", 503, "ServerBusy", BUSY, headers=wish)
    if faults.too_many and chance.random() < faults.too_many:
        raise Refused("too-many", 429, "", headers=wish)


def is_late(operation: Operation, faults: Faults, chance: random.Random) -> bool:
    return operation.effect == "write" and bool(faults.late) and chance.random() < faults.late


def check_after(call: Call, faults: Faults, chance: random.Random) -> None:
    """Raises Refused for what has been done and is answered as if nobody knew."""
    if faults.timed_out and chance.random() < faults.timed_out:
        raise Refused("timed-out", 500, "OperationTimedOut", TIMED_OUT)


__all__ = ["Bucket", "check_after", "check_before", "is_late"]
