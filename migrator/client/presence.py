"""The entries of one process in the register: which there are, what they promise, and until when they carry a lease.

Decides what is written when, and what an acknowledgement is worth. Leaves writing and waiting to the shells, and to ``work`` what
is under way. Rules:

- an entry carries leases from its first acknowledgement on, each for ``lifetime`` from the *sending* of the newest acknowledged
  renewal; an acknowledgement that comes when that is over revives nothing: who was silent so long may be taken for dead;
- the keys of an entry never change, and its id is used by one entry only: another key, or another life, is another entry;
- a promise is made only while nothing of the area is under way, and is never taken back;
- who leaves says so in its entry, and removes it long after that at the earliest: its reader could not tell it from an entry that
  somebody else removed, and would wait for it as for a dead one.

Times are seconds of the follower's clock. No I/O, no clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from migrator.model.register import LEFT, MAX_LABEL, MAX_LIFETIME_SECONDS, RollEntry, new_id

LIFETIME_SECONDS = 60.0
"""At least, and two ``ttl``: a register that is away for less keeps no writer waiting."""
FORMER_SECONDS = 600.0
"""An entry that carries no lease any more is spoken for so long: then nobody asks for it."""
RENEWALS = 3
"""In a lifetime."""
MOST_KEYS = 24
"""Of one entry."""
IDLE_SECONDS = 120.0
"""Who was asked for no lease so long leaves the register."""
LEFT_SECONDS = 120.0
"""An entry that says so stays so long: an engine that is at work reads it several times meanwhile."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One writing of an entry. ``text`` None: it is removed, since it has said long ago that it left."""

    id: str
    generation: str
    text: str | None
    promises: Mapping[str, int]
    is_new: bool


@dataclass(slots=True)
class _Line:
    """One entry. ``renewed_at``: when its newest acknowledged writing was sent; ``since``: when the first was acknowledged;
    ``write_at``: when it is renewed."""

    id: str
    generation: str
    keys: tuple[str, ...]
    lifetime: float
    said: Mapping[str, int] = field(default_factory=dict)
    renewed_at: float | None = None
    since: float = math.inf
    write_at: float = -math.inf

    @property
    def end(self) -> float:
        """Leases end then."""
        return -math.inf if self.renewed_at is None else self.renewed_at + self.lifetime

    def is_over(self, now: float) -> bool:
        return self.renewed_at is not None and now >= self.end


@dataclass(frozen=True, slots=True)
class AreaView:
    """Of one area: the epoch that was seen, whether it is read-only there, and whether nothing of ours is under way."""

    epoch: int
    is_fenced: bool
    is_clear: bool

    def promise(self, before: int) -> int:
        return max(before, self.epoch if self.is_clear else 0)


View = Callable[[str], AreaView]


