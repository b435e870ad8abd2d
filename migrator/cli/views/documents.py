"""JSON for programs: one versioned document, or one event a line, and nothing else on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TextIO

from migrator.cli.calls import spelled_all
from migrator.cli.views.figures import stamp

FORMAT_VERSION = 1


def write_document(body: Mapping[str, Any], stream: TextIO | None = None) -> None:
    """Print ``body`` with its ``format_version`` in front. Only ASCII: names cannot reach a terminal unescaped."""
    print(
        json.dumps({"format_version": FORMAT_VERSION, **spelled_all(body)}, indent=2, default=plain),
        file=stream or sys.stdout,
    )


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
