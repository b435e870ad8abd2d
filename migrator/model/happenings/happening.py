"""What a happening is: its kind, where it goes, and its facts as JSON.

Decides which facts are written and under which version; leaves the words to ``migrator.words``. Rules: a kind is never used
for something else, and never renamed; a fact is a field whose annotation says what it holds and in which unit; facts are
added, and never change their meaning. A field that has its default is left out of the JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, ClassVar, Final

VERSION: Final = 1
"""Of the facts, in every row of the journal. 0: written before they were typed, with any facts or none."""


class Happening:
    """One thing that happened, as it is said: a frozen value. Never holds a secret."""

    __slots__ = ()
    kind: ClassVar[str]
    """Its own name, and no other happening's."""


class Shown(Happening):
    """Goes to the screen, and as an event to ``--json``."""

    __slots__ = ()
    shown_as: ClassVar[str] = ""
    """The kind of the event, where several happenings are one for whoever watches; "" is ``kind``."""


class Journaled(Happening):
    """Goes to the journal, with the changes of the state store that belong to it."""

    __slots__ = ()
    journaled_as: ClassVar[str] = ""
    """The kind of the journal's row, where several happenings share one; "" is ``kind``."""


def event_of(happening: Shown | type[Shown]) -> str:
    return happening.shown_as or happening.kind


def row_of(happening: Journaled | type[Journaled]) -> str:
    return happening.journaled_as or happening.kind


def facts_of(happening: Happening) -> dict[str, Any]:
    """The facts as JSON values, in their order. A field with the default it was given says nothing, and is left out."""
    found = {}
    kind: Any = type(happening)
    for name, default in _parts(kind):
        fact = getattr(happening, name)
        if fact != default:
            found[name] = _plain(fact)
    return found


@cache
def _parts(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((one.name, one.default) for one in fields(kind))


def _plain(fact: Any) -> Any:
    if isinstance(fact, Mapping):
        return {str(key): _plain(inner) for key, inner in fact.items()}
    return [_plain(one) for one in fact] if isinstance(fact, (list, tuple)) else fact
