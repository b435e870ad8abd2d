"""Chromium without a screen, once a page: its log, the addresses it asked for, and axe-core's findings.

Decides nothing about pages. The page of which barriers are sought is a copy with axe-core in it and without the policy that
forbids scripts; everything else is read off the page itself.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
AXE: Final = HERE / "node_modules" / "axe-core" / "axe.min.js"
BINARY: Final = shutil.which("chromium")
SECONDS: Final = 120.0
_POLICY: Final = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
_OWN: Final = (".google.com", ".googleapis.com", ".gstatic.com")
"""What the browser asks for by itself, whatever page it shows. No page of ours names these hosts: other tests hold that."""
_RUN: Final = (
    "axe.run({resultTypes: ['violations']}).then(found => {"
    " const out = document.createElement('pre'); out.id = 'axe-found';"
    " out.textContent = JSON.stringify(found.violations.map(one =>"
    " ({id: one.id, impact: one.impact, help: one.help, where: one.nodes.map(node => node.html.slice(0, 200))})));"
    " document.body.append(out); });"
)


def read(page: Path, *, dark: bool = False, width: int = 1280) -> tuple[str, list[str], list[str]]:
    """The document as it stands in the browser, its console's lines, and every address that was asked for beside the page."""
    with tempfile.TemporaryDirectory() as folder:
        net = Path(folder) / "net.json"
        ended = _chromium(page, folder, f"--log-net-log={net}", dark=dark, width=width)
        console = [line for line in ended.stderr.splitlines() if "CONSOLE" in line]
        found = re.findall(r'"url":"((?:https?|ws|ftp)://([^/"]+)[^"]*)"', net.read_text(errors="replace"))
    asked = sorted({url for url, host in found if not host.endswith(_OWN)})
    return ended.stdout, console, asked


def barriers(page: Path, *, dark: bool = False) -> list[dict[str, Any]]:
    """What axe-core finds."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "page.html"
        text, policies = _POLICY.subn("", page.read_text())
        assert policies == 1
        copy.write_text(f"{text}\n<script>{AXE.read_text()}</script><script>{_RUN}</script>")
        shown = _chromium(copy, folder, dark=dark, width=1280).stdout
    found = re.search(r'<pre id="axe-found">(.*?)</pre>', shown, re.DOTALL)
    assert found is not None, "axe-core did not end"
    text = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    barriers: list[dict[str, Any]] = json.loads(text)
    return barriers


def _chromium(page: Path, folder: str, *more: str, dark: bool, width: int) -> subprocess.CompletedProcess[str]:
    assert BINARY is not None
    theme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    command = [
        BINARY, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-component-update",
        "--disable-sync", "--enable-logging=stderr",
        f"--user-data-dir={folder}/profile", f"--window-size={width},2000", "--virtual-time-budget=20000", "--dump-dom",
        *theme, *more, page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
