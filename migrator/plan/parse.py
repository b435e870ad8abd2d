"""YAML text -> tree, with limits, and every fault placed.

Decides what YAML a plan may use: version 1.2, one document, plain types (``no`` and ``on`` are strings, times stay
strings), no tags, no merge keys, keys that are words. Leaves meaning to ``schema`` and ``check``. Rule: the text is
hostile until proven otherwise - the size is limited before it is read, events are counted before they are kept, aliases
before they are expanded - and nothing is ever constructed but strings, numbers, booleans, lists and mappings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from migrator.errors import PlanError
from migrator.plan.syntax import in_words
from migrator.plan.tree import Entry, Fault, Items, Mark, Node, Scalar, Table, Tree

MAX_TEXT_BYTES: Final = 1024 * 1024
"""A plan for 250 accounts in each of three regions has about 100 KiB; one that names 10,000 areas about 500 KiB."""
MAX_KEPT_BYTES: Final = 8 * MAX_TEXT_BYTES
"""The same plan as it is kept (``canonical``): a character there has at most six, a part some ten of punctuation."""
MAX_PARTS: Final = 100_000
"""Keys and values, aliases expanded. About 20 microseconds each, so that no plan takes many seconds."""
MAX_DEPTH: Final = 24
"""The deepest key of the format lies 7 deep."""
MAX_DIGITS: Final = 18

_INT: Final = re.compile(rf"[-+]?[0-9]{{1,{MAX_DIGITS}}}")
_FLOAT: Final = re.compile(
    rf"[-+]?(?:\.[0-9]{{1,{MAX_DIGITS}}}|[0-9]{{1,{MAX_DIGITS}}}(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{{1,2}})?"
)
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_HALF: Final = re.compile("[\ud800-\udfff]")
_FAULTY: Final = "\0faulty"
"""Stands for a key that is not a word; the fault is already noted and the entry left out."""


class _Unusable(Exception):
    """A text that no name, path, address or argument of a program can be; says which character it holds."""


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read. ``parts`` counts what it holds, itself included,
    ``chars`` its texts, ``depth`` its levels."""

    mark: Mark
    is_table: bool
    anchor: str | None
    nodes: list[Node] = field(default_factory=list)
    parts: int = 1
    chars: int = 0
    depth: int = 1


