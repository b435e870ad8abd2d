"""Coroutines side by side, all or none: what a list of requests needs that belong to one act."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def together(*work: Coroutine[Any, Any, T]) -> list[T]:
    """Run all and give their answers, in order; if one fails, or the caller is cancelled, the others are cancelled and have
    ended before the error goes up."""
    if len(work) < 2:
        return [await one for one in work]
    tasks = [asyncio.create_task(one) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


__all__ = ["together"]
