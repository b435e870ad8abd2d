"""What an account says of itself when a doctor asks. A door beside the object store: no migration needs it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from migrator.model.values import value


@value(frozen=True, slots=True)
class Examination:
    """``credential`` is in words, never a secret; ``bound_seconds`` is how long a request of ours may still be accepted after
    we stop, infinite where nobody knows; ``service_time`` is the service's clock (whole seconds), None where it has none."""

    credential: str
    bound_seconds: float
    service_time: datetime | None = None


class Examinable(Protocol):
    async def examine(self, now: datetime) -> Examination:
        """Ask once, reading only. CloudError if the account cannot be reached with its credential."""
        ...
