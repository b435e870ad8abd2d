"""Routes in an Azure App Configuration store, one key for each region."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from migrator.errors import AccessRefused
from migrator.model.identities import variables_of
from migrator.model.schedule import Routing
from migrator.ports.kinds import Key, RoutingKind, Slip
from migrator.ports.object_store import ObjectStore
from migrator.ports.register import Register
from migrator.ports.router import Router

NAME: Final = "routes"


class RoutesInAppConfiguration(RoutingKind):
    name = "app-configuration"
    has_register = False
    stale_seconds = 10.0
    """The service promises the newest version to whoever carries the writer's sync token, and bounds nothing for others; its
    replicas of one region agree within moments. Source: "Real-time consistency" of its REST reference."""
    keys: Mapping[str, Key] = {
        "endpoint": Key("url", "app-configuration: the store, such as https://name.azconfig.io", is_needed=True),
        "credential": Key("credential", "app-configuration: as an account's; env:NAME holds a connection string of it"),
        "name": Key("text", "app-configuration: the keys are NAME/REGION, routes/REGION where it is left out"),
    }

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        if values["protocol"] > 1:
            yield Slip(
                "protocol",
                "a store of App Configuration has no register, since a listing may miss who has just entered: leave it out, and"
                " every drain is waited for in full",
            )

    def accounts(self, routing: Routing) -> frozenset[str]:
        return frozenset()

    def variables(self, routing: Routing) -> frozenset[str]:
        return variables_of(routing.credential or "")

    def place(self, routing: Routing, address_of: Callable[[str], str]) -> str:
        return f"app-configuration:{(routing.endpoint or '').rstrip('/')}/{routing.name or NAME}"

    def open(
        self,
        routing: Routing,
        stores: Mapping[str, ObjectStore],
        *,
        environ: Mapping[str, str],
        cloud: Mapping[str, str],
    ) -> Router:
        from migrator.adapters.azure.credentials import open_token_source
        from migrator.adapters.routing.configuration import open_configuration

        endpoint, name = (routing.endpoint or "").rstrip("/"), routing.name or NAME
        reference, ca_file = routing.credential or "default", cloud.get("ca_file")
        if not reference.startswith("env:"):
            source = open_token_source(reference, what="the routes", cloud=cloud, environ=environ)
            return open_configuration(endpoint, name, token_source=source, ca_file=ca_file)
        variable = reference.removeprefix("env:")
        connection = environ.get(variable, "").strip()
        if not connection:
            raise AccessRefused(
                f"cannot open the routes: the environment variable {variable} is not set",
                hint="set it to a connection string of the App Configuration store",
            )
        return open_configuration(endpoint, name, connection=connection, ca_file=ca_file)

    def open_register(self, routing: Routing, stores: Mapping[str, ObjectStore]) -> Register | None:
        return None
