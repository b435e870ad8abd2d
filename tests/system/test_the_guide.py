"""The guide builds without a warning, and a link that leads nowhere is one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.system


def built(docs: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(docs), str(out)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)


def test_the_guide_builds_and_a_dead_link_stops_it(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="`make docs` installs it")
    whole = built(ROOT / "docs", tmp_path / "pages")
    assert (whole.returncode, whole.stderr) == (0, "")
    assert "requests_per_minute" in (tmp_path / "pages" / "plan.html").read_text(encoding="utf-8")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "migrator" / "client").mkdir(parents=True)
    shutil.copy(ROOT / "migrator" / "client" / "PROTOCOL.md", tmp_path / "migrator" / "client")
    (tmp_path / "docs" / "report.md").open("a").write("\nSee [more](no-such-page.md).\n")
    broken = built(tmp_path / "docs", tmp_path / "others")
    assert broken.returncode != 0
    assert "no-such-page" in broken.stderr


def commands(page: str, section: str) -> list[str]:
    """The lines of the first console block under a heading, without their prompts."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").split(f"## {section}\n")[1]
    return [line.removeprefix("$ ") for line in text.split("```console\n")[1].split("```")[0].splitlines()]


def test_a_first_migration_does_what_its_page_says(tmp_path: Path) -> None:
    lines = commands("first-migration.md", "On files")
    assert len(lines) > 5
    for line in lines:
        program, command, *words = line.split()
        assert program == "migrate"
        agreed = ["--yes"] if command in ("apply", "rollback") else []
        call = [str(Path(sys.executable).parent / program), command, *words, *agreed]
        done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    assert (tmp_path / "report.html").stat().st_size > 10_000
