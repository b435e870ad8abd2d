"""Counts what a page of a full listing shows, without reading the entries of a page that shows nothing odd.

A page whose text holds none of the words by which snapshots, versions, leases and the like are listed has none of them, and its
sizes can be picked out of the text; it need only be XML and a listing. Every other page is read entry by entry (``listing``).
Rule: a word that is there for another reason - in a blob's name - costs time, never a count.
"""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat

from migrator.adapters.azure.listing import count_features, is_block, name_of, no_features, read_entries, size_of
from migrator.adapters.azure.xml_reader import Node, NotUnderstood
from migrator.model.names import RESERVED_PREFIX
from migrator.model.objects import Features, Survey

_TELLING: Final = (
    b"<Snapshot",
    b"<VersionId",
    b"<LegalHold",
    b"<ImmutabilityPolicy",
    b"<EncryptionScope",
    b">leased",
    b"Archive",
    b">AppendBlob",
    b">PageBlob",
    b"<!",
    b"&#",
    b"Encoded=",
    f">{RESERVED_PREFIX}".encode(),
)
"""What ``count_features`` looks for, blobs not made of blocks, names of ours, and whatever could write these otherwise."""
_SIZE: Final = re.compile(rb"<Content-Length>([0-9]+)</Content-Length>")
_MARKER: Final = re.compile(rb"<NextMarker(?: ?/>|>([^<&]*)</NextMarker>)\s*</EnumerationResults>\s*\Z")


def survey_of(document: bytes) -> Survey:
    """A page of List Blobs that includes everything. Raises NotUnderstood."""
    ending = _MARKER.search(document, max(0, len(document) - 4096))
    if ending is None or any(word in document for word in _TELLING):
        return _by_entries(document)
    sizes = [int(size) for size in _SIZE.findall(document)]
    if len(sizes) != document.count(b"<Blob>"):
        return _by_entries(document)
    try:
        expat.ParserCreate("utf-8").Parse(document, True)
    except expat.ExpatError as fault:
        raise NotUnderstood(f"it cannot be read: {type(fault).__name__}") from None
    return Survey(sizes, Features(), (ending[1] or b"").decode() or None, [])


def _by_entries(document: bytes) -> Survey:
    counts = no_features()
    sizes: list[int] = []
    streamed: list[int] = []

    def each(node: Node) -> None:
        if count_features(node, counts) and not name_of(node).startswith(RESERVED_PREFIX):
            sizes.append(size_of(node))
            if not is_block(node):
                streamed.append(sizes[-1])

    marker = read_entries(document, "Blob", each)
    return Survey(sizes, Features(**counts), marker, streamed)
