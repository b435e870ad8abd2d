"""Accounts whose containers themselves are written with another credential than their objects: a door beside the object store."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class ContainersApart(Protocol):
    async def late_container_write_seconds(self) -> float:
        """For how long from now a write to a container itself (its metadata) that is not answered may still be applied. Raises
        the CloudError family."""
        ...
