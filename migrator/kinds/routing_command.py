"""Routes behind an executable of the operator's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from migrator.model.schedule import Routing
from migrator.ports.kinds import Key, RoutingKind, Slip
from migrator.ports.object_store import ObjectStore
from migrator.ports.register import Register
from migrator.ports.router import Router


class RoutesOfCommand(RoutingKind):
    name = "command"
    has_register = False
    stale_seconds = 0.0
    keys: Mapping[str, Key] = {
        "argv": Key(
            "words",
            "command: it is called with `get`, or `swap ETAG` and the document on standard input; $region in it makes a document"
            " for each region",
            is_needed=True,
        ),
        "env": Key("variables", "command: variables that it gets beside PATH, HOME, LANG and TZ"),
    }

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        if values["protocol"] > 1:
            yield Slip(
                "protocol",
                "followers of a command have no register: leave it out, and every drain is waited for in full",
            )

    def accounts(self, routing: Routing) -> frozenset[str]:
        return frozenset()

    def variables(self, routing: Routing) -> frozenset[str]:
        return frozenset(routing.options.get("env") or ())

    def place(self, routing: Routing, address_of: Callable[[str], str]) -> str:
        return f"command:{' '.join(routing.argv)}"

    def open(
        self,
        routing: Routing,
        stores: Mapping[str, ObjectStore],
        *,
        environ: Mapping[str, str],
        cloud: Mapping[str, str],
    ) -> Router:
        from migrator.adapters.operators_commands import small_environment
        from migrator.adapters.routing import CommandRouter

        given = small_environment(environ, routing.options.get("env") or (), doing="run the command of the routes")
        return CommandRouter(routing.argv, given)

    def open_register(self, routing: Routing, stores: Mapping[str, ObjectStore]) -> Register | None:
        return None
