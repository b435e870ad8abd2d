"""Object names are data: never markup, never terminal escapes."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from migrator.cli.settings import Settings
from migrator.cli.views.documents import event_line
from migrator.cli.views.errors import show_error
from migrator.cli.views.lines import PlainLines
from migrator.cli.views.progress import Note
from migrator.cli.views.safe import safe
from migrator.cli.views.screen import Page
from migrator.errors import CloudError, MigrateError, PlanError

_AT = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = [
    ("\x1b[2J\x1b[31mgone", "\\x1b[2J\\x1b[31mgone"),
    ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    ("a\nb\rc\td", "a\\nb\\rc\\td"),
    ("\x9b31m", "\\x9b31m"),
    ("\x7f\x00", "\\x7f\\x00"),
    ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
    ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
    ("line\u2028sep", "line\\u2028sep"),
    ("lone\udcff", "lone\\udcff"),
    ("tag\U000e0041", "tag\\U000e0041"),
    ("[bold red]x[/] :smile:", "[bold red]x[/] :smile:"),
    ("naïve/日本/😀 #?%", "naïve/日本/😀 #?%"),
]


@pytest.mark.parametrize(("name", "shown"), HOSTILE)
def test_a_name_is_shown_without_moving_anything(name: str, shown: str) -> None:
    assert safe(name) == shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("name", "shown"), HOSTILE)
@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_tables_and_lines_show_names_as_they_are(name: str, shown: str, stream: type[io.StringIO]) -> None:
    out = stream()
    page = Page(Settings(no_color=True), out)
    page.table(("NAME",), [(name,)])
    page.line(f"name {name}")
    assert out.getvalue().count(shown) == 2
    assert not any(char in out.getvalue() for char in "\x07\x9b\x7f\u202e\u200b\u2028")


@pytest.mark.parametrize(("name", "shown"), HOSTILE)
def test_errors_hints_and_faults_show_names_as_they_are(name: str, shown: str) -> None:
    out = io.StringIO()
    show_error(MigrateError(f"cannot copy {name}", hint=f"look at {name}"), Settings(), out)
    show_error(PlanError("cannot read it", faults=(f"p.yaml:1:1: {name}",)), Settings(), out)
    show_error(RuntimeError(name), Settings(), out)
    assert out.getvalue().count(shown) == 4
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize(("name", "shown"), HOSTILE)
def test_progress_and_json_show_names_as_they_are(name: str, shown: str) -> None:
    out = io.StringIO()
    PlainLines(out).event(Note(_AT, "warning", name, f"found {name}", {}))
    assert out.getvalue().count(shown) == 2
    assert out.getvalue().count("\n") == 1
    line = event_line({"text": name})
    assert line.replace("\x7f", "").isascii()
    assert line.replace("\x7f", "").isprintable()


def test_markup_in_a_title_is_not_markup_on_a_terminal() -> None:
    out = Terminal()
    Page(Settings(), out).line("[bold]x[/bold]")
    assert "[bold]x[/bold]" in out.getvalue()


def test_a_traceback_is_data_too() -> None:
    """Names of others are in messages, and a terminal obeys what stands in them."""
    stream = io.StringIO()
    try:
        raise CloudError("cannot copy \x1b]0;pwned\x07")
    except CloudError as error:
        show_error(error, Settings(debug=True), stream)
    assert "Traceback" in stream.getvalue()
    assert "\\x1b]0;pwned\\x07" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
