"""What is run: the installed ``migrate``, AzCopy and rclone, each as its own user would start it.

Decides arguments and environment, and what end of a run is its proper one. Leaves timing to ``timed`` and whether a copy was
a copy to the server's log. Rule: ours gets nothing that a user could not give it: a plan, credentials in the environment.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

from tests.benchmarks import timed
from tests.benchmarks.install import Tools
from tests.benchmarks.timed import Timing

CONCURRENCIES = (32, 64, 128)
WAITING = 3
"""Exit code of a wave that is held. Source: README.md, exit codes."""


@dataclass(frozen=True, slots=True)
class Side:
    """One account as every contestant sees it."""

    account: str
    endpoint: str
    key: str = field(repr=False)

    @property
    def connection_string(self) -> str:
        scheme = self.endpoint.partition(":")[0]
        return (
            f"DefaultEndpointsProtocol={scheme};AccountName={self.account};AccountKey={self.key};"
            f"BlobEndpoint={self.endpoint};"
        )

    def sas(self) -> str:
        """An account signature for a day: what AzCopy and wrk are given."""
        return generate_account_sas(
            self.account,
            self.key,
            ResourceTypes(service=True, container=True, object=True),
            AccountSasPermissions(read=True, write=True, delete=True, list=True, add=True, create=True, tag=True),
            datetime.now(UTC) + timedelta(days=1),
        )


def made_up_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True, slots=True)
class Job:
    """A copy or comparison of one container between two accounts, in a folder of its own."""

    tools: Tools
    source: Side
    target: Side
    container: str
    folder: Path
    authority: Path | None = None
    api_version: str | None = None
    limit_seconds: float = 600.0

    def at(self, name: str) -> Path:
        """A new empty folder for one run."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


@dataclass(frozen=True, slots=True)
class Ended:
    """``fault``: why the run does not count, or empty. ``folder``: where its files are."""

    timing: Timing
    fault: str
    folder: Path


# Ours.


def write_plan(job: Job, folder: Path, *, budget_per_minute: int | None = None) -> Path:
    """A plan of one move that is held before its cut-over, so that ``apply`` copies once and ends."""
    accounts = {
        name: {"endpoint": side.endpoint, "credential": f"env:BENCH_{name.upper()}"}
        | ({"api_version": job.api_version} if job.api_version else {})
        for name, side in (("source", job.source), ("target", job.target))
    }
    plan = {
        "version": 1,
        "name": "benchmark",
        "accounts": accounts,
        "areas": {"all": {"containers": [job.container]}},
        "regions": {"here": {"source": "source", "targets": {"all": "target"}}},
        "routing": {"kind": "file", "path": "routes.json", "ttl": "1s"},
        "cutover": {"hold": True},
        "waves": [{"name": "all", "moves": [{"region": "here", "areas": "*"}], "soak": "1h"}],
    }
    if budget_per_minute is not None:
        plan["budget"] = {"requests_per_minute": budget_per_minute}
    if job.authority is not None:
        plan["cloud"] = {"ca_file": str(job.authority)}
    path = folder / "plan.yaml"
    path.write_text(json.dumps(plan, indent=1))  # JSON is YAML
    return path


def our_environ(job: Job) -> dict[str, str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MIGRATE_", "BENCH_"))}
    return environ | {
        "BENCH_SOURCE": job.source.connection_string,
        "BENCH_TARGET": job.target.connection_string,
    }


def migrate_copy(job: Job, *, workers: int | None = None) -> Ended:
    folder = job.at("migrate")
    plan = write_plan(job, folder)
    command = [job.tools.migrate, "apply", str(plan), "--yes", "--no-wait"]
    command += ["--workers", str(workers)] if workers is not None else []
    timing = timed.run(command, folder, environ=our_environ(job), limit_seconds=job.limit_seconds)
    said = timing.out.read_text(errors="replace") + timing.err.read_text(errors="replace")
    is_held = timing.code == WAITING and "hold" in said
    return Ended(timing, "" if is_held else f"exit {timing.code}: {timing.last_words()}", folder)


def migrate_verify(job: Job, prepared: Path) -> Ended:
    """``prepared``: the folder of a copy that has ended, whose state is used."""
    folder = job.at("migrate-verify")
    write_plan(job, folder)
    shutil.copytree(prepared / "state", folder / "state")
    command = [job.tools.migrate, "verify", "plan.yaml", "--level", "attributes", "--json"]
    timing = timed.run(command, folder, environ=our_environ(job), limit_seconds=job.limit_seconds)
    return Ended(timing, "" if timing.code == 0 else f"exit {timing.code}: {timing.last_words()}", folder)


# The peers.


def azcopy_copy(job: Job, *, concurrency: int) -> Ended:
    folder = job.at(f"azcopy-{concurrency}")
    command = [job.tools.azcopy, "copy"]
    command += [f"{side.endpoint}/{job.container}?{side.sas()}" for side in (job.source, job.target)]
    command += ["--from-to", "BlobBlob", "--recursive", "--as-subdir=false", "--log-level", "ERROR"]
    command += ["--check-length=false", "--s2s-preserve-access-tier=false", "--output-level", "essential"]
    environ = _peer_environ(job, folder) | {
        "AZCOPY_CONCURRENCY_VALUE": str(concurrency),
        "AZCOPY_LOG_LOCATION": str(folder / "log"),
        "AZCOPY_JOB_PLAN_LOCATION": str(folder / "plans"),
        "AZCOPY_DISABLE_SYSLOG": "true",
    }
    timing = timed.run(command, folder, environ=environ, limit_seconds=job.limit_seconds)
    return Ended(timing, "" if timing.code == 0 else f"exit {timing.code}: {timing.last_words()}", folder)


def rclone_copy(job: Job, *, concurrency: int, options: tuple[str, ...] = ()) -> Ended:
    return _rclone(job, f"rclone-{concurrency}", "copy", ["--transfers", str(concurrency), *options], concurrency)


def rclone_check(job: Job, *, concurrency: int) -> Ended:
    return _rclone(job, f"rclone-check-{concurrency}", "check", [], concurrency)


def _rclone(job: Job, name: str, verb: str, options: list[str], concurrency: int) -> Ended:
    folder = job.at(name)
    sections = [
        f"[{remote}]\ntype = azureblob\naccount = {side.account}\nkey = {side.key}\nendpoint = {side.endpoint}\n"
        for remote, side in (("source", job.source), ("target", job.target))
    ]
    config = folder / "rclone.conf"
    config.touch(0o600)
    config.write_text("\n".join(sections))
    command = [job.tools.rclone, verb, f"source:{job.container}", f"target:{job.container}", "--config", str(config)]
    command += ["--fast-list", "--checkers", str(concurrency), "--stats", "0", "--log-level", "NOTICE", *options]
    timing = timed.run(command, folder, environ=_peer_environ(job, folder), limit_seconds=job.limit_seconds)
    return Ended(timing, "" if timing.code == 0 else f"exit {timing.code}: {timing.last_words()}", folder)


def _peer_environ(job: Job, folder: Path) -> dict[str, str]:
    environ = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ} | {"HOME": str(folder)}
    return environ | ({"SSL_CERT_FILE": str(job.authority)} if job.authority is not None else {})
