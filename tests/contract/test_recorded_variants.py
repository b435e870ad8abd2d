"""Recorded listings of a real account, changed as a service may change them: both readers read them alike, the survey too.

What is changed has a meaning of its own in no row: the order of properties, elements that nobody knows, white space, how an empty
element is written, a mark of byte order. Then the page is cut off anywhere: an error, and never a shorter listing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

import pytest

from migrator.adapters.azure import counting, listing
from migrator.adapters.azure.forms import FormReader
from migrator.adapters.azure.xml_reader import NotUnderstood
from tests.contract.test_recorded_answers import Exchange, exchanges

__all__ = ["exchanges"]

VARIANTS = 12
_PROPERTIES = re.compile(r"<Properties>(.*?)</Properties>", re.DOTALL)
_LEAF = re.compile(r"<([A-Za-z0-9-]+)(?: ?/>|>[^<]*</\1>)")


def _each(change: Callable[[list[str], Random], None]) -> Callable[[str, Random], str]:
    """Change the properties of every row."""

    def vary(text: str, random: Random) -> str:
        def row(found: re.Match[str]) -> str:
            leaves = [leaf[0] for leaf in _LEAF.finditer(found[1])]
            if "".join(leaves) != found[1]:
                return found[0]
            change(leaves, random)
            return f"<Properties>{''.join(leaves)}</Properties>"

        return _PROPERTIES.sub(row, text)

    return vary


def _shuffled(leaves: list[str], random: Random) -> None:
    random.shuffle(leaves)


def _with_more(leaves: list[str], random: Random) -> None:
    leaves.insert(len(leaves) // 2, "<OfTomorrow>1</OfTomorrow>")
    leaves.append("<EmptyOfTomorrow />")


def _emptied(leaves: list[str], random: Random) -> None:
    leaves[:] = [re.sub(r"^<([A-Za-z0-9-]+) ?/>$", r"<\1></\1>", leaf) for leaf in leaves]


def _sealed_and_cool(leaves: list[str], random: Random) -> None:
    known = ("<AccessTier>", "<AccessTierInferred>", "<Sealed")
    leaves[:] = [leaf for leaf in leaves if not leaf.startswith(known)]
    leaves += ["<AccessTier>Cool</AccessTier>", "<Sealed>true</Sealed>"]


CHANGES: dict[str, Callable[[str, Random], str]] = {
    "order": _each(_shuffled),
    "more": _each(_with_more),
    "empty": _each(_emptied),
    "sealed and cool": _each(_sealed_and_cool),
    "white space between rows": lambda text, random: text.replace("</Blob><Blob>", "</Blob>\n  <Blob>"),
    "a mark of byte order": lambda text, random: "\ufeff" + text.lstrip("\ufeff"),
    "no mark": lambda text, random: text.lstrip("\ufeff"),
    "a comment": lambda text, random: text.replace("<Blobs>", "<Blobs><!-- here -->", 1),
    "names by reference": lambda text, random: re.sub(r"<Name>(\w)", lambda one: f"<Name>&#{ord(one[1])};", text),
}


def pages(exchanges: list[Exchange]) -> list[str]:
    """Of live blobs, as listings of ours ask for them."""
    found = [one.body for one in exchanges if one.operation == "List Blobs" and one.status == 200 and one.body]
    return [text for text in found if "<BlobPrefix>" not in text and "<Etag>" in text]


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_listing_is_read_alike_by_both_readers_and_counted_alike(
    exchanges: list[Exchange], name: str
) -> None:
    change, reader, random = CHANGES[name], FormReader(), Random(name)
    read = sealed = 0
    for text in pages(exchanges):
        document = change(text, random).encode()
        assert counting.survey_of(document) == counting._by_entries(document)
        try:
            wanted = listing.read_page(document)
        except NotUnderstood:
            with pytest.raises(NotUnderstood):
                list(reader.unread_page(document).entries)
            continue
        for found in (reader.read_page(document), reader.unread_page(document)):
            assert list(found.entries) == list(wanted.entries)
            assert found.marker == wanted.marker
        read += len(wanted.entries)
        sealed += sum(entry.is_sealed and entry.tier == "Cool" for entry in wanted.entries)
    assert read >= 20
    if name == "sealed and cool":
        assert sealed >= 20


def test_a_listing_that_is_cut_off_anywhere_is_an_error(exchanges: list[Exchange]) -> None:
    random, reader, cut = Random("cut"), FormReader(), 0
    for text in pages(exchanges):
        document = text.encode()
        end = document.rindex(b"</EnumerationResults>")
        for at in [random.randrange(1, end) for _ in range(VARIANTS)]:
            for read in (listing.read_page, counting.survey_of, lambda part: list(reader.unread_page(part).entries)):
                with pytest.raises(NotUnderstood):
                    read(document[:at])
            cut += 1
    assert cut >= 200
