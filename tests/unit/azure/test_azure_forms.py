"""A page read by its form is the page that the XML reader reads, whatever is in it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.adapters.azure import forms
from migrator.adapters.azure.forms import FormReader, form_of
from migrator.adapters.azure.listing import PROPERTIES, read_page
from migrator.adapters.azure.xml_reader import NotUnderstood
from migrator.model.objects import ListingPage

RECORDED = Path(__file__).parent / "recorded" / "azurite_3_37_page.xml"
DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
TEXTS = ["", "1", "a b", "é\U0001f389", "&amp;", "a&lt;b&gt;&quot;&apos;", "&#65;", "&#x41;", "\r", "\r\n", "\n", "\t"]
TEXTS += ["]]>", "]]&gt;", "\x01", "\ufffe", "\x7f\x85", "&undefined;", "& ", "<![CDATA[<x>]]>", "<!-- -->", "<b>1</b>"]
TEXTS += [
    "true",
    "pending",
    "BlockBlob",
    "AppendBlob",
    "Tue, 24 Nov 2026 06:00:00 GMT",
    "XUFAKrxLKna5cZ2REBfFkg==",
    "Archive",
]
OTHER_TAGS = [
    "Creation-Time",
    "Content-CRC64",
    "LeaseState",
    "CopySource",
    "Name",
    "ServerEncrypted",
    "Properties",
    "Blob",
]
WELL = st.sampled_from([text for text in TEXTS if text in ("", "1", "a b", "&amp;", "true", "pending", "BlockBlob")])
ANY = st.one_of(WELL, st.sampled_from(TEXTS), st.text(max_size=6))


def leaf(tag: str, text: str) -> st.SearchStrategy[str]:
    odd = [
        f"<{tag} >{text}</{tag}>",
        f'<{tag} Encoded="true">{text}</{tag}>',
        f"<{tag}>{text}</{tag} >",
        f"<{tag}>{text}",
    ]
    usual = [f"<{tag}>{text}</{tag}>"] * 12 + ([f"<{tag}/>", f"<{tag} />"] if not text else [])
    return st.sampled_from([*usual, *odd])


@st.composite
def leaves(draw: st.DrawFn, tags: list[str], *, sure: dict[str, str]) -> str:
    chosen = draw(st.lists(st.sampled_from(tags), max_size=6, unique=draw(st.booleans())))
    parts = [draw(leaf(tag, draw(ANY))) for tag in chosen if tag not in sure]
    parts += [draw(leaf(tag, text)) for tag, text in sure.items()]
    if draw(st.booleans()):
        parts = draw(st.permutations(parts))
    return draw(st.sampled_from(["", "", "", "", " ", "\n", "<!-- x -->"])).join(parts)


@st.composite
def blobs(draw: st.DrawFn) -> str:
    sure = {
        "Etag": draw(st.sampled_from(["0x1", '"0x2"', "0x1", ""])),
        "Content-Length": draw(st.sampled_from(["1", "x", ""])),
    }
    properties = draw(leaves([*PROPERTIES, *OTHER_TAGS], sure=sure))
    parts = [draw(leaf("Name", draw(ANY))), f"<Properties>{properties}</Properties>"]
    if draw(st.booleans()):
        metadata = draw(leaves(["owner", "Batch", "_x", "a-b", "é"], sure={}))
        parts.append(draw(st.sampled_from([f"<Metadata>{metadata}</Metadata>", "<Metadata />", "<Metadata/>"])))
    if draw(st.booleans()):
        pairs = draw(st.lists(st.tuples(ANY, ANY), max_size=3))
        tags = "".join([f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in pairs])
        parts.append(
            draw(st.sampled_from([f"<Tags><TagSet>{tags}</TagSet></Tags>", "<Tags/>", "<Tags><TagSet /></Tags>"]))
        )
    if draw(st.booleans()):
        parts.append(draw(st.sampled_from(["<OrMetadata />", "<VersionId>1</VersionId>", "text", "<Name>2</Name>"])))
    if draw(st.integers(0, 9)) == 0:
        parts = draw(st.permutations(parts))
    return f"<Blob>{''.join(parts)}</Blob>"


@st.composite
def pages(draw: st.DrawFn) -> bytes:
    opening = draw(st.sampled_from([DECLARATION] * 5 + ["", "\ufeff" + DECLARATION, DECLARATION + "<!DOCTYPE a>"]))
    root = draw(
        st.sampled_from(
            ["<EnumerationResults>", '<EnumerationResults ServiceEndpoint="http://x/" ContainerName="box">'] * 4
            + ['<EnumerationResults ContainerName="a" ContainerName="b">', "<EnumerationResults x='y'>"]
        )
    )
    before = draw(st.sampled_from(["", "<Prefix/><Marker>&amp;</Marker><MaxResults>5</MaxResults>", "<Delimiter/>"]))
    entries = draw(st.sampled_from(["", "", "", "\n", "<!-- <Blob> -->"])).join(draw(st.lists(blobs(), max_size=4)))
    after = draw(
        st.sampled_from(["<NextMarker />", "<NextMarker>m</NextMarker>", "<NextMarker>&amp;</NextMarker>", ""])
    )
    ending = draw(
        st.sampled_from(["</EnumerationResults>"] * 4 + ["</EnumerationResults>\n", "", "</EnumerationResults>x"])
    )
    return f"{opening}{root}{before}<Blobs>{entries}</Blobs>{after}{ending}".encode("utf-8", "surrogatepass")


def outcome(read, document: bytes) -> ListingPage | type[NotUnderstood]:
    try:
        return read(document)
    except NotUnderstood:
        return NotUnderstood


REMEMBERING = FormReader()
"""One for all examples: what it learned of one page must not change another."""


@settings(max_examples=500, deadline=None)
@given(pages())
def test_by_its_form_or_by_xml_a_page_is_the_same(document: bytes) -> None:
    expected = outcome(read_page, document)
    fresh = FormReader()
    assert outcome(fresh.read_page, document) == expected
    assert outcome(fresh.read_page, document) == expected  # now with the forms that it has seen
    assert outcome(REMEMBERING.read_page, document) == expected


@pytest.mark.parametrize("seed", range(6))
def test_a_mutated_page_is_the_same_by_its_form_or_by_xml(seed: int) -> None:
    chance = random.Random(seed)
    raw = RECORDED.read_bytes()
    reader = FormReader()
    reader.read_page(raw)
    for _ in range(150):
        mutated = bytearray(raw)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(mutated))
            match chance.randrange(4):
                case 0:
                    mutated[at] = chance.randrange(256)
                case 1:
                    del mutated[at : at + chance.randrange(1, 30)]
                case 2:
                    mutated[at:at] = chance.choice(TEXTS).encode("utf-8")
                case _:
                    begin = chance.randrange(len(mutated))
                    mutated[at:at] = mutated[begin : begin + chance.randrange(40)]
        assert outcome(reader.read_page, bytes(mutated)) == outcome(read_page, bytes(mutated)), bytes(mutated)


class TestRecorded:
    def test_what_azurite_says_is_read_as_xml_reads_it(self) -> None:
        raw = RECORDED.read_bytes()
        page = read_page(raw)
        assert len(page.entries) == 20
        assert FormReader().read_page(raw) == page
        found = {blob.name: blob for blob in page.entries}
        assert found["<&>\"'"].etag
        assert dict(found["page"].metadata) == {"Mixed_Case": "1 <&> 2"}
        assert (found["copied"].copy_pending, found["arch"].is_archived, found["bare"].size) == (False, True, 0)

    def test_a_page_of_known_form_never_meets_the_xml_reader(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Else the quick way would be the slow one, and every test would still pass."""
        reader = FormReader()
        raw = RECORDED.read_bytes()
        reader.read_page(raw)
        slow: list[str] = []
        monkeypatch.setattr(forms, "read_page", lambda document: slow.append("page"))
        monkeypatch.setattr(FormReader, "_learn", lambda self, entry: slow.append(entry))
        page = reader.read_page(raw)
        entities = ("&#xD;", "1 &lt;&amp;&gt; 2")
        assert [entry for entry in slow if not any(entity in entry for entity in entities)] == []
        assert len(slow) == len(entities)
        assert len(page.entries) == 20

    def test_services_that_order_or_leave_out_otherwise_have_forms_too(self) -> None:
        for entry in (
            "<Blob><Name>n</Name><Properties><Etag>1</Etag></Properties></Blob>",
            "<Blob><Name>n</Name><Properties><BlobType>BlockBlob</BlobType><Etag>1</Etag></Properties><Tags/></Blob>",
            "<Blob><Name>n</Name><VersionId>1</VersionId><Properties><Etag/></Properties><Metadata/></Blob>",
        ):
            assert form_of(entry) is not None
        for entry in (
            '<Blob><Name Encoded="true">n</Name><Properties/></Blob>',
            "<Blob><Name>n</Name> <Properties><Etag>1</Etag></Properties></Blob>",
            "<Blob><Name>n</Name><Properties><Etag>1</Etag><Etag>2</Etag></Properties></Blob>",
            "<Blob><Name>n</Name><Properties><Etag><b/></Etag></Properties></Blob>",
        ):
            assert form_of(entry) is None

    def test_forms_are_few_however_many_a_service_invents(self) -> None:
        reader = FormReader()
        for number in range(100):
            extra = f"<X{number}/>"
            blob = f"<Blob><Name>n</Name><Properties><Etag>1</Etag>{extra}</Properties></Blob>"
            document = f"{DECLARATION}<EnumerationResults><Blobs>{blob}</Blobs><NextMarker/></EnumerationResults>"
            assert reader.read_page(document.encode()).entries[0].etag == "1"
        assert len(reader._forms) <= forms.MOST_FORMS
