"""Commits whose answers were lost: what became of them, and whether one is made again.

Decides by identity and by what a commit is about. Leaves finding out to the stores. Rule: nobody is told that a commit was made
again because it looks alike: who makes it says so (``made_again``), and it must look alike as well, since an act may commit
several times.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

from migrator.ports.state_store import AddJournal, Change, SaveMove, SetNote, commit_made_again

MOST_KEPT: Final = 100
"""Commits that were written and nobody made again yet: whoever gave up his act never will."""

Shape = tuple[Hashable, ...]


class LostCommits:
    """Of one store."""

    def __init__(self) -> None:
        self._asked: tuple[str, Shape] | None = None
        self._kept: dict[str, Shape] = {}

    @property
    def unknown(self) -> str:
        """The identity of the commit that nobody knows about yet, or empty."""
        return self._asked[0] if self._asked is not None else ""

    def lose(self, commit: str, changes: Sequence[Change]) -> None:
        """Its answer was lost. The one before is known by now."""
        self._asked = commit, shape_of(changes)

    def found(self, *, is_kept: bool) -> None:
        """What became of the unknown one."""
        if self._asked is None:
            return
        (commit, shape), self._asked = self._asked, None
        if is_kept:
            self._kept[commit] = shape
        for old in list(self._kept)[:-MOST_KEPT]:
            del self._kept[old]

    def take(self, commit: str) -> bool:
        """Was this one written? Once: nobody makes it again after that."""
        return self._kept.pop(commit, None) is not None

    def was_made(self, changes: Sequence[Change]) -> bool:
        """Are these changes what somebody makes again, and were they written then? Once."""
        commit = commit_made_again()
        return self._kept.get(commit) == shape_of(changes) and self.take(commit)


def shape_of(changes: Sequence[Change]) -> Shape:
    """What a commit is about, without its times and figures."""
    return tuple(_about(change) for change in changes)


def _about(change: Change) -> Hashable:
    match change:
        case SaveMove(move):
            return "move", move.id, move.direction, move.state
        case AddJournal(entry):
            return "journal", entry.kind, entry.move
        case SetNote(key):
            return "note", key
        case _:
            return type(change).__name__
