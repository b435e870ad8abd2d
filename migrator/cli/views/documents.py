"""JSON for programs: one versioned document, or one event a line, and nothing else on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TextIO

from migrator.cli.calls import spelled_all
from migrator.cli.views.errors import known
from migrator.cli.views.figures import stamp
from migrator.errors import FaultLine, PlanError

FORMAT_VERSION = 1


def write_document(body: Mapping[str, Any], stream: TextIO | None = None) -> None:
    """Print ``body`` with its ``format_version`` in front. Only ASCII: names cannot reach a terminal unescaped."""
    print(
        json.dumps({"format_version": FORMAT_VERSION, **spelled_all(body)}, indent=2, default=plain),
        file=stream or sys.stdout,
    )


def fault_rows(faults: Sequence[FaultLine]) -> list[dict[str, Any]]:
    """Faults or warnings of a plan, each by its parts."""
    return [
        {"file": one.file, "line": one.line, "column": one.column, "code": one.code, "message": one.message}
        for one in faults
    ]


def error_document(error: BaseException, exit_code: int) -> dict[str, Any]:
    """What failed, for programs: ``error`` as a person reads it, and ``errors``, the faults of a plan by their parts."""
    if isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    said = known(error)
    body = {
        "kind": type(error).__name__,
        "message": said.message if said is not None else f"internal error: {type(error).__name__}",
        "hint": said.hint if said is not None else "please report it with the output of --debug",
        "exit_code": exit_code,
    }
    return {"error": body, "errors": fault_rows(error.faults) if isinstance(error, PlanError) else []}


def write_error(error: BaseException, exit_code: int, *, is_line: bool) -> None:
    """Print it: as a document, or as one line where a command prints events."""
    body = error_document(error, exit_code)
    if is_line:
        print(event_line(body), flush=True)
    else:
        write_document(body)


def event_line(body: Mapping[str, Any]) -> str:
    """One event as one line, without its end."""
    return json.dumps({"format_version": FORMAT_VERSION, **spelled_all(body)}, default=plain, separators=(", ", ": "))


def plain(value: object) -> Any:
    """What JSON has no word for: instants as RFC 3339, sets and tuples as lists, all else as text."""
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, (set, frozenset, tuple)):
        return sorted(value) if isinstance(value, (set, frozenset)) else list(value)
    return str(value)
