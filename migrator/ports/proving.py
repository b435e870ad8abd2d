"""What an account can prove of itself beyond the promises of an object store, and the room for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, runtime_checkable


@runtime_checkable
class Provable(Protocol):
    """Raises the CloudError family, like the object store."""

    async def remove_container(self, container: str) -> None:
        """Delete a container of our own making, with all that is in it; nothing happens if it is gone."""
        ...

    def own_proofs(self) -> Mapping[str, Callable[[str, str], Awaitable[str]]]:
        """Promise -> what asks for it, given a container and a prefix for names: empty if it is kept, else what was found."""
        ...


__all__ = ["Provable"]
