"""The guardian's process: ``python -m migrator.cli.guard``. Started by the engine, never by a person.

Its first letter is what ``guard_post`` writes and reads. What the guardian does is ``migrator.engine.guardian``'s business.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from migrator.engine.guardian import Holders, ignore_signals, serve_pipes
from migrator.ports.router import Router


@asynccontextmanager
async def opened(letter: bytes) -> AsyncIterator[tuple[Router, Holders]]:
    """The doors that the first letter names, until the guardian ends."""
    from migrator.cli.guard_post import read
    from migrator.cli.wiring import open_account, open_router
    from migrator.engine.enforcing import holder_of
    from migrator.ports.write_policy import PolicyHolder

    post = read(letter)
    async with AsyncExitStack() as stack:
        stores = {}
        for account in post.accounts:
            store = open_account(account, post.cloud)
            stack.push_async_callback(store.close)
            stores[store.account] = store
        router = open_router(post.routing, stores, post.cloud)
        stack.push_async_callback(router.close)

        def holder(account: str) -> PolicyHolder | None:
            return holder_of(stores[account]) if account in stores else None

        yield router, holder


def main() -> int:
    """0 when the pipe has ended and nothing is left to watch; 1 where the routes cannot be opened."""
    from migrator.adapters.clock import SystemClock
    from migrator.cli.settings import Settings
    from migrator.cli.views.errors import show_error, show_note
    from migrator.cli.wiring import run_async
    from migrator.errors import MigrateError

    ignore_signals()
    try:
        run_async(serve_pipes(opened, SystemClock(), say=lambda text: show_note(f"guardian: {text}")))
    except MigrateError as fault:
        show_error(fault, Settings())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
