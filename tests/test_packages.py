"""What is installed with what: each room imports what its part of `pyproject.toml` declares, and runs without the others."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from migrator.cli.views.errors import AZURE_PACKAGES

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
MODULES = {"ruamel.yaml": "ruamel", "prometheus-client": "prometheus_client", "vl-convert-python": "vl_convert"}
"""Of a distribution: its top module, where that is not its name."""
WITH = {"jinja2": {"markupsafe"}}
"""What a package brings along and promises to."""
PARTS = {
    "adapters/azure": "azure",
    "adapters/estate": "azure",
    "adapters/metrics/azure_monitor": "azure",
    "adapters/routing/configuration.py": "azure",
    "client": "client",
    "report": "report",
    "cli/wiring.py": "azure",  # a faster event loop, where it is installed
}
"""Which extra a room may need beside what is always installed."""


def modules(requirements: list[str]) -> set[str]:
    """`azure.storage.blob` for azure-storage-blob, `typer` for typer>=0.29."""
    found = set()
    for line in requirements:
        name = re.match(r"[\w.-]+", line)[0]
        found.add(MODULES.get(name) or (name.replace("-", ".") if name.startswith("azure-") else name))
        found |= WITH.get(name, set())
    return found


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return {name for name in found if name.split(".")[0] not in {*sys.stdlib_module_names, "migrator"}}


def undeclared(place: str, names: set[str]) -> list[str]:
    part = next((extra for room, extra in PARTS.items() if place.startswith(room)), None)
    declared = modules(PROJECT["dependencies"] if part != "client" else []) | modules(EXTRAS[part] if part else [])
    return sorted(name for name in names if not any(f"{name}.".startswith(f"{one}.") for one in declared))


def test_each_room_imports_what_its_part_declares() -> None:
    package = ROOT / "migrator"
    found = {
        place: missing
        for path in package.rglob("*.py")
        if (missing := undeclared(place := str(path.relative_to(package)), imported(path)))
    }
    assert found == {}
    assert undeclared("client/x.py", {"sqlalchemy", "azure.mgmt.storage.aio"}) == [
        "azure.mgmt.storage.aio",
        "sqlalchemy",
    ]
    assert undeclared("engine/x.py", {"azure.core.rest", "aiohttp"}) == ["azure.core.rest"]


BLOCKED = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if any(f"{name}.".startswith(f"{one}.") for one in ABSENT):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

ABSENT = {absent}
sys.meta_path.insert(0, Absent())
"""


def run(absent: set[str], program: str) -> subprocess.CompletedProcess[str]:
    """``program`` in a new interpreter where these modules are not installed."""
    text = BLOCKED.replace("{absent}", repr(sorted(absent))) + program
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False)


def test_an_application_needs_the_small_extra_alone() -> None:
    always = modules(PROJECT["dependencies"]) - modules(EXTRAS["client"])
    absent = always | (modules(EXTRAS["azure"]) - modules(EXTRAS["client"]))
    assert {"typer", "rich", "sqlalchemy", "pydantic", "azure.mgmt.storage"} <= absent
    rooms = [f"migrator.client.{path.stem}" for path in (ROOT / "migrator/client").glob("[a-z]*.py")]
    done = run(absent, f"import {', '.join(rooms)}\nfrom migrator.client import LeasePolicy, Routes\nprint(Routes)")
    assert (done.returncode, done.stderr) == (0, "")
    bare = run(always | {"azure", "aiohttp"}, "from migrator.client import Routes\nprint(Routes)")
    assert (bare.returncode, bare.stderr) == (0, "")  # a route in a file needs nothing at all


@pytest.mark.parametrize("kind", ["embedded", "azure"])
def test_the_program_without_the_extra_for_azure(kind: str, tmp_path: Path) -> None:
    plan = ROOT / "plans" / ("quickstart.yaml" if kind == "embedded" else "azurite.yaml")
    program = (
        f"import os\nos.chdir({str(tmp_path)!r})\nsys.argv = ['migrate', 'plan', {str(plan)!r}]\n"
        "from migrator.cli.app import main\nsys.exit(main())"
    )
    done = run(AZURE_PACKAGES | modules(EXTRAS["azure"]), program)
    if kind == "embedded":
        assert "next: mend the errors" in done.stdout  # there are no accounts yet, and that is said as ever
        assert done.stderr == ""
    else:
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "error: cannot ask Azure: its packages are not installed (there is no httptools)",
            "  next: pip install 'migrator[azure]'",
        ]
