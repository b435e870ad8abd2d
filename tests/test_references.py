"""Whatever a page or a docstring calls by its place is there: a module that moves takes its name along.

Leaves to ``test_architecture`` who may import whom. The last test shows how a dead reference is found.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "SECURITY.md", "docs", "migrator/client/PROTOCOL.md")
NOT_OURS = {"json.py", "plan.yaml"}
"""Of examples: what must not lie beside a plan, and a plan."""
IN_WORDS = ("VERB", "NNNN")

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in ("migrator", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if "node_modules" not in path.parts
}
FILES = {str(path.relative_to(ROOT)) for path in MODULES.values()} | {
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/*.md", "decisions/*.md", "plans/*.yaml", "migrator/**/*.md", "tests/*/*.md")
    for path in ROOT.glob(pattern)
}
ROOMS = {name.split(".")[1] for name in MODULES if name.startswith("migrator.")}
ENDS: dict[str, Path] = {}
for _name, _path in MODULES.items():
    _parts = _name.split(".")
    for _place in range(len(_parts)):
        ENDS.setdefault(".".join(_parts[_place:]), _path)


def dead_files(text: str) -> list[str]:
    """Files in backticks of a page that there are not."""
    named = re.findall(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|md|yaml))`", text)
    return [
        one
        for one in named
        if one not in NOT_OURS
        and not any(word in one for word in IN_WORDS)
        and not any(file == one or file.endswith(f"/{one}") for file in FILES)
    ]


def dead_modules(text: str) -> list[str]:
    """``room.module`` and ``room.module.name`` of a source text that there are not."""
    return [one for one in re.findall(r"``((?:migrator\.)?[a-z_]+(?:\.[A-Za-z_]+)+)``", text) if not _is_there(one)]


def _is_there(name: str) -> bool:
    short = name.removeprefix("migrator.")
    room, _, rest = short.partition(".")
    if room not in ROOMS or not rest or short in ENDS:
        return True  # of no room of ours (``datetime.now``), or a module
    module, _, last = short.rpartition(".")
    if module not in ENDS:
        return False
    return bool(re.search(rf"\b{last}\b", ENDS[module].read_text()))


def pages() -> list[Path]:
    return [page for name in PAGES for page in ([ROOT / name] if name.endswith(".md") else (ROOT / name).glob("*.md"))]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_page_names_files_that_there_are(page: Path) -> None:
    assert dead_files(page.read_text()) == []


def test_a_docstring_names_modules_that_there_are() -> None:
    dead = {name: found for name, path in MODULES.items() if (found := dead_modules(path.read_text()))}
    dead.pop("tests.test_references", None)
    assert dead == {}


def test_what_has_moved_is_found() -> None:
    assert dead_files("`README.md`, `machine/calendar.py`, `situation.py` and `engine/hand.py`") == [
        "situation.py",
        "engine/hand.py",
    ]
    assert dead_modules("``engine.releasing.release``, ``engine.left_behind``, ``gates.soak``, ``os.path``") == [
        "engine.left_behind"
    ]
