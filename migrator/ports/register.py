"""The register of followers beside a route document, as the engine reads it.

Decides what a roll is, and when there is none. Leaves to the engine what it allows, to ``migrator.client`` the
writing of entries.
Promises of every implementation (one contract suite holds them to it, tests/contract):

- a roll shows every entry whose write was acknowledged before ``roll`` was called and that nobody removed: also while others come
  and go, and however many there are;
- it is complete, or there is none: ``RollUnknown``, or another CloudError;
- the token of an entry changes whenever its follower writes it, the same words again included;
- nothing is retried inside.
"""

from __future__ import annotations

from typing import Protocol

from migrator.errors import CloudError
from migrator.model.register import RollEntry
from migrator.model.values import value


@value(frozen=True, slots=True)
class Attendant:
    """One entry of a roll.

    Args:
        token: of this writing of it.
        entry: None: nobody can read it, so it may be anybody's who may write anything.
        age_seconds: since its follower wrote it, by the register's clock: for people and forecasts, nothing is decided by it.
    """

    id: str
    token: str
    entry: RollEntry | None
    age_seconds: float | None = None

    def promise(self, key: str) -> int | None:
        """What it promises of ``key``; None: it never writes there."""
        return 0 if self.entry is None else self.entry.clear.get(key)


class RollUnknown(CloudError):
    """What lies there is no roll: the register's head is gone, so entries may be; or there are too many."""


class Register(Protocol):
    """Raises CloudError: nothing is known."""

    @property
    def place(self) -> str:
        """For people."""
        ...

    async def open(self, generation: str) -> None:
        """Make the register of ``generation`` and its head. Nothing happens if they are there. Never for a generation that a
        document has named before: its entries may be gone."""
        ...

    async def roll(self, generation: str) -> tuple[Attendant, ...]:
        """All entries now.

        Raises:
            RollUnknown: see there.
        """
        ...

    async def remove(self, generation: str, attendant: Attendant) -> None:
        """Take away an entry that is as it was seen; nothing happens to one that was written since, or is gone."""
        ...

    async def close(self) -> None: ...
