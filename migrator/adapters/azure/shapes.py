"""A blob, a container and a condition as headers say them, and ours. Values only; nothing is sent here."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from migrator.adapters.azure.errors import redacted
from migrator.adapters.azure.signing import MONTHS, HeaderPairs, quoted
from migrator.adapters.azure.wire import Answer
from migrator.errors import Unsupported
from migrator.model.objects import BlobType, Condition, ContainerInfo, ContentHeaders, Listed, Shape

BLOCK_TIERS = frozenset({"Hot", "Cool", "Cold", "Archive"})
ACCOUNT_TIERS = frozenset({"Premium", "Smart"})
"""Tiers that a blob has from its account, and that nobody can set. Source: Azure "Smart tier", "Access tiers for blob data"."""
PAGE_TIERS = frozenset({"P4", "P6", "P10", "P15", "P20", "P30", "P40", "P50", "P60", "P70", "P80"})
METADATA = b"x-ms-meta-"
OWN_SCOPE = "$account-encryption-key"


def normal_etag(raw: str) -> str:
    """Listings give an ETag without quotes, headers with them, some proxies as weak."""
    return raw.removeprefix("W/").strip('"')


def conditions(condition: Condition) -> tuple[str, str]:
    """The header of a conditional write."""
    if condition.create:
        return ("If-None-Match", "*")
    return ("If-Match", f'"{condition.if_match}"')


def matching(etag: str) -> tuple[str, str]:
    return ("If-Match", f'"{etag}"')


def described(shape: Shape) -> HeaderPairs:
    """Everything of ``shape`` that a create or a commit sets, the tier excepted."""
    h = shape.headers
    given = (
        ("x-ms-blob-cache-control", h.cache_control),
        ("x-ms-blob-content-disposition", h.content_disposition),
        ("x-ms-blob-content-encoding", h.content_encoding),
        ("x-ms-blob-content-language", h.content_language),
        ("x-ms-blob-content-md5", base64.b64encode(h.md5).decode() if h.md5 else None),
        ("x-ms-blob-content-type", h.content_type),
    )
    found = [(name, _sent(value)) for name, value in given if value]
    return found + metadata_headers(shape.metadata) + tagged(shape)


def metadata_headers(metadata: Mapping[str, str]) -> HeaderPairs:
    """Spaces around a value are no part of it in a header; anything else goes out as it is, or not at all."""
    return [(f"x-ms-meta-{name}", _sent(value.strip(" \t"))) for name, value in metadata.items()]


def _sent(value: str) -> str:
    """A value whose bytes on the wire are Latin-1, as the service reads a header and its own SDKs write one; what Latin-1 has no
    letters for goes out as UTF-8, and the service says what it makes of it. Source: RFC 9110 5.5, azure-storage-blob 12."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value


def tagged(shape: Shape) -> HeaderPairs:
    if not shape.tags:
        return []
    pairs = [f"{quoted(name)}={quoted(value)}" for name, value in shape.tags.items()]
    return [("x-ms-tags", "&".join(pairs))]


def tiered(shape: Shape) -> HeaderPairs:
    """The explicit tier, by kind of blob; nothing where there is none."""
    if shape.tier is None or shape.blob_type is BlobType.APPEND:
        return []
    return [tier_header(shape.tier, is_page=shape.blob_type is BlobType.PAGE)]


def is_inferred(tier: str | None, said: str | None) -> bool:
    """Did nobody set this tier?"""
    return not tier or tier in ACCOUNT_TIERS or (said is not None and said.lower() == "true")


def tier_header(tier: str, *, is_page: bool) -> tuple[str, str]:
    if tier not in (PAGE_TIERS if is_page else BLOCK_TIERS):
        raise Unsupported(f"cannot set tier {tier}: no {'page' if is_page else 'block'} blob has it")
    return ("x-ms-access-tier", tier)


