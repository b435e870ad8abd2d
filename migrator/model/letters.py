"""A letter: JSON behind its length, as our own processes exchange it over their pipes. No limit of a line's length, or of what a
line may hold. Who says what in it is its writer's and its reader's business.
"""

from __future__ import annotations

import json
from typing import Any, Final

LENGTH_BYTES: Final = 4
MAX_LETTER_BYTES: Final = 64 * 1024 * 1024
"""A length beyond this is no letter of ours."""


def framed(content: Any) -> bytes:
    """``content`` (JSON values) as one letter."""
    body = json.dumps(content, separators=(",", ":"), check_circular=False).encode("ascii")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def length_of(head: bytes) -> int:
    """How many bytes follow this head of a letter. ValueError: it is no letter."""
    length = int.from_bytes(head, "big")
    if length > MAX_LETTER_BYTES:
        raise ValueError(f"a letter of {length} bytes")
    return length
