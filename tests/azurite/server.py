"""One Azurite in memory for the tests: started on free ports, with many accounts, ended with the process that started it.

A test takes accounts of its own (``take``), so tests sharing one server never see each other's containers. Server-side
copies work between accounts of one server; a second server is for what happens when they do not.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

from tests.azurite.install import node_commands

HERE = Path(__file__).resolve().parent
SERVER = HERE / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
ACCOUNTS = 1_200
"""Enough for a whole run of one worker; nobody gives an account back."""
START_SECONDS = 120
SERVICES = ("Blob", "Queue", "Table")
LISTENING = re.compile(r"Azurite (\w+) service is successfully listening at https?://127\.0\.0\.1:(\d+)")


def missing() -> str | None:
    """Why Azurite cannot be started here, or None."""
    if not SERVER.exists():
        return "azurite is not installed: run `make setup`"
    if node_commands() is None:
        return "there is no Node.js of version 20 or later: run `make setup`"
    return None


@dataclass
class Azurite:
    """A running server. ``keys``: base64 account keys by account name; ports by service."""

    ports: dict[str, int]
    pid: int
    keys: dict[str, str] = field(repr=False)
    scheme: str = "http"
    _free: list[str] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self._free = sorted(self.keys, reverse=True)

    def take(self) -> str:
        """The name of an account that nobody has used yet."""
        return self._free.pop()

    def endpoint(self, account: str, service: str = "Blob") -> str:
        return f"{self.scheme}://127.0.0.1:{self.ports[service]}/{account}"

    def key(self, account: str) -> str:
        return self.keys[account]

    def connection_string(self, account: str) -> str:
        parts = {
            "DefaultEndpointsProtocol": self.scheme,
            "AccountName": account,
            "AccountKey": self.keys[account],
            "BlobEndpoint": self.endpoint(account),
            "QueueEndpoint": self.endpoint(account, "Queue"),
            "TableEndpoint": self.endpoint(account, "Table"),
        }
        return ";".join(f"{name}={value}" for name, value in parts.items()) + ";"

    def environ(self, accounts: Sequence[str]) -> dict[str, str]:
        """Variables for ``credential: "env:NAME"``: each account's connection string under ``variable(account)``."""
        return {self.variable(account): self.connection_string(account) for account in accounts}

    @staticmethod
    def variable(account: str) -> str:
        return f"{account.upper()}_CONNECTION"


@contextlib.contextmanager
def running(
    accounts: int | Sequence[str] = ACCOUNTS, *, certificate: tuple[Path, Path] | None = None
) -> Iterator[Azurite]:
    """Start a server and end it at the end, by its pid. Raises RuntimeError if it does not come up.

    Args:
        accounts: how many, or their names.
        certificate: PEM files of a certificate for 127.0.0.1 and of its key: https, and tokens of Microsoft Entra ID.
    """
    commands = node_commands()
    if commands is None:
        raise RuntimeError("no Node.js")
    names = [f"acct{index:04d}" for index in range(accounts)] if isinstance(accounts, int) else accounts
    keys = {name: base64.b64encode(secrets.token_bytes(32)).decode() for name in names}
    command = [*commands[0], "supervised.js", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    command += ["--inMemoryPersistence"]
    command += [part for service in SERVICES for part in (f"--{service.lower()}Port", "0")]
    environ = {**os.environ, "AZURITE_ACCOUNTS": ";".join(f"{name}:{key}" for name, key in keys.items())}
    if certificate:
        command += ["--cert", str(certificate[0]), "--key", str(certificate[1]), "--oauth", "basic"]
        environ["NODE_EXTRA_CA_CERTS"] = str(certificate[0])  # its copies read from itself
    process = subprocess.Popen(
        command,
        cwd=HERE,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Azurite(_ports(process), process.pid, keys, "https" if certificate else "http")
    finally:
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()


def _ports(process: subprocess.Popen[str]) -> dict[str, int]:
    """Read the ports that the server says it got; goes on draining its output so that it never blocks on it."""
    lines: Queue[str | None] = Queue()

    def drain() -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in process.stdout:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=drain, daemon=True).start()
    ports: dict[str, int] = {}
    said: list[str] = []
    while len(ports) < len(SERVICES):
        try:
            line = lines.get(timeout=START_SECONDS)
        except Empty:
            line = None
        if line is None:
            raise RuntimeError("azurite did not start: " + "".join(said).strip())
        said.append(line)
        if found := LISTENING.search(line):
            ports[found[1]] = int(found[2])
    return ports
