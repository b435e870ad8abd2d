"""How a true input becomes an odd one: bytes, and parts of JSON documents.

Decides only what is changed; the targets say of what. Everything comes from the ``Random`` that is given, so that a seed
makes the same inputs again.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from random import Random
from typing import Any, Final

ODD: Final[tuple[Any, ...]] = (
    "", None, [], {}, 0, -1, 1.5, True, 2**53, 2**63, 10**300, 1e308, float("nan"), float("inf"), "\ud800", "\x00",
    "\x1b]0;x\x07", "\u202e", "a" * 70_000, [[[[]]]], {"a": {"b": []}}, "read-only", "forward", "copying", [1, 2], [None],
    "https://evil.example", "javascript:1", "2026-11-24T10:00:00+00:00", "9999-12-31T23:59:59Z", "env:X", "*", "[", "$region",
    {"region": "a", "area": "b"},
)  # fmt: skip
WORDS: Final = (
    b"NaN", b"1e999", b"\\ud800", b"\\u0000", b"[", b"{", b'"', b"null", b"true", b"9" * 400, b"9" * 5000, b"[" * 3000,
    b'{"a":' * 2000, b"\xff", b"\x00", b"\r\n", b": ", b"- ", b"#", b"&a ", b"*a", b"<<: ",
)  # fmt: skip
KEYS: Final = (
    "version",
    "kind",
    "name",
    "id",
    "cmd",
    "key",
    "routes",
    "mode",
    "epoch",
    "areas",
    "at",
    "value",
    "",
    "x",
)


def mutated_bytes(random: Random, raw: bytes, words: Sequence[bytes] = WORDS) -> bytes:
    """``raw`` with one to eight changes: cut, doubled, flipped, moved, or with a word in it."""
    changed = bytearray(raw)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        at = random.randrange(len(changed) + 1)
        end = min(len(changed), at + random.choice((1, 1, 2, 4, 16, 64)))
        match random.randrange(7):
            case 0:
                changed[at:end] = b""
            case 1:
                changed[at:at] = random.randbytes(random.choice((1, 1, 2, 5)))
            case 2 if at < len(changed):
                changed[at] ^= 1 << random.randrange(8)
            case 3:
                changed[at:at] = changed[at:end] * random.choice((1, 2, 10))
            case 4:
                changed[at:at] = random.choice(words)
            case 5:
                changed[at:end] = random.choice(words)
            case _:
                begin = random.randrange(len(changed) + 1)
                changed[at:at] = changed[begin : begin + random.choice((1, 4, 20, 100))]
    return bytes(changed)


def mutated_json(random: Random, true: Any, words: Sequence[bytes] = WORDS) -> bytes:
    """``true`` as JSON with parts exchanged for odd ones, left out or under another key; or its bytes changed."""
    if random.random() < 0.3:
        return mutated_bytes(random, json.dumps(true).encode(), words)
    return json.dumps(mutated(random, true)).encode()


def mutated(random: Random, true: Any) -> Any:
    """``true`` with one to six of its parts changed."""
    document = copy.deepcopy(true)
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        holders = list(_holders(document))
        if not holders:
            return copy.deepcopy(random.choice(ODD))
        holder = random.choice(holders)
        odd = copy.deepcopy(random.choice(ODD))
        if isinstance(holder, dict):
            key = random.choice(list(holder))
            match random.randrange(4):
                case 0:
                    del holder[key]
                case 1:
                    holder[random.choice(KEYS)] = holder.pop(key)
                case _:
                    holder[key if random.random() < 0.8 else random.choice(KEYS)] = odd
        else:
            place = random.randrange(len(holder))
            if random.random() < 0.3:
                del holder[place]
            else:
                holder[place : place + random.randrange(2)] = [odd]
    return document


def _holders(part: Any) -> Any:
    """Every mapping and list in it that is not empty."""
    if isinstance(part, (dict, list)) and part:
        yield part
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _holders(inner)
