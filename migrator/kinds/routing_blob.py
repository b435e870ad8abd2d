"""Routes in a blob of one of the plan's accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from migrator.model.schedule import Routing
from migrator.ports.kinds import Key, RoutingKind, Slip
from migrator.ports.object_store import ObjectStore
from migrator.ports.register import Register
from migrator.ports.router import Router


class RoutesInBlob(RoutingKind):
    name = "blob"
    has_register = True
    stale_seconds = 0.0
    keys: Mapping[str, Key] = {
        "account": Key("text", "blob: the account that holds the document; a name under `accounts`", is_needed=True),
        "container": Key("container", "blob: its container, which is made if it is not there", is_needed=True),
        "name": Key("text", "blob: the blob's name, such as routes.json", is_needed=True),
    }

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        yield from ()

    def accounts(self, routing: Routing) -> frozenset[str]:
        return frozenset({routing.account} if routing.account else ())

    def variables(self, routing: Routing) -> frozenset[str]:
        return frozenset()

    def place(self, routing: Routing, address_of: Callable[[str], str]) -> str:
        return f"{address_of(routing.account or '')}/{routing.container}/{routing.name}"

    def open(
        self,
        routing: Routing,
        stores: Mapping[str, ObjectStore],
        *,
        environ: Mapping[str, str],
        cloud: Mapping[str, str],
    ) -> Router:
        from migrator.adapters.routing import StoreRouter

        return StoreRouter(stores[routing.account or ""], routing.container or "", routing.name or "")

    def open_register(self, routing: Routing, stores: Mapping[str, ObjectStore]) -> Register | None:
        from migrator.adapters.routing import StoreRegister

        try:
            return StoreRegister(stores[routing.account or ""], routing.container or "", routing.name or "")
        except ValueError:
            return None
