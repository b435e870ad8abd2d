"""The command line: global options, the list of commands, and how a run ends.

Decides what every command has in common. Leaves each verb to its file in ``commands`` and numbers to ``exits``. Rule: this
file and the command files import nothing heavy, so that ``migrate --help`` is quick; a command imports its work when it
runs.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from typing import Annotated, Final

import typer

from migrator import __version__
from migrator.cli import calls, exits, streams, usage
from migrator.cli.commands import register
from migrator.cli.exits import ExitCode
from migrator.cli.settings import Settings
from migrator.cli.views.documents import write_error
from migrator.cli.views.errors import show_error, show_note

app = typer.Typer(
    name=usage.PROGRAM,
    help="Move the data of a live service to new storage accounts, region by region: "
    "copy, cut over, watch, and go back if need be.",
    epilog="Begin with: migrate validate PLAN, migrate plan PLAN, migrate apply PLAN.",
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{usage.PROGRAM} {__version__}")
        raise typer.Exit()


def _drop_color(wanted: bool) -> bool:
    if wanted:
        os.environ["NO_COLOR"] = "1"  # eager, so that it also holds for the help text of this very call
    return wanted


@app.callback(invoke_without_command=True)
def _globals(
    context: typer.Context,
    state: Annotated[
        str | None,
        typer.Option(
            "--state",
            metavar="STORE",
            help="State store: a file's path or an SQLAlchemy URL. Wins over MIGRATE_STATE and the plan's `state`.",
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", metavar="", help="Show the traceback of an error.")] = False,
    no_color: Annotated[
        bool,
        typer.Option(
            "--no-color", metavar="", callback=_drop_color, is_eager=True, help="No colours; NO_COLOR does the same."
        ),
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", metavar="", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    calls.begin(state=state)
    if context.invoked_subcommand not in streams.ANSWERING:
        streams.go_on_without_readers(show_note)
    settings = context.find_object(Settings)
    if settings is not None:
        settings.state, settings.debug, settings.no_color = state, debug, no_color
    if context.invoked_subcommand is None:
        with contextlib.redirect_stdout(sys.stderr):
            typer.echo(context.get_help(), err=True)
        raise typer.Exit(ExitCode.USAGE)


register(app)


def main() -> int:
    """Run the command line of this process; the exit code."""
    settings = Settings(json=usage.wants_json(sys.argv[1:]))
    streams.prepare()
    _prepare_process()
    try:
        code = usage.run(app, usage.in_order(app, sys.argv[1:]), settings=settings)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _abandon_stdout()
        return ExitCode.ERROR
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            show_note("interrupted")
        return ExitCode.INTERRUPTED
    except BaseException as error:
        if isinstance(error, (SystemExit, GeneratorExit)):
            raise
        code = exits.of_error(error)
        with contextlib.suppress(OSError):
            if settings.json:
                write_error(error, code, is_line="apply" in sys.argv[1:])
            show_error(error, settings)
        return code


MOST_FILES: Final = 65_536
"""More than the largest run needs."""


def _prepare_process() -> None:
    """SIGTERM ends a command as SIGINT does; no text can be unprintable for the terminal's encoding; nobody looks for garbage
    among modules that are being loaded (a tenth of the time until the first request) before work begins (``wiring``); no
    other package's plugin reads plans; as many files may be open as the operator's limit allows at all."""
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _open_many_files()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _open_many_files() -> None:
    """The soft limit is there for programs that use ``select``; this one does not. Children inherit it."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _abandon_stdout() -> None:
    """The reader went away: nothing more can be said, and the interpreter's own last flush must not complain."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
