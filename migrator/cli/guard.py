"""The guardian's process: ``python -m migrator.cli.guard POST``. Started by the engine, never by a person.

``POST`` is what ``guard_post`` writes and reads. What the guardian does is ``migrator.engine.guardian``'s business.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from migrator.cli.guard_post import Post, read
from migrator.engine.guardian import ignore_signals, serve_pipes


async def stand_guard(post: Post) -> None:
    """Open the router and serve the pipe until it ends."""
    from contextlib import AsyncExitStack

    from migrator.adapters.clock import SystemClock
    from migrator.cli.views.errors import show_note
    from migrator.cli.wiring import open_account, open_router
    from migrator.engine.enforcing import holder_of
    from migrator.ports.write_policy import PolicyHolder

    async with AsyncExitStack() as stack:
        stores = {}
        for account in post.accounts:
            store = open_account(account, post.cloud)
            stack.push_async_callback(store.close)
            stores[store.account] = store
        router = open_router(post.routing, stores)
        stack.push_async_callback(router.close)

        def holder(account: str) -> PolicyHolder | None:
            return holder_of(stores[account]) if account in stores else None

        await serve_pipes(router, SystemClock(), say=lambda text: show_note(f"guardian: {text}"), holders=holder)


def main(arguments: Sequence[str]) -> int:
    """0 when the pipe has ended and nothing is left to watch; 1 where the routes cannot be opened."""
    from migrator.cli.settings import Settings
    from migrator.cli.views.errors import show_error
    from migrator.cli.wiring import run_async
    from migrator.errors import MigrateError

    ignore_signals()
    try:
        run_async(stand_guard(read(arguments[0])))
    except MigrateError as fault:
        show_error(fault, Settings())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
