"""What a move cannot keep is counted from whole pages as it is entry by entry; a page that is none is refused."""

import itertools

import pytest

from migrator.adapters.azure.counting import count_page
from migrator.adapters.azure.listing import count_features, no_features, read_entries
from migrator.adapters.azure.xml_reader import NotUnderstood

PLAIN = "<Blob><Name>{name}</Name><Properties><Etag>0x1</Etag><LeaseState>available</LeaseState></Properties></Blob>"
ODD = {
    "snapshots": "<Blob><Name>s</Name><Snapshot>2026-11-01T00:00:00Z</Snapshot><Properties /></Blob>",
    "versions": "<Blob><Name>v</Name><VersionId>1</VersionId><Properties /></Blob>",
    "leased": "<Blob><Name>l</Name><Properties><LeaseState>leased</LeaseState></Properties></Blob>",
    "leased by reference": "<Blob><Name>l</Name><Properties><LeaseState>l&#101;ased</LeaseState></Properties></Blob>",
    "leased in a section": "<Blob><Name>l</Name><Properties><LeaseState><![CDATA[leased]]></LeaseState></Properties></Blob>",
    "immutable": "<Blob><Name>i</Name><Properties><LegalHold>true</LegalHold></Properties></Blob>",
    "until": "<Blob><Name>u</Name><Properties><ImmutabilityPolicyUntilDate>x</ImmutabilityPolicyUntilDate></Properties></Blob>",
    "archived": "<Blob><Name>a</Name><Properties><AccessTier>Archive</AccessTier></Properties></Blob>",
    "encryption_scoped": "<Blob><Name>e</Name><Properties><EncryptionScope>k</EncryptionScope></Properties></Blob>",
    "current": "<Blob><Name>c</Name><VersionId>2</VersionId><IsCurrentVersion>true</IsCurrentVersion><Properties /></Blob>",
}
NAMES = ("a", "leased", "Archive", "&lt;Snapshot&gt;", "x &amp; y", "é \U0001f389")
MARKERS = ("<NextMarker />", "<NextMarker/>", "<NextMarker>p1</NextMarker>", "<NextMarker>a&amp;b</NextMarker>")


def page(*entries: str, marker: str = "<NextMarker />") -> bytes:
    blobs = "".join(entries)
    text = (
        f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>{blobs}</Blobs>{marker}</EnumerationResults>'
    )
    return text.encode()


def by_entries(document: bytes) -> tuple[str | None, dict[str, int]]:
    counts = no_features()
    return read_entries(document, "Blob", lambda node: count_features(node, counts)), counts


def by_page(document: bytes) -> tuple[str | None, dict[str, int]]:
    counts = no_features()
    return count_page(document, counts), counts


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("odd", [(), *itertools.combinations(ODD, 1), ("versions", "leased", "archived")])
def test_it_counts_what_reading_each_entry_counts(odd: tuple[str, ...], marker: str) -> None:
    plain = [PLAIN.format(name=name) for name in NAMES]
    for names in (plain, plain[:1], []):
        document = page(*names, *(ODD[one] for one in odd), marker=marker)
        assert by_page(document) == by_entries(document)


def test_the_odd_ones_are_counted_at_all() -> None:
    _, counts = by_page(page(*ODD.values()))
    assert counts == {"snapshots": 1, "versions": 1, "leased": 3, "immutable": 2, "archived": 1, "encryption_scoped": 1}


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"gone",
        page(PLAIN.format(name="a"))[:-30],
        page(PLAIN.format(name="a")).replace(b"</Blob>", b""),
        page(PLAIN.format(name="a"), marker=""),
        page(PLAIN.format(name="a")).replace(b"0x1", b"\xff\xfe"),
        page(PLAIN.format(name="a")).replace(b"<EnumerationResults>", b"<!DOCTYPE x><EnumerationResults>"),
    ],
)
def test_what_is_no_whole_listing_is_refused(document: bytes) -> None:
    with pytest.raises(NotUnderstood):
        by_page(document)
