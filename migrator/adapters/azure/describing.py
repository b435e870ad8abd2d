"""What sort of account answers, and whether blobs of it can be moved: decided by what Get Account Information says.

Leaves asking to ``object_store``. Rule: what the service does not say, or this table does not know, is no objection.

Source: Azure "Get Account Information"; "Storage account overview" (kinds); "Known issues with Azure Data Lake Storage"; "Manage
and find Azure Blob data with blob index tags" (accounts without tags).
"""

from __future__ import annotations

from typing import Final

from migrator.adapters.azure.wire import Answer
from migrator.ports.diagnosis import Description

LEAVE_OUT: Final = "leave it out of the plan"
PREMIUM: Final = "Premium"


def described(answer: Answer) -> Description:
    """Of the headers of Get Account Information. ValueError if they say nothing."""
    kind, sku = answer.text(b"x-ms-account-kind"), answer.text(b"x-ms-sku-name")
    if not kind:
        raise ValueError("no kind of account")
    is_hierarchical = answer.text(b"x-ms-is-hns-enabled").lower() == "true"
    words = ", ".join(word for word in (kind, sku, "hierarchical namespace" if is_hierarchical else "") if word)
    objection, remedy = _objection(kind, sku, is_hierarchical=is_hierarchical)
    return Description(words, objection, remedy)


def _objection(kind: str, sku: str, *, is_hierarchical: bool) -> tuple[str, str]:
    if is_hierarchical:
        return (
            "it has a hierarchical namespace (Data Lake), where directories are listed as blobs and tags are refused",
            "move it with tools for Data Lake, or name a target without a hierarchical namespace",
        )
    if kind == "FileStorage":
        return "it holds file shares and no blobs", LEAVE_OUT
    if kind == "Storage":
        return (
            "it is a general-purpose v1 account, which has neither tiers nor tags",
            "upgrade it to general-purpose v2, which interrupts nobody",
        )
    if kind == "StorageV2" and sku.startswith(PREMIUM):
        return "it is a premium account for page blobs, which takes no block blobs", LEAVE_OUT
    return "", ""


__all__ = ["described"]
