"""Route documents in an Azure App Configuration store: one key for each region, whose value is a document.

Decides how a compare-and-swap is said there (If-Match with the ETag, If-None-Match) and what an answer means. Leaves the requests
to the SDK, which signs them and carries the store's sync tokens: they make this process's own reads show the newest swap. Rules:
one request, no retry; a document is written tersely, since a key-value has 10 KB at most. Sources: the REST reference of Azure
App Configuration ("Key-values", "Real-time consistency"), and its FAQ for the limit.

Known weakness: who does not carry our tokens may, for a moment that no document bounds, still read the version before the newest.
The kind's ``stale_seconds`` is what drains wait for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import ClientConnectorError
from azure.appconfiguration import ConfigurationSetting
from azure.appconfiguration.aio import AzureAppConfigurationClient
from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)

from migrator.errors import AccessRefused, CloudError, OutcomeUnknown, RouteChanged, Throttled, Unreachable
from migrator.model.routes import Damaged, RouteDocument
from migrator.ports.router import RoutesDamaged, RouteSnapshot, encoded

MOST_BYTES: Final = 8_500
"""Of a document; quoted in the request, and with its key, a key-value stays below 10,000."""
ANSWER_SECONDS: Final = 10.0
"""Of one request. A guardian gives up an attempt after 15."""
NO_VERSION: Final = "0"
"""An ETag that no version has."""
CONTENT_TYPE: Final = "application/json"


class ConfigurationRouter:
    """A ``Router`` on the keys ``NAME/REGION`` of a store. It closes ``client``, and then what ``closing`` holds."""

    def __init__(self, client: AzureAppConfigurationClient, endpoint: str, name: str, *closing: Any) -> None:
        self._client = client
        self._host = urlsplit(endpoint).netloc.rpartition("@")[2]
        self._name = name
        self._closing = closing

    def document_of(self, region: str) -> str:
        return f"{self._host} {self._key(region)}"

    async def read(self, region: str) -> RouteSnapshot:
        doing = f"read the routes in {self.document_of(region)}"
        try:
            async with self._asking(doing, is_write=False):
                found = await self._client.get_configuration_setting(self._key(region))
        except ResourceNotFoundError:
            return RouteSnapshot(None, None)
        if found is None:
            raise Unreachable(f"cannot {doing}: the store says that nothing was changed, and nobody asked for changes")
        etag, raw = str(found.etag), (found.value or "").encode("utf-8", "surrogatepass")
        try:
            return RouteSnapshot(RouteDocument.decode(raw), etag)
        except ValueError as fault:
            raise RoutesDamaged(f"cannot {doing}: {fault}", damaged=Damaged.of(raw), etag=etag) from fault

    async def swap(self, region: str, document: RouteDocument | Damaged, *, expected_etag: str | None) -> str:
        place = self.document_of(region)
        body = encoded(document, place, most_bytes=MOST_BYTES)
        return await self._put(region, body.decode(), expected_etag)

    async def prove_writable(self, region: str) -> None:
        """A write whose condition no version fulfils: it needs the same right as a swap, and is always refused."""
        try:
            await self._put(region, "", NO_VERSION)
        except RouteChanged:
            return
        except OutcomeUnknown as fault:
            raise Unreachable(fault.message, hint=fault.hint) from fault

    async def close(self) -> None:
        for part in (self._client, *self._closing):
            await part.close()

    def _key(self, region: str) -> str:
        return f"{self._name}/{region}"

    async def _put(self, region: str, text: str, expected_etag: str | None) -> str:
        doing = f"change the routes in {self.document_of(region)}"
        setting = ConfigurationSetting(key=self._key(region), value=text, content_type=CONTENT_TYPE)
        async with self._asking(doing, is_write=True):
            if expected_etag is None:
                written = await self._client.add_configuration_setting(setting)
            else:
                written = await self._client.set_configuration_setting(
                    setting, match_condition=MatchConditions.IfNotModified, etag=expected_etag
                )
        return str(written.etag)

    @asynccontextmanager
    async def _asking(self, doing: str, *, is_write: bool) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                yield
        except TimeoutError as fault:
            raise _unanswered(doing, is_write=is_write) from fault
        except ResourceNotFoundError as fault:
            if not is_write:
                raise
            raise _refusal(fault, doing, is_write=True) from fault
        except HttpResponseError as fault:
            raise _refusal(fault, doing, is_write=is_write) from fault
        except AzureError as fault:
            # The SDK calls it a request that was not sent where a connection was cut; only one that was never made is.
            if isinstance(fault.inner_exception, ClientConnectorError):
                raise Unreachable(f"cannot {doing}: the store cannot be reached", hint="check its endpoint") from fault
            raise _unanswered(doing, is_write=is_write) from fault


def _unanswered(doing: str, *, is_write: bool) -> CloudError:
    if is_write:
        return OutcomeUnknown(f"cannot {doing}: no answer came; it may have been written")
    return Unreachable(f"cannot {doing}: no answer came")


def _refusal(fault: HttpResponseError, doing: str, *, is_write: bool) -> Exception:
    """What an answer means that is no success."""
    status = fault.status_code
    if status == 412 and is_write:
        return RouteChanged(f"cannot {doing}: somebody else changed them first")
    if status in (401, 403) or (status is None and isinstance(fault, ClientAuthenticationError)):
        role = "App Configuration Data Owner" if is_write else "App Configuration Data Reader"
        return AccessRefused(
            f"cannot {doing}: the store refuses our credential",
            hint=f"give the identity the role {role}, or correct routing.credential",
        )
    if status == 409:
        return AccessRefused(f"cannot {doing}: the key is locked in the store", hint="unlock it")
    if status == 429:
        return Throttled(
            f"cannot {doing}: the store asks for fewer requests (429)",
            hint="its tier has a quota of requests an hour: see docs/routing.md",
            retry_after_seconds=_wish(fault),
        )
    if status is None or status < 400 or status == 408 or status >= 500:
        return _unanswered(f"{doing} (status {status})", is_write=is_write)
    if status == 413:
        return CloudError(f"cannot {doing}: the store takes no value of this size (413)")
    return CloudError(f"cannot {doing}: the store answers with status {status}")


def _wish(fault: HttpResponseError) -> float | None:
    """``retry-after-ms``, else ``Retry-After`` in seconds."""
    headers = getattr(fault.response, "headers", {})
    for name, unit in (("retry-after-ms", 1000.0), ("Retry-After", 1.0)):
        try:
            return float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
    return None


def open_configuration(
    endpoint: str, name: str, *, connection: str | None = None, token_source: Any = None, ca_file: str | None = None
) -> ConfigurationRouter:
    """The router of a store. Sends nothing.

    Args:
        connection: a connection string of the store; else ``token_source`` signs, and is closed with the router.
        ca_file: whose certificates are believed, where it is not the machine's.
    Raises:
        AccessRefused: the connection string is none, or of another store.
    """
    options: dict[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": ANSWER_SECONDS}
    options |= {"permit_redirects": False, **({"connection_verify": ca_file} if ca_file else {})}
    if connection is None:
        return ConfigurationRouter(
            AzureAppConfigurationClient(endpoint, token_source, **options), endpoint, name, token_source
        )
    require_connection(connection, endpoint)
    return ConfigurationRouter(
        AzureAppConfigurationClient.from_connection_string(connection, **options), endpoint, name
    )


def require_connection(connection: str, endpoint: str) -> None:
    """AccessRefused if this is not a connection string of the store at ``endpoint``; its text is not repeated."""
    parts = dict(part.partition("=")[::2] for part in connection.split(";"))
    if not all(parts.get(name) for name in ("Endpoint", "Id", "Secret")):
        raise AccessRefused(
            "cannot open the routes: routing.credential names a variable that holds no connection string of App Configuration",
            hint="copy it from the store's page, under Access settings",
        )
    if parts["Endpoint"].rstrip("/").lower() != endpoint.rstrip("/").lower():
        raise AccessRefused(
            f"cannot open the routes: the connection string is of another store than {endpoint}",
            hint="correct routing.endpoint or the variable",
        )
