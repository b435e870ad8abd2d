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
from dataclasses import dataclass
from hashlib import blake2b

RECORD_BYTES = 24
_LAYOUT = struct.Struct(">Q6s6sI")
_PROVED_BIT = 0x8000_0000
_PENDING_BIT = 0x4000_0000
_MARKS = 0x3FFF_FFFF
UNKNOWN = bytes(6)
"""In place of a generation hash: this side is not known yet."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record without its name hash."""

    source: bytes
    target: bytes
    marks: int
    is_proved: bool = False
    is_pending: bool = False


def name_hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def generation_hash(name: str, etag: str) -> bytes:
    """48 bits of (name, ETag)."""
    return blake2b(f"{name}\x00{etag}".encode("utf-8", "surrogatepass"), digest_size=6).digest()


def marks_hash(tags: Mapping[str, str], explicit_tier: str | None) -> int:
    """30 bits of (tags, explicit tier): the two properties that change without changing the ETag."""
    if not tags and explicit_tier is None:
        return 0
    text = "\x00".join([explicit_tier or "", *(f"{key}\x01{tags[key]}" for key in sorted(tags))])
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big") & _MARKS


class Evidence:
    """The records of one range, by name hash. Mutable; ``pack`` gives canonical bytes (ascending by name hash)."""

    def __init__(self, records: Mapping[int, Record] | None = None) -> None:
        self._records: dict[int, Record] = dict(records or {})

    @classmethod
    def unpack(cls, packed: bytes) -> Evidence:
        """Read what ``pack`` wrote; ValueError if the length is not a multiple of 24."""
        if len(packed) % RECORD_BYTES:
            raise ValueError(f"evidence of {len(packed)} bytes is not a multiple of {RECORD_BYTES}")
        records = {
            key: Record(source, target, marks & _MARKS, bool(marks & _PROVED_BIT), bool(marks & _PENDING_BIT))
            for key, source, target, marks in _LAYOUT.iter_unpack(packed)
        }
        return cls(records)

    def pack(self) -> bytes:
        return b"".join(
            _LAYOUT.pack(key, record.source, record.target, _bits(record))
            for key, record in sorted(self._records.items())
        )

    @property
    def has_pending(self) -> bool:
        return any(record.is_pending for record in self._records.values())

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[int]:
        return iter(self._records)

    def get(self, name: str) -> Record | None:
        return self._records.get(name_hash(name))

    def put(self, name: str, record: Record) -> None:
        self._records[name_hash(name)] = record

    def drop(self, name: str) -> None:
        self._records.pop(name_hash(name), None)

    def split_off(self, names: Iterable[str]) -> Evidence:
        """Take the records of ``names`` out into a new Evidence; the others stay here."""
        taken: dict[int, Record] = {}
        for name in names:
            key = name_hash(name)
            if key in self._records:
                taken[key] = self._records.pop(key)
        return Evidence(taken)

    def absorb(self, other: Evidence) -> None:
        self._records.update(other._records)


def _bits(record: Record) -> int:
    return record.marks | (_PROVED_BIT if record.is_proved else 0) | (_PENDING_BIT if record.is_pending else 0)
