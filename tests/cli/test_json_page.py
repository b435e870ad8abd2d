"""``docs/json.md`` names every key that a command's ``--json`` has, and none that it has not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Migrate
from tests.cli.test_edits_are_said import SOAKS

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
COMMANDS = {"validate": (), "plan": ("--inventory", "cached"), "status": (), "doctor": (), "verify": (), "routes": ()}


def described(command: str) -> set[str]:
    """The paths of a command's table. ``.key`` behind another path is a key beside it."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    table = next(part for part in section if part.startswith(f"{command}\n"))
    found = set()
    for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE):
        above = ""
        for path in re.findall(r"`([^`]+)`", row):
            if path.startswith("."):
                path = above + path
            above = path.rpartition(".")[0]
            found.add(path)
    return found


def paths(value: Any, place: str = "") -> Iterator[str]:
    """Every key of a document with where it stands."""
    if isinstance(value, dict) and value:
        for key, under in value.items():
            yield from paths(under, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        yield f"{place}[]"
        for under in value:
            yield from paths(under, f"{place}[]")
    else:
        yield place


def is_said(path: str, said: set[str]) -> bool:
    """By itself, with what stands above it, or (where it is null here) with what stands below it."""
    return any(path == one or path.startswith((f"{one}.", f"{one}[")) or one.startswith(f"{path}.") for one in said)


def is_there(said: str, there: set[str]) -> bool:
    """It is a key of the document, or below one that has nothing in this story: an empty list, or null."""
    above = any(
        said.startswith((path, f"{path}.")) for path in there if not any(one.startswith(f"{path}.") for one in there)
    )
    return above or any(path == said or path.startswith((f"{said}.", f"{said}[")) for path in there)


def test_every_key_of_a_document_is_on_the_page_and_no_other(migrate: Migrate, here: Path) -> None:
    (here / "p.yaml").write_text(SOAKS)
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    assert migrate("apply", "p.yaml", "--yes", "--no-wait", "--wave", "first").code == 3
    for command, words in COMMANDS.items():
        document = json.loads(migrate(command, "p.yaml", *words, "--json").out)
        assert document.pop("format_version") == 1
        there, said = set(paths(document)), described(command)
        assert sorted(path for path in there if not path.endswith("[]") and not is_said(path, said)) == [], command
        assert sorted(one for one in said if not is_there(one, there)) == [], command


@pytest.mark.parametrize("path", ["plan.name", "moves[].nothing"])
def test_a_key_that_the_page_does_not_name_is_found(path: str) -> None:
    assert not is_said(path, described("verify") - {"plan"})
