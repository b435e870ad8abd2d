"""What is looked at by other hands, and what they saw: a lane of two listings as a value, and its answer.

Plain values that hold no connection and no secret, only the names of accounts: a hand of this machine gets the same value as one
of another machine would. What is made of what was seen is its reader's to decide. Keys are names in the order of the lane.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from migrator.model.moves import Direction
from migrator.model.objects import Listed
from migrator.model.values import value

Rule = Literal["evidence", "still", "attributes"]
"""When nothing is to be said of a name: it is equal by its evidence; the origin shows what the evidence says; both listings
show the same attributes."""
RisingOrder = Literal["utf-16", "utf-8"]


@value(frozen=True, slots=True)
class Text:
    """What one listing said of the names of a range."""

    length: int
    digest: bytes


@value(frozen=True, slots=True)
class Sight:
    """A range at rest. ``objects`` are on both sides; ``last`` is the key of the last of them, None if there is none."""

    origin: Text
    destination: Text
    evidence: bytes
    last: bytes | None
    objects: int
    origin_bytes: int
    destination_bytes: int


@value(frozen=True, slots=True)
class RangeToLook:
    """The names up to the key ``upper`` (None: to the end) with their packed ``records``. ``sight``: what it looked like when it
    was at rest with these; None: that is not known, or something speaks of one of its names now."""

    upper: bytes | None
    records: bytes = field(default=b"", repr=False)
    sight: Sight | None = None


@value(frozen=True, slots=True)
class LaneToLook:
    """The ranges of one lane, which begins behind the key ``above``, under one ``rule``.

    ``number`` is this look's alone, and its answer repeats it. ``spoken_of``: keys of names that are shown whatever they are.
    ``share``: of all names, those whose record must say that their content was proved. No side is asked for more ``pages`` than
    those, nothing is sent after ``until`` (``Clock.monotonic`` of this host), and a look that would show more than
    ``most_shown`` names, or find more than ``most_names`` in one range, is none.
    """

    number: int
    rule: Rule
    origin: str
    destination: str
    direction: Direction
    container: str
    prefix: str
    order: RisingOrder
    above: bytes | None
    ranges: tuple[RangeToLook, ...]
    spoken_of: tuple[bytes, ...]
    share: float
    page_size: int
    pages: int
    most_shown: int
    most_names: int
    until: float

    @property
    def upto(self) -> bytes | None:
        return self.ranges[-1].upper


@value(frozen=True, slots=True)
class SideLooked:
    """One side of a lane. ``begins`` and ``ends``: the first name that was shown from its lower bound on, and from its upper
    bound on. ``size``: bytes of its objects."""

    objects: int = 0
    size: int = 0
    container_missing: bool = False
    begins: bytes | None = None
    ends: bytes | None = None


@value(frozen=True, slots=True)
class NameShown:
    """A name of which something is to be said, as both listings show it."""

    name: str
    origin: Listed | None
    destination: Listed | None


@value(frozen=True, slots=True)
class RangeLooked:
    """``at_rest``: names of which nothing is to be said, ``on_record`` of them with a record. ``unshown``: hashes of the names
    whose records are there and that neither side has shown. ``sight``: only where all of it is at rest, by its evidence."""

    at_rest: int
    on_record: int
    shown: tuple[NameShown, ...] = ()
    unshown: tuple[int, ...] = ()
    sight: Sight | None = None


@value(frozen=True, slots=True)
class LaneLooked:
    """What was seen of a whole lane, range by range, once both listings have ended in its order."""

    origin: SideLooked
    destination: SideLooked
    ranges: tuple[RangeLooked, ...]
