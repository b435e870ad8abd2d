r"""Names are data: what may go to a terminal.

Decides how characters that would move the cursor, ring, recolour, reorder or break a line are shown. Rule: every text that
did not come from our own source code goes through ``safe`` before it is printed for people, and consoles are made with
markup off (``views.screen``), so ``[bold]`` in a name is five letters and two brackets. JSON needs none of this:
its encoder escapes.

A backslash is left alone: a name with a real ``\x1b`` in it looks like an escaped one. Use ``--json`` where that matters.
"""

from __future__ import annotations

import unicodedata

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that never reach a terminal: controls, formats (bidirectional overrides, zero width), lone surrogates,
private and unassigned ones, line and paragraph separators."""


def safe(text: object) -> str:
    r"""``str(text)`` with every dangerous character as ``\n``, ``\x1b``, ``\u202e`` or ``\U000e0001``."""
    plain = str(text)
    if plain.isascii() and plain.isprintable():
        return plain
    return "".join(_shown(char) for char in plain)


def _shown(char: str) -> str:
    if unicodedata.category(char) not in _HIDDEN:
        return char
    if char in _SHORT:
        return _SHORT[char]
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
