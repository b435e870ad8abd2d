"""The estate: who asks is told from whom may, what goes wrong is drawn, and each request goes to the room of its kind.

Decides the order: faults, then identity, then rights, then the request itself. Settings are plain values that may be replaced
while it serves.
"""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from migrator.testing.estate.configuration import AUDIENCES as OF_CONFIGURATION
from migrator.testing.estate.configuration import Configuration
from migrator.testing.estate.identity import Identities
from migrator.testing.estate.manager import Resources
from migrator.testing.estate.monitor import AzureMonitor
from migrator.testing.estate.settings import (
    ANYBODY,
    PERMISSIONS,
    Application,
    Faults,
    Right,
    StorageAccount,
    Subscription,
)
from migrator.testing.estate.wire import Answer, Refusal, Request
from migrator.testing.strict.identities import Tokens

OF_MANAGER = ("https://management.azure.com", "https://management.core.windows.net")
OF_METRICS = ("https://metrics.monitor.azure.com",)
_TOKEN = re.compile(r"/[^/]+/oauth2/v2\.0/token")
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)(/.*)?", re.IGNORECASE)
_STORE = re.compile(r"/appconfig/([^/]+)(/.*)")


class DataPlane(Protocol):
    """What serves the blobs of the accounts."""

    @property
    def tokens(self) -> Tokens:
        """Those that it believes."""

    def endpoint(self, account: str) -> str: ...

    def key(self, account: str) -> str: ...

    def show(self, account: StorageAccount) -> None:
        """It was created, or is another now."""

    def transactions(self, account: str) -> Mapping[datetime, Mapping[str, float]]:
        """By minute and response type, as Azure Monitor counts them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that came, and its answer's status."""

    method: str
    path: str
    who: str
    status: int
    code: str = ""


class Cut(Exception):
    """The connection ends without an answer."""


