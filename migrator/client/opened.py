"""What a source or a register opened of Azure's SDKs, and closes: its client, and the default credential where none is given.

Leaves to each what is asked of its client. One for threads, one for asyncio.
"""

from __future__ import annotations

from typing import Any


class SyncOpened:
    """``_closing``: in the order in which it was opened, and is closed."""

    def __init__(self) -> None:
        self._closing: list[Any] = []

    def _default(self) -> Any:
        from azure.identity import DefaultAzureCredential

        self._closing.append(DefaultAzureCredential())
        return self._closing[-1]

    def close(self) -> None:
        for part in self._closing:
            part.close()


class AsyncOpened:
    """As ``SyncOpened``."""

    def __init__(self) -> None:
        self._closing: list[Any] = []

    def _default(self) -> Any:
        from azure.identity.aio import DefaultAzureCredential

        self._closing.append(DefaultAzureCredential())
        return self._closing[-1]

    async def close(self) -> None:
        for part in self._closing:
            await part.close()
