"""Reads the service's XML one entry at a time, so that a page in memory is its text and nothing more.

Rule: a document may hold elements and text only as deep as the service nests them; one that declares a type or an entity,
which is how a few bytes become gigabytes, is refused at the declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from xml.parsers import expat

DEEPEST = 12
"""Levels of a document. Source: List Blobs has six."""
MOST_CHILDREN = 10_000
"""Elements of one entry. Source: a blob has 8 KiB of metadata and ten tags."""


class NotUnderstood(Exception):
    """No XML, or none that a storage service would send."""


class Node:
    """An element: its own text, and its children in their order."""

    __slots__ = ("attributes", "children", "tag", "text")

    def __init__(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.text = ""
        self.children: list[Node] = []

    def child(self, tag: str) -> Node | None:
        for one in self.children:
            if one.tag == tag:
                return one
        return None

    def value(self, tag: str) -> str:
        """The text of the first such child, or empty."""
        found = self.child(tag)
        return "" if found is None else found.text

    def pairs(self) -> Iterator[tuple[str, str]]:
        for one in self.children:
            yield one.tag, one.text


Each = Mapping[str, Callable[[Node], None]]


def read_xml(document: bytes, each: Each) -> None:
    """Call ``each[tag]`` with every element of that tag, whole, in the document's order; everything else is skipped.
    Elements inside such an element are its own. Raises NotUnderstood, also for a ValueError or KeyError of ``each``."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    reader = _Reader(each)
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.say
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, ValueError, LookupError) as fault:
        raise NotUnderstood(f"it cannot be read: {type(fault).__name__}") from None


def _refuse(*_: object) -> None:
    raise NotUnderstood("it declares a document type")


class _Reader:
    def __init__(self, each: Each) -> None:
        self._each = each
        self._depth = 0
        self._open: list[Node] = []
        self._nodes = 0

    def begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise NotUnderstood("it is nested too deep")
        if self._open:
            self._nodes += 1
            if self._nodes > MOST_CHILDREN:
                raise NotUnderstood("an entry is too large")
            node = Node(tag, attributes)
            self._open[-1].children.append(node)
            self._open.append(node)
        elif tag in self._each:
            self._nodes = 0
            self._open.append(Node(tag, attributes))

    def end(self, tag: str) -> None:
        self._depth -= 1
        if self._open:
            node = self._open.pop()
            if not self._open:
                self._each[tag](node)

    def say(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text


def escaped(text: str) -> str:
    """As the text of an element."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


__all__ = ["Node", "NotUnderstood", "escaped", "read_xml"]
