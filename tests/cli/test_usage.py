"""Typer's endings become ours. These tests fail if a new Typer reports usage faults in another way."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer

from migrator.cli import usage
from migrator.cli.exits import ExitCode
from migrator.errors import FindingsError, UsageError


def sample_app() -> typer.Typer:
    app = typer.Typer()

    @app.command()
    def work(
        number: Annotated[int, typer.Argument()],
        loud: Annotated[bool, typer.Option("--loud")] = False,
        named: Annotated[str, typer.Option("--named")] = "",
    ) -> int:
        if number == 130:
            raise KeyboardInterrupt
        if number == 131:
            raise typer.Abort
        if number == 132:
            return ExitCode.INTERRUPTED
        return ExitCode.WAITING

    @app.command()
    def other() -> None: ...

    return app


def run(*arguments: str) -> ExitCode:
    return usage.run(sample_app(), arguments, settings=None)


@pytest.mark.parametrize(
    "arguments",
    [("nothing",), ("work",), ("work", "x"), ("work", "1", "2"), ("work", "--quiet", "1"), ("--quiet",), ()],
    ids=" ".join,
)
def test_every_wrong_command_line_is_a_usage_error_with_a_hint(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        run(*arguments)
    assert caught.value.message.startswith("cannot ")
    assert "--help" in caught.value.hint
    assert "\n" not in str(caught.value)


def test_an_option_without_its_value_leads_to_the_help_of_its_command() -> None:
    with pytest.raises(UsageError) as caught:
        run("work", "1", "--named")
    assert caught.value.hint == "see `migrate work --help`"


def test_a_near_command_is_suggested() -> None:
    with pytest.raises(UsageError, match="did you mean 'work'"):
        run("wrok")


def test_a_commands_own_code_comes_through() -> None:
    assert run("work", "1") is ExitCode.WAITING
    assert run("other") is ExitCode.DONE


def test_an_interrupt_stays_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt):
        run("work", "130")


def test_a_command_that_handled_its_interrupt_returns_its_code() -> None:
    assert run("work", "132") is ExitCode.INTERRUPTED


def test_an_unanswered_question_is_a_no() -> None:
    with pytest.raises(FindingsError):
        run("work", "131")
