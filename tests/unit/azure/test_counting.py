"""What a move cannot keep is counted from whole pages as it is entry by entry; a page that is none is refused."""

import itertools
from urllib.parse import quote

import pytest

from migrator.adapters.azure import counting, listing
from migrator.adapters.azure.counting import survey_of
from migrator.adapters.azure.xml_reader import NotUnderstood
from migrator.model.objects import Features
from migrator.model.values import replace

PLAIN = (
    "<Blob><Name>{name}</Name><Properties><Etag>0x1</Etag><Content-Length>{size}</Content-Length>"
    "<LeaseState>available</LeaseState></Properties></Blob>"
)
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
    "customer_keyed": "<Blob><Name>k</Name><Properties><CustomerProvidedKeySha256>x=</CustomerProvidedKeySha256>"
    "</Properties></Blob>",
    "directories": "<Blob><Name>d</Name><Properties><ResourceType>directory</ResourceType></Properties></Blob>",
    "a file": "<Blob><Name>d/f</Name><Properties><ResourceType>file</ResourceType></Properties></Blob>",
    "sequence_numbers": "<Blob><Name>p</Name><Properties><Content-Length>512</Content-Length>"
    "<x-ms-blob-sequence-number>7</x-ms-blob-sequence-number><BlobType>PageBlob</BlobType></Properties></Blob>",
    "no sequence number": "<Blob><Name>q</Name><Properties><Content-Length>512</Content-Length>"
    "<x-ms-blob-sequence-number>0</x-ms-blob-sequence-number><BlobType>PageBlob</BlobType></Properties></Blob>",
    "sealed": "<Blob><Name>w</Name><Properties><BlobType>AppendBlob</BlobType><Sealed>true</Sealed></Properties></Blob>",
    "not sealed": "<Blob><Name>y</Name><Properties><BlobType>AppendBlob</BlobType><Sealed>false</Sealed></Properties></Blob>",
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


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("odd", [(), *itertools.combinations(ODD, 1), ("versions", "leased", "archived")])
def test_it_counts_what_reading_each_entry_counts(odd: tuple[str, ...], marker: str) -> None:
    plain = [PLAIN.format(name=name, size=number) for number, name in enumerate(NAMES)]
    for names in (plain, plain[:1], []):
        document = page(*names, *(ODD[one] for one in odd), marker=marker)
        assert survey_of(document) == counting._by_entries(document)


def test_a_page_without_anything_odd_is_not_read_entry_by_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_by_entries", None)
    survey = survey_of(page(PLAIN.format(name="a", size=7), PLAIN.format(name="b", size=0), marker=MARKERS[2]))
    assert (list(survey.sizes), survey.features, survey.marker) == ([7, 0], Features(), "p1")


def test_reserved_names_have_no_size_in_it() -> None:
    survey = survey_of(page(PLAIN.format(name=".migrate/canary/a", size=7), PLAIN.format(name="b", size=3)))
    assert list(survey.sizes) == [3]


TIERED = PLAIN.replace("<LeaseState>", "<AccessTier>{tier}</AccessTier><LeaseState>")


def test_what_costs_something_to_be_read_is_told_by_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    tiers = ("Hot", "Cool", "Cold", "Cool", "Premium", "Smart", "Hot")
    rows = [TIERED.format(name=f"n{size}", size=2**size, tier=tier) for size, tier in enumerate(tiers)]
    mixed = page(*rows, PLAIN.format(name="none", size=1000), *rows[:2])
    by_entries = counting._by_entries(mixed)
    with monkeypatch.context() as quickly:
        quickly.setattr(counting, "_by_entries", None)
        assert survey_of(mixed) == by_entries
        assert dict(survey_of(mixed).tiered) == {"Cool": 2 + 8 + 2, "Cold": 4}
        assert dict(survey_of(page(rows[0])).tiered) == {}
        called_so = page(TIERED.format(name="Cool&gt;Cool&lt;", size=5, tier="Hot"))
        assert dict(survey_of(called_so).tiered) == {}
    odd = page(*rows, ODD["leased"], TIERED.format(name="a", size=100, tier="Archive"))
    assert dict(survey_of(odd).tiered) == {"Cool": 10, "Cold": 4, "Archive": 100}
    ours = page(TIERED.format(name=".migrate/x", size=100, tier="Cool"), rows[1])
    assert dict(survey_of(ours).tiered) == {"Cool": 2}


def test_what_a_fence_must_stream_is_told_apart() -> None:
    append = PLAIN.format(name="log", size=5).replace("</Properties>", "<BlobType>AppendBlob</BlobType></Properties>")
    disk = PLAIN.format(name="disk", size=512).replace("</Properties>", "<BlobType>PageBlob</BlobType></Properties>")
    block = PLAIN.format(name="b", size=3).replace("</Properties>", "<BlobType>BlockBlob</BlobType></Properties>")
    survey = survey_of(page(append, block, disk))
    assert (list(survey.sizes), list(survey.streamed)) == ([5, 3, 512], [5, 512])


def test_the_odd_ones_are_counted_at_all() -> None:
    survey = survey_of(page(*ODD.values()))
    assert replace(survey.features, named={}) == Features(
        snapshots=1,
        versions=1,
        leased=3,
        immutable=2,
        archived=1,
        encryption_scoped=1,
        customer_keyed=1,
        directories=1,
    )
    assert len(survey.sizes) == len(ODD) - 3
    assert dict(survey.features.named)["customer_keyed"] == ("k",)
    assert dict(survey.features.named)["leased"] == ("l", "l", "l")


def test_the_first_few_of_each_kind_are_named() -> None:
    leased = ODD["leased"].replace(">l<", ">{}<")
    pages = [survey_of(page(*(leased.format(f"l{part}{n}") for n in range(5)), ODD["immutable"])) for part in "ab"]
    assert dict(pages[0].features.named) == {"leased": ("la0", "la1", "la2"), "immutable": ("i",)}
    both = Features() + pages[0].features + pages[1].features + Features()
    assert (both.leased, both.immutable) == (10, 2)
    assert dict(both.named) == {"leased": ("la0", "la1", "la2"), "immutable": ("i", "i")}


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"gone",
        page(PLAIN.format(name="a", size=1))[:-30],
        page(PLAIN.format(name="a", size=1)).replace(b"</Blob>", b""),
        page(PLAIN.format(name="a", size=1), marker=""),
        page(PLAIN.format(name="a", size=1)).replace(b"0x1", b"\xff\xfe"),
        page(PLAIN.format(name="a", size=1)).replace(b"<EnumerationResults>", b"<!DOCTYPE x><EnumerationResults>"),
    ],
)
def test_what_is_no_whole_listing_is_refused(document: bytes) -> None:
    with pytest.raises(NotUnderstood):
        survey_of(document)


def test_long_names_are_found_by_how_their_address_would_be_written() -> None:
    long, older = PLAIN.format(name="é" * 300, size=1), PLAIN.format(name="ü" * 300, size=1)
    older = older.replace("<Properties>", "<Snapshot>2026</Snapshot><Properties>")
    document = page(PLAIN.format(name="a" * 90, size=1), long, older)
    assert listing.named_so(document, lambda name: len(quote(name)) > 1_500) == ["é" * 300]
    assert listing.named_so(document, lambda name: len(name) > 1_500) == []
    assert listing.named_so(page(PLAIN.format(name="a", size=1)), lambda name: True) == [], "none of them is long"
