"""Every command that we print can be pasted: it is spelled with the plan and the store, and the real parser takes it."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from migrator.cli import calls
from migrator.cli.app import app
from migrator.cli.calls import spelled
from migrator.model.moves import Direction
from migrator.transfer.containers import way_out
from tests.cli.conftest import Migrate
from tests.test_architecture import sources

NOT_OURS = (
    *("migrator.testing", "migrator.client", "migrator.plan.schema"),
    *("migrator.cli.app", "migrator.cli.calls", "migrator.cli.page"),
)
"""Pages, help texts, and what applications see, who have no plan."""
PRINTED = re.compile(r"`migrate ([^`]+)`")


def texts_of(source: str) -> Iterator[str]:
    """Every text of a module that is no docstring; a value in it is a 1, or nothing where it hangs on a word."""
    tree = ast.parse(source)
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = ""
            for part in node.values:
                if isinstance(part, ast.Constant):
                    text += str(part.value)
                elif not text or not text[-1].isalnum():
                    text += "1"
            yield text
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents | inside:
            yield node.value


def printed() -> list[str]:
    found = []
    for module, source in sources().items():
        if module.startswith(NOT_OURS):
            continue
        for text in texts_of(source):
            if "migrate " in text and "Annotated" not in text:
                calls.begin(state="sqlite:///other.db")
                calls.name_plan("my plan.yaml")
                found += [(f"migrate {one}") for one in PRINTED.findall(spelled(text))]
    calls.begin()
    return sorted(set(found))


def parse(words: list[str]) -> None:
    """By the real parser, without running anything."""
    group = get_command(app)
    context = group.make_context("migrate", list(words))
    name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
    command.make_context(name, rest, parent=context)


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    calls.begin()


@pytest.mark.parametrize("line", printed())
def test_the_parser_takes_what_is_printed(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my plan.yaml").write_text("version: 1\n")
    words = [word.replace("TEXT", "why").replace("WAVE", "w") for word in shlex.split(line)[1:]]
    words = ["1" if word == "N" else word for word in words]
    assert words[:2] == ["--state", "sqlite:///other.db"]
    assert "PLAN" not in words
    parse(words)


def test_there_are_commands_to_be_tried() -> None:
    verbs = {line.split()[3] for line in printed()}
    assert {"apply", "retry", "rollback", "doctor", "status", "unpause", "release", "unlock", "approve"} <= verbs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("see migrate status", "see `migrate status p.yaml`"),
        (
            "then migrate retry; or migrate rollback",
            "then `migrate retry p.yaml --reason TEXT`; or `migrate rollback p.yaml`",
        ),
        ("`migrate retry PLAN --reason TEXT`", "`migrate retry p.yaml --reason TEXT`"),
        ("migrate retry --accept-deletes 12", "`migrate retry p.yaml --accept-deletes 12 --reason TEXT`"),
        ("migrate overwrites nothing", "migrate overwrites nothing"),
        ("under .migrate/saved", "under .migrate/saved"),
        ("migrate planning", "migrate planning"),
        ("decide with migrate rollback --on-conflict source or target", None),
    ],
)
def test_how_commands_are_spelled(text: str, said: str | None) -> None:
    calls.begin()
    calls.name_plan("p.yaml")
    assert spelled(text) == (said or "decide with `migrate rollback p.yaml --on-conflict source` or target")


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("names", [["box"], ["$web", "logs-2026"]])
def test_a_way_out_that_names_containers_can_be_pasted(names: list[str], direction: Direction) -> None:
    calls.begin()
    calls.name_plan("p.yaml")
    commands = PRINTED.findall(spelled(way_out(names, "dst", "src", direction, deletes=12)))
    named = [word for name in names for word in ("--accept-container", name)]
    assert ["retry", "p.yaml", *named, "--accept-deletes", "12", "--reason", "TEXT"] in map(shlex.split, commands)
    assert len(commands) == (3 if direction is Direction.REVERSE else 2)


def test_without_a_plan_on_the_command_line_the_word_stays() -> None:
    calls.begin()
    assert spelled("`migrate retry PLAN --reason TEXT`") == "`migrate retry PLAN --reason TEXT`"


def test_unlock_is_printed_with_the_plan_s_store_and_works(migrate: Migrate, here: Path) -> None:
    from tests.cli.test_commands import hold_lock

    text = (here / "p.yaml").read_text() + "state: sqlite:///run/own.db\n"
    (here / "p.yaml").write_text(text)
    (here / "run").mkdir()
    lock = hold_lock("sqlite:///run/own.db", pid=999_999_999, age_seconds=600)
    assert migrate("sample", "p.yaml", "--objects", "3").code == 0
    calls.begin()
    calls.name_plan("p.yaml")
    calls.name_store("sqlite:///run/own.db")
    line = spelled(f"or migrate unlock {lock.nonce}0000000").split("`")[1] if len(lock.nonce) < 12 else ""
    assert line.startswith("migrate --state sqlite:///run/own.db unlock ")
    assert migrate("--state", "sqlite:///run/own.db", "unlock", lock.nonce).code == 0


def test_a_password_is_in_no_printed_command() -> None:
    calls.begin(state="postgresql://me:secret@host/db")
    calls.name_plan("p.yaml")
    assert "secret" not in spelled("`migrate apply PLAN`")
