"""The resource manager's documents, read into values and written from them. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from migrator.model.estate import (
    MARK,
    AccountShape,
    BlobSettings,
    Granted,
    LifecycleRule,
    Network,
    Provision,
    Replication,
)

Document = Mapping[str, Any]
_TIER_UP: Final = "enableAutoTierToHotFromCool"


def shape_of(document: Document) -> AccountShape:
    properties: Document = document.get("properties") or {}
    acls: Document = properties.get("networkAcls") or {}
    is_closed = properties.get("publicNetworkAccess") in ("Disabled", "SecuredByPerimeter")
    is_denied = is_closed or acls.get("defaultAction") == "Deny"
    return AccountShape(
        name=str(document["name"]),
        id=str(document["id"]),
        location=str(document["location"]),
        sku=str(document["sku"]["name"]),
        kind=str(document["kind"]),
        tags={str(name): str(text) for name, text in (document.get("tags") or {}).items()},
        endpoint=str((properties.get("primaryEndpoints") or {}).get("blob", "")).rstrip("/"),
        is_ready=properties.get("provisioningState", "Succeeded") == "Succeeded",
        state=str(properties.get("provisioningState", "Succeeded")),
        is_hierarchical=bool(properties.get("isHnsEnabled")),
        minimum_tls=str(properties.get("minimumTlsVersion") or ""),
        shared_key=properties.get("allowSharedKeyAccess") is not False,
        public_access=bool(properties.get("allowBlobPublicAccess")),
        network=Network(
            "deny" if is_denied else "allow",
            tuple(str(one["value"]) for one in acls.get("ipRules") or ()),
            tuple(str(one["id"]) for one in acls.get("virtualNetworkRules") or ()),
        ),
        copy_scope=str(properties.get("allowedCopyScope") or ""),
        private_endpoints=len(properties.get("privateEndpointConnections") or ()),
    )


def created(wanted: Provision, location: str, *, public_access: bool, lineage: str) -> dict[str, Any]:
    """The document of a create."""
    acls = {
        "bypass": "AzureServices",
        "defaultAction": "Deny" if wanted.network.default == "deny" else "Allow",
        "ipRules": [{"value": one, "action": "Allow"} for one in wanted.network.addresses],
        "virtualNetworkRules": [{"id": one, "action": "Allow"} for one in wanted.network.subnets],
    }
    return {
        "location": location,
        "kind": wanted.kind,
        "sku": {"name": wanted.sku},
        "tags": {**wanted.tags, MARK: lineage},
        "properties": {
            "minimumTlsVersion": "TLS1_2",
            "supportsHttpsTrafficOnly": True,
            "allowSharedKeyAccess": wanted.shared_key,
            "allowBlobPublicAccess": public_access,
            "networkAcls": acls,
        },
    }


def settings_of(
    blobs: Document, policy: Document | None, replication: Iterable[Document], tasks: Iterable[Document]
) -> BlobSettings:
    """``blobs``: of the blob service; ``policy``: the lifecycle rules, None: there are none."""
    own: Document = blobs.get("properties") or {}
    feed: Document = own.get("changeFeed") or {}
    return BlobSettings(
        cors=tuple((own.get("cors") or {}).get("corsRules") or ()),
        delete_days=_days(own, "deleteRetentionPolicy"),
        container_delete_days=_days(own, "containerDeleteRetentionPolicy"),
        restore_days=_days(own, "restorePolicy"),
        is_versioned=bool(own.get("isVersioningEnabled")),
        change_feed=bool(feed.get("enabled")),
        change_feed_days=feed.get("retentionInDays") if feed.get("enabled") else None,
        tracks_access=bool((own.get("lastAccessTimeTrackingPolicy") or {}).get("enable")),
        lifecycle=tuple(_rule(one) for one in _rules(policy)),
        replication=tuple(_replication(one) for one in replication),
        tasks=tuple(
            str(one.get("name", "")) for one in tasks if (one.get("properties") or {}).get("enabled") is not False
        ),
    )


def granted(permissions: Iterable[Document]) -> Granted:
    """What roles allow: each allows its actions but for its exceptions, and what any allows is allowed.
    Source: Azure "Understand Azure role definitions"."""
    return Granted(
        create=all(_is_allowed(one, permissions, "actions", "notActions") for one in _CREATE),
        data=all(_is_allowed(one, permissions, "dataActions", "notDataActions") for one in _DATA),
    )


_PROVIDER: Final = "microsoft.storage/storageaccounts"
_CREATE: Final = (f"{_PROVIDER}/write", f"{_PROVIDER}/blobservices/write", f"{_PROVIDER}/managementpolicies/write")
_DATA: Final = tuple(f"{_PROVIDER}/blobservices/containers/blobs/{one}" for one in ("read", "write", "delete"))


def _is_allowed(action: str, permissions: Iterable[Document], key: str, exceptions: str) -> bool:
    def has(patterns: Iterable[Any] | None) -> bool:
        return any(fnmatchcase(action, str(one).lower()) for one in patterns or ())

    return any(has(one.get(key)) and not has(one.get(exceptions)) for one in permissions)


def _days(own: Document, key: str) -> int | None:
    """Where it is on without a number, it keeps for as long as the service's default: one day is the least."""
    policy: Document = own.get(key) or {}
    return int(policy.get("days") or 1) if policy.get("enabled") else None


