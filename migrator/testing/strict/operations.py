"""Which operation of the service a request is, and what right it needs: the table of roles and of SAS letters.

Decides from method, ``restype``, ``comp`` and the telling headers. Leaves who sends it to ``identities``.
Sources: Azure "Permissions for calling blob and data operations with Microsoft Entra ID" (data actions per operation),
"Azure built-in roles for Storage" (actions of a role), "Create a service SAS" and "Create an account SAS" (letters).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from migrator.testing.strict.call import Call
from migrator.testing.strict.settings import Role

Effect = Literal["read", "write"]


@dataclass(frozen=True)
class Operation:
    """``letters``: any of them is enough in a SAS, empty: no SAS may do it; ``actions``: all of these data actions."""

    name: str
    letters: str
    actions: tuple[str, ...]
    effect: Effect = "read"
    level: Literal["account", "container", "blob"] = "blob"


READ, WRITE, ADD, DELETE = "blobs/read", "blobs/write", "blobs/add/action", "blobs/delete"
TAGS_READ, TAGS_WRITE, DELEGATION = "blobs/tags/read", "blobs/tags/write", "generateUserDelegationKey/action"
BOX_READ, BOX_WRITE, BOX_DELETE = "containers/read", "containers/write", "containers/delete"

ROLES: dict[Role, frozenset[str]] = {
    "Reader": frozenset({BOX_READ, READ, DELEGATION}),
    "Contributor": frozenset({BOX_READ, BOX_WRITE, BOX_DELETE, READ, WRITE, ADD, DELETE, DELEGATION}),
    "Owner": frozenset(
        {
            *(BOX_READ, BOX_WRITE, BOX_DELETE, "containers/getAcl/action", "containers/setAcl/action"),
            *(
                READ,
                WRITE,
                ADD,
                DELETE,
                TAGS_READ,
                TAGS_WRITE,
                DELEGATION,
                "blobs/immutableStorage/runAsSuperUser/action",
            ),
        }
    ),
    "Delegator": frozenset({DELEGATION}),
}
"""What each built-in role may do. Tags are in none but the Owner's."""


def _row(
    name: str,
    letters: str,
    *actions: str,
    effect: Effect = "read",
    level: Literal["account", "container", "blob"] = "blob",
) -> Operation:
    return Operation(name, letters, actions, effect, level)


OPERATIONS: dict[str, Operation] = {
    row.name: row
    for row in (
        _row("List Containers", "l", BOX_READ, level="account"),
        _row("Get Account Information", "rwdlacupt", "getInfo/action", level="account"),
        _row("Get User Delegation Key", "", DELEGATION, level="account"),
        _row("Blob Batch", "rwdlacup", effect="write", level="account"),
        _row("Other of the account", "r", BOX_READ, level="account"),
        _row("Create Container", "cw", BOX_WRITE, effect="write", level="container"),
        _row("Delete Container", "d", BOX_DELETE, effect="write", level="container"),
        _row("Get Container Properties", "r", BOX_READ, level="container"),
        _row("Set Container Metadata", "w", BOX_WRITE, effect="write", level="container"),
        _row("Get Container ACL", "", "containers/getAcl/action", level="container"),
        _row("Set Container ACL", "", "containers/setAcl/action", effect="write", level="container"),
        _row("Lease Container", "wd", BOX_WRITE, effect="write", level="container"),
        _row("List Blobs", "l", READ, level="container"),
        _row("Other of a container", "r", BOX_READ, level="container"),
        _row("Get Blob", "r", READ),
        _row("Get Blob Properties", "r", READ),
        _row("Get Block List", "r", READ),
        _row("Get Page Ranges", "r", READ),
        _row("Get Blob Tags", "t", TAGS_READ),
        _row("Put Blob", "cw", WRITE, effect="write"),
        _row("Put Blob From URL", "cw", WRITE, effect="write"),
        _row("Put Block", "w", WRITE, effect="write"),
        _row("Put Block From URL", "w", WRITE, effect="write"),
        _row("Put Block List", "w", WRITE, effect="write"),
        _row("Copy Blob", "cw", WRITE, effect="write"),
        _row("Copy Blob From URL", "cw", WRITE, effect="write"),
        _row("Abort Copy Blob", "w", WRITE, effect="write"),
        _row("Append Block", "aw", WRITE, effect="write"),
        _row("Append Block From URL", "aw", WRITE, effect="write"),
        _row("Seal Append Blob", "w", WRITE, effect="write"),
        _row("Put Page", "w", WRITE, effect="write"),
        _row("Put Page From URL", "w", WRITE, effect="write"),
        _row("Set Blob Tags", "t", TAGS_WRITE, effect="write"),
        _row("Set Blob Tier", "w", WRITE, effect="write"),
        _row("Set Blob Metadata", "w", WRITE, effect="write"),
        _row("Set Blob Properties", "w", WRITE, effect="write"),
        _row("Snapshot Blob", "cw", WRITE, effect="write"),
        _row("Lease Blob", "wd", WRITE, effect="write"),
        _row("Delete Blob", "d", DELETE, effect="write"),
        _row("Undelete Blob", "w", WRITE, effect="write"),
        _row("Other of a blob", "w", WRITE, effect="write"),
    )
}

