"""Where the command-line library's own endings become ours: usage errors exit 64, not 2.

Decides what a mistyped command looks like and how it ends. Leaves every other error to ``app.main``. Rule: this is the only
file that knows how Typer reports usage faults; ``tests/cli/test_usage.py`` fails if a new Typer changes that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from migrator.cli.exits import ExitCode
from migrator.errors import FindingsError, UsageError

PROGRAM = "migrate"


def run(app: typer.Typer, arguments: Sequence[str], *, settings: object) -> ExitCode:
    """Run one command line.

    Args:
        settings: becomes ``ctx.obj`` of the command.
    Returns:
        the code the command returned.
    Raises:
        UsageError: the command line makes no sense.
        KeyboardInterrupt: SIGINT or SIGTERM came and the command did not handle it.
        FindingsError: a prompt was declined, or its input ended.
        everything else that the command raises.
    """
    try:
        ended: Any = get_command(app).main(args=list(arguments), prog_name=PROGRAM, standalone_mode=False, obj=settings)
    except TyperException as fault:
        if _is_bare_call(fault):
            raise UsageError("cannot tell what to do: no command was given", hint=_hint(fault)) from fault
        raise UsageError(_sentence(fault), hint=_hint(fault)) from fault
    except typer.Abort as fault:
        raise FindingsError("nothing was done: the question was not answered with yes") from fault
    if type(ended) is int and ended == ExitCode.INTERRUPTED:
        raise KeyboardInterrupt  # Typer swallows it and returns a bare 130; a command of ours returns an ExitCode
    return ExitCode(ended) if isinstance(ended, int) else ExitCode.DONE


def _is_bare_call(fault: TyperException) -> bool:
    return type(fault).__name__ == "NoArgsIsHelpError"


def _sentence(fault: TyperException) -> str:
    """Typer's words in our form: one lower-case sentence without a full stop."""
    text = " ".join(fault.format_message().split()).rstrip(".").replace(". Did you mean", "; did you mean")
    return f"cannot run this command line: {text[:1].lower()}{text[1:]}"


def _hint(fault: TyperException) -> str:
    context = getattr(fault, "ctx", None)
    path = context.command_path if context is not None else PROGRAM
    return f"see `{path} --help`"
