"""Pages of listings: the service's XML turned into values. Nothing is sent here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from urllib.parse import unquote

from migrator.adapters.azure.shapes import decoded, is_inferred, normal_etag, parsed_date, scope_of
from migrator.adapters.azure.xml_reader import Node, NotUnderstood, read_xml
from migrator.model.objects import EMPTY, FEATURES, BlobType, ContainerInfo, ContentHeaders, Listed, ListingPage


def read_page(document: bytes) -> ListingPage:
    """A page of List Blobs. Raises NotUnderstood."""
    entries: list[Listed] = []
    marker = read_entries(document, "Blob", lambda node: entries.append(listed(node)))
    return ListingPage(tuple(entries), marker)


def read_entries(document: bytes, tag: str, each: Callable[[Node], None]) -> str | None:
    """Call ``each`` with every ``tag`` of a listing; gives its marker, None at the end. Raises NotUnderstood."""
    markers: list[str] = []
    read_xml(document, {tag: each, "NextMarker": lambda node: markers.append(node.text)})
    if len(markers) != 1:
        raise NotUnderstood("it is not a listing, or not a whole one")
    return markers[0] or None


PROPERTIES = (
    "Etag",
    "Content-Length",
    "BlobType",
    "Content-Type",
    "Content-Encoding",
    "Content-Language",
    "Content-Disposition",
    "Cache-Control",
    "Content-MD5",
    "AccessTier",
    "AccessTierInferred",
    "ArchiveStatus",
    "Last-Modified",
    "CopyId",
    "CopyStatus",
    "x-ms-blob-sequence-number",
    "Sealed",
)
"""What is read of a blob's properties, in the order in which ``blob_of`` takes their texts."""
BLOB_TYPES: Mapping[str | None, BlobType] = {one.value: one for one in BlobType}


def listed(node: Node) -> Listed:
    """One blob. Raises NotUnderstood if it lacks what every blob has."""
    try:
        value = dict(_required(node, "Properties").pairs()).get
        return blob_of(name_of(node), [value(name) for name in PROPERTIES], _metadata(node), tags_of(node))
    except ValueError as fault:
        raise NotUnderstood(f"an entry cannot be read: {fault}") from None


def blob_of(
    name: str, properties: Sequence[str | None], metadata: Mapping[str, str], tags: Mapping[str, str]
) -> Listed:
    """``properties``: the texts of PROPERTIES; None or empty where there is none. Raises NotUnderstood."""
    etag, length, kind, content_type, encoding, language, disposition, cache, md5, *rest = properties
    tier, inferred, archive_status, modified, copy_id, copy_status, sequence_number, sealed = rest
    if not etag or etag[0] == "W" or '"' in etag:
        etag = normal_etag(etag or "")
    blob_type = BLOB_TYPES.get(kind) if kind else BlobType.BLOCK
    if not etag or blob_type is None:
        raise NotUnderstood("an entry lacks its ETag, or its type is not known")
    try:
        size, sequence = int(length or 0), int(sequence_number or 0)
    except ValueError:
        raise NotUnderstood("an entry has no size, or a sequence number that is none") from None
    headers = _headers(content_type, encoding, language, disposition, cache)
    if md5:
        headers = _with_md5(headers, decoded(md5))
    tier, is_set_by_nobody = _tier(tier, inferred)
    return Listed(
        name,
        etag,
        size,
        blob_type,
        headers,
        metadata,
        tags,
        tier,
        is_set_by_nobody,
        parsed_date(modified) if modified else None,
        copy_status == "pending",
        bool(archive_status),
        tier == "Archive",
        copy_id or None,
        "",
        sequence,
        sealed is not None and sealed.lower() == "true",
    )


@lru_cache(maxsize=4096)
def _headers(
    content_type: str | None, encoding: str | None, language: str | None, disposition: str | None, cache: str | None
) -> ContentHeaders:
    """The blobs of a container tend to have the same ones, which are held once."""
    return ContentHeaders(content_type or None, encoding or None, language or None, disposition or None, cache or None)


def _with_md5(found: ContentHeaders, md5: bytes | None) -> ContentHeaders:
    return ContentHeaders(
        found.content_type,
        found.content_encoding,
        found.content_language,
        found.content_disposition,
        found.cache_control,
        md5,
    )


@lru_cache(maxsize=256)
def _tier(tier: str | None, inferred: str | None) -> tuple[str | None, bool]:
    return tier or None, is_inferred(tier, inferred)


def name_of(node: Node) -> str:
    name = _required(node, "Name")
    return unquote(name.text) if name.attributes.get("Encoded", "").lower() == "true" else name.text


def _required(node: Node, tag: str) -> Node:
    found = node.child(tag)
    if found is None:
        raise ValueError(f"no {tag}")
    return found


