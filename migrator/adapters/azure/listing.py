"""Pages of listings: the service's XML turned into values. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote

from migrator.adapters.azure.shapes import decoded, normal_etag, parsed_date
from migrator.adapters.azure.xml_reader import Node, NotUnderstood, read_xml
from migrator.model.objects import EMPTY, BlobType, ContainerInfo, ContentHeaders, Features, Listed, Page


def read_page(document: bytes) -> Page:
    """A page of List Blobs. Raises NotUnderstood."""
    entries: list[Listed] = []
    marker = read_entries(document, "Blob", lambda node: entries.append(listed(node)))
    return Page(tuple(entries), marker)


def read_entries(document: bytes, tag: str, each: Callable[[Node], None]) -> str | None:
    """Call ``each`` with every ``tag`` of a listing; gives its marker, None at the end. Raises NotUnderstood."""
    markers: list[str] = []
    read_xml(document, {tag: each, "NextMarker": lambda node: markers.append(node.text)})
    if len(markers) != 1:
        raise NotUnderstood("it is no listing, or not a whole one")
    return markers[0] or None


def listed(node: Node) -> Listed:
    """One blob. Raises ValueError if it lacks what every blob has."""
    name = name_of(node)
    properties = _required(node, "Properties")
    value = dict(properties.pairs()).get
    etag, tier = normal_etag(value("Etag", "")), value("AccessTier", "")
    if not etag:
        raise ValueError("no ETag")
    return Listed(
        name=name,
        etag=etag,
        size=int(value("Content-Length") or 0),
        blob_type=BlobType(value("BlobType") or BlobType.BLOCK),
        headers=ContentHeaders(
            content_type=value("Content-Type") or None,
            content_encoding=value("Content-Encoding") or None,
            content_language=value("Content-Language") or None,
            content_disposition=value("Content-Disposition") or None,
            cache_control=value("Cache-Control") or None,
            md5=decoded(value("Content-MD5", "")),
        ),
        metadata=_metadata(node),
        tags=tags_of(node),
        tier=tier or None,
        tier_inferred=value("AccessTierInferred", "").lower() == "true" or not tier,
        last_modified=parsed_date(value("Last-Modified", "")),
        copy_pending=value("CopyStatus") == "pending",
        rehydrating=bool(value("ArchiveStatus")),
        is_archived=tier == "Archive",
        copy_id=value("CopyId") or None,
    )


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
    )


def count_features(node: Node, counts: dict[str, int]) -> None:
    """Add one listed item to ``counts``, by the fields of Features."""
    if node.value("Snapshot"):
        counts["snapshots"] += 1
        return
    if node.value("VersionId") and node.value("IsCurrentVersion").lower() != "true":
        counts["versions"] += 1
        return
    properties = _required(node, "Properties")
    counts["leased"] += properties.value("LeaseState") == "leased"
    held = properties.value("LegalHold") or node.value("LegalHold")
    until = properties.value("ImmutabilityPolicyUntilDate") or node.value("ImmutabilityPolicyUntilDate")
    counts["immutable"] += held.lower() == "true" or bool(until)
    counts["archived"] += properties.value("AccessTier") == "Archive"
    counts["encryption_scoped"] += bool(properties.value("EncryptionScope"))


def no_features() -> dict[str, int]:
    return dict.fromkeys(Features.__dataclass_fields__, 0)
