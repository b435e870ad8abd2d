"""``make demo-azure``: a whole rollout on an Azure estate of this machine, in about four minutes.

Three regions, three subscriptions, two tenants; six target accounts that are not there yet. The plan says what it will create;
the apply creates it, copies, cuts over and soaks on Azure Monitor's figures; a second apply finds nothing to do. Every step is
the installed command, over https, with tokens. Only a folder of its own is touched.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.azurite import server
from tests.estate.world import SOURCES, TARGETS, TENANTS, World, running

OBJECTS = 40


def main() -> int:
    if (reason := server.missing()) is not None:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        say("An estate comes up: a resource manager, Azure Monitor, Microsoft Entra ID, and the storage behind them.")
        with running(Path(folder), objects=OBJECTS, gates=True) as world:
            return show(world)


def show(world: World) -> int:
    accounts(world)
    print(world.plan.read_text())
    say("What would happen? The preview asks names, quotas, skus and regions, and creates nothing.")
    migrate(world, "plan", "plan.yaml")
    say("Apply: create, copy, fence, verify, switch, and soak on Azure Monitor; wave after wave.")
    migrate(world, "apply", "plan.yaml", "--yes")
    say("Where is everything now?")
    migrate(world, "status", "plan.yaml")
    accounts(world)
    migrate(world, "routes", "plan.yaml")
    print("\nApp Configuration has: " + ", ".join(key for key, _ in sorted(world.estate.store("routes").values)))
    say("A second apply changes nothing.")
    changes = len(world.estate.resources.created)
    migrate(world, "apply", "plan.yaml", "--yes")
    return judged(world, changes)


def judged(world: World, changes: int) -> int:
    """Is every object at its new account, and each account created once?"""
    say("Every object of a source against the account that its area has now:")
    wrong = 0
    for source in SOURCES:
        there = asyncio.run(world.contents(source))
        for target in (one for one in TARGETS if one[:2] == source[:2]):
            container = "web-visits" if target.endswith("web") else "events"
            wanted = {name: body for name, body in there.items() if name.startswith(f"{container}/")}
            is_equal = asyncio.run(world.contents(target)) == wanted
            wrong += not is_equal
            print(f"  {source} -> {target}: {len(wanted)} objects {'equal' if is_equal else 'DIFFER'}")
    created = world.estate.resources.created
    print(f"  {changes} accounts created, {len(created) - changes} changed by the second apply")
    return int(bool(wrong) or sorted(created) != sorted(TARGETS))


def accounts(world: World) -> None:
    print("\naccounts, as the resource manager has them:")
    for name, one in sorted(world.estate.resources.accounts.items()):
        tenant = TENANTS[one.subscription][:8]
        print(
            f"  {name:<10} {one.document['sku']['name']:<16} {one.location:<15} {one.subscription[-4:]} of tenant {tenant}"
        )


def migrate(world: World, *words: str) -> None:
    print(f"\n$ migrate {' '.join(words)}", flush=True)
    code = world.shown(*words)
    if code:
        raise SystemExit(code)


def say(text: str) -> None:
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
