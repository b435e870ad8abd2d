"""Where notices go."""

from __future__ import annotations

from typing import Protocol

from migrator.model.notices import Notice


class Notifier(Protocol):
    async def send(self, notice: Notice) -> None:
        """Hand one notice over; it returns when the receiver has taken it. The same one may be sent again: ``notice.id`` tells.

        Raises:
            CloudError: it was not taken, or nobody knows. The text holds no secret.
        """
        ...

    async def close(self) -> None: ...
