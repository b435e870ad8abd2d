"""The live display on a real terminal, tmux's: the kept pictures are what it shows, and a real apply shows such a board."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.boards import BOTH, kept_at
from tests.tiny import HEAD

TMUX = shutil.which("tmux")
ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.system, pytest.mark.skipif(TMUX is None, reason="needs Debian's tmux")]
CODES = re.compile(r"\x1b\[[0-9;]*m")
PATIENCE_SECONDS = 60.0
PLAN = (
    HEAD
    + """\
routing: {kind: file, path: state/routes.json, ttl: 2s}
budget: {requests_per_minute: 3k}
cutover: {max_write: 2s, clock_margin: 50ms, fence_timeout: 60s}
waves:
  - name: first
    moves: [{region: north-america, areas: "*"}]
    approval: required
    soak: 1h
    interval: 1s
    gates: []
"""
)


class Terminal:
    """One window of a server of tmux of its own."""

    def __init__(self, folder: Path, width: int, height: int, *, has_color: bool) -> None:
        self._server = [TMUX or "tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        names = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        self._environment = {**kept, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
        if not has_color:
            self._environment["NO_COLOR"] = "1"
        size = ["-x", str(width), "-y", str(height)]
        self._tmux("new-session", "-d", *size, "-c", str(folder), "env PS1='$ ' bash --norc --noprofile")

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            [*self._server, *words], env=self._environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def type(self, line: str) -> None:
        self._tmux("send-keys", "-l", line)
        self._tmux("send-keys", "Enter")

    def interrupt(self) -> None:
        self._tmux("send-keys", "C-c")

    def shown(self) -> list[str]:
        return [line.rstrip() for line in self._tmux("capture-pane", "-p").splitlines() if line.strip()]

    def colored(self) -> str:
        return self._tmux("capture-pane", "-p", "-e")

    def until(self, wanted: str) -> list[str]:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if re.search(wanted, "\n".join(lines := self.shown())):
                return lines
            time.sleep(0.1)
        raise AssertionError(f"never shown: {wanted}\n" + "\n".join(self.shown()))

    def close(self) -> None:
        subprocess.run([*self._server, "kill-server"], check=False, capture_output=True)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[list[Terminal]]:
    made: list[Terminal] = []
    yield made
    for one in made:
        one.close()


@pytest.mark.parametrize("has_color", [False, True])
@pytest.mark.parametrize(("name", "width"), BOTH)
def test_a_terminal_shows_the_kept_picture(
    tmp_path: Path, opened: list[Terminal], name: str, width: int, has_color: bool
) -> None:
    terminal = Terminal(tmp_path, width, 40, has_color=has_color)
    opened.append(terminal)
    terminal.type(f"clear; {sys.executable} -m tests.cli.boards {name}")
    lines = terminal.until("Act: ")
    kept = CODES.sub("", kept_at(name, width, has_color=has_color).read_text())
    assert [line for line in lines if "$ " not in line] == [line.rstrip() for line in kept.splitlines()]
    assert ("\x1b[36m" in terminal.colored()) is has_color


@pytest.mark.parametrize(("width", "has_color"), [(60, False), (100, True)])
def test_a_real_apply_shows_what_moves_who_waits_and_who_must_act(
    tmp_path: Path, opened: list[Terminal], width: int, has_color: bool
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "p.yaml").write_text(PLAN)
    migrate = f"{Path(sys.executable).parent / 'migrate'}"
    subprocess.run([migrate, "sample", "p.yaml", "--objects", "300"], cwd=tmp_path, check=True, capture_output=True)
    terminal = Terminal(tmp_path, width, 30, has_color=has_color)
    opened.append(terminal)
    terminal.type(f"{migrate} apply p.yaml --yes")
    copying = terminal.until(r"copying .*\d %")
    assert any(line.startswith("first") for line in copying)
    assert any("Nobody must act." in line for line in terminal.until("Nobody must act"))
    ready = terminal.until(r"ready +(waits )?for approval")
    terminal.until(r"Act: `migrate approve p.yaml first --reason TEXT`")
    assert all(len(line) <= width for line in ready)
    subprocess.run([migrate, "approve", "p.yaml", "first", "--reason", "it is time"], cwd=tmp_path, check=True)
    terminal.until(r"(writers wait|pause) \d")
    soaking = terminal.until(r"soaking +.*\d %.* \d+m")
    assert ("\x1b[36m" in terminal.colored()) is has_color
    assert all(len(line) <= width for line in soaking)
    terminal.interrupt()
    terminal.until("Interrupted|interrupted|stopped")
