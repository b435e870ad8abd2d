"""A line that is wider than the terminal: what it is broken into can be read, and a command in it can be pasted."""

from __future__ import annotations

import io

import pytest

from migrator.cli.settings import Settings
from migrator.cli.views.screen import Page
from migrator.cli.views.wrapping import wrapped


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", range(24, 110))
def test_half_a_command_never_ends_a_line(width: int) -> None:
    """`migrate rollback PLAN` at the end of a line would take everything back, where one wave was meant."""
    command = "`migrate rollback shop.yaml --wave us-first`"
    lines = wrapped(f"  shop: look at what it would do with {command}, then decide about it", width)
    assert [line for line in lines if command in line]
    assert all(len(line) <= width for line in lines if command not in line)


def test_what_belongs_to_a_line_stands_further_in() -> None:
    assert wrapped("  us/orders: gate no-stragglers passed at noon", 30) == [
        "  us/orders: gate",
        "    no-stragglers passed at",
        "    noon",
    ]
    assert wrapped("a line that fits", 30) == ["a line that fits"]


def test_a_page_is_broken_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = f"{'word ' * 9}`migrate approve PLAN europe --reason TEXT`"
    narrow, wide = Terminal(), io.StringIO()
    Page(Settings(no_color=True), narrow).line(text)
    Page(Settings(no_color=True), wide).line(text)
    assert narrow.getvalue().splitlines() == [
        "word word word word word word word word",
        "  word",
        "  `migrate approve PLAN europe --reason TEXT`",
    ]
    assert wide.getvalue() == text + "\n"
