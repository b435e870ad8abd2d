"""`docs/rules.md` is a table: rule of the contract -> tests that hold it. No rule is without one, and every named test is there.

The page says what each rule is; this file decides only whether the page is whole. The last tests show that each check can fail.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache

import pytest

from tests.test_architecture import ROOT

PAGE = ROOT / "docs" / "rules.md"
PROTOCOL = ROOT / "migrator" / "client" / "PROTOCOL.md"
LAST_RULE = 15


def rules(page: str) -> Mapping[str, list[str]]:
    """Rule or section -> what stands under it: tests, and mistakes that are planted in the simulated world."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        name, text = part.split("\n", 1)
        assert name not in found, f"{name} is there twice"
        found[name] = re.findall(r"^- (?:planted mistake: )?`(.+)`$", text.split("\n## ")[0], flags=re.MULTILINE)
    return found


def wanted() -> set[str]:
    """Every rule of the contract, and every section of the protocol."""
    sections = re.findall(r"^## (\d+)\. ", PROTOCOL.read_text(), flags=re.MULTILINE)
    return {f"Rule {number}" for number in range(1, LAST_RULE + 1)} | {f"Section {number}" for number in sections}


def without_tests(page: str) -> list[str]:
    return sorted(name for name in wanted() if not any("::" in one for one in rules(page).get(name, ())))


def unknown(page: str) -> list[str]:
    """What the page names and nobody wrote: rules, tests, planted mistakes."""
    found = sorted(rules(page).keys() - wanted())
    rooms = sorted((ROOT / "tests/simulation/planted").glob("*.py"))
    planted = {name.replace("_", "-") for room in rooms for name in functions(str(room.relative_to(ROOT)))}
    for named in rules(page).values():
        for one in named:
            path, _, test = one.partition("::")
            if test not in functions(path) if test else path not in planted:
                found.append(one)
    return found


@cache
def functions(path: str) -> frozenset[str]:
    """Names of the functions of a file, also of those in its classes; none if there is no such file."""
    if not (ROOT / path).is_file():
        return frozenset()
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def test_no_rule_is_without_a_test() -> None:
    assert without_tests(PAGE.read_text()) == []


def test_whatever_the_page_names_is_there() -> None:
    assert unknown(PAGE.read_text()) == []


def test_no_rule_names_a_test_twice() -> None:
    assert {name: named for name, named in rules(PAGE.read_text()).items() if len(set(named)) != len(named)} == {}


def test_a_rule_that_lost_its_tests_is_found() -> None:
    page = PAGE.read_text()
    whole = page[page.index("### Rule 10\n") : page.index("## Barrier")]
    assert without_tests(page.replace(whole, "")) == ["Rule 10"]
    bare = "\n".join(line for line in whole.splitlines() if "::" not in line) + "\n"
    assert without_tests(page.replace(whole, bare)) == ["Rule 10"]


@pytest.mark.parametrize(
    "line",
    [
        "- `tests/unit/machine/test_release.py::test_that_nobody_wrote`",
        "- `tests/unit/machine/test_no_such_file.py::test_a_fence_has_a_writable_predecessor`",
        "- planted mistake: `no-such-mistake`",
    ],
)
def test_a_name_of_nothing_is_found(line: str) -> None:
    page = PAGE.read_text().replace("### Rule 2\n", f"{line}\n### Rule 2\n")
    assert unknown(page) == [re.sub(r"^- (planted mistake: )?`|`$", "", line)]
