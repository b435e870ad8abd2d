"""Azure storage accounts, and services that answer like one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from migrator.model.addresses import blob_endpoint_of, place_of, surplus_path
from migrator.model.estate import faults_of
from migrator.model.schedule import Account, is_created
from migrator.ports.kinds import AccountKind, AccountStore, Key, Slip

_OF_PROVISION: Final = ("subscription", "resource_group", "location")


class AzureAccount(AccountKind):
    name = "azure"
    is_embedded = False
    has_unique_etags = True
    """They are moments of the service."""

    keys: Mapping[str, Key] = {
        "credential": Key("credential", "a reference, never a secret", default="default", in_defaults=True),
        "tenant": Key(
            "text", "azure: the tenant of Microsoft Entra ID; default: the credential's own", in_defaults=True
        ),
        "api_version": Key(
            "text",
            "azure: the version of the blob service's interface; default: what every cloud knows, and a newer one where needed",
            in_defaults=True,
        ),
        "subscription": Key(
            "text",
            "azure: the id; gates of Azure Monitor, checks of settings and `provision` need it",
            in_defaults=True,
        ),
        "resource_group": Key("text", "azure: its name, beside `subscription`", in_defaults=True),
        "location": Key("text", "azure: the region of Azure, such as eastus2", in_defaults=True),
        "provision": Key(
            "mapping",
            "create the account if it is not there: sku, kind, tags, shared_key, public_access, network (default, addresses,"
            " subnets), settings (copy or leave those of the source's blob service)",
            in_defaults=True,
        ),
        "endpoint": Key("url", "azure: the blob endpoint", is_needed=True),
    }

    def slips(self, name: str, values: Mapping[str, Any]) -> Iterator[Slip]:
        endpoint = values["endpoint"]
        if endpoint is not None and (meant := blob_endpoint_of(endpoint)) is not None:
            yield Slip("endpoint", f"this is not a blob endpoint that can be written: write {meant}")
        elif endpoint is not None and surplus_path(endpoint):
            yield Slip("endpoint", "an endpoint ends with the account: containers and prefixes stand under `areas`")
        lacking = [key for key in _OF_PROVISION if values[key] is None]
        if values["provision"] is not None and lacking:
            text = f"to create account {name}, `provision` needs {' and '.join(lacking)} beside it"
            yield Slip("provision", text, at_key=True)
        for fault in faults_of(values["provision"]) if values["provision"] is not None else ():
            yield Slip("provision", fault, at_key=True)

    def spot(self, values: Mapping[str, Any]) -> tuple[str, str] | None:
        return ("endpoint", place_of(values["endpoint"])) if values["endpoint"] is not None else None

    def address(self, account: Account) -> str:
        return (account.endpoint or "").rstrip("/")

    def will_be_made(self, account: Account) -> bool:
        return is_created(account)

    def entra_credential(self, account: Account) -> str | None:
        return None if account.credential.startswith("env:") else account.credential

    def open(
        self, account: Account, *, environ: Mapping[str, str], cloud: Mapping[str, str], may_make: Callable[[], bool]
    ) -> AccountStore:
        from migrator.adapters.azure import open_store

        return open_store(account, environ=environ, cloud=cloud)
