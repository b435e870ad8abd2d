"""Can two container patterns, or two parts of areas, mean the same blob? Exact, not sampled.

Decides intersection only; who may not overlap is ``check_moves``'s.
"""

from __future__ import annotations

import string
from functools import cache
from typing import Final

from migrator.plan.schema import ContainerPart

ALPHABET: Final = frozenset(string.ascii_lowercase + string.digits + "-$")
"""The characters of container names. Source: Azure "Naming and referencing containers"."""
_STAR: Final = None

_Token = frozenset[str] | None


def overlap(one: ContainerPart, other: ContainerPart) -> bool:
    """Is there a blob that both take?"""
    prefixes_meet = one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
    return prefixes_meet and globs_meet(one.name, other.name)


def globs_meet(one: str, other: str) -> bool:
    """Is there a container name that both patterns match?"""
    return _meet(_tokens(one), _tokens(other))


@cache
def _meet(one: tuple[_Token, ...], other: tuple[_Token, ...]) -> bool:
    if not one or not other:
        return all(token is _STAR for token in one + other)
    if one[0] is _STAR:
        return _meet(one[1:], other) or _meet(one, other[1:])
    if other[0] is _STAR:
        return _meet(other, one)
    return bool(one[0] & other[0]) and _meet(one[1:], other[1:])


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
            tokens.append(frozenset(char))
    return tuple(tokens)


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
