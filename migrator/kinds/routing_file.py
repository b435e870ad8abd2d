"""Routes in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from migrator.model.schedule import Routing
from migrator.ports.kinds import Key, RoutingKind, Slip
from migrator.ports.object_store import ObjectStore
from migrator.ports.register import Register
from migrator.ports.router import Router


class RoutesInFile(RoutingKind):
    name = "file"
    has_register = True
    stale_seconds = 0.0
    keys: Mapping[str, Key] = {"path": Key("path", "file: the document, from the working directory", is_needed=True)}

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        yield from ()

    def accounts(self, routing: Routing) -> frozenset[str]:
        return frozenset()

    def variables(self, routing: Routing) -> frozenset[str]:
        return frozenset()

    def place(self, routing: Routing, address_of: Callable[[str], str]) -> str:
        return f"file:{routing.path}"

    def open(
        self,
        routing: Routing,
        stores: Mapping[str, ObjectStore],
        *,
        environ: Mapping[str, str],
        cloud: Mapping[str, str],
    ) -> Router:
        from migrator.adapters.routing import FileRouter

        return FileRouter(routing.path or "")

    def open_register(self, routing: Routing, stores: Mapping[str, ObjectStore]) -> Register | None:
        from migrator.adapters.routing import FileRegister

        return FileRegister(routing.path or "")
