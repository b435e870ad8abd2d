"""Reading a plan's bytes from disk, with one plain sentence for everything that can be wrong with a file."""

from __future__ import annotations

from pathlib import Path

from migrator.errors import PlanError
from migrator.plan.parse import MAX_TEXT_BYTES, too_large


def read_plan(path: Path) -> str:
    """The text at ``path``, UTF-8 with or without a byte order mark. PlanError says what is wrong with the file."""
    try:
        if path.is_dir():
            raise PlanError(f"cannot read plan {path}: it is a directory", hint="name the YAML file in it")
        if path.exists() and not path.is_file():
            raise PlanError(f"cannot read plan {path}: it is not an ordinary file")
        with path.open("rb") as file:
            raw = file.read(MAX_TEXT_BYTES + 1)
    except FileNotFoundError:
        raise PlanError(
            f"cannot read plan {path}: there is no such file",
            hint="check the path and the working directory; `migrate init` drafts a plan",
        ) from None
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or "its name cannot be a file's"
        raise PlanError(f"cannot read plan {path}: {reason.lower()}") from fault
    if len(raw) > MAX_TEXT_BYTES:
        raise too_large(str(path))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise PlanError(f"cannot read plan {path}: it is not text in UTF-8")
    return text
