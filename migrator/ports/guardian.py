"""Who frees the writers if the engine cannot: a watcher beside it, told of each fence before the fence is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from migrator.model.moves import RevokedPolicy
from migrator.model.routes import RouteRecord


class GuardianPort(Protocol):
    """Promises: a fence whose ``watch`` returned is released when its deadline passes, when this process ends - killed or not -
    without ``done``, or when it is stopped for long; a watcher that dies is replaced, and ``unwatched`` returns where it cannot
    be; a key whose ``done`` returned is left alone from then on."""

    async def watch(self, key: str, before: RouteRecord, fence: RouteRecord, deadline_seconds: float) -> None:
        """Ask for a watch over the route record ``key`` (``region/area``), before ``fence`` takes the place of ``before``.

        Args:
            deadline_seconds: from now on; drain, ``fence_timeout`` and 10 s.
        Raises:
            CloudError: no guardian confirms it, or it cannot read the routes: do not fence.
            InternalError: the two records are not a fence and its predecessor.
        """
        ...

    async def keep(self, key: str, revoked: Sequence[RevokedPolicy]) -> None:
        """Before they are revoked: whenever this watch ends otherwise than by ``done``, put back those of the account where the
        route then lets customers write.

        Raises:
            CloudError: the guardian does not confirm it: revoke nothing.
        """
        ...

    async def unwatched(self, key: str) -> str:
        """Wait until nobody watches ``key`` any more, and why: give the fence up. Cancelled by who needs it no longer."""
        ...

    async def done(self, key: str) -> None:
        """The fence is released or switched. Never raises: a guardian that does not hear it leaves any other record alone."""
        ...

    async def close(self) -> None:
        """End it; whatever is still watched is released first. Never raises."""
        ...