class Presence:
    """Not locked, ``book`` does that; ``letter`` looks at what is under way, so no lease is granted meanwhile.

    >>> presence = Presence("images", ids=lambda: "f" * 32)
    >>> presence.want("europe/images", now=100.0)
    >>> letter = presence.letter("3f9c", 30, 100.0, lambda key: AreaView(7, False, True))
    >>> presence.acknowledged(letter, sent_at=100.0, now=100.1)
    >>> presence.entered("europe/images", "3f9c", now=100.2)
    (100.1, 160.0)
    """

    def __init__(self, label: str, *, ids: Callable[[], str] = new_id) -> None:
        self._label = label[:MAX_LABEL]
        self._ids = ids
        self._lines: list[_Line] = []
        self._former: list[_Line] = []
        """Of lines that are over: their reader still waits for what they may have under way."""
        self._left: list[_Line] = []
        """Of lines that said so; ``write_at``: when they are removed."""
        self._asked: dict[str, float] = {}
        self._quiet: tuple[str, float] = ("", -math.inf)
        """Of a generation, until when there is surely nothing to write: what was found last, if nothing changed since."""
        self._wanted: Sequence[str] | None = None
        """What ``wanted`` found last, if nothing changed since."""

    def want(self, key: str, now: float) -> None:
        """Somebody asks for a lease."""
        if key not in self._asked:
            self._changed()
        self._asked[key] = now

    @property
    def wanted(self) -> Sequence[str]:
        """The areas that somebody asked for lately, or that an entry names."""
        if self._wanted is None:
            wanted = set(self._asked)
            for line in (*self._lines, *self._former):
                wanted.update(line.keys)
            self._wanted = list(wanted)
        return self._wanted

    def _changed(self) -> None:
        """Who is asked for, or what stands in the entries."""
        self._quiet, self._wanted = ("", -math.inf), None

    def is_attended(self, key: str) -> bool:
        """Does an entry name it that was acknowledged?"""
        return any(key in line.keys and line.renewed_at is not None for line in self._lines)

    def entered(self, key: str, generation: str, now: float) -> tuple[float, float] | None:
        """Since when, and until when, leases of ``key`` are carried in the register ``generation``; None: they are not."""
        for line in self._lines:
            if key in line.keys and line.generation == generation and now < line.end:
                return line.since, line.end
        return None

    def is_quiet(self, generation: str, now: float) -> bool:
        """Is there surely nothing to write, as long as no area is read-only? Quick: it is asked before each request."""
        known, until = self._quiet
        if known != generation or now >= until:  # who is asked for again stays longer
            self._quiet = (generation, self._quiet_until(generation))
        return now < self._quiet[1]

    def _quiet_until(self, generation: str) -> float:
        if self._former:
            return -math.inf
        ends, named = [line.write_at for line in self._left], set[str]()
        for line in self._lines:
            if line.generation != generation:
                return -math.inf
            asked = max([self._asked.get(key, -math.inf) for key in line.keys])
            ends += (line.write_at, asked + IDLE_SECONDS)  # the writing comes before the end of the entry
            named.update(line.keys)
        return min(ends, default=math.inf) if self._asked.keys() <= named else -math.inf

    def letter(self, generation: str, ttl_seconds: float, now: float, view: View) -> Letter | None:
        """What is to be written now. The caller sends it and says how that went, one letter at a time."""
        self._changed()
        self._let_go(generation, now)
        self._enter(generation, ttl_seconds, view)
        for line in self._lines:
            seen = {key: view(key) for key in line.keys}
            if not any(key in self._asked for key in line.keys) and all(one.is_clear for one in seen.values()):
                self._lines.remove(line)
                self._former.append(line)
                return self._farewell(line)
            promises = {key: one.promise(line.said.get(key, 0)) for key, one in seen.items()}
            if now >= line.write_at or _is_answer(line, seen, promises):
                text = RollEntry(self._label, line.lifetime, promises).encode()
                return Letter(line.id, line.generation, text, promises, line.renewed_at is None)
        for line in self._former:
            if _is_clear(line, view):
                return self._farewell(line)
        for line in self._left:
            if now >= line.write_at:
                return Letter(line.id, line.generation, None, {}, is_new=False)
        return None

    def acknowledged(self, letter: Letter, sent_at: float, now: float) -> None:
        """The entry is there."""
        self._changed()
        for line in self._lines:
            if line.id == letter.id and not line.is_over(now):
                line.said, line.renewed_at = letter.promises, sent_at
                line.since = min(line.since, now)
                line.write_at = sent_at + line.lifetime / RENEWALS
        self._left = [line for line in self._left if line.id != letter.id]
        for line in [line for line in self._former if line.id == letter.id]:
            line.write_at = now + LEFT_SECONDS
            self._former.remove(line)
            self._left.append(line)

    def gone(self, letter: Letter) -> None:
        """Somebody took the entry away. One that was only not acknowledged is written again."""
        self._changed()
        for lines in (self._lines, self._former, self._left):
            lines[:] = [line for line in lines if line.id != letter.id]

    def farewells(self, view: View) -> list[Letter]:
        """The last letters; no lease is carried any more. An entry with something under way is left to age."""
        lines = [*self._lines, *self._former]
        self.forget()
        return [self._farewell(line) for line in lines if _is_clear(line, view)]

    @property
    def has_left(self) -> bool:
        """Are there entries that are still to be removed?"""
        return bool(self._left)

    @property
    def renew_at(self) -> float:
        """When the next entry is renewed, or removed."""
        return min([line.write_at for line in (*self._lines, *self._left)], default=math.inf)

    def forget(self) -> None:
        """Of a process that was forked from the one that is entered."""
        self._changed()
        self._lines, self._former, self._left, self._asked = [], [], [], {}

    def _let_go(self, generation: str, now: float) -> None:
        """What carries no lease any more. Whoever stays quiet long enough leaves."""
        self._former += [line for line in self._lines if line.is_over(now)]
        self._former = [
            line for line in self._former if line.generation == generation and now < line.end + FORMER_SECONDS
        ]
        self._lines = [line for line in self._lines if line.generation == generation and not line.is_over(now)]
        self._left = [line for line in self._left if line.generation == generation]
        self._asked = {key: at for key, at in self._asked.items() if now - at < IDLE_SECONDS}

    def _enter(self, generation: str, ttl_seconds: float, view: View) -> None:
        """A new entry for those who have none."""
        named = {key for line in self._lines for key in line.keys}
        keys = [key for key in self._asked if key not in named and view(key).epoch][:MOST_KEYS]
        lifetime = min(MAX_LIFETIME_SECONDS, max(LIFETIME_SECONDS, 2 * ttl_seconds))
        while keys and not _fits(self._label, lifetime, keys):
            keys.pop()
        if keys:
            self._lines.append(_Line(self._ids(), generation, tuple(keys), lifetime))

    def _farewell(self, line: _Line) -> Letter:
        """The last writing of an entry."""
        promises = dict.fromkeys(line.keys, LEFT)
        text = RollEntry(self._label, line.lifetime, promises).encode()
        return Letter(line.id, line.generation, text, promises, line.renewed_at is None)


def _is_clear(line: _Line, view: View) -> bool:
    """Is nothing of it under way?"""
    return all(view(key).is_clear for key in line.keys)


def _is_answer(line: _Line, seen: Mapping[str, AreaView], promises: Mapping[str, int]) -> bool:
    """Does somebody wait for this?"""
    return any(one.is_fenced and promises[key] > line.said.get(key, 0) for key, one in seen.items())


def _fits(label: str, lifetime: float, keys: Sequence[str]) -> bool:
    try:
        RollEntry(label, lifetime, dict.fromkeys(keys, LEFT)).encode()
    except ValueError:
        return False
    return True


__all__ = ["AreaView", "Letter", "Presence"]
