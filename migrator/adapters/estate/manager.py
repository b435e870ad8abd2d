"""The resource manager through its SDK: one client for each subscription and credential.

Decides what is asked and how often. Leaves what documents mean to ``forms``, what a refusal means to ``refusals``. Rules: a
request leaves once, and what passes by itself is tried again for half a minute at most; an account that is there is never sent a
create, for that would change it. The resource manager knows no create that only creates: one that somebody else made between the
look and the create is told by the answer, which is at once for an account that was there and "accepted" for a new one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from functools import partial
from time import monotonic
from typing import Any, Final, TypeVar

from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline import PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.rest import HttpRequest
from azure.mgmt.storage.aio import StorageManagementClient

from migrator.adapters.azure.credentials import open_token_source
from migrator.adapters.azure.endpoints import account_name_of
from migrator.adapters.azure.errors import Effect
from migrator.adapters.azure.sdk_transport import OnceTransport
from migrator.adapters.azure.trust import trust
from migrator.adapters.estate import forms
from migrator.adapters.estate.refusals import refusal
from migrator.errors import AccessRefused, CloudError, NotFound, Throttled, Unreachable
from migrator.model.addresses import is_loopback
from migrator.model.estate import AccountShape, BlobSettings, Granted, Provision, Quota, region
from migrator.model.schedule import Account

T = TypeVar("T")
PUBLIC: Final = "https://management.azure.com"
TRIED_SECONDS: Final = 30.0
POLL_SECONDS: Final = 5.0
"""Between two looks at what is being created, where the resource manager has no wish of its own."""
ALREADY_THERE: Final = 200
"""How a create of an account that is there is answered; a new one is 202."""
ENDED: Final = frozenset({"Failed", "Canceled"})
"""States of a resource that no waiting changes."""
LOCATIONS_VERSION: Final = "2022-12-01"
PERMISSIONS_VERSION: Final = "2022-04-01"
_ABSENT: Final = frozenset({"ResourceNotFound", "NotFound", "ManagementPolicyNotFound", "BlobServiceNotFound"})
ATTACHED: Final = (
    ("locks", "providers/Microsoft.Authorization/locks", "2020-05-01"),
    ("role assignments", "providers/Microsoft.Authorization/roleAssignments", "2022-04-01"),
    ("diagnostic settings", "providers/Microsoft.Insights/diagnosticSettings", "2021-05-01-preview"),
    ("event subscriptions", "providers/Microsoft.EventGrid/eventSubscriptions", "2022-06-15"),
)
"""What other providers keep for an account: in words, where, and the version that is asked."""
OF_STORAGE: Final = (
    ("encryption scopes", "encryptionScopes"),
    ("inventory policies", "inventoryPolicies"),
    ("local users", "localUsers"),
)
VERSION: Final = "2024-01-01"
"""Of the storage provider, for what is only counted."""


class ResourceManager:
    """An ``Estate``. ``cloud``: the plan's; over http, on loopback only, no token is sent."""

    def __init__(self, cloud: Mapping[str, str]) -> None:
        self._cloud = cloud
        self._base = cloud.get("resource_manager", PUBLIC).rstrip("/")
        if not self._base.startswith("https://") and not is_loopback(self._base):
            raise AccessRefused(
                f"cannot ask the resource manager at {self._base}: tokens of Microsoft Entra ID are only sent over https",
                hint="use its https address",
            )
        self._sources: dict[tuple[str, str | None], Any] = {}
        self._clients: dict[tuple[str, str, str | None], Any] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._kept: dict[tuple[str, str], asyncio.Task[list[Mapping[str, Any]]]] = {}
        """Long lists of a subscription, which are the same for all its accounts: asked for once."""

    # What is there

    async def shape(self, account: Account) -> AccountShape | None:
        client, at = self._client(account), _place(account)
        try:
            found = await self._asked(account, "look for", lambda: client.storage_accounts.get_properties(*at))
        except NotFound as fault:
            if fault.what != "account":
                raise
            return None
        return forms.shape_of(found.as_dict())

    async def settings(self, account: Account) -> BlobSettings:
        client, at = self._client(account), _place(account)
        read = partial(self._asked, account, "read the settings of")
        blobs = await read(lambda: client.blob_services.get_service_properties(*at))
        try:
            policy = (await read(lambda: client.management_policies.get(*at, "default"))).as_dict()
        except NotFound:
            policy = None
        replication = await read(lambda: _all(client.object_replication_policies.list(*at)))
        tasks = await read(lambda: _all(client.storage_task_assignments.list(*at)))
        return forms.settings_of(blobs.as_dict(), policy, replication, tasks)

    async def attached(self, account: Account) -> Mapping[str, int | None]:
        shape = await self.shape(account)
        if shape is None:
            return {}
        found: dict[str, int | None] = {"private endpoints": shape.private_endpoints}
        asked = [*ATTACHED, *((words, path, VERSION) for words, path in OF_STORAGE)]
        for words, path, version in asked:
            try:
                found[words] = len(await self._listed(account, f"{shape.id}/{path}", version))
            except (Throttled, Unreachable):
                raise
            except CloudError:
                found[words] = None  # not every reader may see them, nor every cloud have them
        return {words: number for words, number in found.items() if number != 0}

    async def quota(self, account: Account) -> Quota:
        client, place = self._client(account), region(account.location or "")
        usages = await self._asked(account, "ask the quota of", lambda: _all(client.usages.list_by_location(place)))
        for one in usages:
            if (one.get("name") or {}).get("value") == "StorageAccounts":
                return Quota(int(one["currentValue"]), int(one["limit"]))
        raise CloudError(f"cannot ask the quota of account {account.name}: the resource manager does not tell it")

    async def is_taken(self, account: Account) -> str:
        client, name = self._client(account), _place(account)[1]
        asked = {"name": name, "type": "Microsoft.Storage/storageAccounts"}
        said = await self._asked(
            account, "ask for the name of", lambda: client.storage_accounts.check_name_availability(asked)
        )
        return "" if said.name_available else str(said.message or said.reason or "it is taken").rstrip(".")

    async def granted(self, account: Account) -> Granted:
        group = f"/subscriptions/{account.subscription}/resourceGroups/{_place(account)[0]}"
        path = f"{group}/providers/Microsoft.Authorization/permissions"
        return forms.granted(await self._listed(account, path, PERMISSIONS_VERSION))

    async def skus(self, account: Account) -> frozenset[str]:
        client, place = self._client(account), region(account.location or "")
        ask = partial(self._asked, account, "ask for the skus of", lambda: _all(client.skus.list()))
        listed = await self._once_each("skus", account, ask)
        return frozenset(
            str(one["name"])
            for one in listed
            if one.get("resourceType") == "storageAccounts"
            and place in {region(str(name)) for name in one.get("locations") or ()}
            and not any(_restricts(restriction, place) for restriction in one.get("restrictions") or ())
        )

    async def pair_of(self, account: Account) -> str:
        place = region(account.location or "")
        path = f"/subscriptions/{account.subscription}/locations"
        listed = await self._once_each("locations", account, partial(self._listed, account, path, LOCATIONS_VERSION))
        for one in listed:
            if one.get("name") == place:
                pairs = (one.get("metadata") or {}).get("pairedRegion") or ()
                return next((str(pair["name"]) for pair in pairs), "")
        return ""

    # What is made

    async def create(self, account: Account, wanted: Provision, *, public_access: bool, lineage: str) -> AccountShape:
        client, at = self._client(account), _place(account)
        document = forms.created(wanted, region(account.location or ""), public_access=public_access, lineage=lineage)
        async with self._turns.setdefault(at[1], asyncio.Lock()):  # two areas may go to one account
            there = await self.shape(account)
            if there is None:
                answers: list[int] = []
                made = await self._once(account, "create", "write", lambda: _made(client, at, document, answers))
                if answers[:1] == [ALREADY_THERE]:
                    raise CloudError(
                        f"cannot tell who created account {account.name}: it was not there, and when it was to be created it was",
                        hint="what `provision` says was put over it; see whose it is, then `migrate retry` goes on with it",
                    )
                there = forms.shape_of(made.as_dict())
            while not there.is_ready:
                if there.state in ENDED:
                    raise CloudError(
                        f"cannot create account {account.name}: it is there, and its creation ended as {there.state}",
                        hint="see in the portal why, mend or delete it there, then `migrate retry` goes on",
                    )
                await asyncio.sleep(POLL_SECONDS if self._base == PUBLIC else POLL_SECONDS / 25)
                again = await self.shape(account)
                if again is None:
                    raise CloudError(f"cannot create account {account.name}: its creation ended, and it is not there")
                there = again
        return there

    async def set_settings(self, account: Account, settings: BlobSettings) -> None:
        client, at = self._client(account), _place(account)
        blobs = forms.blob_service(settings)
        await self._once(
            account, "set the settings of", "write", lambda: client.blob_services.set_service_properties(*at, blobs)
        )
        if settings.lifecycle:
            rules = forms.lifecycle(settings)
            await self._once(
                *(account, "set the lifecycle rules of", "write"),
                lambda: client.management_policies.create_or_update(*at, "default", rules),
            )

    async def close(self) -> None:
        for task in self._kept.values():
            task.cancel()
        await asyncio.gather(*self._kept.values(), return_exceptions=True)
        for one in (*self._clients.values(), *self._sources.values()):
            await one.close()
        self._clients.clear()
        self._sources.clear()

    # How it is asked

    def _client(self, account: Account) -> Any:
        reference = "default" if account.credential.startswith("env:") else account.credential
        key = (str(account.subscription), reference, account.tenant)
        if key not in self._clients:
            options: dict[str, Any] = {"transport": OnceTransport(self._trust(account)), "retry_total": 0}
            if self._base.startswith("https://"):
                options["credential_scopes"] = [f"{self._base}/.default"]
                credential = self._source(reference, account)
            else:
                options["authentication_policy"], credential = SansIOHTTPPolicy(), object()
            interval = POLL_SECONDS if self._base == PUBLIC else POLL_SECONDS / 25
            self._clients[key] = StorageManagementClient(
                credential, key[0], base_url=self._base, polling_interval=interval, **options
            )
        return self._clients[key]

    def _source(self, reference: str, account: Account) -> Any:
        key = (reference, account.tenant)
        if key not in self._sources:
            self._sources[key] = open_token_source(
                reference, what=f"account {account.name}", cloud=self._cloud, tenant=account.tenant
            )
        return self._sources[key]

    def _trust(self, account: Account) -> ssl.SSLContext:
        return trust(account.name, self._cloud.get("ca_file"))

    async def _once_each(
        self, what: str, account: Account, ask: Callable[[], Coroutine[Any, Any, list[Mapping[str, Any]]]]
    ) -> list[Mapping[str, Any]]:
        key = what, str(account.subscription)
        known = self._kept.get(key)
        if known is None or (known.done() and (known.cancelled() or known.exception() is not None)):
            known = self._kept[key] = asyncio.create_task(ask())
        return await asyncio.shield(known)

    async def _listed(self, account: Account, path: str, version: str) -> list[Mapping[str, Any]]:
        """Every page of a list that the SDK has no words for."""
        found: list[Mapping[str, Any]] = []
        link: str | None = f"{self._base}{path}?api-version={version}"
        while link is not None:
            page = await self._asked(account, "look for what hangs on", partial(self._get, account, link))
            found += page.get("value") or ()
            link = page.get("nextLink") or None
        return found

    async def _get(self, account: Account, link: str) -> Mapping[str, Any]:
        response = await self._client(account).send_request(HttpRequest("GET", link))
        if response.status_code != 200:
            raise HttpResponseError(response=response)
        document: Mapping[str, Any] = response.json()
        return document

    async def _asked(self, account: Account, doing: str, ask: Callable[[], Awaitable[T]]) -> T:
        """A read; again for a while where it may pass by itself."""
        end, pause = monotonic() + TRIED_SECONDS, 0.5
        while True:
            try:
                return await self._once(account, doing, "read", ask)
            except (Throttled, Unreachable) as fault:
                wish = fault.retry_after_seconds if isinstance(fault, Throttled) else None
                wait = pause if wish is None else wish
                if monotonic() + wait > end:
                    raise
                await asyncio.sleep(wait)
                pause *= 2

    async def _once(self, account: Account, doing: str, effect: Effect, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            return await ask()
        except HttpResponseError as failure:
            code = str(getattr(failure.error, "code", "") or "")
            if failure.status_code == 404 and code in _ABSENT:
                raise NotFound(
                    f"cannot {doing} account {account.name}: it is not there", what="account", code=code
                ) from None
            raise refusal(failure, account, doing, effect, self._base) from None
        except (AzureError, OSError, TimeoutError) as failure:
            raise refusal(failure, account, doing, effect, self._base) from None
        except (LookupError, TypeError, ValueError, AttributeError) as failure:
            raise CloudError(
                f"cannot {doing} account {account.name}: the resource manager's answer is odd"
            ) from failure


async def _made(client: Any, at: tuple[str, str], document: Mapping[str, Any], answers: list[int]) -> Any:
    """``answers``: gets the status of each answer, that to the create first."""

    def note(answer: PipelineResponse[Any, Any]) -> None:
        answers.append(answer.http_response.status_code)

    poller = await client.storage_accounts.begin_create(*at, document, raw_response_hook=note)
    return await poller.result()


async def _all(listed: AsyncIterator[Any]) -> list[Mapping[str, Any]]:
    return [one.as_dict() async for one in listed]


def _restricts(restriction: Mapping[str, Any], place: str) -> bool:
    values = {region(str(one)) for one in restriction.get("values") or ()}
    return restriction.get("type") == "location" and (not values or place in values)


def _place(account: Account) -> tuple[str, str]:
    """Resource group and name. CloudError where the plan does not say them."""
    name = account_name_of(account.endpoint or "")
    if not (account.subscription and account.resource_group and name):
        raise CloudError(
            f"cannot ask the resource manager about account {account.name}: the plan does not say where it is",
            hint=f"give account {account.name} subscription, resource_group and location",
        )
    return account.resource_group, name


__all__ = ["ResourceManager"]
