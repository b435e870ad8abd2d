"""A real PostgreSQL of the tests' own: in a folder, on a loopback port, by a user that is not root, ended by its pid.

It refuses root, so it is run as ``postgres`` or ``nobody`` where the tests are root's.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Engine, NullPool, create_engine

from tests.contract.prometheus_server import free_port

PATIENCE_SECONDS: Final = 60.0
_NUMBERS = itertools.count()


def _bin() -> Path | None:
    """Debian keeps each version's programs in a folder of their own; the newest is taken."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).parent if named else None


BIN: Final = _bin()
needs_postgres = [
    pytest.mark.system,
    pytest.mark.skipif(
        (BIN is None or find_spec("psycopg") is None) and os.environ.get("CI") != "true",
        reason="needs the package postgresql, and pip's psycopg",
    ),
]


def _user() -> str | None:
    """Whose the server is; None: ours."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Server:
    """``start`` and ``stop`` may be called again and again: what it holds stays."""

    def __init__(self, folder: Path, *, settings: Sequence[str] = (), auth: str = "trust") -> None:
        self.folder = folder
        self.port = free_port()
        self._settings = settings
        self._desk: Engine | None = None
        self._process: subprocess.Popen[bytes] | None = None
        if _user() is not None:
            shutil.chown(folder, _user())
        self._run(
            "initdb", "-D", str(folder / "data"), "-U", "me", "-A", auth, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        command = [str(BIN / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder)]  # type: ignore[operator]
        settings = ("listen_addresses=127.0.0.1", "fsync=off", "max_connections=60", *self._settings)
        options = [word for setting in settings for word in ("-c", setting)]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen([*command, *options], stdout=log, stderr=log, **_as_user())
        until = time.monotonic() + PATIENCE_SECONDS
        while not self.answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, "PostgreSQL does not start"
            time.sleep(0.05)

    def stop(self, how: int = signal.SIGINT) -> None:
        """Fast shutdown by default; SIGQUIT is as a crash."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait(timeout=PATIENCE_SECONDS)
            self._process = None

    def answers(self) -> bool:
        assert BIN is not None
        command = [str(BIN / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def processes(self) -> list[int]:
        """The server and all that work for it."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def freeze(self) -> None:
        """Everything of it stands still, as its machine may; the kernel goes on taking connections."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in reversed(self.processes()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def sql(self, text: str) -> str:
        """One statement by a person of the database; the first value it answers with, as text."""
        if self._desk is None:
            address = f"postgresql+psycopg://me@127.0.0.1:{self.port}/postgres"
            self._desk = create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with self._desk.connect() as connection:
            found = connection.exec_driver_sql(text)
            row = found.first() if found.returns_rows else None
        return "" if row is None else str(row[0])

    def fresh(self, *, port: int | None = None) -> str:
        """The URL of a schema that nobody used yet, so that stores of many tests share one server."""
        schema = f"s{os.getpid()}_{next(_NUMBERS)}"
        self.sql(f"CREATE SCHEMA {schema}")
        return self.url(schema, port=port)

    def url(self, schema: str, *, port: int | None = None) -> str:
        return f"postgresql://me@127.0.0.1:{port or self.port}/postgres?options=-csearch_path%3D{schema}"

    def _run(self, program: str, *words: str) -> None:
        assert BIN is not None
        done = subprocess.run([str(BIN / program), *words], capture_output=True, text=True, check=False, **_as_user())
        assert done.returncode == 0, done.stderr


def _as_user() -> dict[str, object]:
    user = _user()
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": [], "cwd": "/"}


@contextlib.contextmanager
def running(*, settings: Sequence[str] = (), auth: str = "trust") -> Iterator[Server]:
    if BIN is None:
        pytest.fail("CI=true: tests that need PostgreSQL must not be skipped", pytrace=False)
    with tempfile.TemporaryDirectory(prefix="pg-") as name:  # short: a socket's path has 107 characters at most
        server = Server(Path(name), settings=settings, auth=auth)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)