def _rules(policy: Document | None) -> Iterable[Document]:
    found: Iterable[Document] = (((policy or {}).get("properties") or {}).get("policy") or {}).get("rules") or ()
    return found


def _rule(document: Document) -> LifecycleRule:
    definition: Document = document.get("definition") or {}
    actions: Document = definition.get("actions") or {}
    acts = {"tier up" if action == _TIER_UP else str(action) for group in actions.values() for action in (group or {})}
    return LifecycleRule(
        name=str(document.get("name", "")),
        is_enabled=document.get("enabled") is not False,
        prefixes=tuple(map(str, (definition.get("filters") or {}).get("prefixMatch") or ())),
        acts=tuple(sorted(acts)),
        document=document,
    )


def _replication(document: Document) -> Replication:
    own: Document = document.get("properties") or {}
    return Replication(
        id=str(document.get("name", "")),
        source=str(own.get("sourceAccount", "")),
        destination=str(own.get("destinationAccount", "")),
        containers=tuple(
            (str(one.get("sourceContainer", "")), str(one.get("destinationContainer", "")))
            for one in own.get("rules") or ()
        ),
    )


def blob_service(settings: BlobSettings) -> dict[str, Any]:
    """The document of the blob service's settings: only what a copy sets."""
    own: dict[str, Any] = {"isVersioningEnabled": settings.is_versioned}
    own["cors"] = {"corsRules": [dict(one) for one in settings.cors]}
    own["deleteRetentionPolicy"] = _kept(settings.delete_days)
    own["containerDeleteRetentionPolicy"] = _kept(settings.container_delete_days)
    own["changeFeed"] = {"enabled": settings.change_feed}
    if settings.change_feed_days is not None:
        own["changeFeed"]["retentionInDays"] = settings.change_feed_days
    if any("LastAccess" in str(rule.document) for rule in settings.lifecycle):
        own["lastAccessTimeTrackingPolicy"] = {"enable": settings.tracks_access}  # rules by it are refused without
    return {"properties": own}


def _kept(days: int | None) -> dict[str, Any]:
    return {"enabled": False} if days is None else {"enabled": True, "days": days}


def lifecycle(settings: BlobSettings) -> dict[str, Any]:
    """The document of the lifecycle rules, all of them off: a rule that is on writes without a lease."""
    return {"properties": {"policy": {"rules": [{**one.document, "enabled": False} for one in settings.lifecycle]}}}


__all__ = ["Document", "blob_service", "created", "granted", "lifecycle", "settings_of", "shape_of"]
