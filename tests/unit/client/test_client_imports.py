"""An application pays for what it uses: a follower of a file loads no Azure SDK, no HTTP client and nothing of the engine."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from migrator.client import Routes, SyncRoutes
SyncRoutes.from_url("/nowhere/routes.json")
Routes.from_url("file:///nowhere/routes.json")
rooms = {name.split(".")[1] for name in sys.modules if name.startswith("migrator.")}
foreign = {"azure", "aiohttp", "sqlalchemy", "pydantic", "typer"} & set(sys.modules)
print(sorted(rooms), sorted(foreign))
"""


def test_following_a_file_needs_the_standard_library_only() -> None:
    found = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['client', 'errors', 'model'] []"
