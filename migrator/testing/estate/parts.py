"""What hangs on a storage account: blob service settings, lifecycle rules, object replication, scopes, locks and the rest.

Decides only how they are kept, listed and refused: each is a document at its path below the account, as it was put. Leaves what
they do to data to nobody: no rule of a policy here ever touches a blob.
"""

from __future__ import annotations

import re
from typing import Any

from migrator.testing.estate.settings import StorageAccount
from migrator.testing.estate.wire import Answer, Refusal, Request

USUAL = {
    "minimumTlsVersion": "TLS1_0",
    "allowBlobPublicAccess": False,
    "allowSharedKeyAccess": True,
    "publicNetworkAccess": "Enabled",
    "supportsHttpsTrafficOnly": True,
    "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow", "ipRules": [], "virtualNetworkRules": []},
    "accessTier": "Hot",
}
"""Properties of an account that nobody said anything about. Source: Azure "Storage Accounts - Create"."""
BLOB_SERVICE = "blobServices/default"
LISTS = (
    *("objectReplicationPolicies", "encryptionScopes", "privateEndpointConnections", "inventoryPolicies"),
    *("storageTaskAssignments", "blobServices", "blobServices/default/containers", "localUsers"),
    *("networkSecurityPerimeterConfigurations", "providers/Microsoft.Authorization/locks"),
    *("providers/Microsoft.Authorization/roleAssignments", "providers/Microsoft.Insights/diagnosticSettings"),
    *("providers/Microsoft.EventGrid/eventSubscriptions", "providers/Microsoft.Security/defenderForStorageSettings"),
)
ABSENT = {"managementPolicies": "ManagementPolicyNotFound"}
_ROOTS = {one.lower(): one for one in (*LISTS, "managementPolicies")}


def blob_service(account: StorageAccount) -> dict[str, Any]:
    """Its blob service's properties, as they are without anybody's doing."""
    return account.parts.get(BLOB_SERVICE, {}).get("properties", {"deleteRetentionPolicy": {"enabled": False}})  # type: ignore[no-any-return]


def answer(request: Request, account: StorageAccount, below: str) -> Answer:
    """Raises Refusal for what is not there."""
    path = _spelled(below)
    if request.method == "GET" and path in LISTS:
        return Answer(200, {"value": _children(account, path)})
    if request.method == "GET":
        if path == BLOB_SERVICE:
            return Answer(200, _resource(account, path, {"properties": blob_service(account)}))
        if path not in account.parts:
            code = ABSENT.get(path.partition("/")[0], "ResourceNotFound")
            raise Refusal(404, code, f"No {path} was found of the account {account.name}.")
        return Answer(200, _resource(account, path, account.parts[path]))
    if request.method == "PUT":
        said = request.document
        if path == BLOB_SERVICE:
            said = {"properties": {**blob_service(account), **said.get("properties", {})}}
        account.parts[path] = said
        return Answer(200, _resource(account, path, said))
    if request.method == "DELETE":
        return Answer(200 if account.parts.pop(path, None) is not None else 204)
    raise Refusal(405, "HttpMethodNotAllowed", f"{request.method} is not allowed")


def check_locks(request: Request, account: StorageAccount) -> None:
    """Raises Refusal where a lock forbids it."""
    kinds = {
        part.get("properties", {}).get("level")
        for path, part in account.parts.items()
        if path.startswith("providers/Microsoft.Authorization/locks/")
    }
    is_write = request.method in ("PUT", "PATCH", "POST", "DELETE")
    if (is_write and "ReadOnly" in kinds) or (request.method == "DELETE" and "CanNotDelete" in kinds):
        raise Refusal(
            409, "ScopeLocked", f"The scope '{account.id}' cannot perform the operation because it is locked."
        )


def _spelled(below: str) -> str:
    """The path with its types as the reference has them, whatever the case it came in."""
    for lower, root in sorted(_ROOTS.items(), key=lambda pair: -len(pair[0])):
        if re.match(rf"{re.escape(lower)}(/|$)", below.lower()):
            return root + below[len(lower) :]
    return below


def _children(account: StorageAccount, path: str) -> list[dict[str, Any]]:
    if path == "blobServices":
        return [_resource(account, BLOB_SERVICE, {"properties": blob_service(account)})]
    own = {one: part for one, part in account.parts.items() if re.fullmatch(rf"{re.escape(path)}/[^/]+", one)}
    return [_resource(account, one, part) for one, part in sorted(own.items())]


def _resource(account: StorageAccount, path: str, part: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{account.id}/{path}", "name": path.rpartition("/")[2], **part}


__all__ = ["BLOB_SERVICE", "LISTS", "USUAL", "answer", "blob_service", "check_locks"]
