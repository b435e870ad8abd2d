"""Counts what a page of a full listing shows, without reading the entries of a page that shows nothing odd.

A page whose text holds none of the words by which snapshots, versions, leases and the like are listed has none of them, and its
sizes can be picked out of the text; it need only begin, go on and end as a listing. Every other page is read entry by
entry (``listing``).
Rule: a word that is there for another reason - in a blob's name - costs time, never a count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from typing import Final

from migrator.adapters.azure.listing import (
    count_features,
    is_block,
    name_of,
    no_features,
    read_entries,
    size_of,
    tier_of,
)
from migrator.adapters.azure.xml_reader import Node
from migrator.model.names import RESERVED_PREFIX
from migrator.model.objects import COSTLY_TIERS, MOST_NAMED, NO_BYTES, Features, Survey

_TELLING: Final = (
    re.compile(rb"<(?:Snapshot|VersionId|LegalHold|ImmutabilityPolicy|EncryptionScope|CustomerProvidedKey|!|Name )"),
    re.compile(rb">(?:leased|Archive|AppendBlob|PageBlob|directory<|%b)" % re.escape(RESERVED_PREFIX.encode())),
)
"""What ``count_features`` looks for, blobs not made of blocks, names of ours or written otherwise, and sections: one pattern for
elements, one for what they hold, since a search for words that begin alike is the quick one."""
_SIZE: Final = re.compile(rb"<Content-Length>([0-9]+)</Content-Length>")
_TIERED: Final = re.compile(rb"<Content-Length>([0-9]+)</Content-Length>|<AccessTier>(Cool|Cold)</AccessTier>|</Blob>")
_ROOT: Final = b"<EnumerationResults"
_HEAD_BYTES: Final = 4096
_TAIL_BYTES: Final = 4096
_MARKER: Final = re.compile(rb"<NextMarker(?: ?/>|>([^<&]*)</NextMarker>)\s*</EnumerationResults>\s*\Z")


def survey_of(document: bytes) -> Survey:
    """A page of List Blobs that includes everything. Raises NotUnderstood."""
    ending = _MARKER.search(document, max(0, len(document) - _TAIL_BYTES))
    if ending is None or _is_odd(document):
        return _by_entries(document)
    sizes = [int(size) for size in _SIZE.findall(document)]
    if len(sizes) != _entries(document):
        return _by_entries(document)
    return Survey(sizes, Features(), (ending[1] or b"").decode() or None, [], _tiered(document), _last_name(document))


def _tiered(document: bytes) -> Mapping[str, int]:
    """Bytes by tier, of a page whose entries need not be read. No listing that counts shows metadata: it could be called so."""
    if b">Cool<" not in document and b">Cold<" not in document:
        return NO_BYTES
    found: dict[str, int] = {}
    size, tier = 0, ""
    for one in _TIERED.finditer(document):
        if one[1] is not None:
            size = int(one[1])
        elif one[2] is not None:
            tier = one[2].decode()
        else:
            if tier:
                found[tier] = found.get(tier, 0) + size
            size, tier = 0, ""
    return found


def _last_name(document: bytes) -> str:
    """Of the last entry, of which ``_is_odd`` has seen that it is written plainly."""
    begin = document.rfind(b"<Name>")
    return unescape(document[begin + len(b"<Name>") : document.find(b"</Name>", begin)].decode()) if begin >= 0 else ""


def _entries(document: bytes) -> int:
    """How many there are where one follows the other; some other number where they do not."""
    first, last = document.find(b"<Blob>", 0, _HEAD_BYTES), document.rfind(b"</Blob>", -_TAIL_BYTES)
    return document.count(b"</Blob><Blob>") + 1 if 0 <= first < last else 0


def _is_odd(document: bytes) -> bool:
    """Must its entries be read one by one, to count them or to refuse it?"""
    if document.find(_ROOT, 0, _HEAD_BYTES) < 0 or any(words.search(document) for words in _TELLING):
        return True
    return (b"#" in document and b"&#" in document) or not _is_text(document)


def _is_text(document: bytes) -> bool:
    try:
        return document.isascii() or bool(document.decode())
    except UnicodeDecodeError:
        return False


def _by_entries(document: bytes) -> Survey:
    counts = no_features()
    sizes: list[int] = []
    streamed: list[int] = []
    tiered: dict[str, int] = {}
    last = [""]
    named: dict[str, tuple[str, ...]] = {}

    def each(node: Node) -> None:
        before = dict(counts)
        is_live = count_features(node, counts)
        for kind, number in counts.items():
            if number > before[kind] and number <= MOST_NAMED:
                named[kind] = (*named.get(kind, ()), name_of(node))
        if is_live and not name_of(node).startswith(RESERVED_PREFIX):
            sizes.append(size_of(node))
            if (tier := tier_of(node)) in COSTLY_TIERS:
                tiered[tier] = tiered.get(tier, 0) + sizes[-1]
            last[0] = name_of(node)
            if not is_block(node):
                streamed.append(sizes[-1])

    marker = read_entries(document, "Blob", each)
    return Survey(sizes, Features(**counts, named=named), marker, streamed, tiered, last[0])
