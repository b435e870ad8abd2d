"""What a plan may say and this version cannot do yet.

Such keys pass ``validate`` with a warning that names key and place, and ``apply`` refuses them: nothing is accepted and then
ignored. Rule: ``NOT_BUILT`` is the only list; whoever builds one of these removes its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from migrator.model.values import value
from migrator.plan.tree import Fault, Mark, Path, Scalar, Tree

ANY: Final[frozenset[str]] = frozenset()

NOT_BUILT: Final[Mapping[str, frozenset[str]]] = {}
"""Key (``*``: any name or list item) -> the values that are not built; ANY: the key itself is not."""


@value(frozen=True, slots=True)
class NotBuilt:
    """One use of such a key. ``key`` reads like ``waves.europe.approval: required``."""

    key: str
    mark: Mark
    path: Path

    def key_and_place(self, name: str) -> str:
        """``waves.europe.approval: required (plan.yaml:56:5)``."""
        return f"{self.key} ({name}:{self.mark.line}:{self.mark.column})"

    def warning(self) -> Fault:
        text = f"{self.key} is valid, but this version cannot do it yet: apply will refuse"
        return Fault(self.mark, text, self.path, "not-built")


def not_built(tree: Tree) -> tuple[NotBuilt, ...]:
    """Every use of a key of ``NOT_BUILT``, in the order of the document."""
    found = []
    for path, node, key_mark in tree.walk():
        values = next((values for key, values in NOT_BUILT.items() if _matches(key.split("."), path)), None)
        if values is None or key_mark is None:
            continue
        value = str(node.value) if isinstance(node, Scalar) else ""
        if values == ANY or value in values:
            text = _readable(tree, path)
            found.append(NotBuilt(f"{text}: {value}" if values else text, key_mark, path))
    return tuple(found)


def _matches(pattern: list[str], path: Path) -> bool:
    return len(pattern) == len(path) and all(want in ("*", step) for want, step in zip(pattern, path, strict=True))


def _readable(tree: Tree, path: Path) -> str:
    """The path with list items by their name where they have one."""
    words = []
    for length, step in enumerate(path, start=1):
        name = tree.value((*path[:length], "name")) if isinstance(step, int) else step
        words.append(str(name if name is not None else step))
    return ".".join(words)
