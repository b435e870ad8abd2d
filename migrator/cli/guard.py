"""The guardian's process: ``python -m migrator.cli.guard POST``. Started by the engine, never by a person.

``POST`` is JSON: where the routes are, as the plan says it - names, paths, references to credentials, never a secret; the
secrets themselves come with the inherited environment. What the guardian does is ``migrator.engine.guardian``'s business.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from migrator.engine.guardian import ignore_signals, serve_pipes
from migrator.model.schedule import Account, Routing, Schedule


def command(schedule: Schedule) -> tuple[str, ...]:
    """The command line of a guardian for the routes of ``schedule``."""
    from migrator.cli.wiring import needs_account

    routing = asdict(schedule.routing)
    post = {
        "routing": routing,
        "accounts": [asdict(schedule.accounts[name]) for name in sorted(needs_account(schedule.routing))],
        "cloud": dict(schedule.cloud),
    }
    return (sys.executable, "-m", "migrator.cli.guard", json.dumps(post, default=dict))


async def stand_guard(post: dict[str, Any]) -> None:
    """Open the router and serve the pipe until it ends."""
    from contextlib import AsyncExitStack

    from migrator.adapters.clock import SystemClock
    from migrator.cli.views.errors import show_note
    from migrator.cli.wiring import open_account, open_router

    routing = Routing(**{**post["routing"], "argv": tuple(post["routing"]["argv"])})
    async with AsyncExitStack() as stack:
        stores = {}
        for fields in post["accounts"]:
            store = open_account(Account(**fields), post["cloud"])
            stack.push_async_callback(store.close)
            stores[store.account] = store
        router = open_router(routing, stores)
        stack.push_async_callback(router.close)
        await serve_pipes(router, SystemClock(), say=lambda text: show_note(f"guardian: {text}"))


def main(arguments: Sequence[str]) -> int:
    """0 when the pipe has ended and nothing is left to watch; 1 where the routes cannot be opened."""
    from migrator.cli.settings import Settings
    from migrator.cli.views.errors import show_error
    from migrator.cli.wiring import run_async
    from migrator.errors import MigrateError

    ignore_signals()
    try:
        run_async(stand_guard(json.loads(arguments[0])))
    except MigrateError as fault:
        show_error(fault, Settings())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