def headed(name: str, answer: Answer, tags: Mapping[str, str]) -> Listed:
    """A blob as a HEAD shows it, with the tags of another request. ValueError or KeyError if it does not say enough."""
    text = answer.text
    tier = text(b"x-ms-access-tier")
    return Listed(
        name=name,
        etag=told_etag(answer),
        size=int(text(b"content-length") or 0),
        blob_type=BlobType(text(b"x-ms-blob-type")),
        headers=ContentHeaders(
            content_type=text(b"content-type") or None,
            content_encoding=text(b"content-encoding") or None,
            content_language=text(b"content-language") or None,
            content_disposition=text(b"content-disposition") or None,
            cache_control=text(b"cache-control") or None,
            md5=decoded(text(b"content-md5")),
        ),
        metadata=metadata_of(answer),
        tags=tags,
        tier=tier or None,
        tier_inferred=is_inferred(tier, text(b"x-ms-access-tier-inferred")),
        last_modified=parsed_date(text(b"last-modified")),
        copy_pending=text(b"x-ms-copy-status") == "pending",
        rehydrating=bool(text(b"x-ms-archive-status")),
        is_archived=tier == "Archive",
        copy_id=text(b"x-ms-copy-id") or None,
        copy_failed=_ended(text(b"x-ms-copy-status"), text(b"x-ms-copy-status-description")),
        sequence_number=int(text(b"x-ms-blob-sequence-number") or 0),
        is_sealed=text(b"x-ms-blob-sealed") == "true",
    )


def _ended(status: str, description: str) -> str:
    """Source: Azure "Get Blob Properties" (x-ms-copy-status: pending, success, aborted or failed)."""
    if status not in ("failed", "aborted"):
        return ""
    return f"{status}: {redacted(description)[:200]}" if description else status


def told_etag(answer: Answer) -> str:
    """The ETag that an answer tells; ValueError if there is none, or more than one."""
    etag = normal_etag(answer.headers[b"etag"].decode("ascii"))
    if not etag or '"' in etag or "," in etag:
        raise ValueError("no ETag")
    return etag


def metadata_of(answer: Answer) -> dict[str, str]:
    """Names keep the case in which they came."""
    found = [pair for pair in answer.pairs if pair[0][:10].lower() == METADATA]
    return {name[10:].decode("utf-8", "surrogateescape"): value.decode("latin-1") for name, value in found}


def container_headed(name: str, answer: Answer) -> ContainerInfo:
    return ContainerInfo(
        name=name,
        metadata=metadata_of(answer),
        public_access=answer.text(b"x-ms-blob-public-access") or None,
        has_immutability=answer.text(b"x-ms-has-immutability-policy").lower() == "true",
        has_legal_hold=answer.text(b"x-ms-has-legal-hold").lower() == "true",
        has_version_immutability=answer.text(b"x-ms-immutable-storage-with-versioning-enabled").lower() == "true",
        encryption_scope=scope_of(answer.text(b"x-ms-default-encryption-scope")),
        etag=answer.text(b"etag").strip('"'),
    )


def scope_of(said: str) -> str | None:
    """A container's default encryption scope. Source: Azure "Get Container Properties"."""
    return None if said in ("", OWN_SCOPE) else said


def decoded(base64_text: str) -> bytes | None:
    """A stored Content-MD5; None if there is none, or nothing that is base64."""
    try:
        return binascii.a2b_base64(base64_text) or None
    except binascii.Error:
        return None


@lru_cache(maxsize=4096)
def parsed_date(text: str) -> datetime | None:
    """``Tue, 24 Nov 2026 06:00:00 GMT``; None if it is missing or something else: it is shown, never decided upon."""
    try:
        return datetime(
            int(text[12:16]),
            MONTHS.index(text[8:11]) + 1,
            int(text[5:7]),
            int(text[17:19]),
            int(text[20:22]),
            int(text[23:25]),
            tzinfo=UTC,
        )
    except ValueError:
        return None
