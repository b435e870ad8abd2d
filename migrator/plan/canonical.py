"""The plan as it is kept: what was parsed, and nothing that only stood in the file.

Decides the text that goes into the state store and into saved plans. Comments, spellings and aliases are gone, so that nothing
that nobody checked is kept. Rule: it is a plan again - reading it gives the same values.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_ESCAPE: Final = re.compile(r"\\(?:u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|.)", re.IGNORECASE)


def canonical(plain: Any) -> str:
    """``plain`` (``Tree.value``) as JSON that YAML reads too: ASCII alone, characters beyond 16 bits as YAML writes them."""
    text = json.dumps(plain, indent=1, ensure_ascii=True)
    return _ESCAPE.sub(_wide, text) + "\n"


def _wide(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[0]
    pair = bytes.fromhex(found[1]) + bytes.fromhex(found[2])
    return f"\\U{ord(pair.decode('utf-16-be')):08x}"
