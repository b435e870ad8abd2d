"""Long lines on a terminal.

Decides where a line that is wider than the terminal is broken: between words, never inside a command in backticks (half a
command is another command, and whoever pastes it runs that one), and what comes below stands further in than what it belongs
to. Leaves to the callers whether a line is broken at all: elsewhere than on a terminal none is, because somebody greps it.
"""

from __future__ import annotations

import re
import textwrap
from typing import Final

NARROWEST: Final = 20
_COMMAND: Final = re.compile(r"`[^`]*`")
_HELD: Final = "\x00"  # no text that was made safe has one


def wrapped(text: str, width: int, *, indent: int | None = None) -> list[str]:
    """``text``, which is safe and spelled, in lines of ``width``; a word or a command that is wider keeps a line of its own.

    Args:
        indent: of the second line and those below; without it, two more than that of the first.
    """
    width = max(NARROWEST, width)
    if len(text) <= width:
        return [text]
    if indent is None:
        indent = len(text) - len(text.lstrip(" ")) + 2
    held = _COMMAND.sub(lambda found: found.group().replace(" ", _HELD), text)
    lines = textwrap.wrap(held, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_HELD, " ") for line in lines]
