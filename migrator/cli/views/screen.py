"""The two streams as views use them: a console on a terminal, plain lines elsewhere.

Decides width, colour and that markup, emoji codes and highlighting are off everywhere: texts are data. Leaves what is said
to the views. Rule: on a terminal tables fit its width; elsewhere nothing is wrapped or cut, because somebody greps it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from migrator.cli.calls import spelled
from migrator.cli.settings import Settings
from migrator.cli.views.safe import safe
from migrator.cli.views.wrapping import wrapped

if TYPE_CHECKING:
    from rich.console import Console

UNBOUNDED_COLUMNS = 100_000


def console(settings: Settings, stream: TextIO | None = None) -> Console:
    """A rich console on ``stream`` (standard output). It emits no escape codes at all unless it is a terminal."""
    from rich.console import Console

    stream = stream or sys.stdout
    is_terminal = stream.isatty()
    return Console(
        file=stream,
        force_terminal=is_terminal,
        color_system="auto" if is_terminal and settings.wants_color else None,
        no_color=not settings.wants_color,
        width=None if is_terminal else UNBOUNDED_COLUMNS,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=not is_terminal,
    )


class Page:
    """Lines and tables on standard output."""

    def __init__(self, settings: Settings, stream: TextIO | None = None) -> None:
        self.console = console(settings, stream)
        self.is_terminal = self.console.is_terminal
        self.width = self.console.width
        self.is_unicode = "utf" in (getattr(self.console.file, "encoding", None) or "utf-8").lower()

    def line(self, text: str = "", *, style: str | None = None) -> None:
        """One line, broken where the terminal is narrower; ``text`` is made safe here, and its commands are spelled out."""
        plain = safe(spelled(text))
        lines = wrapped(plain, self.width) if self.is_terminal else [plain]
        for line in lines or [""]:
            self.console.print(line, style=style, soft_wrap=True)

    def pieces(self, pieces: Sequence[tuple[str, str]]) -> None:
        """One line of differently styled texts, each made safe here."""
        from rich.text import Text

        line = Text(no_wrap=True)
        for text, style in pieces:
            line.append(safe(text), style=style)
        self.console.print(line, soft_wrap=True)

    def table(
        self,
        headings: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        right: frozenset[int] = frozenset(),
        spare: Sequence[str] = (),
    ) -> None:
        """A table without borders, indented by two; ``right`` names the columns that are numbers.

        ``spare``: headings of columns to leave out on a terminal that is too narrow, the first of them first.
        """
        if self.is_terminal and spare and _width(headings, rows) > self.width:
            headings, rows, right = _without(spare[0], headings, rows, right)
            self.table(headings, rows, right=right, spare=spare[1:])
            return
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        if not self.is_terminal:
            for line in _aligned(headings, rows, right):
                self.console.print(line, soft_wrap=True)
            return
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for column, heading in enumerate(headings):
            table.add_column(heading, justify="right" if column in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(safe(cell)) for cell in row))
        self.console.print(Padding(table, (0, 0, 0, 2), expand=False))


def _width(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    """Columns of the terminal that the whole table takes."""
    widths = [max(len(safe(row[column])) for row in [headings, *rows]) for column in range(len(headings))]
    return 2 + sum(widths) + 2 * len(widths)


def _without(
    heading: str, headings: Sequence[str], rows: Sequence[Sequence[object]], right: frozenset[int]
) -> tuple[list[str], list[list[object]], frozenset[int]]:
    kept = [column for column, name in enumerate(headings) if name != heading]
    numbers = frozenset(place for place, column in enumerate(kept) if column in right)
    return [headings[column] for column in kept], [[row[column] for column in kept] for row in rows], numbers


def _aligned(headings: Sequence[str], rows: Sequence[Sequence[object]], right: frozenset[int]) -> list[str]:
    cells = [[safe(cell) for cell in row] for row in [list(headings), *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return [
        "  "
        + "  ".join(
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ).rstrip()
        for row in cells
    ]
