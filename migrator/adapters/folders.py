"""Folders that this program makes for what it keeps: for its own user alone, whatever the umask says.

Leaves folders that exist as they are: who made them before decides who may look into them.
"""

from __future__ import annotations

from pathlib import Path

FOLDER_MODE = 0o700


def make_private(folder: Path) -> None:
    """Make ``folder`` and what is missing above it. Raises OSError."""
    missing = []
    while not folder.exists() and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(mode=FOLDER_MODE, exist_ok=True)
