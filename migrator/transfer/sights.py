"""What ranges looked like to a pass that found every name of them at rest: digests of the very text of both listings.

A range whose text is the same byte for byte on both sides, with the same evidence, is at rest still: to read, join and judge
it again would end as it did. Most ranges of an estate are like that in every pass, the last comparison inside a fence
among them. Leaves it to ``walk`` which ranges are noted and asked for, and to ``listing`` how a text is found. Rules:

- a text is compared by its digest and length, never by names or counts, and only between the names between which it was noted;
- it is noted only where every name was equal by evidence, was shown on both sides, and no exception, unanswered write or pending
  record spoke of any; whoever asks sees to it that none speaks of one now;
- a range is noted only if its last name is its bound, or both listings ended with it: what came behind it would be unseen.

Kept in memory for as long as the ``Transfer`` lives, some 400 bytes a range; another run reads everything once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Final

from migrator.model.looks import Sight, Text
from migrator.transfer.decide import Decision, NameCase, Verb
from migrator.transfer.evidence import Evidence
from migrator.transfer.order import Order, key_of

MOST: Final = 100_000
"""Ranges: 10^9 names. Beyond them all are forgotten, and noted again by the next pass."""
Where = tuple[str, str, Order, bytes | None, bytes | None]
"""Container, prefix, order, and the bounds (above, upper] of a range."""


@dataclass(slots=True)
class Sights:
    """Of one move in one direction."""

    known: dict[Where, Sight] = field(default_factory=dict)

    def note(self, where: Where, sight: Sight | None) -> None:
        """What it looks like now; None: it is not at rest."""
        if sight is None:
            self.known.pop(where, None)
            return
        if len(self.known) >= MOST:
            self.known.clear()
        self.known[where] = sight

    def of(self, where: Where, records: bytes) -> Sight | None:
        """What the range with these ``records`` looked like, if it was at rest with them."""
        found = self.known.get(where)
        return found if found is not None and found.evidence == digest_of(records) else None


def sight_of(
    order: Order,
    upper: bytes | None,
    decided: Sequence[tuple[NameCase, Decision]],
    evidence: Evidence,
    texts: tuple[Text, Text],
) -> Sight | None:
    """Of the range that ends at ``upper``, with ``evidence`` and all that was ``decided`` about its names; None if not every name
    and every record of it is at rest."""
    if len(evidence) != len(decided) or evidence.has_pending:
        return None
    last, here, there = None, 0, 0
    for case, decision in decided:
        is_exceptional = case.exception is not None or case.may_be_ours
        if decision.verb is not Verb.SKIP or is_exceptional or case.origin is None or case.destination is None:
            return None
        here += case.origin.size
        there += case.destination.size
    if decided:
        last = key_of(order)(decided[-1][0].name)
    if upper is not None and last != upper:
        return None
    return Sight(*texts, digest_of(evidence.pack()), last, len(decided), here, there)


def has_between(keys: Sequence[bytes], above: bytes | None, upper: bytes | None) -> bool:
    """Is one of the ascending ``keys`` in (``above``, ``upper``]?"""
    begin = 0 if above is None else bisect_right(keys, above)
    return begin < len(keys) and (upper is None or keys[begin] <= upper)


class Piece:
    """The text of the names that a stream gives out, as far as it has come."""

    __slots__ = ("_digest", "is_known", "length")

    def __init__(self, *, is_known: bool) -> None:
        self._digest = sha256()
        self.length = 0
        self.is_known = is_known

    def add(self, text: memoryview) -> None:
        self._digest.update(text)
        self.length += len(text)

    @property
    def text(self) -> Text | None:
        return Text(self.length, self._digest.digest()) if self.is_known else None


def digest_of(records: bytes) -> bytes:
    """Of the packed evidence of a range."""
    return blake2b(records, digest_size=16).digest()
