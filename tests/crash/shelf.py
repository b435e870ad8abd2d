"""Where the rollouts of the crash tests keep their state: a file in their folder, or a database of a real PostgreSQL."""

from __future__ import annotations

import shutil
from contextlib import closing, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from migrator.adapters.state import SqlStateStore, open_store
from migrator.errors import StateError
from tests.postgres.server import Server


class Shelf(Protocol):
    """State stores by the folder of their rollout."""

    def url(self, folder: Path) -> str: ...
    def copy(self, folder: Path, to: Path) -> None:
        """What is in the store of ``folder``, for the folder ``to``, which was copied already."""
        ...

    def keep(self, folder: Path) -> None:
        """A backup of it."""
        ...

    def put_back(self, folder: Path) -> None:
        """The backup; nothing at all where there is none."""
        ...


class Files:
    def url(self, folder: Path) -> str:
        return f"sqlite:///{folder}/state/migrator.db"

    def copy(self, folder: Path, to: Path) -> None:
        """It was copied with its folder."""

    def keep(self, folder: Path) -> None:
        shutil.copy(folder / "state/migrator.db", folder / "backup.db")

    def put_back(self, folder: Path) -> None:
        (folder / "state/migrator.db").unlink()
        if (folder / "backup.db").exists():
            shutil.copy(folder / "backup.db", folder / "state/migrator.db")


class Databases:
    """One database for each folder; databases are copied whole by the server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.port = server.port
        """Where commands look for it: there may be a proxy."""

    def url(self, folder: Path) -> str:
        name = self._name(folder)
        if not self._is_there(name):
            self._server.sql(f"CREATE DATABASE {name}")
        return f"postgresql://me@127.0.0.1:{self.port}/{name}"

    def copy(self, folder: Path, to: Path) -> None:
        self._clone(self._name(folder), self._name(to))

    def keep(self, folder: Path) -> None:
        self._clone(self._name(folder), self._name(folder / "backup"))

    def put_back(self, folder: Path) -> None:
        name, kept = self._name(folder), self._name(folder / "backup")
        if self._is_there(kept):
            self._clone(kept, name)
        else:
            self._server.sql(f"DROP DATABASE {name} WITH (FORCE)")

    def _clone(self, name: str, new: str) -> None:
        """Whoever is still connected to either is dead, or gone in a moment."""
        if not self._is_there(name):
            return
        self._server.sql(f"DROP DATABASE IF EXISTS {new} WITH (FORCE)")
        self._server.sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
        self._server.sql(f"CREATE DATABASE {new} TEMPLATE {name}")

    def _is_there(self, name: str) -> bool:
        return self._server.sql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'") == "1"

    def _name(self, folder: Path) -> str:
        return f"w{blake2b(str(folder).encode(), digest_size=12).hexdigest()}"


def opened(shelf: Shelf, folder: Path, plan: str) -> closing[SqlStateStore] | None:
    """None: nothing was applied yet."""
    with suppress(StateError):
        return closing(open_store(shelf.url(folder), plan, create=False))
    return None
