"""`decisions/README.md` lists every decision record once, by its number, its title and its file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tests.test_architecture import ROOT

FOLDER = ROOT / "decisions"
LINE = re.compile(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \| (.+) \| (\d{4}-\d{2}-\d{2}) \|$")


def records() -> Mapping[str, str]:
    """File -> its text, in the order of their names."""
    return {path.name: path.read_text() for path in sorted(FOLDER.glob("[0-9]*.md"))}


def faults(index: str, texts: Mapping[str, str]) -> Sequence[str]:
    """What is wrong with the index, or with the numbers of the records."""
    found = []
    listed: dict[str, tuple[str, str, str]] = {}
    for line in index.splitlines():
        if line.startswith("| [") and not (match := LINE.match(line)):
            found.append(f"expected number, title, status and date, found: {line}")
        elif line.startswith("| ["):
            number, file, title, status, _date = match.groups()
            if file in listed:
                found.append(f"{file} is listed twice")
            listed[file] = (number, title, status)
    for file, text in texts.items():
        heading = text.split("\n", 1)[0]
        if file not in listed:
            found.append(f"{file} is not in the index")
        elif heading != f"# {int(file[:4])}. {listed[file][1]}" or listed[file][0] != file[:4]:
            found.append(f"{file} and the index have different numbers or titles")
    numbers = [file[:4] for file in texts]
    found += [f"number {number} is used twice" for number in sorted({one for one in numbers if numbers.count(one) > 1})]
    found += [f"{file} is in the index and not there" for file in listed if file not in texts]
    named = {number for number, _, _ in listed.values()}
    for _, (number, _title, status) in listed.items():
        found += [
            f"{number} is replaced by {one}, which is not there"
            for one in re.findall(r"\d{4}", status)
            if one not in named
        ]
    return found


def test_every_decision_is_in_the_index_under_a_number_of_its_own() -> None:
    assert faults((FOLDER / "README.md").read_text(), records()) == []


def test_what_is_wrong_with_an_index_is_found() -> None:
    index = (
        "| [0001](0001-a.md) | A | in force | 2026-01-01 |\n| [0002](0002-b.md) | B | replaced by 0009 | 2026-01-01 |\n"
    )
    texts = {"0001-a.md": "# 1. A\n", "0001-c.md": "# 1. C\n", "0002-b.md": "# 2. Another title\n"}
    assert faults(index, texts) == [
        "0001-c.md is not in the index",
        "0002-b.md and the index have different numbers or titles",
        "number 0001 is used twice",
        "0002 is replaced by 0009, which is not there",
    ]
    assert faults(index, {"0001-a.md": "# 1. A\n"})[0] == "0002-b.md is in the index and not there"
    assert faults("| [0001](0001-a.md) | A |\n", {}) == [
        "expected number, title, status and date, found: | [0001](0001-a.md) | A |"
    ]
