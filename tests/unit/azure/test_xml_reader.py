"""The service's XML is read whole or not at all, and never grows in memory."""

from __future__ import annotations

import pytest

from migrator.adapters.azure.listing import read_page, read_tags
from migrator.adapters.azure.xml_reader import Node, NotUnderstood, escaped, read_xml

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 or str()};" * 10}">' for n in range(1, 10))
    + "]><EnumerationResults><Blobs><Blob><Name>&a9;</Name></Blob></Blobs><NextMarker/></EnumerationResults>"
)
BLOB = (
    "<Blob><Name>n</Name><Properties><Etag>0x1</Etag><Content-Length>1</Content-Length>"
    "<BlobType>BlockBlob</BlobType></Properties></Blob>"
)


def page(inside: str = BLOB, after: str = "<NextMarker />") -> bytes:
    return f"<EnumerationResults><Blobs>{inside}</Blobs>{after}</EnumerationResults>".encode()


def test_an_element_has_its_text_its_children_and_its_attributes() -> None:
    found: list[Node] = []
    read_xml(
        b"<r><x>1</x><a k='v'>one<b>two</b>three<c/></a><a>&amp;\xc3\xa9<![CDATA[<]]></a></r>", {"a": found.append}
    )
    first, second = found
    assert (first.text, first.value("b"), first.value("c"), first.value("d")) == ("onethree", "two", "", "")
    assert first.attributes == {"k": "v"}
    assert second.text == "&é<"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"no xml",
        page()[:-1],
        page() + b"<more/>",
        BOMB.encode(),
        BOMB.encode("utf-16"),
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>&undefined;</a>",
        b"<a>" * 13 + b"</a>" * 13,
        b"<a>" * 100_000,
        b"<a>\x01</a>",
        b"<a>\xff</a>",
        b'<?xml version="1.0" encoding="rot13"?><a/>',
        page("<Blob>" + "<x/>" * 10_001 + "</Blob>"),
    ],
)
def test_what_is_no_listing_is_never_an_empty_one(document: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read_page(document)


@pytest.mark.parametrize(
    "document",
    [
        page(after=""),
        page(after="<NextMarker/><NextMarker/>"),
        page("<Blob/>"),
        page(BLOB.replace("<Name>n</Name>", "")),
        page(BLOB.replace("<Etag>0x1</Etag>", "")),
        page(BLOB.replace(">1</Content", ">one</Content")),
        page(BLOB.replace("BlockBlob", "OtherBlob")),
        b"<Error><Code>x</Code></Error>",
    ],
)
def test_a_listing_that_lacks_something_is_no_listing(document: bytes) -> None:
    assert read_page(page()).entries[0].name == "n"
    with pytest.raises(NotUnderstood):
        read_page(document)


def test_a_name_that_the_service_encoded_is_decoded_and_no_other() -> None:
    for attribute, name in (
        (' Encoded="true"', "a\ufffe%"),
        (' Encoded="false"', "a%EF%BF%BE%25"),
        ("", "a%EF%BF%BE%25"),
    ):
        document = page(BLOB.replace("<Name>n", f"<Name{attribute}>a%EF%BF%BE%25"))
        assert read_page(document).entries[0].name == name


def test_tags_are_read_whole() -> None:
    tags = "<Tag><Key>a&lt;</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value/></Tag>"
    assert read_tags(f"<Tags><TagSet>{tags}</TagSet></Tags>".encode()) == {"a<": "1", "b": ""}
    with pytest.raises(NotUnderstood):
        read_tags(b"<Tags/>")


def test_text_is_escaped_for_an_element() -> None:
    text = "a<b>&amp;]]>\"'"
    found: list[Node] = []
    read_xml(f"<r>{escaped(text)}</r>".encode(), {"r": found.append})
    assert found[0].text == text
