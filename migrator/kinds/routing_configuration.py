"""Kinds of routing that a plan may name and this version cannot open yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from migrator.errors import FindingsError
from migrator.model.schedule import Routing
from migrator.ports.kinds import Key, RoutingKind, Slip
from migrator.ports.object_store import ObjectStore
from migrator.ports.register import Register
from migrator.ports.router import Router


class RoutesInAppConfiguration(RoutingKind):
    name = "app-configuration"
    is_built = False
    keys: Mapping[str, Key] = {
        "endpoint": Key("url", is_needed=True),
        "credential": Key("credential"),
        "name": Key("text"),
    }

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        yield from ()

    def accounts(self, routing: Routing) -> frozenset[str]:
        return frozenset()

    def variables(self, routing: Routing) -> frozenset[str]:
        return frozenset()

    def place(self, routing: Routing, address_of: Callable[[str], str]) -> str:
        return f"app-configuration:{routing.endpoint}"

    def open(
        self,
        routing: Routing,
        stores: Mapping[str, ObjectStore],
        *,
        environ: Mapping[str, str],
        cloud: Mapping[str, str],
    ) -> Router:
        raise _not_built(self.name)

    def open_register(self, routing: Routing, stores: Mapping[str, ObjectStore]) -> Register | None:
        return None


def _not_built(kind: str) -> FindingsError:
    return FindingsError(
        f"cannot keep the routes in {kind}: this version knows only file and blob",
        hint="use `routing: {kind: file, ...}` or `{kind: blob, ...}`",
    )
