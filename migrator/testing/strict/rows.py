"""The rows of a listing as text: what is changed in one leaves all others as Azurite wrote them."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.sax.saxutils import unescape

ROW = re.compile(r"<Blob>.*?</Blob>", re.DOTALL)
_NAME = re.compile(r"<Name(?: Encoded=\"true\")?>(.*?)</Name>", re.DOTALL)


def name_of(row: str) -> str:
    found = _NAME.search(row)
    return unescape(found[1], {"&quot;": '"', "&apos;": "'", "&#xD;": "\r", "&#xA;": "\n"}) if found else ""


def each_row(text: str, change: Callable[[str], str]) -> str:
    return ROW.sub(lambda found: change(found[0]), text)


__all__ = ["ROW", "each_row", "name_of"]
