"""The resource manager's subscriptions, and storage accounts as resources: listed in pages, read, created at length, changed.

Decides what a request for an account means and how it is refused. Leaves what hangs on an account to ``parts``, who may ask to
``service``. Sources: the REST reference of Microsoft.Storage (Storage Accounts, Skus, Usages), "Storage resource provider error
codes", "Async operations in Azure". Rules:

1. An account that is being created is there already: a second create of it is refused, and so is whatever hangs on it.
2. A create of an account that is there changes it to what is said, without a word: so the real service does.
"""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from migrator.testing.estate import parts
from migrator.testing.estate.settings import PAIRS, SKUS, Faults, StorageAccount, Subscription
from migrator.testing.estate.wire import Answer, Refusal, Request

PAGE = 3
"""Accounts on one page of a list; the real one has many more, and pages all the same."""
_NAME = re.compile(r"[a-z0-9]{3,24}")
_AT = "/subscriptions/{sub}/providers/Microsoft.Storage"


class Resources:
    """``tell``: hears of each account that has been created, or was changed; ``endpoint``: of its blobs."""

    def __init__(
        self,
        subscriptions: Mapping[str, Subscription],
        *,
        now: Callable[[], float],
        tell: Callable[[StorageAccount], None],
        endpoint: Callable[[str], str],
        key: Callable[[str], str],
    ) -> None:
        self.subscriptions = subscriptions
        self.accounts: dict[str, StorageAccount] = {}
        self.taken_elsewhere: set[str] = set()
        """Names of accounts that belong to others."""
        self.faults = Faults()
        self.public = ""
        self.created: list[str] = []
        """Every create and change that was accepted, by name, in order."""
        self._now, self._tell, self._endpoint, self._key = now, tell, endpoint, key
        self._told: set[str] = set()
        self._operations: dict[str, StorageAccount] = {}

    # What is there

    def put(self, account: StorageAccount) -> StorageAccount:
        """An account that is simply there."""
        self.accounts[account.name] = account
        self.settle()
        return account

    def settle(self) -> None:
        """Accounts whose creation has ended are there for the data plane too."""
        for one in list(self.accounts.values()):
            if self._now() < one.ready_at:
                continue
            if one.failure:
                del self.accounts[one.name]
            elif one.name not in self._told and self._now() >= one.ready_at + self.faults.reach_seconds:
                self._told.add(one.name)
                self._tell(one)

    def shown(self, one: StorageAccount) -> dict[str, Any]:
        """As the resource manager answers it."""
        is_ready = self._now() >= one.ready_at
        document = copy.deepcopy(one.document)
        properties = document["properties"]
        properties["provisioningState"] = "Succeeded" if is_ready else "Creating"
        if is_ready:
            properties["primaryEndpoints"] = {"blob": f"{self._endpoint(one.name)}/"}
            properties["primaryLocation"], properties["statusOfPrimary"] = one.location, "available"
            if "GRS" in document["sku"]["name"] or "GZRS" in document["sku"]["name"]:
                properties["secondaryLocation"] = PAIRS.get(one.location, "")
        connections = [part for path, part in one.parts.items() if path.startswith("privateEndpointConnections/")]
        properties["privateEndpointConnections"] = connections
        return {"id": one.id, "name": one.name, "type": "Microsoft.Storage/storageAccounts", **document}

    # What is asked

    def answer(self, request: Request, subscription: Subscription, rest: str) -> Answer:
        """``rest``: the path below the subscription. Raises Refusal."""
        if match := re.fullmatch(r"/resourcegroups/([^/]+)", rest, re.IGNORECASE):
            return self._group(request, subscription, match[1])
        if re.fullmatch(r"/locations", rest, re.IGNORECASE):
            return _pages(request, [_location(subscription, one) for one in PAIRS], size=100)
        if match := re.fullmatch(r"/providers/Microsoft\.Storage/(.+)", rest, re.IGNORECASE):
            return self._of_provider(request, subscription, match[1])
        at = r"/resourceGroups/([^/]+)/providers/Microsoft\.Storage/storageAccounts(?:/([^/]+)(?:/(.+))?)?"
        if match := re.fullmatch(at, rest, re.IGNORECASE):
            group, name, below = match[1], match[2], match[3]
            self._require_group(subscription, group)
            if name is None:
                return self._list(request, subscription, group)
            return self._account(request, subscription, group, name, below)
        raise Refusal(404, "InvalidResourceType", f"The resource type could not be found for {rest}.")

    def _group(self, request: Request, subscription: Subscription, group: str) -> Answer:
        if request.method == "PUT":
            subscription.groups[group] = str(request.document["location"])
        self._require_group(subscription, group)
        id = f"/subscriptions/{subscription.id}/resourceGroups/{group}"
        return Answer(200, {"id": id, "name": group, "location": subscription.groups[group]})

    def _require_group(self, subscription: Subscription, group: str) -> None:
        if group.lower() not in {one.lower() for one in subscription.groups}:
            raise Refusal(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")

    def _of_provider(self, request: Request, subscription: Subscription, what: str) -> Answer:
        lower = what.lower()
        if lower == "storageaccounts":
            return self._list(request, subscription, None)
        if lower == "checknameavailability":
            return Answer(200, self._availability(str(request.document["name"])))
        if lower == "skus":
            return Answer(200, {"value": [_sku(subscription, name) for name in SKUS]})
        if match := re.fullmatch(r"locations/([^/]+)/usages", lower):
            count = len(self._in(subscription, match[1]))
            name = {"value": "StorageAccounts", "localizedValue": "Storage Accounts"}
            usage = {"unit": "Count", "currentValue": count, "limit": subscription.most_accounts, "name": name}
            return Answer(200, {"value": [usage]})
        if match := re.fullmatch(r"locations/[^/]+/asyncoperations/([^/]+)", lower):
            return self._operation(match[1])
        raise Refusal(404, "InvalidResourceType", f"The resource type {what} could not be found.")

    def _in(self, subscription: Subscription, location: str) -> list[StorageAccount]:
        mine = [one for one in self.accounts.values() if one.subscription == subscription.id]
        return [one for one in mine if one.location == location]

    def _list(self, request: Request, subscription: Subscription, group: str | None) -> Answer:
        found = [
            self.shown(one)
            for _, one in sorted(self.accounts.items())
            if one.subscription == subscription.id and (group is None or one.group.lower() == group.lower())
        ]
        return _pages(request, found, public=self.public)

    def _availability(self, name: str) -> dict[str, Any]:
        if not _NAME.fullmatch(name):
            text = f"{name} is not a valid storage account name."
            return {"nameAvailable": False, "reason": "AccountNameInvalid", "message": text}
        if name in self.accounts or name in self.taken_elsewhere:
            text = f"The storage account named {name} is already taken."
            return {"nameAvailable": False, "reason": "AlreadyExists", "message": text}
        return {"nameAvailable": True}

    def _account(
        self, request: Request, subscription: Subscription, group: str, name: str, below: str | None
    ) -> Answer:
        if request.method == "PUT" and below is None:
            return self._create(request, subscription, group, name)
        one = self._found(subscription, group, name)
        if below is None and request.method == "GET":
            return Answer(200, self.shown(one))
        parts.check_locks(request, one)
        if self._now() < one.ready_at:
            text = (
                f"The storage account provisioning state must be 'Succeeded' before executing the operation on {name}."
            )
            raise Refusal(409, "StorageAccountIsNotProvisioned", text)
        if below is not None:
            if below.lower() == "listkeys":
                return Answer(200, {"keys": [{"keyName": "key1", "value": self._key(name), "permissions": "FULL"}]})
            answer = parts.answer(request, one, below)
        elif request.method == "PATCH":
            _change(one, request.document)
            self.created.append(name)
            answer = Answer(200, self.shown(one))
        elif request.method == "DELETE":
            del self.accounts[name]
            return Answer(200)
        else:
            raise Refusal(405, "HttpMethodNotAllowed", f"{request.method} is not allowed")
        self._tell(one)
        return answer

    def _found(self, subscription: Subscription, group: str, name: str) -> StorageAccount:
        one = self.accounts.get(name)
        if one is None or one.subscription != subscription.id or one.group.lower() != group.lower():
            text = (
                f"The Resource 'Microsoft.Storage/storageAccounts/{name}' under resource group '{group}' was not found."
            )
            raise Refusal(404, "ResourceNotFound", text)
        return one

    def _create(self, request: Request, subscription: Subscription, group: str, name: str) -> Answer:
        asked = request.document
        location, sku = "".join(str(asked["location"]).split()).lower(), str(asked["sku"]["name"])
        self._check_create(subscription, group, name, location, sku)
        there = self.accounts.get(name)
        if there is not None:
            parts.check_locks(request, there)
            if self._now() < there.ready_at:
                text = "An operation is currently performing on this storage account that requires exclusive access."
                raise Refusal(409, "StorageAccountOperationInProgress", text)
            _change(there, asked)
            self.created.append(name)
            self._tell(there)
            return Answer(200, self.shown(there))
        document = {
            "location": location,
            "sku": {"name": sku, "tier": sku.partition("_")[0]},
            "kind": asked.get("kind", "StorageV2"),
            "tags": asked.get("tags", {}),
            "properties": {**parts.USUAL, **asked.get("properties", {})},
        }
        one = StorageAccount(name, subscription.id, group, document, operation=str(uuid.uuid4()))
        one.ready_at = self._now() + self.faults.create_seconds
        one.failure = self.faults.failed_creates.get(name, "")
        self.accounts[name] = one
        self.created.append(name)
        self.settle()
        at = f"{self.public}{_AT.format(sub=subscription.id)}/locations/{location}/asyncoperations/{one.operation}"
        self._operations[one.operation] = one
        return Answer(
            202,
            None,
            {"Location": f"{at}?monitor=true&api-version=2026-09-01", "Retry-After": str(self.faults.poll_after)},
        )

    def _check_create(self, subscription: Subscription, group: str, name: str, location: str, sku: str) -> None:
        if subscription.denied:
            raise Refusal(
                403, "RequestDisallowedByPolicy", f"Resource '{name}' was disallowed by policy: {subscription.denied}"
            )
        if not subscription.registered:
            text = "The subscription is not registered to use namespace 'Microsoft.Storage'."
            raise Refusal(409, "MissingSubscriptionRegistration", text)
        if not _NAME.fullmatch(name):
            raise Refusal(400, "AccountNameInvalid", f"{name} is not a valid storage account name.")
        if location not in PAIRS:
            raise Refusal(
                400, "LocationNotAvailableForResourceType", f"The provided location '{location}' is not available."
            )
        if sku not in subscription.skus.get(location, SKUS):
            raise Refusal(409, "SkuNotAvailable", f"The sku {sku} is not available in {location}.")
        there = self.accounts.get(name)
        if name in self.taken_elsewhere or (there is not None and there.subscription != subscription.id):
            raise Refusal(409, "StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")
        if there is not None and there.group.lower() != group.lower():
            text = f"The account {name} is already in another resource group in this subscription."
            raise Refusal(409, "StorageAccountInAnotherResourceGroup", text)
        if there is not None and there.location != location:
            text = f"The resource '{name}' already exists in location '{there.location}'."
            raise Refusal(409, "InvalidResourceLocation", text)
        if there is None and len(self._in(subscription, location)) >= subscription.most_accounts:
            text = f"Subscription {subscription.id} already has {subscription.most_accounts} storage accounts in {location}."
            raise Refusal(409, "MaxStorageAccountsCountPerSubscriptionExceeded", text)

    def _operation(self, id: str) -> Answer:
        one = self._operations.get(id)
        if one is None:
            raise Refusal(404, "OperationNotFound", f"no operation {id}")
        if self._now() < one.ready_at:
            return Answer(202, None, {"Retry-After": str(self.faults.poll_after)})
        self.settle()
        if one.failure:
            raise Refusal(409, one.failure, f"the creation of {one.name} failed")
        return Answer(200, self.shown(one))


def _change(one: StorageAccount, asked: Mapping[str, Any]) -> None:
    for key in ("kind", "tags"):
        if key in asked:
            one.document[key] = asked[key]
    if "sku" in asked:
        name = str(asked["sku"]["name"])
        one.document["sku"] = {"name": name, "tier": name.partition("_")[0]}
    one.document["properties"] |= asked.get("properties", {})


def _sku(subscription: Subscription, name: str) -> dict[str, Any]:
    places = [place for place in PAIRS if name in subscription.skus.get(place, SKUS)]
    tier = name.partition("_")[0]
    return {"resourceType": "storageAccounts", "name": name, "tier": tier, "kind": "StorageV2", "locations": places}


def _location(subscription: Subscription, name: str) -> dict[str, Any]:
    pair = {"name": PAIRS[name], "id": f"/subscriptions/{subscription.id}/locations/{PAIRS[name]}"}
    return {
        "id": f"/subscriptions/{subscription.id}/locations/{name}",
        "name": name,
        "metadata": {"pairedRegion": [pair]},
    }


def _pages(request: Request, found: list[Any], *, public: str = "", size: int = PAGE) -> Answer:
    begin = int(request.query.get("$skiptoken", "0"))
    page: dict[str, Any] = {"value": found[begin : begin + size]}
    if begin + size < len(found):
        path = request.target.partition("?")[0]
        page["nextLink"] = f"{public}{path}?api-version=2026-09-01&%24skiptoken={begin + size}"
    return Answer(200, page)


__all__ = ["PAGE", "Resources"]
