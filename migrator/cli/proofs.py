"""The file of ``migrate prove``: read for a plan that names it, and written so that it is whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

from migrator.errors import UsageError
from migrator.model.proved import ProvedPair, document, read

MOST_BYTES = 8 * 1024 * 1024


def read_proofs(path: str | None) -> tuple[tuple[ProvedPair, ...], str]:
    """What was proved, and why that cannot be read; both empty where the plan names no file."""
    if path is None:
        return (), ""
    try:
        return read_file(Path(path)), ""
    except OSError as failed:
        return (), f"{path} cannot be read: {(failed.strerror or 'no such file').lower()}"
    except ValueError as wrong:
        return (), f"{path} cannot be read: {wrong}"


def read_file(path: Path) -> tuple[ProvedPair, ...]:
    """Raises OSError, or ValueError for what `migrate prove` did not write."""
    with path.open("rb") as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise ValueError("it is not a result of `migrate prove`")
    return read(text.decode("utf-8"))


def write_file(path: Path, pairs: tuple[ProvedPair, ...]) -> None:
    """Raises UsageError if it cannot be written."""
    made = path.with_name(f".{path.name}.new")
    try:
        made.write_text(document(pairs), encoding="utf-8")
        os.replace(made, path)
    except OSError as failed:
        raise UsageError(
            f"cannot write {path}: {failed.strerror or 'it failed'}", hint="name a file with --out"
        ) from failed


__all__ = ["read_file", "read_proofs", "write_file"]
