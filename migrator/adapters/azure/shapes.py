"""The SDK's words for a blob, a container and a condition, and ours. Values only; nothing is sent here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azure.core import MatchConditions
from azure.storage.blob import (
    BlobProperties,
    ContainerProperties,
    ContentSettings,
    PremiumPageBlobTier,
    StandardBlobTier,
)

from migrator.errors import Unsupported
from migrator.model.objects import BlobType, Condition, ContainerInfo, ContentHeaders, Listed, Shape


def normal_etag(raw: str | None) -> str:
    """Listings give an ETag without quotes, headers with them, some proxies as weak."""
    return (raw or "").removeprefix("W/").strip('"')


def quoted_etag(etag: str) -> str:
    return f'"{etag}"'


def conditions(condition: Condition) -> dict[str, Any]:
    """Keyword arguments of a conditional write."""
    if condition.create:
        return {"match_condition": MatchConditions.IfMissing}
    return matching(condition.if_match or "")


def matching(etag: str) -> dict[str, Any]:
    return {"etag": quoted_etag(etag), "match_condition": MatchConditions.IfNotModified}


def source_matching(etag: str) -> dict[str, Any]:
    return {"source_etag": quoted_etag(etag), "source_match_condition": MatchConditions.IfNotModified}


def listed(blob: BlobProperties, *, tags: Mapping[str, str] | None = None) -> Listed:
    """``tags``: those of a separate request; a listing's entry holds them itself."""
    found_tags = tags if tags is not None else blob.tags
    status = (blob.copy.status or "") if blob.copy else ""
    return Listed(
        name=blob.name,
        etag=normal_etag(blob.etag),
        size=int(blob.size or 0),
        blob_type=BlobType(_word(blob.blob_type) or BlobType.BLOCK),
        headers=_headers(blob.content_settings),
        metadata=dict(blob.metadata or {}),
        tags=dict(found_tags or {}),
        tier=_word(blob.blob_tier) or None,
        tier_inferred=_truth(blob.blob_tier_inferred) or not blob.blob_tier,
        last_modified=blob.last_modified,
        copy_pending=status == "pending",
        rehydrating=bool(blob.archive_status),
        is_archived=_word(blob.blob_tier) == "Archive",
        copy_id=blob.copy.id if blob.copy else None,
    )


def _headers(settings: ContentSettings) -> ContentHeaders:
    return ContentHeaders(
        content_type=settings.content_type or None,
        content_encoding=settings.content_encoding or None,
        content_language=settings.content_language or None,
        content_disposition=settings.content_disposition or None,
        cache_control=settings.cache_control or None,
        md5=bytes(settings.content_md5) if settings.content_md5 else None,
    )


def _word(value: Any) -> str:
    return str(getattr(value, "value", value) or "")


def _truth(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def container_info(found: ContainerProperties) -> ContainerInfo:
    return ContainerInfo(
        name=found.name,
        metadata=dict(found.metadata or {}),
        public_access=_word(found.public_access) or None,
        has_immutability=bool(found.has_immutability_policy),
        has_legal_hold=bool(found.has_legal_hold),
    )


def content_settings(headers: ContentHeaders) -> ContentSettings:
    return ContentSettings(
        content_type=headers.content_type,
        content_encoding=headers.content_encoding,
        content_language=headers.content_language,
        content_disposition=headers.content_disposition,
        cache_control=headers.cache_control,
        content_md5=bytearray(headers.md5) if headers.md5 else None,
    )


def tier_arguments(shape: Shape) -> dict[str, Any]:
    """Keyword argument of a create for the explicit tier, by kind of blob; nothing where there is none."""
    if shape.tier is None or shape.blob_type is BlobType.APPEND:
        return {}
    if shape.blob_type is BlobType.PAGE:
        return {"premium_page_blob_tier": page_tier(shape.tier)}
    return {"standard_blob_tier": block_tier(shape.tier)}


def block_tier(tier: str) -> StandardBlobTier:
    try:
        return StandardBlobTier(tier)
    except ValueError as unknown:
        raise Unsupported(f"cannot set tier {tier}: no block blob has it") from unknown


def page_tier(tier: str) -> PremiumPageBlobTier:
    try:
        return PremiumPageBlobTier(tier)
    except ValueError as unknown:
        raise Unsupported(f"cannot set tier {tier}: no page blob has it") from unknown


def described(shape: Shape) -> dict[str, Any]:
    """Keyword arguments for everything of ``shape`` that a create sets, the tier excepted."""
    return {
        "content_settings": content_settings(shape.headers),
        "metadata": dict(shape.metadata) or None,
        "tags": dict(shape.tags) or None,
    }
