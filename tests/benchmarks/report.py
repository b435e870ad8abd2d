"""The table that a run ends with, and the same as one JSON document."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from migrator import __version__
from tests.benchmarks.install import Tools
from tests.benchmarks.measure import Claim, Row

FORMAT_VERSION = 1


def table(rows: Sequence[Row]) -> str:
    """Promises first, one a line; then the medians they come from."""
    claims = [
        (row.number, row.title, f"{row.objects:,}", one.what, _wanted(one), _number(one), one.verdict, one.note)
        for row in rows
        for one in row.claims
    ]
    figures = [
        (
            row.number,
            row.title,
            one.name,
            f"{one.objects_per_second:,.{0 if one.objects_per_second >= 100 else 2}f}",
            f"{one.cpu_us_per_object:,.0f}",
            f"{one.peak_mib:,.0f}",
            f"{one.largest_mib:,.0f}",
            f"{one.counted}/{one.runs}",
        )
        for row in rows
        for one in row.figures
    ]
    heads = ("ROW", "WHAT", "OBJECTS", "OURS AGAINST", "WANTED", "MEASURED", "VERDICT", "BEST PEER")
    lines = _columns([heads, *claims])
    heads = ("ROW", "WHAT", "WHO", "OBJECTS/S", "CPU US/OBJECT", "PEAK MIB", "LARGEST MIB", "COUNTED")
    lines += ["", *_columns([heads, *figures])]
    faults = [(row, one, fault) for row in rows for one in row.figures for fault in one.faults]
    return "\n".join([*lines, *(f"does not count: {row.title}, {one.name}: {fault}" for row, one, fault in faults)])


def _wanted(claim: Claim) -> str:
    sign = ">=" if claim.bound == "at least" else "<="
    return f"{sign} {claim.wanted:g}{claim.unit}"


def _number(claim: Claim) -> str:
    return f"{claim.measured:.2f}{claim.unit}" if claim.measured == claim.measured else "-"


def _columns(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def write(path: Path, rows: Sequence[Row], tools: Tools, *, begun: float, load: float) -> None:
    """``load``: the machine's when the run began; figures of a busy machine are worth little."""
    document = {
        "format_version": FORMAT_VERSION,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun)),
        "seconds": round(time.time() - begun, 1),
        "machine": _machine() | {"load": load},
        "versions": _versions(tools),
        "rows": [row.as_json() for row in rows],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_without_nan(document), indent=1) + "\n")


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: what was not measured is null."""
    match value:
        case float() if value != value:
            return None
        case dict():
            return {name: _without_nan(each) for name, each in value.items()}
        case list() | tuple():
            return [_without_nan(each) for each in value]
        case _:
            return value


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _versions(tools: Tools) -> dict[str, str]:
    asked = {
        "azcopy": [tools.azcopy, "--version"],
        "rclone": [tools.rclone, "version"],
        "nginx": [tools.nginx, "-v"],
        "wrk": [tools.wrk, "-v"],
    }
    return {"migrate": __version__} | {name: _first_line(command) for name, command in asked.items()}


def _first_line(command: Sequence[str]) -> str:
    answer = subprocess.run(list(command), capture_output=True, text=True, check=False)
    return (answer.stdout + answer.stderr).strip().partition("\n")[0]
