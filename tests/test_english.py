"""Words that no text of the product uses: they are no English, or an operator reads them twice. `CONTRIBUTING.md` has the page.

Texts are the strings of the product, and the docstrings of commands, which are their help. The list grows when a pattern has
gone from all texts; it holds no pattern that is still there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

import pytest

from tests.test_architecture import sources

PATTERNS: Mapping[str, str] = {
    r"\bbelongs? into\b": "belongs in",
    r"\btrying on\b": "still retrying",
    r"\bthinkable\b": "possible; dates are lower bounds",
    r"\bhalf a character\b": "an unpaired surrogate",
    r"\bis wanted here\b": "expected X",
    r"\b(?<!there )(is|are) no (https|certificate|local|block|value of|result of|connection|fence|saved|listing)\b": "is not a",
    r"\bgoes on from here\b": "continues from here",
    r"\bseldomer\b": "less often",
    r"\bsince (\d+|some|many|a few) (seconds|minutes|hours|days|weeks)\b": "for so many days",
    r"\binformations\b": "information",
    r"\ban other\b": "another",
    r"\bpersons\b": "people, or operators",
    r"\bso (that )?to say\b": "leave it out",
    r"\b(dis)?allows? to [a-z]+": "allows X to, or lets X",
    r"\bpossibilit(y|ies) to\b": "can, or a way to",
}
"""What is not written -> what is written instead."""


def texts(source: str, *, with_docstrings: bool) -> Iterator[tuple[int, str]]:
    """Line and text of every string; a docstring is read by contributors alone, but for those of commands."""
    tree = ast.parse(source)
    said = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (with_docstrings or id(node) not in said):
            yield node.lineno, node.value


def found(modules: Mapping[str, str]) -> list[str]:
    return [
        f"{module}:{line}: {match.group()!r}: write {better}"
        for module, source in modules.items()
        for line, text in texts(source, with_docstrings=module.startswith("migrator.cli.commands."))
        for pattern, better in PATTERNS.items()
        if (match := re.search(pattern, text, flags=re.IGNORECASE))
    ]


def test_no_text_of_the_product_uses_these_words() -> None:
    assert found(sources()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 'a secret belongs into a variable'", ["belongs into"]),
        ("x = f'{y}: trying on'", ["trying on"]),
        ("x = 'silent since 3 days'", ["since 3 days"]),
        ("x = 'a number is wanted here'", ["is wanted here"]),
        ("x = 'its endpoint is no https address'", ["is no https"]),
        ("x = 'there is no connection'", []),
        ("x = 'apply goes on from here'", ["goes on from here"]),
        ("def f():\n    'What belongs into a list.'", []),
    ],
)
def test_such_words_are_found_in_texts_and_not_in_docstrings(text: str, words: list[str]) -> None:
    assert [one.split("'")[1] for one in found({"migrator.new": text})] == words


def test_the_help_of_a_command_is_a_text() -> None:
    text = "def doctor():\n    'What belongs into a list.'"
    assert len(found({"migrator.cli.commands.doctor": text})) == 1
