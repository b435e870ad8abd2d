"""Evidence: 24 bytes a name that say "this generation here and that generation there are equal".

A record never ages: it names generations by their ETags, not times, so it serves both directions and every attempt. Layout
(big-endian): hash of the name (64 bits), of name and source ETag (48), of name and target ETag (48), of tags and
explicit tier as both sides had them (30), a bit "content was proved" and a bit "pending". A record is written only after our own
copy was answered, or after both sides were read under both ETags and were equal. The one exception is the pending bit: it is
committed before a write of ours is sent, so that after a crash just these names are compared by content, and no others. A
pending create knows no destination yet: that hash is zero.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b

from migrator.model.moves import EvidenceRange
from migrator.model.values import value

RECORD_BYTES = 24
_KEYED = struct.Struct(">Q16s")
_RECORD = struct.Struct(">6s6sI")
_PROVED_BIT = 0x8000_0000
_PENDING_BIT = 0x4000_0000
_MARKS = 0x3FFF_FFFF
_BITS_AT = 12
"""Where in a packed record the byte with the two bits is."""
_PENDING_IN_BYTE = _PENDING_BIT >> 24
_NAME = blake2b(digest_size=8).copy
_GENERATION = blake2b(digest_size=6).copy
"""To copy an empty digest takes half the time of making one."""
NAMES_KEPT = 40_000
"""As many names as a few ranges in flight have."""
_ANY_TIER = "*"
"""Stands for a tier that was not seen; no service has one of this name."""
UNKNOWN = bytes(6)
"""In place of a generation hash: this side is not known yet."""


@value(frozen=True, slots=True)
class Record:
    """One record without its name hash."""

    source: bytes
    target: bytes
    marks: int
    is_proved: bool = False
    is_pending: bool = False

    @property
    def is_of_both_sides(self) -> bool:
        """Does it name a generation on both sides, so that these were equal? Of a write that was only announced it names one."""
        return UNKNOWN not in (self.source, self.target)


@lru_cache(maxsize=NAMES_KEPT)
def name_hash(name: str) -> int:
    """64 bits; asked for some five times while a name is in hand, so the latest are kept."""
    digest = _NAME()
    digest.update(name.encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest(), "big")


def in_sample(name: str, share: float) -> bool:
    """Does ``name`` belong to a sample of this share of all names (0 to 1)? The same names in every pass and comparison."""
    return share >= 1.0 or name_hash(name) < share * 2**64


def generation_hash(name: str, etag: str) -> bytes:
    """48 bits of (name, ETag)."""
    digest = _GENERATION()
    digest.update(f"{name}\x00{etag}".encode("utf-8", "surrogatepass"))
    return digest.digest()


def marks_hash(tags: Mapping[str, str], explicit_tier: str | None) -> int:
    """30 bits of (tags, explicit tier): the two properties that change without changing the ETag."""
    if not tags and explicit_tier is None:
        return 0
    text = "\x00".join([explicit_tier or "", *(f"{key}\x01{tags[key]}" for key in sorted(tags))])
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big") & _MARKS


def carried_marks_hash(tags: Mapping[str, str]) -> int:
    """Marks after a copy that named no tier: a service may have carried over one that the origin was given after our listing,
    so every tier is the one of that copy until a listing shows it."""
    return marks_hash(tags, _ANY_TIER)


def knows_marks(record: Record, tags: Mapping[str, str], explicit_tier: str | None) -> bool:
    """Can the copy or comparison that wrote ``record`` have left these tags and this tier?"""
    return record.marks == marks_hash(tags, explicit_tier) or record.marks == carried_marks_hash(tags)


class Evidence:
    """The records of one range, by name hash. Mutable; ``pack`` gives canonical bytes (ascending by name hash).

    Records are kept as they are packed and read one by one when they are asked for: most passes change none of them.
    """

    def __init__(self) -> None:
        self._records: dict[int, bytes] = {}
        self._packed: bytes | None = b""

    @classmethod
    def unpack(cls, packed: bytes) -> Evidence:
        """Read what ``pack`` wrote; ValueError if the length is not a multiple of 24."""
        if len(packed) % RECORD_BYTES:
            raise ValueError(f"evidence of {len(packed)} bytes is not a multiple of {RECORD_BYTES}")
        evidence = cls()
        evidence._records = dict(_KEYED.iter_unpack(packed))
        evidence._packed = packed if len(evidence) * RECORD_BYTES == len(packed) else None
        return evidence

    def pack(self) -> bytes:
        if self._packed is None:
            pack = _KEYED.pack
            self._packed = b"".join([pack(key, record) for key, record in sorted(self._records.items())])
        return self._packed

    @property
    def has_pending(self) -> bool:
        return any(record[_BITS_AT] & _PENDING_IN_BYTE for record in self._records.values())

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[int]:
        return iter(self._records)

    def records(self) -> Iterator[tuple[int, Record]]:
        """Every record with its name's hash, in no order."""
        return ((key, _read(packed)) for key, packed in self._records.items())

    def get(self, name: str) -> Record | None:
        packed = self._records.get(name_hash(name))
        return None if packed is None else _read(packed)

    def put(self, name: str, record: Record) -> None:
        self._packed = None
        self._records[name_hash(name)] = _RECORD.pack(record.source, record.target, _bits(record))

    def drop(self, name: str) -> None:
        if self._records.pop(name_hash(name), None) is not None:
            self._packed = None

    def forget(self, hashes: Iterable[int]) -> None:
        """Drop the records of these names, by their hashes."""
        for one in hashes:
            if self._records.pop(one, None) is not None:
                self._packed = None

    def settle(self) -> None:
        """Nothing is under way any more: what is pending keeps what was known before, or goes if that is one side only."""
        for key, record in list(self.records()):
            if record.is_pending and UNKNOWN in (record.source, record.target):
                del self._records[key]
            elif record.is_pending:
                self._records[key] = _RECORD.pack(record.source, record.target, _bits(record) & ~_PENDING_BIT)
        self._packed = None

    def split_off(self, names: Iterable[str]) -> Evidence:
        """Take the records of ``names`` out into a new Evidence; the others stay here."""
        taken = Evidence()
        if not self._records:
            return taken
        rest = self._records
        for name in names:
            record = rest.pop(key := name_hash(name), None)
            if record is not None:
                taken._records[key] = record
        if taken._records:
            taken._packed = None if rest else self._packed
            self._packed = None if rest else b""
        return taken

    def split_off_others(self, hashes: frozenset[int]) -> Evidence:
        """Take all records but those of these names, by their hashes, out into a new Evidence."""
        taken = Evidence()
        taken._records = {key: one for key, one in self._records.items() if key not in hashes}
        taken._packed = None if taken._records else b""
        self._records = {key: one for key, one in self._records.items() if key in hashes}
        self._packed = None if self._records else b""
        return taken

    def announced(self) -> Evidence:
        """The pending records alone."""
        found = Evidence()
        found._records = {key: one for key, one in self._records.items() if one[_BITS_AT] & _PENDING_IN_BYTE}
        found._packed = None if found._records else b""
        return found

    def absorb(self, other: Evidence) -> None:
        if other._records:
            self._records.update(other._records)
            self._packed = None


class Known:
    """The evidence of ascending names: that of one range at a time."""

    def __init__(self, ranges: Iterator[EvidenceRange]) -> None:
        self._rest = ranges
        self._at: EvidenceRange | None = next(ranges, None)
        self._evidence = Evidence.unpack(self._at.records) if self._at else Evidence()

    def at(self, key: bytes) -> Evidence:
        """Of the range in which ``key`` lies; no smaller one is asked for afterwards."""
        while self._at is not None and self._at.upper is not None and key > self._at.upper:
            self._at = next(self._rest, None)
            self._evidence = Evidence.unpack(self._at.records) if self._at else Evidence()
        return self._evidence


def _read(packed: bytes) -> Record:
    source, target, bits = _RECORD.unpack(packed)
    return Record(source, target, bits & _MARKS, bool(bits & _PROVED_BIT), bool(bits & _PENDING_BIT))


def _bits(record: Record) -> int:
    return record.marks | (_PROVED_BIT if record.is_proved else 0) | (_PENDING_BIT if record.is_pending else 0)