class Estate:
    """Answers requests; ``running`` puts it on a port.

    Args:
        subscriptions: that there are.
        data: what serves the accounts' blobs; without it accounts have no data plane.
        applications: who may sign in.
        seed: of all chance.
        now: Unix time.
    """

    def __init__(
        self,
        subscriptions: Iterable[Subscription] = (),
        *,
        data: DataPlane | None = None,
        applications: Iterable[Application] = (),
        seed: int = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.subscriptions = {one.id: one for one in subscriptions}
        self.data = data
        self.now = now
        self.rights: list[Right] = [Right("Contributor"), Right("Monitoring Reader"), Right("Storage Blob Data Owner")]
        self.identities = Identities(data.tokens if data else Tokens(secrets.token_bytes(32)), list(applications))
        self.resources = Resources(
            self.subscriptions,
            now=now,
            tell=self._tell,
            endpoint=self._endpoint,
            key=lambda name: data.key(name) if data else "",
        )
        self.monitor = AzureMonitor(seen=data.transactions if data is not None else None)
        self.stores: dict[str, Configuration] = {}
        self.asked: list[Asked] = []
        self._public = ""
        self._chance = random.Random(f"{seed}/estate")

    @property
    def public(self) -> str:
        """Where it is reached, without a slash at the end."""
        return self._public

    @public.setter
    def public(self, url: str) -> None:
        self._public = self.resources.public = url

    @property
    def faults(self) -> Faults:
        return self.resources.faults

    def set_faults(self, faults: Faults | None = None, **changes: Any) -> None:
        """What goes wrong from now on; ``changes`` are fields of ``Faults`` and leave the others as they are."""
        self.resources.faults = replace(faults or self.faults, **changes)

    def store(self, name: str) -> Configuration:
        """An App Configuration store, made at its first mention; it is reached at ``public``/appconfig/NAME."""
        return self.stores.setdefault(name, Configuration(name))

    def add(self, name: str, subscription: str, group: str, location: str, **said: Any) -> StorageAccount:
        """An account that is there. ``said``: sku, kind, tags, and properties by their names on the wire."""
        from migrator.testing.estate.parts import USUAL

        self.subscriptions[subscription].groups.setdefault(group, location)
        sku = said.pop("sku", "Standard_LRS")
        document = {
            "location": location,
            "sku": {"name": sku, "tier": sku.partition("_")[0]},
            "kind": said.pop("kind", "StorageV2"),
            "tags": said.pop("tags", {}),
            "properties": {**USUAL, **said},
        }
        return self.resources.put(StorageAccount(name, subscription, group, document))

    def requests(self, method: str = "", path: str = "") -> list[Asked]:
        """What came, in order; ``path``: a part of it, in any case."""
        return [one for one in self.asked if method in ("", one.method) and path.lower() in one.path.lower()]

    async def answer(self, request: Request) -> Answer:
        """Raises Cut where the connection is to end without an answer."""
        who, code = "", ""
        try:
            who, answer = await self._answer(request)
        except Refusal as no:
            answer, code = no.answer(), no.code
        self.asked.append(Asked(request.method, request.path, who, answer.status, code))
        answer.headers.setdefault("x-ms-request-id", secrets.token_hex(8))
        is_write = request.method in ("PUT", "PATCH", "POST", "DELETE")
        if is_write and answer.status < 300 and self._draws(self.faults.cut) and _SUBSCRIPTION.fullmatch(request.path):
            raise Cut
        return answer

    def _draws(self, share: float) -> bool:
        return share > 0 and self._chance.random() < share

    async def _answer(self, request: Request) -> tuple[str, Answer]:
        self.resources.settle()
        if _TOKEN.fullmatch(request.path):
            return "", self.identities.answer(request, self.now())
        if match := _STORE.fullmatch(request.path):
            return self._configuration(request, match[1])
        if self._draws(self.faults.throttled):
            wish = str(self.faults.retry_after)
            raise Refusal(429, "TooManyRequests", "The request is being throttled.", Retry_After=wish)
        if self._draws(self.faults.failing):
            raise Refusal(503, "ServiceUnavailable", "The service is unavailable.")
        claims = self.identities.who(request, self.now(), {*OF_MANAGER, *OF_METRICS, self.public, f"{self.public}/"})
        who = str(claims["oid"])
        if request.path.rstrip("/").lower() == "/subscriptions":
            return who, self._subscriptions(claims)
        match = _SUBSCRIPTION.fullmatch(request.path)
        if match is None:
            raise Refusal(404, "NotFound", f"there is nothing at {request.path}")
        subscription = self._subscription(match[1], claims)
        rest = match[2] or ""
        if rest == "/metrics:getBatch":
            self._require(who, request, "Monitoring Reader")
            return who, await self.monitor.answer(request)
        if re.search(r"/providers/Microsoft\.Authorization/permissions$", rest, re.IGNORECASE):
            return who, Answer(
                200, {"value": [dict(PERMISSIONS[right.role]) for right in self._rights_of(who, request)]}
            )
        is_read = request.method == "GET" or rest.lower().endswith("/checknameavailability")
        self._require(who, request, "Reader" if is_read else "Contributor")
        if not rest:
            return who, Answer(200, _shown(subscription))
        return who, self.resources.answer(request, subscription, rest)

    def _configuration(self, request: Request, name: str) -> tuple[str, Answer]:
        if name not in self.stores:
            raise Refusal(404, "NotFound", f"there is no store {name}")
        store, who = self.stores[name], "key"
        target = request.target[len(f"/appconfig/{name}") :]
        if request.headers.get("authorization", "").startswith("Bearer "):
            audiences = {*OF_CONFIGURATION, self.public, f"{self.public}/appconfig/{name}"}
            who = str(self.identities.who(request, self.now(), audiences)["oid"])
        else:
            store.check_signature(request, target)
        return who, store.answer(request, target.partition("?")[0])

    def _subscriptions(self, claims: Mapping[str, Any]) -> Answer:
        mine = [one for one in self.subscriptions.values() if claims["tid"] in (one.tenant, ANYBODY)]
        return Answer(200, {"value": [_shown(one) for one in mine]})

    def _subscription(self, id: str, claims: Mapping[str, Any]) -> Subscription:
        found = self.subscriptions.get(id)
        if found is None:
            raise Refusal(404, "SubscriptionNotFound", f"The subscription '{id}' could not be found.")
        if claims["tid"] not in (found.tenant, ANYBODY):
            text = (
                f"The access token is from the wrong issuer 'https://sts.windows.net/{claims['tid']}/'. It must match the tenant"
                f" 'https://sts.windows.net/{found.tenant}/' associated with this subscription."
            )
            raise Refusal(401, "InvalidAuthenticationTokenTenant", text)
        return found

    def _require(self, who: str, request: Request, needed: str) -> None:
        enough = {"Reader": ("Reader", "Contributor"), "Contributor": ("Contributor",)}.get(needed, (needed,))
        if any(right.role in enough for right in self._rights_of(who, request)):
            return
        text = f"The client with object id '{who}' does not have authorization to perform action over scope '{request.path}'."
        raise Refusal(403, "AuthorizationFailed", text)

    def _rights_of(self, who: str, request: Request) -> list[Right]:
        """Over http anybody is everybody."""
        path = request.path.lower()
        return [
            right
            for right in self.rights
            if who == ANYBODY or (right.who in (who, ANYBODY) and path.startswith(right.scope.lower()))
        ]

    def _tell(self, account: StorageAccount) -> None:
        if self.data is not None:
            self.data.show(account)

    def _endpoint(self, account: str) -> str:
        return self.data.endpoint(account) if self.data is not None else f"https://{account}.blob.core.windows.net"


def _shown(one: Subscription) -> dict[str, Any]:
    id = f"/subscriptions/{one.id}"
    return {"id": id, "subscriptionId": one.id, "tenantId": one.tenant, "displayName": one.id, "state": "Enabled"}


__all__ = ["Asked", "Cut", "DataPlane", "Estate"]
