"""Every rule by which the strict service differs from the Azurite behind it, with the source that it was taken from.

A rule's name is what ``Seen.rule`` says of a request that it refused. ``room`` is the module that keeps it. What has no row
here is Azurite's own doing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """``says``: what the service does; ``source``: a page's title, or what was recorded; ``set_by``: what switches it."""

    name: str
    says: str
    source: str
    room: str
    set_by: str = ""


RULES: tuple[Rule, ...] = (
    # Who may
    Rule(
        "roles",
        "403 for an operation that none of the sender's roles holds; tags are the Owner's alone; a role on a "
        "container lists no containers and signs no keys",
        'Azure "Permissions for calling blob and data operations with Microsoft Entra ID"',
        "identities",
        "Nature.grants",
    ),
    Rule(
        "sas-letters",
        "403 for a signature without the operation's letter; tags need t; account-wide operations need srt",
        'Azure "Create an account SAS", "Create a service SAS"',
        "identities",
    ),
    Rule(
        "sas-time",
        "403 before a signature's st and from its se on, by the account's own clock",
        'Azure "Create a service SAS"',
        "identities",
        "Nature.clock_offset_seconds",
    ),
    Rule(
        "delegation-key-by-token",
        "403 for a delegation key that is asked for without a token",
        'Azure "Get User Delegation Key"',
        "identities",
    ),
    Rule(
        "delegation-key-days",
        "400 for a delegation key that has ended or lives more than seven days",
        'Azure "Get User Delegation Key"',
        "identities",
    ),
    Rule(
        "delegation-key-clock",
        "403 before a delegation key's start and from its end on, by the account's own clock",
        'Azure "Create a user delegation SAS"; rclone e4c7aca6b',
        "identities",
        "Nature.clock_offset_seconds",
    ),
    Rule(
        "delegation-signature",
        "403 for a user-delegation SAS that its key did not sign; the roles of who asked for the key hold",
        'Azure "Create a user delegation SAS"',
        "identities",
    ),
    Rule(
        "key-window",
        "403 for a request by key whose date is 15 minutes off, by the account's own clock",
        'Azure "Authorize with Shared Key"',
        "identities",
        "Nature.clock_offset_seconds",
    ),
    Rule(
        "key-signature",
        "403 for a request by key that its signature does not fit",
        'Azure "Authorize with Shared Key"',
        "identities",
    ),
    Rule(
        "no-shared-key",
        "403 KeyBasedAuthenticationNotPermitted for a key, and for every SAS that a key signed",
        'Azure "Prevent Shared Key authorization for a storage account"',
        "identities",
        "Nature.allows_shared_key",
    ),
    Rule(
        "token-life",
        "401 with a challenge for a token that has ended, is for another audience, is not minted here, or was revoked",
        'Azure "Authorize with Microsoft Entra ID"; "Continuous access evaluation"',
        "identities",
        "StrictService.token, .revoke_tokens, .advance",
    ),
    Rule(
        "public-access",
        "409 PublicAccessNotPermitted for a container to be made public, and for a reader without a signature",
        'Azure "Remediate anonymous read access to blob data"',
        "natures",
        "Nature.allows_public_access",
    ),
    Rule(
        "account",
        "404 for an account that is not served",
        'Azure "Common REST API error codes"',
        "service",
    ),
    # What is asked for
    Rule(
        "version",
        "400 InvalidHeaderValue for an x-ms-version that the service does not know",
        'Azure "Versioning for the Azure Storage services"',
        "natures",
        "Nature.newest_version",
    ),
    Rule(
        "version-features",
        "400 for tags, versions, policies and startFrom in requests of an older version than knows them",
        'Azure "List Blobs", "Set Blob Tags"',
        "natures",
    ),
    Rule(
        "tier",
        "400 for a tier that cannot be set, or not in that version",
        'Azure "Set Blob Tier"',
        "natures",
    ),
    Rule(
        "control-characters",
        "400 for a control character in a blob's name",
        'a public client\'s recorded answers; Azure "Naming and referencing containers, blobs, and metadata"',
        "natures",
    ),
    Rule(
        "dropped-dots",
        "a dot at the end of a path's segment is dropped: another blob is meant",
        "a public client's recorded answers",
        "natures",
    ),
    Rule(
        "long-names",
        "400 for a name of more than 1,024 UTF-16 units or 254 slashes",
        'Azure "Naming and referencing containers, blobs, and metadata"',
        "natures",
    ),
    Rule(
        "source-url-length",
        "400 for a copy's source of more than 2 KB",
        'Azure "Copy Blob From URL"',
        "natures",
    ),
    Rule(
        "tags-header-length",
        "400 for tags of more than 2 KB in a header",
        "AzCopy, TagsHeaderMaxLength",
        "natures",
    ),
    # What the account is
    Rule(
        "account-information",
        "kind, SKU and hierarchical namespace are told",
        'Azure "Get Account Information"; recorded',
        "natures",
        "Nature.kind, .sku, .is_hierarchical",
    ),
    Rule(
        "premium-page",
        "400 for anything but page blobs in a premium page account",
        'Azure "Scalability targets for premium page blob storage accounts"',
        "natures",
        "Nature.kind, .sku",
    ),
    Rule(
        "tags-by-kind",
        "400 BlobTagsNotSupportedForAccountType in accounts before version 2 and in premium ones",
        'Azure "Storage feature support in Azure Storage accounts"',
        "natures",
        "Nature.kind",
    ),
    Rule(
        "tag-count",
        "how many tags a blob has is listed (TagCount), whoever lists it",
        "recorded",
        "tags",
    ),
    Rule(
        "hierarchical-tags",
        "400 for tags in an account with a hierarchical namespace",
        "azure-sdk-for-net 39388",
        "natures",
        "Nature.is_hierarchical",
    ),
    Rule(
        "hierarchical-directories",
        "directories are rows of a listing without a slash at their end; they are neither deleted while they "
        "hold something nor written to; double slashes are one",
        "a public client's recorded answers",
        "natures",
        "Nature.is_hierarchical",
    ),
    Rule(
        "default-tier",
        "untiered blobs show the account's default tier",
        'Azure "Access tiers for blob data"',
        "service",
        "Nature.default_tier",
    ),
    # What holds a blob
    Rule(
        "immutable",
        "409 for a delete, an overwrite or a change under a time-based policy or legal hold; creating is allowed",
        'Azure "Time-based retention policies for immutable blob data", "Legal holds for immutable blob data"',
        "holding",
        "Nature.holds",
    ),
    Rule(
        "leases",
        "412 LeaseIdMissing, or LeaseIdMismatchWithBlobOperation, for a write to a leased blob; blocks may be staged",
        'Azure "Lease Blob"; recorded',
        "holding",
        "Faults.leased",
    ),
    Rule(
        "customer-keys",
        "409 BlobUsesCustomerSpecifiedEncryption for reads and writes without the customer's key",
        'Azure "Provide an encryption key on a request to Blob storage"; recorded',
        "holding",
        "Nature.customer_keys",
    ),
    Rule(
        "seals",
        "a sealed append blob takes nothing more, and shows its seal; a copy of it is sealed where that is asked for",
        'Azure "Append Blob Seal", "Copy Blob"; recorded, AppendBlobClientTest.Seal',
        "seals",
    ),
    # Copies
    Rule(
        "copy-source",
        "a copy is refused with what its source answered: by roles, signature, clock and state of the source;"
        " x-ms-copy-source-status-code and -error-code only from a version on",
        'Azure "Copy Blob From URL"; recorded without them at 2020-08-04',
        "copies",
        "Faults.copies, Nature.tells_copy_source_from",
    ),
    Rule(
        "copy-source-condition",
        "a changed source is 412 CannotVerifyCopySource, 412 SourceConditionNotMet or 304, by turns",
        "recorded, PageBlobClientTest.SourceBlobAccessConditions",
        "copies",
    ),
    Rule(
        "archived-source",
        "409 for the copy of an archived blob",
        'Azure "Copy Blob From URL"',
        "copies",
    ),
    Rule(
        "pending-copy",
        "an asynchronous copy takes time, lies there empty, refuses writes with 409, can be aborted, fails "
        "where its source changed",
        'Azure "Copy Blob", "Abort Copy Blob"',
        "copies",
        "Faults.pending_seconds, .failing_copies",
    ),
    # Load
    Rule(
        "busy",
        "503 ServerBusy for a share of requests, or for all above a rate; nothing is done",
        'Azure "Common REST API error codes"',
        "load",
        "Faults.busy, .most_per_second, .retry_after",
    ),
    Rule(
        "too-many",
        "a bare 429: no code, no body",
        "gateways before the service",
        "load",
        "Faults.too_many",
    ),
    Rule(
        "timed-out",
        "500 OperationTimedOut; a write has been applied",
        'Azure "Common REST API error codes" (may or may not have succeeded)',
        "load",
        "Faults.timed_out",
    ),
    Rule(
        "unanswered",
        "a connection ends without an answer",
        "any network",
        "load",
        "Faults.unreachable, .late",
    ),
    Rule(
        "late",
        "a write that nobody answered is judged and applied when it arrives",
        "any network",
        "load",
        "Faults.late, .late_seconds",
    ),
)


def table() -> str:
    """All of them in Markdown, as ``docs/strict-service.md`` has them."""
    lines = ["| Rule | What the service does | Source | Set by |", "|---|---|---|---|"]
    lines += [f"| {rule.name} | {rule.says} | {rule.source} | {rule.set_by} |" for rule in RULES]
    return "\n".join(lines) + "\n"


__all__ = ["RULES", "Rule", "table"]
