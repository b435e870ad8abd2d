"""The page of a first migration on Azure (`docs/first-migration-on-azure.md`), as tests read it."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "docs/first-migration-on-azure.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def shape(line: str) -> str:
    """A line without its figures and without the time that it begins with."""
    return re.sub(r"\d[\d.,]*", "#", re.sub(r"^\d{4}-\S+ \S+Z ", "", line.strip()))


def promised() -> list[str]:
    """What it says that commands print."""
    return [line for block in blocks("text") for line in block.splitlines() if line]


def not_printed(said: str) -> list[str]:
    """Lines of the page that a rollout did not print."""
    printed = {shape(line) for line in said.splitlines()}
    return [line for line in promised() if shape(line) not in printed]
