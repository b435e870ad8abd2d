"""Where the rules of a plan put what they find.

Decides whether a finding says something new (nothing is said about a part that the shape of the document left out). Leaves
what is a fault to the rules (``check_*``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from migrator.plan.schema import Document
from migrator.plan.shape import Nearness, Shaped
from migrator.plan.tree import Fault, Path, Tree


@dataclass(slots=True)
class Report:
    """Where rules put what they find. All paths given to it are paths of ``document``."""

    tree: Tree
    shaped: Shaped
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    _names: dict[str, dict[str, None] | None] = field(default_factory=dict)
    _nearness: Nearness = field(default_factory=Nearness)

    @property
    def document(self) -> Document:
        return self.shaped.document

    def fault(self, path: Path, text: str, *, at_key: bool = False) -> None:
        self._add(self.faults, path, text, at_key)

    def warn(self, path: Path, text: str) -> None:
        self._add(self.warnings, path, text, True)

    def is_partial(self, path: Path) -> bool:
        """Was something in this part left out, so that rules about the whole of it cannot be asked?"""
        return self.shaped.is_partial(self.shaped.origin(path))

    def names(self, section: str) -> dict[str, None] | None:
        """The names under accounts, areas, regions, gates or metrics as written, faulty ones included; None if the section
        itself does not fit. A dict for its order and its quick "in"."""
        if section not in self._names:
            fits = (section,) not in self.shaped.left_out
            self._names[section] = dict.fromkeys(self.tree.keys((section,))) if fits else None
        return self._names[section]

    def refer(self, path: Path, name: str, section: str, *, at_key: bool = False) -> bool:
        """Is ``name`` one of a section? If not, that is a fault."""
        return self.one_of(path, name, self.names(section), section.removesuffix("s"), at_key=at_key)

    def one_of(self, path: Path, name: str, names: Collection[str] | None, what: str, *, at_key: bool = False) -> bool:
        if names is None:
            return False
        if name in names:
            return True
        self.fault(path, f"there is no {what} {name}{self._nearness.hint(name, names)}", at_key=at_key)
        return False

    def _add(self, found: list[Fault], path: Path, text: str, at_key: bool) -> None:
        origin = self.shaped.origin(path)
        if not self.shaped.is_about_left_out(origin):
            found.append(self.tree.at_key(origin, text) if at_key else self.tree.at_value(origin, text))
