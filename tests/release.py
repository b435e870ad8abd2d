"""``make release-check``: is what would be published whole? Run as ``python -m tests.release``.

Decides what must hold before a version goes out: the change log has its section, a wheel built from a clean tree holds all
that the program reads, and that wheel, in an empty environment and an empty folder, runs a whole rollout from ``init`` to
``report``.
Leaves whether the code is right to the tests.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

from migrator import __version__

ROOT = Path(__file__).parents[1]
STEPS = (
    (("--version",), __version__),
    (("init", "--local"), "plan.yaml"),
    (("validate", "plan.yaml"), "is valid"),
    (("sample", "plan.yaml"), "2,000 objects"),
    (("plan", "plan.yaml"), "Nothing stands in the way."),
    (("apply", "plan.yaml", "--yes"), "Done."),
    (("status", "plan.yaml"), "every move has soaked"),
    (("verify", "plan.yaml"), "Both ends are equal."),
    (("rollback", "plan.yaml", "--yes"), "reversed"),
    (("report", "plan.yaml", "--out", "report.html"), "wrote report.html"),
)
"""What is typed in the empty folder, and what the answer must hold."""


def problems(changelog: str, version: str) -> list[str]:
    """What the change log lacks for ``version``."""
    section = re.search(rf"^## \[{re.escape(version)}\](.*?)(?=^## \[|\Z)", changelog, re.DOTALL | re.MULTILINE)
    if section is None:
        return [f"CHANGELOG.md has no section [{version}]"]
    if not re.match(r" - \d{4}-\d{2}-\d{2}$", section[1].splitlines()[0]):
        return [f"the section [{version}] of CHANGELOG.md has no date"]
    return [] if len(section[1].split()) > 10 else [f"the section [{version}] of CHANGELOG.md says nothing"]


def pins(constraints: str) -> str:
    """The versions of a list with hashes, for a package that has none."""
    return "".join(f"{one}\n" for one in re.findall(r"^([a-z0-9][\w.-]*==[^\s\\]+)", constraints, re.MULTILINE))


def main() -> int:
    found = list(_checked())
    for one in found:
        print(f"release-check: {one}", file=sys.stderr)
    print("release-check: not ready" if found else f"release-check: {__version__} is whole")
    return 1 if found else 0


def _checked() -> Iterator[str]:
    yield from problems((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), __version__)
    folder = Path(tempfile.mkdtemp(prefix="migrate-release-"))
    try:
        wheel = _wheel(folder)
        print(f"built {wheel.name}")
        program = _installed(folder, wheel)
        work = folder / "work"
        work.mkdir()
        for words, wanted in STEPS:
            done = subprocess.run([program, *words], cwd=work, capture_output=True, text=True, timeout=300)
            print(f"migrate {' '.join(words)}: exit {done.returncode}")
            if done.returncode != 0 or wanted not in done.stdout + done.stderr:
                yield f"migrate {' '.join(words)} does not say {wanted!r}: exit {done.returncode}: {done.stdout}{done.stderr}"
                return
        if b"<html" not in (work / "report.html").read_bytes():
            yield "report.html is no page"
    finally:
        shutil.rmtree(folder)


def _wheel(folder: Path) -> Path:
    """Built from what is committed, so that nothing comes along that only this folder has."""
    tree = folder / "tree"
    tree.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(tree)], input=archive, check=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(tree),
    ]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def _installed(folder: Path, wheel: Path) -> str:
    """The program in an environment with nothing in it but the wheel and what it asks for."""
    venv.create(folder / "env", with_pip=True)
    (folder / "pins.txt").write_text(pins((ROOT / "constraints.txt").read_text()))
    command = [str(folder / "env/bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "-c", str(folder / "pins.txt"), f"{wheel}[report]"], check=True)
    return str(folder / "env" / "bin" / "migrate")


if __name__ == "__main__":
    raise SystemExit(main())
