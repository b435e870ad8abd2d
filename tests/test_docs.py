"""The guide says what the program says: commands, options, keys and codes of its pages exist, and reference pages are printed.

Leaves building it, where every link is followed, to ``make docs`` (`tests/system/test_the_guide.py`), and whether files that are
named exist to ``test_references``. The last tests show how each mistake is found.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from migrator.cli import page as commands_page
from migrator.cli.app import app
from migrator.engine.checks.registry import CODES
from migrator.plan import loads
from migrator.plan import page as plan_page
from migrator.plan.schema import document_model
from tests import first_migration

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "migrator/client/PROTOCOL.md", *sorted((ROOT / "docs").glob("*.md")))
}


@cache
def program() -> Any:
    return get_command(app)


def calls(text: str) -> Iterator[str]:
    """What a page says to type: a code span or a line of a code block that begins with ``migrate``."""
    for block in re.findall(r"^```(?:console|sh|bash|text)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            if call := re.match(r"\s*(?:\$ )?(?:\S*/)?(migrate [a-z-].*)", line):
                yield call[1].split(" #")[0]
    plain = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from (" ".join(one.split()) for one in re.findall(r"`(migrate [a-z-][^`]*)`", plain))


def mistakes(call: str) -> list[str]:
    """What of a call there is not: its command, or an option of it."""
    words = shlex.split(call.replace("'", "\\'") if call.count("'") % 2 else call)[1:]
    known = _options(program())
    command = None
    found = []
    for position, word in enumerate(words):
        if word.startswith("--"):
            name = word.partition("=")[0]
            if name not in (_options(command) | known if command is not None else known):
                found.append(f"{call}: no option {name}")
        elif command is None and not _is_value(words, position, known):
            command = program().commands.get(word)
            if command is None and word not in ("COMMAND", "VERB"):
                return [*found, f"{call}: no command {word}"]
    return found


def _options(command: Any) -> set[str]:
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}


def _is_value(words: list[str], position: int, known: set[str]) -> bool:
    return position > 0 and words[position - 1] in known - {"--debug", "--no-color"}


def keys_unknown(text: str) -> list[str]:
    """Keys of a page's pieces of a plan that no plan may have: of blocks that are YAML, by their top keys."""
    found = []
    for block in re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        read = YAML(typ="safe").load(block)
        if isinstance(read, Mapping) and "apiVersion" not in read:  # a manifest of Kubernetes is none
            found += sorted(set(read) - set(document_model().model_fields))
    return found


def codes_unknown(text: str) -> list[str]:
    """Finding codes that a page names in so many words (`code` finding, finding `code`) and that no check says."""
    named = re.findall(r"findings? `([a-z-]+)`|`([a-z-]+)` findings?\b", text)
    return [one or other for one, other in named if (one or other) not in CODES]


def test_reference_pages_are_printed_from_the_program() -> None:
    assert (ROOT / "docs" / "plan.md").read_text() == plan_page.page()
    assert (ROOT / "docs" / "commands.md").read_text() == commands_page.page()


def test_every_key_of_a_plan_says_what_it_means() -> None:
    rows = [line for line in plan_page.page().splitlines() if line.startswith("| `")]
    assert len(rows) > 150
    assert [row for row in rows if row.endswith("|  |")] == []


@pytest.mark.parametrize("name", PAGES)
def test_commands_options_keys_and_codes_of_a_page_exist(name: str) -> None:
    text = PAGES[name]
    assert [one for call in calls(text) for one in mistakes(call)] == []
    assert keys_unknown(text) == []
    assert codes_unknown(text) == []


def test_the_plan_of_a_first_migration_is_one() -> None:
    (plan,) = first_migration.blocks("yaml")
    loaded = loads(plan, "plan.yaml")
    assert [str(move.id) for move in loaded.schedule.moves] == ["north-america/web-tracking"]
    assert loaded.warnings == ()
    codes = re.findall(r"`([a-z-]+)`", first_migration.PAGE.split("| finding |")[1].split("\n\n")[0])
    assert [code for code in codes if "-" in code and code not in CODES] == []
    roles = re.findall(r"^\| ([A-Z][A-Za-z ]+) \|", first_migration.PAGE, re.MULTILINE)
    assert len(roles) == 5
    assert [role for role in roles if role not in PAGES["docs/rights.md"]] == []


def test_what_a_first_migration_prints_is_held_against_a_run() -> None:
    """That it is printed is seen to by `make estate`."""
    assert len(first_migration.promised()) > 12
    said = "\n".join(f"2026-12-01 04:29:34Z {line.replace('40', '7')}" for line in first_migration.promised()[2:])
    assert first_migration.not_printed(said) == first_migration.promised()[:2]


def test_every_page_stands_in_the_guide() -> None:
    listed = set(re.findall(r"^([a-z-]+)$", PAGES["docs/index.md"], re.MULTILINE))
    assert listed == {Path(name).stem for name in PAGES if name.startswith("docs/")} - {"index"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("`migrate aply PLAN`", "no command aply"),
        ("`migrate status PLAN --wait`", "no option --wait"),
        ("```\n$ migrate rollback PLAN --now  # at once\n```\n", "no option --now"),
        ("```\ncd /srv && /srv/bin/migrate --store x apply p.yaml\n```\n", None),
        ("`migrate --state x statis`", "no command statis"),
    ],
)
def test_a_wrong_command_is_found(text: str, said: str | None) -> None:
    found = [one for call in calls(text) for one in mistakes(call)]
    assert found == [] if said is None else said in found[0]


def test_a_wrong_key_and_a_wrong_code_are_found() -> None:
    assert keys_unknown("```yaml\nrouting: {}\nrooting: {}\n```\n") == ["rooting"]
    assert codes_unknown("the finding `no-such-code`") == ["no-such-code"]


def test_the_runbook_quotes_what_the_program_says() -> None:
    """The first column of its reasons: each piece of it, without numbers and names, stands in a text of the product."""
    table = PAGES["docs/runbook.md"].split("## Reasons, and what to do")[1].split("## Situations")[0]
    quotes = [
        quote
        for row in table.splitlines()
        if row.startswith("| `")
        for quote in re.findall(r"`([^`]+)`", row.split("|")[1])
    ]
    assert len(quotes) > 10
    product = " ".join(" ".join(path.read_text(encoding="utf-8").split()) for path in (ROOT / "migrator").rglob("*.py"))
    said = re.sub(r'" f?"', "", product)  # a sentence over two lines of source
    pieces = [piece.strip() for quote in quotes for piece in re.split(r"\bN\b|\.\.\.|\b50\b", quote)]
    assert [piece for piece in pieces if piece and piece not in said] == []
