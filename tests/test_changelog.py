"""`CHANGELOG.md` can be read by an operator: versions, groups, and each change said once."""

from __future__ import annotations

import re

from tests.test_architecture import ROOT

GROUPS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
VERSION = re.compile(r"\[Unreleased\]|\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}")


def faults(text: str) -> list[str]:
    """What is not in the form of Keep a Changelog; a merge that brings back old text is found by what is there twice."""
    found = []
    group = None
    headings: list[str] = []
    bullets: list[str] = []
    for line in text.splitlines():
        if line.startswith("## "):
            version, group = line[3:], None
            headings.append(version)
            if not VERSION.fullmatch(version):
                found.append(f"expected [Unreleased] or [number] - date, found: {version}")
        elif line.startswith("### "):
            group = line[4:]
            headings.append(f"{headings[-1]} {group}")
            if group not in GROUPS:
                found.append(f"unknown group: {group}")
        elif line.startswith("- "):
            bullets.append(line)
            if group is None:
                found.append(f"a change outside the groups: {line}")
    return found + [f"twice: {one}" for one in sorted(set(headings + bullets)) if (headings + bullets).count(one) > 1]


def test_the_changelog_is_in_its_form() -> None:
    assert faults((ROOT / "CHANGELOG.md").read_text()) == []


def test_what_is_not_in_the_form_is_found() -> None:
    text = "# Changelog\n\n## Unreleased\n\n- A\n\n### Odds\n\n- B\n- B\n"
    assert faults(text) == [
        "expected [Unreleased] or [number] - date, found: Unreleased",
        "a change outside the groups: - A",
        "unknown group: Odds",
        "twice: - B",
    ]
