"""Prints docs/commands.md, so that the page cannot differ from ``--help``: ``python -m migrator.cli.page``.

Decides how a command is shown. What it takes and what it says of itself is in ``commands``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any, Final

from typer.main import get_command

from migrator.cli.app import app

HEAD: Final = """# Commands

`PLAN` is a plan's file. Global options stand before the command, or behind it. `migrate COMMAND --help` says the same as
this page, which is printed from the program: `python -m migrator.cli.page > docs/commands.md`.

## Exit codes

| code | meaning |
|---|---|
| 0 | done, nothing to do, or a rollback that was asked for |
| 1 | an error, an invalid plan, error findings, or a question that was answered with no |
| 2 | changes pending; only `plan --detailed-exitcode` |
| 3 | waits for a soak, a window, an approval or a hold, under `--no-wait` |
| 4 | halted, failed gate, rolled back by itself, a difference, an undecided conflict, or a route that is not as the state says |
| 5 | locked by another run |
| 6 | the saved plan is stale |
| 64 | wrong words, or no terminal and no `--yes` |
| 130 | interrupted by SIGINT or SIGTERM; the state is saved |

Where several apply, the first of 130, 5, 6, 64, 1, 4, 3, 2 is the one.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"\n{part}\n" for part in _parts())


def _parts() -> Iterator[str]:
    program: Any = get_command(app)
    yield "\n".join(["## Global options", "", *_options(program)])
    panel = ""
    for name, command in program.commands.items():
        if command.hidden:
            continue
        if command.rich_help_panel != panel:
            panel = command.rich_help_panel
            yield f"## {panel}"
        words = [name, *(_word(one) for one in command.params if one.param_type_name == "argument")]
        yield "\n".join(
            [
                f"### {name}",
                "",
                f"`{' '.join(('migrate', *words, '[OPTIONS]'))}`",
                "",
                _line(command.help),
                "",
                *_options(command),
            ]
        )


def _word(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def _options(command: Any) -> Iterator[str]:
    rows = [
        _row(one)
        for one in command.params
        if not getattr(one, "hidden", False) and (one.help or one.param_type_name == "option")
    ]
    if rows:
        yield from ("| option | meaning |", "|---|---|", *rows)


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"| `{_word(parameter)}` | {_line(parameter.help)} |"
    word = "" if parameter.is_flag else (parameter.metavar or parameter.type.name.upper()).replace("|", "\\|")
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    default = parameter.default if parameter.show_default is not False else None
    shown = "" if default in (None, False, "") or callable(default) or parameter.is_flag else f" Default: `{default}`."
    return f"| `{names}{f' {word}' if word else ''}` | {_line(parameter.help)}{shown} |"


def _line(text: str | None) -> str:
    return re.sub(r"\s+", " ", (text or "").partition("\f")[0]).strip()


if __name__ == "__main__":
    sys.stdout.write(page())
