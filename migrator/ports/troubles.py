"""Whose trouble a refused request is: of one name, of something that passes, or of the whole account.

What refuses one name says nothing of the others: they are carried over, the name is counted and told. What passes by itself is
looked at again by a later pass. Everything else - rights, a firewall, an account that cannot do it - is the account's, and stops
the move. Decided by the service's error code, never by its text; what this table does not know is the account's.

Source of the codes: Azure "Blob service error codes", "Common REST API error codes".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from migrator.errors import AccessRefused, CloudError, OutcomeUnknown, Throttled, Unreachable
from migrator.model.values import value


class Whose(StrEnum):
    NAME = "name"
    PASSING = "passing"
    ACCOUNT = "account"


@value(frozen=True, slots=True)
class Trouble:
    """``why`` completes "cannot write X: ..."; ``hint`` is what a person can do about it."""

    whose: Whose
    why: str
    hint: str = ""


OTHERS_BLOCKS: Final = "InvalidBlobOrBlock"
"""The first block of ours was refused: blocks with names of another length lie there uncommitted, somebody else's."""

_LEASED = Trouble(Whose.NAME, "it is leased", "break its lease, or wait until that has ended")
_BLOCKS = Trouble(
    Whose.NAME, "uncommitted blocks of somebody else lie there", "delete it there, or leave it out of the plan"
)
_TOO_MANY = Trouble(Whose.NAME, "it would have more than 50,000 blocks", "leave it out of the plan")
_IMMUTABLE = Trouble(
    Whose.NAME, "a retention policy or a legal hold protects it", "let that end, or leave it out of the plan"
)
_ENCRYPTED = Trouble(Whose.NAME, "it is encrypted with a key that its customer keeps", "leave it out of the plan")
_UNFIT = Trouble(
    Whose.NAME,
    "the service takes no such name, header, tag or metadata",
    "give it another name or value, or leave it out of the plan",
)
_LATER = Trouble(Whose.PASSING, "something else is under way there")

TROUBLES: Final[Mapping[str, Trouble]] = {
    "LeaseIdMissing": _LEASED,
    "LeaseLost": _LEASED,
    "LeaseIdMismatchWithBlobOperation": _LEASED,
    "LeaseIdMismatchWithLeaseOperation": _LEASED,
    "LeaseNotPresentWithBlobOperation": _LEASED,
    "LeaseAlreadyPresent": _LEASED,
    "InvalidBlobType": Trouble(Whose.NAME, "a blob of another type lies there", "delete it there"),
    "BlobArchived": Trouble(Whose.NAME, "it is archived", "rehydrate it first, or leave its container out of the plan"),
    "BlobIsSealed": Trouble(Whose.NAME, "it is sealed and takes nothing more", "delete it there"),
    OTHERS_BLOCKS: _BLOCKS,
    "BlockCountExceedsLimit": _TOO_MANY,
    "BlockListTooLong": _TOO_MANY,
    "RequestBodyTooLarge": Trouble(
        Whose.NAME,
        "it needs larger blocks than this service takes",
        "let the service copy it, or leave it out of the plan",
    ),
    "BlobImmutableDueToPolicy": _IMMUTABLE,
    "BlobImmutableDueToLegalHold": _IMMUTABLE,
    "SnapshotsPresent": Trouble(Whose.NAME, "it has snapshots", "delete them there"),
    "BlobUsesCustomerSpecifiedEncryption": _ENCRYPTED,
    "BlobCustomerSpecifiedEncryptionMismatch": _ENCRYPTED,
    "BlobDoesNotUseCustomerSpecifiedEncryption": _ENCRYPTED,
    "OutOfRangeInput": _UNFIT,
    "InvalidResourceName": _UNFIT,
    "InvalidUri": _UNFIT,
    "RequestUrlFailedToParse": _UNFIT,
    "InvalidMetadata": _UNFIT,
    "EmptyMetadataKey": _UNFIT,
    "MetadataTooLarge": _UNFIT,
    "RequestHeaderTooLarge": _UNFIT,
    "InvalidTags": _UNFIT,
    "TagsTooLarge": _UNFIT,
    "CopySourceTooLong": _UNFIT,
    "UnsafeName": _UNFIT,
    "UnsafeValue": _UNFIT,
    "414": _UNFIT,
    "431": _UNFIT,
    "InvalidMd5": Trouble(Whose.NAME, "its Content-MD5 is none", "set another one, or leave it out of the plan"),
    "PendingCopyOperation": _LATER,
    "BlobBeingRehydrated": _LATER,
    "InvalidBlockList": Trouble(Whose.PASSING, "somebody threw away the blocks that were staged"),
}


def whose(fault: CloudError) -> Whose:
    """Of what is neither a refused condition nor something that is gone: those are no trouble, but news."""
    if isinstance(fault, AccessRefused | OutcomeUnknown | Throttled | Unreachable):
        return Whose.ACCOUNT
    found = TROUBLES.get(fault.code)
    return found.whose if found is not None else Whose.ACCOUNT


def is_lease(fault: CloudError) -> bool:
    """Does somebody hold a lease of it? Most leases end by themselves within a minute; the others a person must break."""
    return TROUBLES.get(fault.code) is _LEASED


__all__ = ["OTHERS_BLOCKS", "TROUBLES", "Trouble", "Whose", "is_lease", "whose"]
