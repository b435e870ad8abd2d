"""What an account of the strict service is, and what goes wrong there: plain values, given before or while it serves.

``Nature`` says what holds until somebody changes the account, ``Faults`` what a bad hour brings. Leaves what either means
for a request to the rooms beside. Names are patterns of ``container/name`` as a shell has them, with ``*`` across slashes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

KNOWN_ROLES = ("Reader", "Contributor", "Owner", "Delegator")
Role = Literal["Reader", "Contributor", "Owner", "Delegator"]
"""Of the built-in ones, "Storage Blob Data Reader", "... Contributor", "... Owner", and "Storage Blob Delegator"."""
Patterns = tuple[str, ...]
ANYBODY = "*"


def fits(patterns: Patterns, container: str, name: str) -> bool:
    return any(fnmatchcase(f"{container}/{name}", pattern) for pattern in patterns)


@dataclass(frozen=True)
class Grant:
    """One assignment of a role. ``who``: an object id, or anybody; ``container``: its scope, empty for the whole account."""

    role: Role
    who: str = ANYBODY
    container: str = ""


@dataclass(frozen=True)
class Hold:
    """A container under a time-based policy, a legal hold, or immutability of its versions."""

    container: str
    kind: Literal["time-based", "legal", "versions"] = "time-based"


@dataclass(frozen=True)
class Nature:
    """What an account is, as its settings and assignments say.

    Args:
        clock_offset_seconds: how far the account's own clock is ahead of this machine's.
        tells_copy_source_from: from this ``x-ms-version`` on a refused copy says what its source answered.
        customer_keys: blobs that are encrypted with a key that the customer gives with each request.
        default_tier: what an account's untiered blobs are in.
    """

    kind: str = "StorageV2"
    sku: str = "Standard_LRS"
    is_hierarchical: bool = False
    allows_public_access: bool = False
    allows_shared_key: bool = True
    clock_offset_seconds: float = 0.0
    newest_version: str = "2026-06-06"
    tells_copy_source_from: str = "2025-07-05"
    grants: tuple[Grant, ...] = (Grant("Owner"),)
    holds: tuple[Hold, ...] = ()
    customer_keys: Patterns = ()
    default_tier: str = "Hot"


@dataclass(frozen=True)
class CopyRefusal:
    """How a copy whose source is in this account is refused.

    Args:
        status, code: of the answer; ``message`` is its text.
        source_status, source_code: what the source is said to have answered; 0 and empty: nothing is said.
        share: of the copies that ``names`` fits, this part at random.
        at: only these copies, counted from 1 since the refusal was set; empty: every one.
    """

    status: int = 403
    code: str = "CannotVerifyCopySource"
    source_status: int = 0
    source_code: str = ""
    message: str = "Could not verify the copy source within the specified time."
    share: float = 1.0
    names: Patterns = ("*",)
    at: frozenset[int] = frozenset()


COPY_REFUSALS: dict[str, CopyRefusal] = {
    "unverified": CopyRefusal(),
    "firewall": CopyRefusal(source_status=403, source_code="AuthorizationFailure"),
    "not-yet-valid": CopyRefusal(source_status=403, source_code="AuthenticationFailed"),
    "no-right": CopyRefusal(source_status=403, source_code="AuthorizationPermissionMismatch"),
    "unauthorized": CopyRefusal(401, source_status=401, source_code="InvalidAuthenticationInfo"),
    "busy": CopyRefusal(503, source_status=503, source_code="ServerBusy"),
    "busy-unsaid": CopyRefusal(503),
    "failed": CopyRefusal(500, source_status=500, source_code="InternalError"),
    "slow": CopyRefusal(500),
    "gone": CopyRefusal(404, source_status=404, source_code="BlobNotFound"),
    "changed": CopyRefusal(412, source_status=412, source_code="ConditionNotMet"),
    "changed-unsaid": CopyRefusal(412),
    "not-modified": CopyRefusal(304),
    "customer-key": CopyRefusal(409, source_status=409, source_code="BlobUsesCustomerSpecifiedEncryption"),
    "archived": CopyRefusal(409, "BlobArchived", message="This operation is not permitted on an archived blob."),
    "other-account": CopyRefusal(
        403,
        "CopyAcrossAccountsNotSupported",
        message="The copy source account and destination account must be the same.",
    ),
    "url-too-long": CopyRefusal(
        400, "InvalidHeaderValue", message="The value for one of the HTTP headers is not valid."
    ),
}
"""Every kind that recordings, the service's pages or other tools' histories show; ``replace`` gives it a share or names."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong at one account, until others are set. Shares are of 1, drawn from the service's own seed.

    Args:
        busy: share of requests that are refused with 503 ServerBusy; nothing is done.
        retry_after: what such a refusal wishes, in seconds.
        too_many: share that is refused with a bare 429: no code, no body.
        timed_out: share that is answered 500 OperationTimedOut; a write has been applied.
        most_per_second: above it, every request is refused with 503 ServerBusy.
        unreachable: every connection ends without an answer.
        late: share of writes whose connection ends without an answer, and that arrive ``late_seconds`` later.
        copies: how copies from this account are refused.
        pending_seconds: how long an asynchronous copy to this account takes.
        failing_copies: those of them that end as failed.
        leased: blobs here under somebody's lease.
    """

    busy: float = 0.0
    retry_after: int | None = None
    too_many: float = 0.0
    timed_out: float = 0.0
    most_per_second: float | None = None
    unreachable: bool = False
    late: float = 0.0
    late_seconds: float = 0.0
    copies: tuple[CopyRefusal, ...] = ()
    pending_seconds: float = 0.0
    failing_copies: Patterns = ()
    leased: Patterns = ()
    lies: frozenset[str] = field(default_factory=frozenset)
    """Promises of the service that are broken here: names of ``lies.LIES``."""


__all__ = [
    "ANYBODY",
    "COPY_REFUSALS",
    "KNOWN_ROLES",
    "CopyRefusal",
    "Faults",
    "Grant",
    "Hold",
    "Nature",
    "Patterns",
    "Role",
    "fits",
]
