"""One move between two accounts of Azurite through the faulty proxy, driven by the installed ``migrate``, as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.storage.blob import AccountSasPermissions, BlobServiceClient, ResourceTypes, generate_account_sas

from tests.azurite.server import Azurite
from tests.faults.proxy import Proxy

MIGRATE = Path(sys.executable).parent / "migrate"
API = "2025-11-05"
APPLY_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    out: str
    err: str


@dataclass
class Move:
    """``source`` and ``target`` are accounts' names in Azurite; ``budget``: requests a minute of each account."""

    folder: Path
    azurite: Azurite
    proxy: Proxy
    budget: int | None = None
    hold: bool = False
    source: str = field(init=False)
    target: str = field(init=False)
    credentials: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.source, self.target = self.azurite.take(), self.azurite.take()
        self.use_keys()
        self.write_plan()

    def use_keys(self) -> None:
        self.credentials = {name: self.azurite.key(name) for name in (self.source, self.target)}

    def use_signatures(self, seconds: float) -> None:
        """Signatures that end soon: so long may a write that was not answered still be applied."""
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        everything = AccountSasPermissions(
            read=True, write=True, delete=True, list=True, add=True, create=True, tag=True, filter_by_tags=True
        )
        kinds = ResourceTypes(service=True, container=True, object=True)
        self.credentials = {
            name: generate_account_sas(name, self.azurite.key(name), kinds, everything, end)
            for name in (self.source, self.target)
        }

    def write_plan(self) -> None:
        plan: dict[str, Any] = {
            "version": 1,
            "name": "faults",
            "defaults": {"account": {"api_version": API}},
            "accounts": {
                side: {"endpoint": self.proxy.endpoint(name), "credential": f"env:{side.upper()}"}
                for side, name in (("src", self.source), ("dst", self.target))
            },
            "areas": {"all": {"containers": ["web"]}},
            "regions": {"here": {"source": "src", "targets": {"all": "dst"}}},
            "routing": {"kind": "file", "path": "routes.json", "ttl": "500ms"},
            "cutover": {
                "max_write": "500ms",
                "clock_margin": "100ms",
                "fence_timeout": "60s",
                "straggler_interval": "2s",
                "hold": self.hold,
            },
            "waves": [{"name": "all", "moves": [{"region": "here", "areas": "*"}], "soak": "2s", "interval": "500ms"}],
        }
        if self.budget is not None:
            plan["budget"] = {"requests_per_minute": self.budget}
        (self.folder / "plan.yaml").write_text(json.dumps(plan, indent=1))

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MIGRATE_")}
        return kept | {"SRC": self.credentials[self.source], "DST": self.credentials[self.target]}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(MIGRATE), *arguments],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> Done:
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=APPLY_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        return Done(process.returncode, out, err)

    def apply(self, *options: str) -> Done:
        return self.run("apply", "plan.yaml", "--yes", *options)

    def status(self) -> dict[str, Any]:
        done = self.run("status", "plan.yaml", "--json")
        assert done.code == 0, done
        found: dict[str, Any] = json.loads(done.out)["waves"][0]["moves"][0]
        return found

    def history(self) -> list[str]:
        """The kinds of the journal's entries, and what they say."""
        done = self.run("history", "plan.yaml", "--json")
        assert done.code == 0, done
        return [f"{one['kind']}: {one['text']}" for one in json.loads(done.out)["entries"]]

    def client(self, name: str) -> BlobServiceClient:
        """The plain SDK, past the proxy."""
        return BlobServiceClient.from_connection_string(
            self.azurite.connection_string(name), api_version=API, max_single_put_size=4 * 1024 * 1024
        )
