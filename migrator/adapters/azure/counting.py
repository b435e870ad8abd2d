"""Counts what a move cannot keep from whole pages of a listing, without reading entries that show nothing of the kind.

A page whose text holds none of the words by which such things are listed has none of them, and need only be XML and a listing.
Every other page is read entry by entry (``listing``). Rule: a word that is there for another reason - in a blob's name - costs
time, never a count.
"""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat

from migrator.adapters.azure.listing import count_features, read_entries
from migrator.adapters.azure.xml_reader import NotUnderstood

_TELLING: Final = (
    b"<Snapshot",
    b"<VersionId",
    b"<LegalHold",
    b"<ImmutabilityPolicy",
    b"<EncryptionScope",
    b">leased",
    b"Archive",
    b"<!",
    b"&#",
)
"""What ``count_features`` looks for, and whatever could write it otherwise."""
_MARKER: Final = re.compile(rb"<NextMarker(?: ?/>|>([^<&]*)</NextMarker>)\s*</EnumerationResults>\s*\Z")


def count_page(document: bytes, counts: dict[str, int]) -> str | None:
    """Add what the page lists to ``counts``, by the fields of Features; its marker, None at the end. Raises NotUnderstood."""
    ending = _MARKER.search(document, max(0, len(document) - 4096))
    if ending is None or any(word in document for word in _TELLING):
        return read_entries(document, "Blob", lambda node: count_features(node, counts))
    try:
        expat.ParserCreate("utf-8").Parse(document, True)
    except expat.ExpatError as fault:
        raise NotUnderstood(f"it cannot be read: {type(fault).__name__}") from None
    return (ending[1] or b"").decode() or None
