"""Three worlds that stories begin in, each made once; a story works on a copy. STORE=postgres keeps their state in PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.shelf import Databases, Files, Shelf
from tests.crash.stories import APPLY, ROLLBACK
from tests.crash.world import Folder
from tests.postgres.server import running

Worlds = Callable[[str], Folder]


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    with running() as server:
        yield Databases(server)


@pytest.fixture(scope="session")
def shelf(request: pytest.FixtureRequest) -> Shelf:
    if os.environ.get("STORE") == "postgres":
        found: Databases = request.getfixturevalue("databases")
        return found
    return Files()


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory, shelf: Shelf) -> dict[str, Folder]:
    return {"fresh": Folder.fresh(tmp_path_factory.mktemp("worlds") / "fresh", shelf)}


@pytest.fixture
def world(templates: dict[str, Folder], tmp_path: Path) -> Worlds:
    """A copy of the named world."""
    return worlds(templates, tmp_path)


@pytest.fixture(scope="session")
def templates_in_postgres(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> dict[str, Folder]:
    return {"fresh": Folder.fresh(tmp_path_factory.mktemp("worlds") / "fresh", databases)}


@pytest.fixture
def world_in_postgres(templates_in_postgres: dict[str, Folder], tmp_path: Path) -> Worlds:
    """A copy of the named world, whose state is in PostgreSQL."""
    return worlds(templates_in_postgres, tmp_path)


def worlds(templates: dict[str, Folder], tmp_path: Path) -> Worlds:
    def made(name: str) -> Folder:
        if name not in templates:
            before, command = {"soaked": ("fresh", APPLY), "reversed": ("soaked", ROLLBACK)}[name]
            folder = made(before)
            folder.migrate(*command, expect=0)
            home = templates["fresh"].path.parent / name
            templates[name] = folder.copy_to(home)
        return templates[name].copy_to(tmp_path / name)

    return made
