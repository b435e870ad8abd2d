"""What somebody else's hold on a blob or container refuses: retention policies, legal holds, leases, customers' keys.

Azurite has leases of its own, which are real; ``Faults.leased`` are blobs whose lease's id nobody here knows.
"""

from __future__ import annotations

import re

from migrator.testing.strict.backend import Backend
from migrator.testing.strict.call import Answer, Call, Refused
from migrator.testing.strict.operations import Operation
from migrator.testing.strict.rows import each_row, name_of
from migrator.testing.strict.settings import Faults, Nature, Patterns, fits

PROTECTED = frozenset(
    {"Set Blob Metadata", "Set Blob Properties", "Delete Blob", "Put Page", "Append Block", "Snapshot Blob"}
)
"""Refused while a policy or hold lasts. Source: Azure "Time-based retention policies for immutable blob data"."""
OVERWRITES = frozenset({"Put Blob", "Put Blob From URL", "Put Block List", "Copy Blob", "Copy Blob From URL"})
UNLEASED = frozenset({"Put Block", "Put Block From URL", "Lease Blob", "Snapshot Blob"})
"""Writes that need no lease's id: blocks are nobody's until they are committed."""


async def check_immutable(call: Call, operation: Operation, nature: Nature, backend: Backend) -> None:
    hold = next((one for one in nature.holds if one.container == call.container and one.kind != "versions"), None)
    if hold is None or operation.effect == "read":
        return
    code = "BlobImmutableDueToLegalHold" if hold.kind == "legal" else "BlobImmutableDueToPolicy"
    said = "This operation is not permitted as the blob is immutable due to a " + (
        "legal hold." if hold.kind == "legal" else "policy."
    )
    if operation.name == "Delete Container":
        said = "The container is protected from deletion."
        raise Refused("immutable", 409, "ContainerImmutableDueToPolicy" if hold.kind == "time-based" else code, said)
    there = operation.name in PROTECTED | OVERWRITES
    if there and (await backend.ask("HEAD", call.account, call.container, call.name)).status == 200:
        raise Refused("immutable", 409, code, said)


def check_lease(call: Call, operation: Operation, faults: Faults) -> None:
    if operation.level != "blob" or operation.effect == "read" or operation.name in UNLEASED:
        return
    if fits(faults.leased, call.container, call.name):
        if call.header("x-ms-lease-id"):
            said = "The lease ID specified did not match the lease ID for the blob."
            raise Refused("leases", 412, "LeaseIdMismatchWithBlobOperation", said)
        said = "There is currently a lease on the blob and no lease ID was specified in the request."
        raise Refused("leases", 412, "LeaseIdMissing", said)


def check_customer_key(call: Call, operation: Operation, nature: Nature) -> None:
    if operation.level != "blob" or operation.name in ("Delete Blob", "Lease Blob", "Set Blob Tier", "Get Block List"):
        return
    is_held = fits(nature.customer_keys, call.container, call.name)
    if is_held and not call.header("x-ms-encryption-key"):
        said = "The blob is encrypted with customer specified encryption, but it was not provided in the request."
        raise Refused("customer-keys", 409, "BlobUsesCustomerSpecifiedEncryption", said)


def shown(call: Call, operation: Operation, answer: Answer, nature: Nature, faults: Faults) -> None:
    """Put into an answer what it would show of holds, leases and keys."""
    if operation.name == "List Containers" and nature.holds:
        answer.body = _holds_of_listing(answer.body.decode("utf-8-sig"), nature).encode()
    elif operation.name in ("Get Container Properties", "Get Container ACL"):
        for hold in nature.holds:
            if hold.container == call.container:
                answer.set_header(_HEADERS[hold.kind], "true")
    elif operation.name == "List Blobs" and (faults.leased or nature.customer_keys):
        text = answer.body.decode("utf-8-sig")
        answer.body = _marked_rows(call, text, nature, faults).encode()
    elif operation.name in ("Get Blob", "Get Blob Properties") and fits(faults.leased, call.container, call.name):
        answer.set_header("x-ms-lease-status", "locked")
        answer.set_header("x-ms-lease-state", "leased")
        answer.set_header("x-ms-lease-duration", "infinite")


_HEADERS = {
    "time-based": "x-ms-has-immutability-policy",
    "legal": "x-ms-has-legal-hold",
    "versions": "x-ms-immutable-storage-with-versioning-enabled",
}
_ELEMENTS = {
    "time-based": "HasImmutabilityPolicy",
    "legal": "HasLegalHold",
    "versions": "ImmutableStorageWithVersioningEnabled",
}


def _holds_of_listing(text: str, nature: Nature) -> str:
    def put(found: re.Match[str]) -> str:
        row = found[0]
        for hold in nature.holds:
            if f"<Name>{hold.container}</Name>" in row:
                element = _ELEMENTS[hold.kind]
                row = re.sub(f"<{element}>[^<]*</{element}>", "", row)
                row = row.replace("</Properties>", f"<{element}>true</{element}></Properties>")
        return row

    return re.sub(r"<Container>.*?</Container>", put, text, flags=re.DOTALL)


def _marked_rows(call: Call, text: str, nature: Nature, faults: Faults) -> str:
    def mark(row: str) -> str:
        name = name_of(row)
        if _is(faults.leased, call, name):
            row = re.sub(r"<Lease(Status|State|Duration)>[^<]*</Lease\1>", "", row)
            lease = "<LeaseStatus>locked</LeaseStatus><LeaseState>leased</LeaseState><LeaseDuration>infinite</LeaseDuration>"
            row = row.replace("</Properties>", f"{lease}</Properties>")
        if _is(nature.customer_keys, call, name):
            key = "<CustomerProvidedKeySha256>ZGlnZXN0IG9mIGEga2V5IHRoYXQgbm9ib2R5IGhhcyE=</CustomerProvidedKeySha256>"
            row = row.replace("</Properties>", f"{key}</Properties>")
        return row

    return each_row(text, mark)


def _is(patterns: Patterns, call: Call, name: str) -> bool:
    return fits(patterns, call.container, name)


__all__ = ["check_customer_key", "check_immutable", "check_lease", "shown"]
