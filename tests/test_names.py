"""One name means one thing: no two modules of the product define a class of the same name.

Whoever searches for a class, or reads its name in a log or a type, must find one meaning. Only the product counts: the worlds of
``migrator.testing`` wear the names of what they imitate.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WORLDS = ROOT / "migrator" / "testing"

MAY_BE_SHARED: Mapping[str, str] = {
    "OutcomeUnknown": "the client's own is the common one for an application: a subclass that is caught by either name",
}
"""Class name -> why two modules may define it."""


def product() -> dict[str, str]:
    """Module path -> text, without the test worlds."""
    paths = sorted((ROOT / "migrator").rglob("*.py"))
    return {str(path.relative_to(ROOT)): path.read_text() for path in paths if WORLDS not in path.parents}


def shared_names(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Class name -> the modules that define it, where these are several."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for module, text in texts.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                found[node.name].add(module)
    return {name: sorted(modules) for name, modules in found.items() if len(modules) > 1}


def test_no_class_name_means_two_things() -> None:
    shared = shared_names(product())
    assert {name: modules for name, modules in shared.items() if name not in MAY_BE_SHARED} == {}


def test_what_may_be_shared_still_is() -> None:
    """An exception that nobody needs any more is a hole."""
    assert set(MAY_BE_SHARED) <= set(shared_names(product()))


@pytest.mark.parametrize(
    ("second", "found"),
    [
        ("class Page: ...", {"Page": ["a.py", "b.py"]}),
        ("def make():\n    class Page: ...", {"Page": ["a.py", "b.py"]}),
        ("class Sheet: ...", {}),
        ("from a import Page", {}),
    ],
)
def test_a_second_class_of_the_same_name_is_found(second: str, found: dict[str, list[str]]) -> None:
    assert shared_names({"a.py": "class Page: ...\nclass Line: ...", "b.py": second}) == found
