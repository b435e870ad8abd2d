"""What an account says of itself when a doctor or a preview asks. Doors beside the object store: no migration needs them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

from migrator.model.values import value


@value(frozen=True, slots=True)
class Examination:
    """``credential`` is in words, never a secret; ``bound_seconds`` is how long a request of ours may still be accepted after
    we stop, infinite where nobody knows; ``service_time`` is the service's clock (whole seconds), None where it has none."""

    credential: str
    bound_seconds: float
    service_time: datetime | None = None


HIERARCHICAL = "HierarchicalNamespace"
"""The code of a listing that is refused because it shows directories: blobs of such an account cannot be moved."""


class Examinable(Protocol):
    async def examine(self, now: datetime) -> Examination:
        """Ask once, reading only. CloudError if the account cannot be reached with its credential."""
        ...


@value(frozen=True, slots=True)
class Description:
    """What sort of account it is: ``words`` for people; ``objection``, as a clause, why it can take no part in a move, empty if
    it can, and ``remedy``."""

    words: str
    objection: str = ""
    remedy: str = ""


@runtime_checkable
class TagReader(Protocol):
    async def sees_tags(self, container: str) -> bool:
        """May the credential read tags? CloudError: it may not even list ``container``."""
        ...


@runtime_checkable
class Describable(Protocol):
    async def describe(self) -> Description:
        """Ask once, reading only. CloudError if the account does not say it, or not to this credential."""
        ...
