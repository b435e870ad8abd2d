"""A drafted plan, written to a file.

Decides that nothing is ever overwritten: a plan that is there may be one that a rollout runs by. Leaves what a draft says to who
drafts it.
"""

from __future__ import annotations

import shlex
from importlib.resources import files
from pathlib import Path

from migrator.errors import UsageError


def first_try(out: Path) -> str:
    """The plan of a first try on this machine, its comments naming ``out``."""
    text = files(__package__).joinpath("first_try.yaml").read_text(encoding="utf-8")
    return text.replace("PLAN", "plan.yaml" if str(out) == "-" else shlex.quote(str(out)))


def write_draft(out: Path, text: str) -> None:
    """Write a new file.

    Raises:
        UsageError: there is one of this name, or it cannot be written.
    """
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as there:
        raise UsageError(f"cannot write {out}: it is there already", hint="name another file with --out") from there
    except OSError as failed:
        raise UsageError(
            f"cannot write {out}: {(failed.strerror or 'it failed').lower()}", hint="name another file with --out"
        ) from failed