_BLOB_PUT = {
    "blocklist": "Put Block List",
    "tags": "Set Blob Tags",
    "tier": "Set Blob Tier",
    "metadata": "Set Blob Metadata",
    "properties": "Set Blob Properties",
    "snapshot": "Snapshot Blob",
    "lease": "Lease Blob",
    "copy": "Abort Copy Blob",
    "undelete": "Undelete Blob",
    "seal": "Seal Append Blob",
}
_BLOB_GET = {
    "tags": "Get Blob Tags",
    "blocklist": "Get Block List",
    "pagelist": "Get Page Ranges",
    "metadata": "Get Blob Properties",
}
_WITH_SOURCE = {"block": "Put Block", "appendblock": "Append Block", "page": "Put Page"}
COPIES = frozenset(
    {
        "Copy Blob",
        "Copy Blob From URL",
        "Put Blob From URL",
        "Put Block From URL",
        "Append Block From URL",
        "Put Page From URL",
    }
)


def operation_of(call: Call) -> Operation:
    return OPERATIONS[_name_of(call)]


def _name_of(call: Call) -> str:
    if call.restype == "account":
        return "Get Account Information"
    if not call.container:
        return _of_account(call)
    if not call.name:
        return _of_container(call)
    return _of_blob(call)


def _of_account(call: Call) -> str:
    if call.comp == "list":
        return "List Containers"
    if call.comp == "userdelegationkey":
        return "Get User Delegation Key"
    return "Blob Batch" if call.comp == "batch" else "Other of the account"


def _of_container(call: Call) -> str:
    reads = call.method in ("GET", "HEAD")
    if call.comp == "list":
        return "List Blobs"
    if call.comp == "acl":
        return "Get Container ACL" if reads else "Set Container ACL"
    if call.comp == "lease":
        return "Lease Container"
    if call.comp == "metadata" and not reads:
        return "Set Container Metadata"
    if reads:
        return "Get Container Properties"
    return {"PUT": "Create Container", "DELETE": "Delete Container"}.get(call.method, "Other of a container")


def _of_blob(call: Call) -> str:
    source = call.header("x-ms-copy-source")
    if call.method == "GET":
        return _BLOB_GET.get(call.comp, "Get Blob")
    if call.method == "HEAD":
        return "Get Blob Properties"
    if call.method == "DELETE":
        return "Delete Blob"
    if call.comp in _WITH_SOURCE:
        return _WITH_SOURCE[call.comp] + (" From URL" if source else "")
    if call.comp:
        return _BLOB_PUT.get(call.comp, "Other of a blob")
    if not source:
        return "Put Blob"
    if call.header("x-ms-blob-type"):
        return "Put Blob From URL"
    return "Copy Blob From URL" if call.header("x-ms-requires-sync") == "true" else "Copy Blob"


def asks_for_tags(call: Call, operation: Operation) -> bool:
    """Beside what the operation itself needs."""
    if operation.name == "List Blobs":
        return "tags" in call.query.get("include", "").split(",")
    writes = operation.effect == "write" and operation.name != "Set Blob Tags"
    return bool(writes and (call.header("x-ms-tags") or call.header("x-ms-copy-source-tag-option") == "COPY"))


__all__ = ["COPIES", "OPERATIONS", "ROLES", "TAGS_READ", "TAGS_WRITE", "Operation", "asks_for_tags", "operation_of"]
