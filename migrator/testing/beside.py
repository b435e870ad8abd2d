"""A service of the tests in a thread of its own, beside whoever asks it.

Decides how it begins and ends. Leaves what is served to ``estate`` and ``strict``.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

START_SECONDS: Final = 30.0


@contextlib.contextmanager
def beside(
    name: str, serve: Callable[[Callable[[], None], asyncio.Event], Coroutine[Any, Any, None]]
) -> Iterator[None]:
    """``serve`` is called with what says that it is ready, and what is set when it shall end. RuntimeError: it did not start."""
    started, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    failed: list[BaseException] = []

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(serve(started.set, stop))
        except BaseException as failure:
            failed.append(failure)
        finally:
            started.set()
            loop.close()

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    if not started.wait(START_SECONDS) or failed:
        raise RuntimeError(f"the {name} did not start") from (failed[0] if failed else None)
    try:
        yield
    finally:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)
        thread.join(START_SECONDS)