@dataclass(slots=True)
class _Composer:
    name: str
    faults: list[Fault] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int, int, int]] = field(default_factory=dict)
    """Anchor -> node, its parts, its characters, its depth."""
    stack: list[_Open] = field(default_factory=list)
    root: Node | None = None
    documents: int = 0

    def take(self, event: Any) -> None:
        mark = _mark(event.start_mark)
        if isinstance(event, DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self.refuse(mark, "a plan is one YAML document, and here a second one begins")
            if event.version not in (None, (1, 2)):
                raise self.refuse(mark, "a plan is written in YAML 1.2")
        elif isinstance(event, AliasEvent):
            self.alias(str(event.anchor), mark)
        elif isinstance(event, ScalarEvent):
            self.tag(event.tag, mark)
            try:
                found = _scalar(event)
            except _Unusable as found_in_it:
                raise self.refuse(mark, f"expected a character, found {found_in_it}") from None
            self.put(Scalar(found, mark), event.anchor, parts=1, chars=len(event.value), depth=0)
        elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
            self.tag(event.tag, mark)
            if len(self.stack) >= MAX_DEPTH:
                raise self.refuse(mark, f"more than {MAX_DEPTH} levels inside each other")
            self.stack.append(_Open(mark, isinstance(event, MappingStartEvent), event.anchor))
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            done = self.stack.pop()
            node: Node = self.table(done) if done.is_table else Items(tuple(done.nodes), done.mark)
            self.put(node, done.anchor, parts=done.parts, chars=done.chars, depth=done.depth)

    def alias(self, anchor: str, mark: Mark) -> None:
        if anchor not in self.anchors:
            raise self.refuse(mark, f"*{anchor} stands for nothing: &{anchor} does not end above this line")
        node, parts, chars, depth = self.anchors[anchor]
        self.put(node, None, parts=parts, chars=chars, depth=depth, mark=mark)

    def put(
        self, node: Node, anchor: str | None, *, parts: int, chars: int, depth: int, mark: Mark | None = None
    ) -> None:
        if anchor:
            self.anchors[anchor] = (node, parts, chars, depth)
        if self.stack:
            self.stack[-1].nodes.append(node)
            self.stack[-1].parts += parts
            self.stack[-1].chars += chars
            self.stack[-1].depth = max(self.stack[-1].depth, depth + 1)
            parts, chars = self.stack[-1].parts, self.stack[-1].chars
        else:
            self.root = node
        if parts > MAX_PARTS:
            raise self.refuse(mark or node.mark, f"more than {MAX_PARTS:,} keys and values, aliases expanded")
        if chars > MAX_TEXT_BYTES:
            raise self.refuse(mark or node.mark, f"more than {MAX_TEXT_BYTES // 1024:,} KiB of text, aliases expanded")
        if len(self.stack) + depth > MAX_DEPTH:
            raise self.refuse(mark or node.mark, f"more than {MAX_DEPTH} levels inside each other")

    def tag(self, tag: str | None, mark: Mark) -> None:
        if tag:
            raise self.refuse(mark, "a plan has no YAML tags (words that begin with !)")

    def table(self, done: _Open) -> Table:
        entries: dict[str, Entry] = {}
        for key, value in zip(done.nodes[::2], done.nodes[1::2], strict=True):
            word = self.key(key)
            if word in entries:
                first = entries[word].key_mark.line
                text = f"the key {word} stands here twice; the first is on line {first}"
                self.faults.append(Fault(key.mark, text, code="key"))
            elif word != _FAULTY:
                entries[word] = Entry(word, key.mark, value)
        return Table(tuple(entries.values()), done.mark)

    def key(self, node: Node) -> str:
        if isinstance(node, Scalar) and node.value == "<<":
            self.faults.append(
                Fault(node.mark, "a plan has no merge keys (<<): use `defaults`, or repeat the keys", code="key")
            )
            return _FAULTY
        if isinstance(node, Scalar) and isinstance(node.value, str) and "\0" not in node.value:
            return node.value
        if isinstance(node, Scalar) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            return str(node.value)
        self.faults.append(Fault(node.mark, "a key is a word here: put it into quotes", code="key"))
        return _FAULTY

    def refuse(self, mark: Mark, text: str) -> PlanError:
        return _refusal(self.name, Fault(mark, text, code="syntax"))


def parse(text: str, name: str, *, most_bytes: int = MAX_TEXT_BYTES) -> tuple[Tree, tuple[Fault, ...]]:
    """Read a plan's text.

    Args:
        name: how faults call the file.
        most_bytes: longer texts are refused unread.
    Returns:
        The tree and the faults that do not keep it from being read (duplicate keys, keys that are no words).
    Raises:
        PlanError: not YAML, empty, or beyond a limit; one fault, alone.
    """
    if len(text.encode(errors="replace")) > most_bytes:
        raise too_large(name)
    composer = _Composer(name)
    try:
        for event in _events(text, composer):
            composer.take(event)
    except ReaderError as fault:
        line = text.count("\n", 0, fault.position) + 1
        column = fault.position - (text.rfind("\n", 0, fault.position) + 1) + 1
        raise _refusal(
            name, Fault(Mark(line, column), "a character that YAML does not allow", code="syntax")
        ) from fault
    except MarkedYAMLError as fault:
        at = fault.problem_mark or fault.context_mark
        raise _refusal(name, Fault(_mark(at) if at else Mark(1, 1), in_words(fault, text), code="syntax")) from fault
    except (YAMLError, ValueError, RecursionError) as fault:
        raise PlanError(f"cannot read plan {name}: it is not YAML") from fault
    if composer.root is None or (isinstance(composer.root, Scalar) and composer.root.value is None):
        raise PlanError(f"cannot read plan {name}: it is empty", hint="`migrate init --local` writes one to begin with")
    if not isinstance(composer.root, Table):
        raise _refusal(
            name,
            Fault(composer.root.mark, "a plan is a mapping of keys such as version, name and accounts", code="syntax"),
        )
    return Tree(composer.root), tuple(composer.faults)


def too_large(name: str) -> PlanError:
    return PlanError(f"cannot read plan {name}: it is larger than {MAX_TEXT_BYTES // 1024:,} KiB")


def _events(text: str, composer: _Composer) -> Iterator[Any]:
    yaml = YAML(typ="safe", pure=True)
    for count, event in enumerate(yaml.parse(text)):
        if count > 2 * MAX_PARTS:
            raise composer.refuse(_mark(event.start_mark), f"more than {MAX_PARTS:,} keys and values")
        yield event


def _scalar(event: Any) -> str | int | float | bool | None:
    text = str(event.value)
    if not text.isascii() and _HALF.search(text):
        raise _Unusable("an unpaired surrogate (an escape from \\ud800 to \\udfff alone)")
    if "\0" in text:
        raise _Unusable("NUL (an escape such as \\0 or \\u0000)")
    if not event.implicit[0]:
        return text
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


def _refusal(name: str, fault: Fault) -> PlanError:
    return PlanError(f"cannot read plan {name}", faults=(fault.line(name),))
