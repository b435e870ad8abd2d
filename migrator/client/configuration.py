"""Reading route documents from Azure App Configuration: one key for each region, by the azure-appconfiguration SDK.

Decides how an address is understood: ``appconfig+https://STORE.azconfig.io?name=routes``, where the keys are ``NAME/REGION``.
Rule: one request, no retry, no cache, no secondary endpoint.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

from azure.appconfiguration import AzureAppConfigurationClient
from azure.appconfiguration.aio import AzureAppConfigurationClient as AsyncAzureAppConfigurationClient
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from migrator.client.errors import Unfetched
from migrator.client.opened import AsyncOpened, SyncOpened
from migrator.client.sources import CONFIGURATION
from migrator.client.waiting import BUSY
from migrator.errors import UsageError
from migrator.model.addresses import is_loopback_host

NAME: Final = "routes"


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """``secret``: a connection string, or a credential of azure-identity; None: whatever the machine has."""

    endpoint: str
    name: str
    secret: Any = field(repr=False)

    @classmethod
    def parse(cls, url: str, credential: Any) -> StoreAddress:
        """Raises UsageError; its text never holds the credential."""
        parts = urlsplit(url.removeprefix(CONFIGURATION))
        host = parts.netloc.rpartition("@")[2]
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.netloc != host:
            raise UsageError("cannot follow the routes: not the address of an App Configuration store")
        if parts.scheme == "http" and not is_loopback_host(parts.hostname):
            raise UsageError(f"cannot follow the routes at {host}: only https is safe there")
        said = parse_qs(parts.query, keep_blank_values=True)
        if said.keys() - {"name"} or parts.fragment:
            raise UsageError(f"cannot follow the routes at {host}: its address has no other option than name")
        endpoint = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        return cls(endpoint, said.get("name", [NAME])[0] or NAME, _secret(credential, host))

    def key(self, region: str) -> str:
        return f"{self.name}/{region}"

    def place(self, region: str) -> str:
        """For people."""
        return f"{urlsplit(self.endpoint).netloc} {self.key(region)}"

    def client(self, kind: type[Any], token: Any, *, timeout_seconds: float) -> Any:
        options: dict[str, Any] = {
            "retry_total": 0,
            "connection_timeout": timeout_seconds,
            "read_timeout": timeout_seconds,
            "permit_redirects": False,
        }
        if not isinstance(self.secret, str):
            return kind(self.endpoint, self.secret if self.secret is not None else token(), **options)
        parts = dict(part.partition("=")[::2] for part in self.secret.split(";"))
        host = urlsplit(self.endpoint).netloc
        if not all(parts.get(name) for name in ("Endpoint", "Id", "Secret")):
            raise UsageError(f"cannot follow the routes at {host}: its credential is not a connection string")
        if parts["Endpoint"].rstrip("/").lower() != self.endpoint.lower():
            raise UsageError(f"cannot follow the routes at {host}: the connection string is of another store")
        return kind.from_connection_string(self.secret, **options)


class SyncConfigurationSource(SyncOpened):
    """The document of one region."""

    def __init__(self, url: str, region: str, *, credential: Any, timeout_seconds: float) -> None:
        address = StoreAddress.parse(url, credential)
        self.place, self._key = address.place(region), address.key(region)
        super().__init__()
        self._client = address.client(AzureAppConfigurationClient, self._default, timeout_seconds=timeout_seconds)
        self._closing.append(self._client)

    def fetch(self) -> bytes | None:
        try:
            return _value(self._client.get_configuration_setting(self._key))
        except ResourceNotFoundError:
            return None
        except AzureError as fault:
            raise _unfetched(fault, self.place) from fault


class AsyncConfigurationSource(AsyncOpened):
    """As ``SyncConfigurationSource``."""

    def __init__(self, url: str, region: str, *, credential: Any, timeout_seconds: float) -> None:
        address = StoreAddress.parse(url, credential)
        self.place, self._key = address.place(region), address.key(region)
        super().__init__()
        self._client = address.client(AsyncAzureAppConfigurationClient, self._default, timeout_seconds=timeout_seconds)
        self._closing.append(self._client)

    async def fetch(self) -> bytes | None:
        try:
            return _value(await self._client.get_configuration_setting(self._key))
        except ResourceNotFoundError:
            return None
        except AzureError as fault:
            raise _unfetched(fault, self.place) from fault


def _value(setting: Any) -> bytes:
    return (setting.value or "").encode("utf-8", "surrogatepass")


def _unfetched(fault: AzureError, place: str) -> Unfetched:
    status = fault.status_code if isinstance(fault, HttpResponseError) else None
    if isinstance(fault, ClientAuthenticationError) or status in (401, 403):
        return Unfetched(f"{place} refuses our credential")
    why = f"{place} answers with status {status}" if status else f"{place} cannot be reached"
    return Unfetched(why, is_busy=status in BUSY)


def _secret(credential: Any, host: str) -> Any:
    if isinstance(credential, str) and credential.startswith("env:"):
        name = credential.removeprefix("env:")
        credential = os.environ.get(name, "").strip()
        if not credential:
            raise UsageError(f"cannot follow the routes at {host}: the variable {name} is not set")
    return credential
