"""The file of ``migrate plan --out``: what was previewed, and a fingerprint of the world it was previewed in.

Decides the file's form and what is in a fingerprint. Leaves looking at the world to the command. Rules: the file is 0600 and
appears whole or not at all; object counts and ETags are not in a fingerprint, because customers move them all the time.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Any, Final

from migrator.errors import PlanError
from migrator.model.findings import Finding
from migrator.model.values import value
from migrator.plan.compile import digest
from migrator.plan.parse import MAX_KEPT_BYTES

FORMAT_VERSION: Final = 1
MARKER: Final = "migrate-saved-plan"
MAX_FILE_BYTES: Final = 3 * MAX_KEPT_BYTES
"""The document is ASCII, of which a quote, a backslash or the end of a line has two characters here; the rest is small."""


@value(frozen=True, slots=True)
class SavedPlan:
    """``plan_path`` is where the document was read, for messages; ``document`` is its text as it is kept; ``findings`` counts the
    findings of the preview by severity."""

    name: str
    plan_path: str
    document: str
    fingerprint: str
    findings: Mapping[str, int] = field(default_factory=dict)


def fingerprint(
    document: str,
    *,
    accounts: Mapping[str, str],
    containers: Mapping[str, Iterable[str]],
    limits: Mapping[str, float | None],
    features: Mapping[str, Any],
    states: Mapping[str, str],
) -> str:
    """What must be unchanged for a saved plan to be applied.

    Args:
        document: ``Schedule.fingerprint``: what the document says, however it is written.
        accounts: account -> what it turned out to be (its endpoint and kind).
        containers: account -> the names of its containers that the plan moves; in any order.
        limits: account -> requests a minute.
        features: account or container -> what a move cannot keep, as JSON values without counts that customers move.
        states: ``region/area`` -> direction and state of the move.
    """
    return digest(
        {
            "document": document,
            "accounts": dict(accounts),
            "containers": {account: sorted(names) for account, names in containers.items()},
            "limits": dict(limits),
            "features": dict(features),
            "states": dict(states),
        }
    )


def summary(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings of each severity."""
    return dict(sorted(Counter(finding.severity for finding in findings).items()))


def write(path: Path, saved: SavedPlan) -> None:
    """Write the file in one step, readable by its owner alone.

    Raises:
        PlanError: it cannot be written, or what is there is not a saved plan: it may be the plan itself, or a device.
    """
    if not path.name:
        raise PlanError(f"cannot save the plan as {path}: that is not a file name", hint="name another file with --out")
    if _is_of_others(path):
        raise PlanError(
            f"cannot save the plan as {path}: what is there is not a saved plan",
            hint="name another file with --out",
        )
    body = {"format": MARKER, "format_version": FORMAT_VERSION, **asdict(saved)}
    raw = (json.dumps(body, indent=2) + "\n").encode("ascii")  # a path may hold bytes that are no UTF-8
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as fault:
        raise PlanError(f"cannot save the plan as {path}: {(fault.strerror or 'no reason given').lower()}") from fault


def _is_of_others(path: Path) -> bool:
    """Is something there that must stay? A file takes its place by a rename, which a device or a pipe does not survive."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return False
    if stat.S_ISDIR(found.st_mode):
        return False  # which no rename replaces
    return not stat.S_ISREG(found.st_mode) or (found.st_size > 0 and not is_saved(path))


def is_saved(path: Path) -> bool:
    """Is this a saved plan (and not a plan document)? False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return f'"{MARKER}"'.encode() in file.read(200)
    except (OSError, ValueError):
        return False


def read(path: Path) -> SavedPlan:
    """Read a saved plan. PlanError says what is wrong with it."""
    body = _body(path)
    if body.get("format") != MARKER:
        raise PlanError(f"cannot read {path}: it is not a saved plan", hint="`migrate plan PLAN --out FILE` makes one")
    if body.get("format_version") != FORMAT_VERSION:
        raise PlanError(f"cannot read {path}: it was saved by another version of migrate", hint=_AGAIN)
    words = {key: body.get(key) for key in ("name", "plan_path", "document", "fingerprint")}
    findings = body.get("findings")
    if not all(isinstance(word, str) for word in words.values()) or not isinstance(findings, dict):
        raise PlanError(f"cannot read {path}: the saved plan is damaged", hint=_AGAIN)
    counts = {str(severity): count for severity, count in findings.items() if type(count) is int}
    return SavedPlan(**{key: str(word) for key, word in words.items()}, findings=counts)


def _body(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise PlanError(f"cannot read {path}: there is no such file") from None
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or "its name cannot be a file's"
        raise PlanError(f"cannot read {path}: {reason.lower()}") from fault
    try:
        body = json.loads(raw) if len(raw) <= MAX_FILE_BYTES else None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise PlanError(f"cannot read {path}: it is not a saved plan, or it is damaged", hint=_AGAIN)
    return body


_AGAIN: Final = "make it again with `migrate plan PLAN --out FILE`"
