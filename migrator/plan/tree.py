"""A plan document as a tree that remembers where each part was written.

Decides how a place in the document is named (a path of keys and indices) and found again (line and column). Leaves reading
YAML to ``parse`` and meaning to ``schema`` and ``check``. Rule: every fault of the plan points at a place of this tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from migrator.errors import FaultLine
from migrator.model.values import value

Path = tuple[str | int, ...]
"""Keys and list indices from the top of the document; () is the document."""


@value(frozen=True, order=True, slots=True)
class Mark:
    """A place in the file, both counted from 1."""

    line: int
    column: int


@value(frozen=True, order=True, slots=True)
class Fault:
    """One fault, or one warning, of the plan. ``path`` is what it is about; ``code`` says to programs of which kind it is:
    syntax, key (unknown, missing, twice), value, rule, secret, not-built."""

    mark: Mark
    text: str
    path: Path = ()
    code: str = "rule"

    def line(self, name: str) -> FaultLine:
        """``file:line:column: text``."""
        return FaultLine.of(name, self.mark.line, self.mark.column, self.code, self.text)


@value(frozen=True, slots=True)
class Scalar:
    value: str | int | float | bool | None
    mark: Mark


@value(frozen=True, slots=True)
class Items:
    items: tuple[Node, ...]
    mark: Mark


@value(frozen=True, slots=True)
class Entry:
    key: str
    key_mark: Mark
    node: Node


@value(frozen=True, slots=True)
class Table:
    entries: tuple[Entry, ...]
    mark: Mark


Node = Scalar | Items | Table


@dataclass(slots=True)
class Tree:
    """The whole document. Aliases are already expanded; a part used twice has two paths and one mark."""

    root: Node
    _keys: dict[Path, Mark] = field(default_factory=dict)
    _nodes: dict[Path, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path, node, key_mark in _walk((), self.root, None):
            self._nodes[path] = node
            self._keys[path] = key_mark or node.mark

    def walk(self) -> Iterator[tuple[Path, Node, Mark | None]]:
        """Every node, top down: path, node, and the mark of its key (None for list items and the document)."""
        for path, node in self._nodes.items():
            yield path, node, self._keys[path] if path and isinstance(path[-1], str) else None

    def texts(self) -> Iterator[tuple[Path, str]]:
        """Every string value."""
        for path, node, _ in self.walk():
            if isinstance(node, Scalar) and isinstance(node.value, str):
                yield path, node.value

    def has(self, path: Path) -> bool:
        return path in self._nodes

    def key_mark(self, path: Path) -> Mark:
        """Where the key of ``path`` stands; of the nearest part above it that is there."""
        return self._nearest(path, self._keys)

    def value_mark(self, path: Path) -> Mark:
        """Where the value of ``path`` begins; the key of the nearest part above if it is not there."""
        return self._nodes[path].mark if path in self._nodes else self.key_mark(path)

    def at_key(self, path: Path, text: str, code: str = "rule") -> Fault:
        return Fault(self.key_mark(path), text, path, code)

    def at_value(self, path: Path, text: str, code: str = "rule") -> Fault:
        return Fault(self.value_mark(path), text, path, code)

    def value(self, path: Path = ()) -> Any:
        """The plain value at ``path``; None if it is not there."""
        return self.plain(frozenset(), path)[0]

    def keys(self, path: Path) -> tuple[str, ...]:
        """The keys of the mapping at ``path``; none if it is not one."""
        node = self._nodes.get(path)
        return tuple(entry.key for entry in node.entries) if isinstance(node, Table) else ()

    def plain(self, without: frozenset[Path], path: Path = ()) -> tuple[Any, dict[Path, Path]]:
        """Dicts, lists and scalars of the part at ``path``, leaving out the parts in ``without``.

        Returns:
            The value, and for every path in it the path in the document (list indices move when an item is left out).
        """
        node = self._nodes.get(path)
        origins: dict[Path, Path] = {}
        return (None if node is None else _plain(node, path, (), without, origins)), origins

    def _nearest(self, path: Path, marks: dict[Path, Mark]) -> Mark:
        while path not in marks:
            path = path[:-1]
        return marks[path]


def _walk(path: Path, node: Node, key_mark: Mark | None) -> Iterator[tuple[Path, Node, Mark | None]]:
    yield path, node, key_mark
    if isinstance(node, Table):
        for entry in node.entries:
            yield from _walk((*path, entry.key), entry.node, entry.key_mark)
    elif isinstance(node, Items):
        for index, item in enumerate(node.items):
            yield from _walk((*path, index), item, None)


def _plain(node: Node, path: Path, new: Path, without: frozenset[Path], origins: dict[Path, Path]) -> Any:
    origins[new] = path
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Table):
        return {
            entry.key: _plain(entry.node, (*path, entry.key), (*new, entry.key), without, origins)
            for entry in node.entries
            if (*path, entry.key) not in without
        }
    kept = [(index, item) for index, item in enumerate(node.items) if (*path, index) not in without]
    return [_plain(item, (*path, old), (*new, index), without, origins) for index, (old, item) in enumerate(kept)]
