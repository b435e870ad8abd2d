"""Three worlds that stories begin in, each made once; a story works on a copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.stories import APPLY, ROLLBACK
from tests.crash.world import Folder

Worlds = Callable[[str], Folder]


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Folder]:
    return {"fresh": Folder.fresh(tmp_path_factory.mktemp("worlds") / "fresh")}


@pytest.fixture
def world(templates: dict[str, Folder], tmp_path: Path) -> Worlds:
    """A copy of the named world."""

    def made(name: str) -> Folder:
        if name not in templates:
            before, command = {"soaked": ("fresh", APPLY), "reversed": ("soaked", ROLLBACK)}[name]
            folder = made(before)
            folder.migrate(*command, expect=0)
            home = templates["fresh"].path.parent / name
            templates[name] = folder.copy_to(home)
        return templates[name].copy_to(tmp_path / name)

    return made
