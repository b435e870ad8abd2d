"""Which parts of areas can mean the same blob? Exact, not sampled, and without comparing all with all.

Decides intersection only; who may not overlap is ``check_areas``'s. Theory:

1. Two patterns with a star each meet exactly if what stands before their first stars meets, character by character, as far
   as both go, and what stands after their last stars likewise: the stars take everything else of the other. A pattern
   without a star is a name of known length, and the leftmost place for each piece between stars is as good as any other.
2. Two parts can only meet if of their names' literal beginnings one begins the other, and so of their literal ends and of
   their prefixes. Each of the three is an index; the one that leaves fewest pairs is used, and only those are compared.
3. Parts of one group (an area and a prefix) are never compared with each other: they may name a blob twice.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Final

from migrator.model.values import value
from migrator.plan.schema import ContainerPart

ALPHABET: Final = frozenset(string.ascii_lowercase + string.digits + "-$")
"""The characters of container names. Source: Azure "Naming and referencing containers"."""
MAX_PAIRS: Final = 100_000
"""So many pairs are compared, well under a second; plans with more globs that begin and end alike need fewer globs."""
_STAR: Final = None

_Token = frozenset[str] | None


class TooManyPairs(Exception):
    """The parts are so alike that more than ``MAX_PAIRS`` pairs would have to be compared."""


@value(frozen=True, slots=True)
class Placed:
    """A part and where it stands: its area, its number there."""

    area: str
    index: int
    part: ContainerPart

    @property
    def group(self) -> tuple[str, str]:
        return (self.area, self.part.prefix)


def overlapping(placed: Sequence[Placed]) -> Iterator[tuple[Placed, Placed]]:
    """Every two parts of different groups that both take some blob, the one that stands earlier first.

    Raises:
        TooManyPairs: at the end, if not all could be compared.
    """
    keys = [
        [one.part.prefix for one in placed],
        [_literal(one.part.name) for one in placed],
        [_literal(one.part.name, from_end=True) for one in placed],
    ]
    groups = [one.group for one in placed]
    if len(set(groups)) < 2:
        return
    indexes = [_Index(of, groups) for of in keys]
    best = min(indexes, key=lambda index: index.pairs)
    for one, other in islice(best.candidates(), MAX_PAIRS):
        if overlap(placed[one].part, placed[other].part):
            yield placed[min(one, other)], placed[max(one, other)]
    if next(islice(best.candidates(), MAX_PAIRS, None), None) is not None:
        raise TooManyPairs


class _Index:
    """Key -> group -> positions, for keys of which one begins the other."""

    def __init__(self, keys: Sequence[str], groups: Sequence[tuple[str, str]]) -> None:
        self.keys, self.groups = keys, groups
        self.held: dict[str, dict[tuple[str, str], list[int]]] = {}
        for position, (key, group) in enumerate(zip(keys, groups, strict=True)):
            self.held.setdefault(key, {}).setdefault(group, []).append(position)
        self.sizes = {key: sum(map(len, by_group.values())) for key, by_group in self.held.items()}
        self.lengths = sorted({len(key) for key in self.held})
        self.pairs = sum(self._count(position) for position in range(len(keys)))

    def _count(self, position: int) -> int:
        """How many shorter keys of other groups begin this one; equal ones count on both sides."""
        group = self.groups[position]
        return sum(self.sizes[key] - len(self.held[key].get(group, ())) for key in self._beginnings(position))

    def candidates(self) -> Iterator[tuple[int, int]]:
        for position, (own, group) in enumerate(zip(self.keys, self.groups, strict=True)):
            for key in self._beginnings(position):
                others = (positions for other, positions in self.held[key].items() if other != group)
                for other in chain.from_iterable(others):
                    if key != own or other < position:
                        yield position, other

    def _beginnings(self, position: int) -> Iterator[str]:
        key = self.keys[position]
        for length in self.lengths:
            if length > len(key):
                return
            if key[:length] in self.held:
                yield key[:length]


def overlap(one: ContainerPart, other: ContainerPart) -> bool:
    """Is there a blob that both take? A container that begins with ``$`` is taken only where that is written."""
    if one.name.startswith("$") != other.name.startswith("$"):
        return False
    prefixes_meet = one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
    return prefixes_meet and globs_meet(one.name, other.name)


def globs_meet(one: str, other: str) -> bool:
    """Is there a container name that both patterns match?"""
    first, second = _tokens(one), _tokens(other)
    if any(token is not _STAR and not token for token in first + second):
        return False
    if _STAR in first and _STAR in second:
        return _meet_from_start(first, second) and _meet_from_start(first[::-1], second[::-1])
    if _STAR in second:
        first, second = second, first
    if _STAR in first:
        return _fits(second, first)
    return len(first) == len(second) and _meet_from_start(first, second)


def _meet_from_start(one: tuple[_Token, ...], other: tuple[_Token, ...]) -> bool:
    """Do both allow a common character at each place, as far as neither has come to a star?"""
    for first, second in zip(one, other, strict=False):
        if first is _STAR or second is _STAR:
            return True
        if not first & second:
            return False
    return True


def _fits(name: tuple[_Token, ...], pattern: tuple[_Token, ...]) -> bool:
    """Does ``name``, which has no star, allow a name that ``pattern`` matches?"""
    at = token = 0
    star, retry = -1, 0
    while at < len(name):
        wanted = pattern[token] if token < len(pattern) else frozenset[str]()
        if wanted is _STAR:
            star, retry, token = token, at, token + 1
        elif wanted & (name[at] or frozenset()):
            at, token = at + 1, token + 1
        elif star >= 0:
            retry += 1
            at, token = retry, star + 1
        else:
            return False
    return all(rest is _STAR for rest in pattern[token:])


def _literal(pattern: str, *, from_end: bool = False) -> str:
    """The plain characters with which every name that the pattern matches begins; or ends, read backwards."""
    tokens = _tokens(pattern)
    found: list[str] = []
    for token in reversed(tokens) if from_end else tokens:
        if token is _STAR or len(token) != 1:
            break
        found.extend(token)
    return "".join(found)


@lru_cache(maxsize=16_384)
def _tokens(pattern: str) -> tuple[_Token, ...]:
    """Each ``*`` as a star, everything else as the set of characters it may be, as ``fnmatch`` reads it."""
    tokens: list[_Token] = []
    at = 0
    while at < len(pattern):
        char, at = pattern[at], at + 1
        if char == "*":
            if not tokens or tokens[-1] is not _STAR:
                tokens.append(_STAR)
        elif char == "?":
            tokens.append(ALPHABET)
        elif char == "[" and (end := _end_of_set(pattern, at)):
            tokens.append(_set(pattern[at:end]))
            at = end + 1
        else:
            tokens.append(_one(char))
    return tuple(tokens)


@lru_cache(maxsize=256)
def _one(char: str) -> frozenset[str]:
    return frozenset(char)


def _end_of_set(pattern: str, at: int) -> int:
    """Where the set that begins before ``at`` is closed; 0 if it never is, and the bracket is a bracket."""
    start = at + 1 if pattern[at : at + 1] == "!" else at
    return max(pattern.find("]", start + 1), 0)


def _set(body: str) -> frozenset[str]:
    negated, body = body.startswith("!"), body.removeprefix("!")
    chars: set[str] = set()
    at = 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            chars.update(map(chr, range(ord(body[at]), ord(body[at + 2]) + 1)))
            at += 3
        else:
            chars.add(body[at])
            at += 1
    return ALPHABET - chars if negated else frozenset(chars) & ALPHABET
