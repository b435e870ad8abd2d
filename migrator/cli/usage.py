"""Where the command-line library's own endings become ours: usage errors exit 64, not 2.

Decides what a mistyped command looks like and how it ends. Leaves every other error to ``app.main``. Rule: this is the only
file that knows how Typer reports usage faults; ``tests/cli/test_usage.py`` fails if a new Typer changes that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from migrator.cli.exits import ExitCode
from migrator.errors import FindingsError, UsageError

PROGRAM = "migrate"
_UNKNOWN: Final = re.compile(r"No such command ['\"]([\w-]+)['\"]")


SYNONYMS: Final[Mapping[str, str]] = {
    "undo": "rollback",
    "abort": "rollback",
    "cancel": "rollback",
    "revert": "rollback",
    "resume": "apply",
    "continue": "apply",
    "run": "apply",
    "start": "apply",
    "logs": "history",
    "log": "history",
    "journal": "history",
    "events": "history",
    "show": "status",
    "list": "status",
    "ls": "status",
    "check": "validate",
    "lint": "validate",
    "preview": "plan",
    "stop": "pause",
    "diff": "verify",
    "force-unlock": "unlock",
    "promote": "release",
}
"""What other tools call it. A near spelling would lead elsewhere: from undo to unlock."""
NOTHING_NEAR: Final = frozenset({"destroy", "delete", "version"})
"""Words that mean none of our commands, whatever they are spelled like."""
EVERYWHERE: Final = frozenset({"--state", "--no-color", "--debug"})
"""Options of the program that may stand behind the command too."""


def wants_json(arguments: Sequence[str]) -> bool:
    """Was a document asked for? Known before the words are understood, since they may not be."""
    words = list(arguments)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def in_order(app: typer.Typer, arguments: Sequence[str]) -> list[str]:
    """The words with the program's own options in front, wherever they stood. A word that is another option's value, and all
    behind ``--``, stays where it is."""
    taking = _options_with_values(app)
    front: list[str] = []
    rest: list[str] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word == "--":
            rest += [word, *words]
            break
        name, is_joined, _ = word.partition("=")
        if name in EVERYWHERE:
            front.append(word)
            if name == "--state" and not is_joined and words:
                front.append(words.pop(0))
            continue
        rest.append(word)
        if word in taking and words:
            rest.append(words.pop(0))
    return [*front, *rest]


def _options_with_values(app: typer.Typer) -> frozenset[str]:
    commands: Any = getattr(get_command(app), "commands", {})
    return frozenset(
        name
        for command in commands.values()
        for option in command.params
        for name in option.opts
        if name.startswith("-") and not getattr(option, "is_flag", False)
    )


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
            raise UsageError("no command given", hint=_hint(fault)) from fault
        raise UsageError(_sentence(fault), hint=_hint(fault, _verb(app, arguments))) from fault
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
    if (unknown := _UNKNOWN.match(text)) is not None:
        word = unknown[1]
        if word in NOTHING_NEAR:
            text = unknown[0]
        elif word in SYNONYMS:
            text = f"{unknown[0]}; did you mean '{SYNONYMS[word]}'?"
    return f"cannot run this command line: {text[:1].lower()}{text[1:]}"


def _hint(fault: TyperException, verb: str = "") -> str:
    """``verb``: for the faults that know no command, such as an option without its value."""
    context = getattr(fault, "ctx", None)
    path = context.command_path if context is not None else f"{PROGRAM} {verb}".rstrip()
    return f"see `{path} --help`"


def _verb(app: typer.Typer, arguments: Sequence[str]) -> str:
    commands: Any = getattr(get_command(app), "commands", {})
    return next((word for word in arguments if word in commands), "")
