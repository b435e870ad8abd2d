"""A verb keeps its name from the keyboard on: whoever searches for it finds all of it.

A module of the command line that one verb alone calls lies in that verb's folder, and a view that one verb alone shows has the
verb's name. What several share has a name of its own. The last tests show that each rule can fail.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import typer

from migrator.cli.commands import register
from tests.test_architecture import all_imports, is_in, sources

CLI, COMMANDS, VIEWS = "migrator.cli", "migrator.cli.commands", "migrator.cli.views"


def verbs() -> set[str]:
    app = typer.Typer()
    register(app)
    return {str(command.name) for command in app.registered_commands}


def strays(texts: Mapping[str, str]) -> list[str]:
    """One line for each module whose place or name hides it from whoever searches for its verb."""
    callers: dict[str, set[str]] = {module: set() for module in texts}
    for one in all_imports(texts):
        if one.imported in callers and one.imported != one.importer and not is_in(one.importer, "migrator.testing"):
            callers[one.imported].add(_verb_of(one.importer) or one.importer)
    found = []
    for module, who in callers.items():
        verb = next(iter(who)) if len(who) == 1 else ""
        if "." in verb or not verb:
            continue
        if is_in(module, VIEWS):
            if module != f"{VIEWS}.{verb}":
                found.append(f"{module} is shown by {verb} alone, and is not called so")
        elif is_in(module, CLI) and not is_in(module, COMMANDS):
            found.append(f"{module} is called by {verb} alone, and does not lie there")
    return found


def _verb_of(module: str) -> str | None:
    return module.split(".")[3] if is_in(module, COMMANDS) and module != COMMANDS else None


def test_every_verb_has_a_module_of_its_name_and_nothing_else_is_there() -> None:
    there = {verb for module in sources() if (verb := _verb_of(module))}
    assert there - {"options"} == verbs()


def test_what_one_verb_alone_needs_is_found_by_its_name() -> None:
    assert strays(sources()) == []


@pytest.mark.parametrize(
    ("module", "found"),
    [
        ("migrator.cli.braking", ["migrator.cli.braking is called by throttle alone, and does not lie there"]),
        ("migrator.cli.views.brake", ["migrator.cli.views.brake is shown by throttle alone, and is not called so"]),
        ("migrator.cli.views.throttle", []),
        ("migrator.cli.commands.throttle.operation", []),
        ("migrator.engine.brake", []),
    ],
)
def test_a_module_that_hides_from_its_verb_is_found(module: str, found: list[str]) -> None:
    texts = {"migrator.cli.commands.throttle": f"def throttle():\n    import {module}", module: ""}
    assert strays(texts) == found
    shared = {**texts, "migrator.cli.commands.pause": f"import {module}"}
    assert strays(shared) == []