def _metadata(node: Node) -> Mapping[str, str]:
    found = node.child("Metadata")
    return EMPTY if found is None or not found.children else dict(found.pairs())


def tags_of(node: Node) -> Mapping[str, str]:
    """Of an element with a TagSet in its Tags."""
    tags = node.child("Tags")
    found = None if tags is None else tags.child("TagSet")
    return EMPTY if found is None or not found.children else _tag_set(found)


def _tag_set(node: Node) -> dict[str, str]:
    return {tag.value("Key"): tag.value("Value") for tag in node.children}


def read_tags(document: bytes) -> dict[str, str]:
    """The answer of Get Blob Tags. Raises NotUnderstood."""
    found: list[dict[str, str]] = []
    read_xml(document, {"TagSet": lambda node: found.append(_tag_set(node))})
    if len(found) != 1:
        raise NotUnderstood("it holds no tags")
    return found[0]


def listed_container(node: Node) -> ContainerInfo:
    properties = _required(node, "Properties")
    return ContainerInfo(
        name=_required(node, "Name").text,
        metadata=_metadata(node),
        public_access=properties.value("PublicAccess") or None,
        has_immutability=properties.value("HasImmutabilityPolicy").lower() == "true",
        has_legal_hold=properties.value("HasLegalHold").lower() == "true",
        has_version_immutability=properties.value("ImmutableStorageWithVersioningEnabled").lower() == "true",
        encryption_scope=scope_of(properties.value("DefaultEncryptionScope")),
        etag=properties.value("Etag").strip('"'),
    )


_TAGGED = re.compile(rb"<TagCount>(?!0*<)")


def tagged(document: bytes) -> int:
    """How many blobs of a page of List Blobs have tags, which need not be listed for that. Raises NotUnderstood."""
    if not _TAGGED.search(document):
        return 0  # else it may be metadata that is called so
    found = [0]

    def note(node: Node) -> None:
        properties = node.child("Properties")
        found[0] += properties is not None and properties.value("TagCount").strip("0") != ""

    read_entries(document, "Blob", note)
    return found[0]


_LONG_NAME = re.compile(rb"<Name[^<]{400}")
"""Shorter ones make no long address: each byte of a name is three there at most."""


def named_so(document: bytes, is_so: Callable[[str], bool]) -> list[str]:
    """Live blobs of a page of List Blobs with a long name of which ``is_so`` holds. Raises NotUnderstood."""
    if not _LONG_NAME.search(document):
        return []
    found: list[str] = []
    counts = no_features()

    def note(node: Node) -> None:
        if count_features(node, counts) and is_so(name_of(node)):
            found.append(name_of(node))

    read_entries(document, "Blob", note)
    return found


def has_directory(document: bytes) -> bool:
    """Does a page of List Blobs show directories, as a hierarchical namespace does? Raises NotUnderstood."""
    found: list[bool] = []

    def note(node: Node) -> None:
        properties = node.child("Properties")
        found.append(properties is not None and properties.value("ResourceType") == "directory")

    if b"<ResourceType>directory<" in document:  # else it need not be read again; it may be metadata that is called so
        read_entries(document, "Blob", note)
    return any(found)


def count_features(node: Node, counts: dict[str, int]) -> bool:
    """Add one listed item to ``counts``, by the fields of Features. False for what is no live blob."""
    if node.value("Snapshot"):
        counts["snapshots"] += 1
        return False
    if node.value("VersionId") and node.value("IsCurrentVersion").lower() != "true":
        counts["versions"] += 1
        return False
    properties = _required(node, "Properties")
    if properties.value("ResourceType") == "directory":
        counts["directories"] += 1
        return False
    counts["leased"] += properties.value("LeaseState") == "leased"
    held = properties.value("LegalHold") or node.value("LegalHold")
    until = properties.value("ImmutabilityPolicyUntilDate") or node.value("ImmutabilityPolicyUntilDate")
    counts["immutable"] += held.lower() == "true" or bool(until)
    counts["archived"] += properties.value("AccessTier") == "Archive"
    counts["encryption_scoped"] += bool(properties.value("EncryptionScope"))
    counts["customer_keyed"] += bool(properties.value("CustomerProvidedKeySha256"))
    return True


def size_of(node: Node) -> int:
    """Bytes of a listed blob. Raises ValueError."""
    return int(_required(node, "Properties").value("Content-Length") or 0)


def tier_of(node: Node) -> str:
    """Of a listed blob; empty where it shows none. Raises ValueError."""
    return _required(node, "Properties").value("AccessTier")


def is_block(node: Node) -> bool:
    """Is a listed blob made of blocks? Raises ValueError."""
    return (_required(node, "Properties").value("BlobType") or BlobType.BLOCK.value) == BlobType.BLOCK.value


def no_features() -> dict[str, int]:
    return dict.fromkeys(FEATURES, 0)
