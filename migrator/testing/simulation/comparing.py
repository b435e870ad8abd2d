"""Two generations held against each other, and one in words. Pure."""

from __future__ import annotations

from typing import Any

from migrator.model.objects import BlobType, ContentHeaders
from migrator.testing.simulation.blobs import Blob


def comparable(blob: Blob) -> tuple[Any, ...]:
    """What two generations must have in common to be called equal."""
    kind, content, headers, metadata = blob.body
    return (kind, content, _but_md5(headers), metadata)


def _but_md5(headers: ContentHeaders) -> tuple[str | None, ...]:
    return (
        headers.content_type,
        headers.content_encoding,
        headers.content_language,
        headers.content_disposition,
        headers.cache_control,
    )


def difference(here: Blob | None, there: Blob | None) -> str | None:
    """The invariant that is broken if ``there`` took the place of ``here``; None if they are equal."""
    if here is None or there is None:
        if here is there:
            return None
        return "lost-write" if there is None else "resurrected-delete"
    if here.body != there.body:
        return "lost-write"
    if here.listed.tags != there.listed.tags:
        return "lost-tags"
    if here.listed.blob_type is BlobType.BLOCK and here.listed.explicit_tier != there.listed.explicit_tier:
        return "lost-tier"
    return None


def is_same(before: Blob | None, after: Blob | None) -> bool:
    """Did an act leave everything as it was (the same tags, the same tier)?"""
    return (
        before is not None
        and after is not None
        and before.listed.etag == after.listed.etag
        and before.listed.tags == after.listed.tags
        and before.listed.explicit_tier == after.listed.explicit_tier
    )


def describe(blob: Blob | None) -> str:
    """A generation in a violation's text."""
    if blob is None:
        return "absent"
    one = blob.listed
    return f"{one.etag} {blob.content[:40]!r} tags {dict(one.tags)} tier {one.explicit_tier} by {blob.author.name}"
