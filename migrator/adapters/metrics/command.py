"""Figures from an executable of the operator's own.

It gets the question as one JSON object on its standard input,

    {"query": "...", "account": "na-web", "region": "north-america", "area": "web-tracking", "begin": "...Z", "end": "...Z"}

and prints one JSON object a line, ``{"at": "2026-12-01T00:00:00Z", "value": 0.2, "volume": 1200}``: ``at`` with its offset
or as Unix seconds (it may be missing: the figure is of the whole window; a single one may be dated by the window's end),
``value`` a number or null, ``volume`` (may be missing) the customers' requests behind it. It exits 0.

Decides what is a valid answer. Leaves judgement to the gates, and running the executable to ``operators_commands``. Rule: one
wrong line makes the whole answer wrong.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from migrator.adapters.operators_commands import run
from migrator.errors import CloudError
from migrator.model.samples import Point, Question, Reading
from migrator.model.values import replace

INSTANT: Final = timedelta(microseconds=1)


class CommandSource:
    """A ``MetricSource``.

    Args:
        argv: the executable and its arguments, as the plan gives them; at least one.
        environ: its whole environment; by default where executables are found, and nothing else.
        timeout: seconds from its start to its end.
    """

    def __init__(self, argv: Sequence[str], *, environ: Mapping[str, str] | None = None, timeout: float = 30.0) -> None:
        self._argv = tuple(argv)
        self._environ = dict(environ) if environ is not None else {"PATH": os.environ.get("PATH", os.defpath)}
        self._timeout = timeout
        self._name = os.path.basename(self._argv[0])

    async def ask(self, question: Question, *, begin: datetime, end: datetime) -> Reading:
        """What it printed of [begin, end), ascending.

        Raises:
            Unreachable: it takes too long.
            CloudError: it cannot be started, says too much, fails, or prints something else.
        """
        output = await self._run(_asked(question, begin, end))
        points = [
            point
            for number, line in enumerate(output.splitlines(), 1)
            if line.strip() and (point := self._point(number, line, begin)) is not None
        ]
        inside = sorted((one for one in points if begin <= one.at < end), key=lambda one: one.at)
        if not inside:  # a script that knows one figure dates it by the end of the question, or by now
            inside = [replace(one, at=end - INSTANT) for one in points if one.at == end]
        return Reading(tuple(inside), note="" if inside else _outside(points, begin, end))

    async def close(self) -> None:
        """Nothing stays open: each question has a process of its own."""

    async def _run(self, asked: bytes) -> bytes:
        return await run(
            self._argv,
            asked,
            environ=self._environ,
            seconds=self._timeout,
            doing=f"ask the command {self._name}",
            slow="make it quicker, or give this source a longer timeout in the plan",
            failed="run it by hand with a question on its standard input to see what it says",
            long="print one line a minute of the window asked for",
        )

    def _point(self, number: int, line: bytes, begin: datetime) -> Point | None:
        try:
            return _point(json.loads(line), begin)
        except (ValueError, TypeError, OverflowError, OSError, RecursionError):
            raise CloudError(
                f'cannot understand line {number} that the command {self._name} printed: wanted {{"at": "2026-12-01T00:00:00Z",'
                ' "value": 0.2}, where "at" may be missing',
                hint="print one JSON object a line, and nothing else",
            ) from None


def _asked(question: Question, begin: datetime, end: datetime) -> bytes:
    document = {
        "query": question.query if question.query is not None else question.metric,
        "account": question.account,
        "region": question.move.region,
        "area": question.move.area,
        "begin": _stamp(begin),
        "end": _stamp(end),
    }
    return json.dumps(document).encode() + b"\n"


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _outside(points: Sequence[Point], begin: datetime, end: datetime) -> str:
    """Why an answer that has values has none of the window."""
    if not points:
        return ""
    when = f"{min(one.at for one in points):%H:%M:%S}"
    number = "1 value, at" if len(points) == 1 else f"{len(points)} values, the first at"
    return f"{number} {when}, outside {begin:%H:%M:%S} to {end:%H:%M:%S}"


def _point(found: Any, begin: datetime) -> Point | None:
    """ValueError or TypeError where it is not what the module says; None for a value of null."""
    unknown = set(found) - {"at", "value", "volume"}
    if not isinstance(found, dict) or unknown or "value" not in found:
        raise ValueError
    at, volume = _moment(found["at"]) if "at" in found else begin, found.get("volume")
    requests = None if volume is None else _number(volume)
    if requests is not None and not requests >= 0:
        raise ValueError
    return None if found["value"] is None else Point(at, _number(found["value"]), requests)


def _number(found: Any) -> float:
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise TypeError
    return float(found)


def _moment(found: Any) -> datetime:
    if not isinstance(found, str):
        return datetime.fromtimestamp(_number(found), UTC)
    moment = datetime.fromisoformat(found)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)
