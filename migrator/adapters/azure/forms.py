"""Reads a page of a listing by its form: the services write every entry of a page with the same elements in the same order.

An entry is read by the XML reader the first time; its order of elements becomes one regular expression, in which every
property may be missing or empty, and entries that match it to the last character are read by that. Whatever it does not
foresee - attributes, entities, comments, another order, a character that XML would change - is the XML reader's again: one
entry, or, where the page itself is odd, the whole page.
Rule: what is read here is what the XML reader would read (a property test holds it to that); a form may only be quicker.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from itertools import accumulate, pairwise

from migrator.adapters.azure.listing import PROPERTIES, blob_of, listed, read_page
from migrator.adapters.azure.xml_reader import Node, NotUnderstood, read_xml
from migrator.model.objects import EMPTY, Entries, Listed, ListingPage

MOST_FORMS = 16
"""More would be tried in vain before an entry is given to the XML reader."""

_PLAIN = r"[^<&>\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]*+"
"""Text that XML takes as it stands."""
_CODED = rf"{_PLAIN}(?:&(?:amp|lt|gt|quot|apos);{_PLAIN})*+"
"""The same with the entities that need no declaration."""
_QUOTED = _CODED.replace("[^<", '[^"<')
_TAG = "[A-Za-z][A-Za-z0-9-]*"
_KEY = "[A-Za-z_][A-Za-z0-9_]*"

_OPENING = re.compile(
    r'\ufeff?<\?xml version="1\.0" encoding="(?:utf|UTF)-8"(?: standalone="yes")?\?>[ \n]*'
    rf'<EnumerationResults(?: ServiceEndpoint="{_QUOTED}")?(?: ContainerName="{_QUOTED}")?>'
    rf"(?:<(Prefix|Marker|MaxResults)(?:>{_CODED}</\1>| ?/>))*<Blobs>"
)
_CLOSING = re.compile(rf"</Blobs><NextMarker(?:>({_PLAIN})</NextMarker>| ?/>)</EnumerationResults>[ \n]*\Z")
_BLOBS = b"<Blobs>"
_BLOBS_END = b"</Blobs>"
_BLOB = b"<Blob>"
_BLOB_END = b"</Blob>"
_TOKEN = re.compile(rf"<(?P<open>{_TAG})>|</(?P<close>{_TAG})>|<(?P<empty>{_TAG}) ?/>|(?P<text>[^<>]+)")
_METADATA = rf"(?:<Metadata(?:>(?P<metadata>(?:<(?P<key>{_KEY})(?:>{_PLAIN}</(?P=key)>| ?/>))*+)</Metadata>| ?/>))?+"
_METADATA_PAIR = re.compile(rf"<({_KEY})(?:>({_PLAIN})</\1>| ?/>)")
_TAGS = (
    rf"(?:<Tags(?:><TagSet(?:>(?P<tags>(?:<Tag><Key>{_PLAIN}</Key><Value(?:>{_PLAIN}</Value>| ?/>)</Tag>)*+)</TagSet>"
    r"| ?/>)</Tags>| ?/>))?+"
)
_TAGS_PAIR = re.compile(rf"<Tag><Key>({_PLAIN})</Key><Value(?:>({_PLAIN})</Value>| ?/>)</Tag>")
_ENTITY = re.compile("&(amp|lt|gt|quot|apos);")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


@lru_cache(maxsize=1024)
def _metadata_of(text: str) -> Mapping[str, str]:
    return dict(_METADATA_PAIR.findall(text))


@lru_cache(maxsize=1024)
def _tags_of(text: str) -> Mapping[str, str]:
    """Kept, for the blobs of a container tend to have the same ones."""
    return dict(_TAGS_PAIR.findall(text))


class FormReader:
    """Remembers the forms that it has seen; one for each account."""

    def __init__(self) -> None:
        self._forms: deque[_Form] = deque(maxlen=MOST_FORMS)

    def read_page(self, document: bytes) -> ListingPage:
        """A page of List Blobs. Raises NotUnderstood."""
        try:
            text = document.decode("utf-8")
        except UnicodeDecodeError:
            return read_page(document)
        opening = _OPENING.match(text)
        if opening is None:
            return read_page(document)
        try:
            return self._read(text, opening.end())
        except NotUnderstood:  # by its parts; it may still be a listing as a whole
            return read_page(document)

    def unread_page(
        self, document: bytes, understanding: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> ListingPage:
        """The same page, whose entries are read when they are asked for, ``understanding`` whatever cannot be read then. Raises
        NotUnderstood if it is no page."""
        begin, end = document.find(_BLOBS) + len(_BLOBS), document.rfind(_BLOBS_END)
        is_plain = (
            begin >= len(_BLOBS) and document.startswith(_BLOB, begin) and document.endswith(_BLOB_END, begin, end)
        )
        if not is_plain and begin != end:
            return self.read_page(document)
        try:
            opening, closing = document[:begin].decode("utf-8"), document[end:].decode("utf-8")
        except UnicodeDecodeError:
            return read_page(document)
        marker = _CLOSING.fullmatch(closing)
        if marker is None or not _OPENING.fullmatch(opening):
            return read_page(document)
        return ListingPage(_Unread(self, document, begin, end, understanding), marker[1] or None)

    def read_entries(self, text: str) -> tuple[list[Listed], list[int]]:
        """Entries alone, and where each of them ends. Raises NotUnderstood, though they may be some as parts of their page."""
        entries: list[Listed] = []
        ends: list[int] = []
        at = self._read_entries(text, 0, entries, ends)
        if at != len(text):
            raise NotUnderstood("it goes on otherwise")
        return entries, ends

    def _read(self, text: str, at: int) -> ListingPage:
        entries: list[Listed] = []
        at = self._read_entries(text, at, entries, [])
        closing = _CLOSING.match(text, at)
        if closing is None:
            raise NotUnderstood("it goes on otherwise")
        return ListingPage(tuple(entries), closing[1] or None)

    def _read_entries(self, text: str, at: int, entries: list[Listed], ends: list[int]) -> int:
        """Where they end."""
        form = self._forms[0] if self._forms else None
        while text.startswith("<Blob>", at):
            found = None if form is None else form.pattern.match(text, at)
            if found is None:
                form, found = self._another(text, at)
            if form is not None and found is not None:
                entries.append(form.listed(found))
                at = found.end()
            else:
                entry = _next_entry(text, at)
                entries.append(self._learn(entry))
                at += len(entry)
                form = self._forms[0] if self._forms else None
            ends.append(at)
        return at

    def _another(self, text: str, at: int) -> tuple[_Form | None, re.Match[str] | None]:
        for form in self._forms:
            found = form.pattern.match(text, at)
            if found is not None:
                self._forms.remove(form)
                self._forms.appendleft(form)
                return form, found
        return None, None

    def _learn(self, entry: str) -> Listed:
        """Read an entry by the XML reader, and remember its form if it has one."""
        nodes: list[Node] = []
        read_xml(entry.encode(), {"Blob": nodes.append})
        blob = listed(nodes[0])
        pattern = form_of(entry)
        if pattern is not None and all(pattern != form.pattern.pattern for form in self._forms):
            form = _Form(pattern)
            if form.pattern.fullmatch(entry):
                self._forms.appendleft(form)
        return blob


class _Unread(Entries):
    """Of a page that opens and closes as one."""

    __slots__ = ("_begin", "_document", "_end", "_reader", "_text", "_understanding")

    def __init__(
        self,
        reader: FormReader,
        document: bytes,
        begin: int,
        end: int,
        understanding: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._reader = reader
        self._document = document
        self._begin = begin
        self._end = end
        self._text = memoryview(document)[begin:end]
        self._understanding = understanding

    @property
    def text(self) -> memoryview:
        return self._text

    def read(self, at: int = 0) -> tuple[list[Listed], Sequence[int] | None]:
        with self._understanding():
            try:
                text = str(self._text[at:], "utf-8")
                entries, ends = self._reader.read_entries(text)
            except (UnicodeDecodeError, NotUnderstood):
                return self._by_page(at), None
            if text.isascii():
                return entries, [at + end for end in ends] if at else ends
            lengths = [len(text[begin:end].encode()) for begin, end in pairwise([0, *ends])]
            return entries, list(accumulate(lengths, initial=at))[1:]

    def _by_page(self, at: int) -> list[Listed]:
        """As parts of their page, by the XML reader. Those before ``at`` were understood by themselves."""
        entries = read_page(self._document).entries
        before = read_page(_PAGE_BEGINS + self._text[:at].tobytes() + _PAGE_ENDS).entries if at else ()
        return list(entries[len(before) :])

    def first(self) -> tuple[Listed, int]:
        end = self._document.find(_BLOB_END, self._begin, self._end) + len(_BLOB_END)
        return self._one(self._begin, end, 0), end - self._begin

    def last(self) -> Listed:
        return self._one(max(self._begin, self._document.rfind(_BLOB, self._begin, self._end)), self._end, -1)

    def _one(self, begin: int, end: int, index: int) -> Listed:
        with self._understanding():
            try:
                entries, _ = self._reader.read_entries(str(self._document[begin:end], "utf-8"))
                if len(entries) == 1:
                    return entries[0]
            except (UnicodeDecodeError, NotUnderstood):
                pass
            return self._by_page(0)[index]


_PAGE_BEGINS = b'<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>'
_PAGE_ENDS = b"</Blobs><NextMarker /></EnumerationResults>"


def _next_entry(text: str, at: int) -> str:
    end = text.find("</Blob>", at)
    if end < 0:
        raise NotUnderstood("an entry does not end")
    return text[at : end + len("</Blob>")]


class _Form:
    """One order of elements. ``groups``: where the name and each of PROPERTIES is, then metadata and tags."""

    __slots__ = ("_groups", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern)
        self._groups = [self.pattern.groupindex[name] for name in _GROUPS]

    def listed(self, found: re.Match[str]) -> Listed:
        name, *properties, metadata, tags = found.group(*self._groups)
        if "&" in name:
            name = _ENTITY.sub(lambda entity: _ENTITIES[entity[1]], name)
        return blob_of(
            name,
            properties,
            _metadata_of(metadata) if metadata else EMPTY,
            _tags_of(tags) if tags else EMPTY,
        )


_GROUPS = ("name", *(f"p{index}" for index in range(len(PROPERTIES))), "metadata", "tags")


def form_of(entry: str) -> str | None:
    """The pattern of an entry's form; None if it holds what no form has: attributes, entities or text where elements
    belong, an element twice."""
    tokens = list(_TOKEN.finditer(entry))
    if "".join([token[0] for token in tokens]) != entry:
        return None
    walk = iter(tokens)
    try:
        parts = list(_parts(walk))
    except (StopIteration, RuntimeError, _Formless):
        return None
    missing = [f"(?:(?!)(?P<{name}>))?" for name in _GROUPS if f"(?P<{name}>" not in "".join(parts)]
    return "".join([*parts, *missing])


class _Formless(Exception):
    pass


def _parts(tokens: Iterator[re.Match[str]]) -> Iterator[str]:
    _expect(next(tokens), "open", "Blob")
    yield "<Blob>"
    seen: set[str] = set()
    for token in tokens:
        if token["close"] == "Blob":
            yield "</Blob>"
            return
        tag = _once(token, seen)
        if tag == "Properties":
            _expect(token, "open", tag)
            yield from _properties(tokens)
        elif tag in ("Metadata", "Tags"):
            if token["open"]:
                _skip(tokens, tag)
            yield _METADATA if tag == "Metadata" else _TAGS
        else:
            _finish_leaf(token, tokens)
            yield rf"<Name>(?P<name>{_CODED})</Name>" if tag == "Name" else _leaf(tag, "")
    raise _Formless


def _properties(tokens: Iterator[re.Match[str]]) -> Iterator[str]:
    yield "<Properties>"
    seen: set[str] = set()
    for token in tokens:
        if token["close"] == "Properties":
            break
        tag = _once(token, seen)
        _finish_leaf(token, tokens)
        yield _leaf(tag, f"p{PROPERTIES.index(tag)}" if tag in PROPERTIES else "")
    yield "</Properties>"


def _leaf(tag: str, group: str) -> str:
    text = f"(?P<{group}>{_PLAIN})" if group else _CODED
    return f"(?:<{tag}(?:>{text}</{tag}>| ?/>))?+"


def _once(token: re.Match[str], seen: set[str]) -> str:
    tag = token["open"] or token["empty"]
    if not tag or tag in seen:
        raise _Formless
    seen.add(tag)
    return str(tag)


def _finish_leaf(token: re.Match[str], tokens: Iterator[re.Match[str]]) -> None:
    if token["open"]:
        after = next(tokens)
        _expect(next(tokens) if after["text"] else after, "close", token["open"])


def _skip(tokens: Iterable[re.Match[str]], tag: str) -> None:
    for token in tokens:
        if token["close"] == tag:
            return


def _expect(token: re.Match[str], kind: str, tag: str) -> None:
    if token[kind] != tag:
        raise _Formless


__all__ = ["FormReader", "form_of"]
