"""The page: everything that is known, as one HTML document that needs nothing beside it.

Decides what is on it and how much of it. Rules: what comes from outside - names, reasons, journal - is escaped by the templates
and never put together as markup; the document loads nothing, and its policy lets it load nothing; it is at most some 2 MB.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from migrator.model.units import show_count, show_duration
from migrator.model.values import value
from migrator.report import charts
from migrator.report.actions import actions, waiting
from migrator.report.drawing import draw
from migrator.report.facts import MOST_ACCOUNTS, MOST_MOVES, AccountLoads, ReportFacts
from migrator.report.gate_history import GateHistory
from migrator.report.incidents import grade_of, meaning_of
from migrator.report.move_parts import MovePart, most_first, move_part
from migrator.report.plain_words import TERMS, VERDICTS
from migrator.report.story import count, exact, moment, tiles, what_it_is, where_it_stands
from migrator.report.thinning import Bucket, thin
from migrator.report.wave_parts import WaveSection, spans, wave_part

MOST_CHARTS: Final = 60
"""Charts of gates on a page, of the moves that are shown in full; the others have their tables."""
MOST_ROWS: Final = 1_000
"""Rows of a table; the others are counted."""
TABLE_ROWS: Final = 24
"""Rows of a chart's own table: enough to read its shape."""
REQUEST_COLUMNS: Final = 200
_COMMAND: Final = re.compile(r"`([^`]+)`")


@value(frozen=True, slots=True)
class Drawn:
    """A chart with what it says in words, and its figures as rows of a table."""

    svg: Markup
    words: str
    rows: tuple[Bucket, ...]


@value(frozen=True, slots=True)
class Load:
    """Customers' requests a minute at one account, by the plan's own figures; None: the plan does not say."""

    account: str
    before: float | None
    after: float | None
    limit: float | None

    @property
    def share(self) -> str:
        """What of the limit is used afterwards."""
        return f"{self.after / self.limit:.0%}" if self.limit and self.after is not None else "not known"


def render(
    facts: ReportFacts, *, version: str, spelled: Callable[[str], str] = str, refresh_seconds: int | None = None
) -> str:
    """The whole document.

    Args:
        version: of the program.
        spelled: a text with its commands as they can be pasted.
        refresh_seconds: of a page that is served: it asks again so often. None: a file, which stays as it is.
    """
    standing = facts.standing
    waves = [wave_part(facts, wave) for wave in standing.waves]
    pairs = [(wave, move) for wave in standing.waves for move in wave.moves]
    moves = [move_part(facts, wave, move, number) for number, (wave, move) in enumerate(pairs, start=1)]
    full = most_first(moves, MOST_MOVES)
    style, script = _part("style.css"), _part("live.js")
    environment = _environment()
    environment.filters["said"] = lambda text: said(spelled(text))
    text: str = environment.get_template("page.html").render(
        plan=standing.plan,
        version=version,
        now=standing.now,
        place=facts.place,
        lock=standing.lock if standing.is_at_work else None,
        sentences=(what_it_is(standing), where_it_stands(standing)),
        tiles=tiles(facts),
        actions=actions(facts),
        waiting=waiting(facts),
        waves=waves,
        timeline=_timeline(waves, standing.now),
        is_short=_is_of_one_day(waves, standing.now),
        assumed=_assumed(facts),
        moves=moves[:MOST_ROWS],
        moves_left=max(0, len(moves) - MOST_ROWS),
        full=full,
        gate_charts=_gate_charts(full),
        loads=_loads(facts),
        load_chart=_load_chart(facts),
        requests=[(one, _requests(one)) for one in facts.requests[:MOST_ACCOUNTS]],
        requests_left=max(0, len(facts.requests) - MOST_ACCOUNTS),
        findings=facts.findings,
        incidents=[(row, grade_of(row), meaning_of(row)) for row in reversed(facts.history.incidents)],
        history=facts.history,
        journal=list(reversed(facts.history.rows)),
        terms=TERMS,
        verdicts=VERDICTS,
        style=Markup(style),  # noqa: S704 - our own
        script=Markup(script) if refresh_seconds is not None else None,  # noqa: S704 - our own
        policy=policy(style, script if refresh_seconds is not None else None),
        refresh_seconds=refresh_seconds,
    )
    return text


def policy(style: str, script: str | None = None) -> str:
    """The content security policy of a page with this style and, if it is served, this script: nothing else is let in."""
    allowed = [
        "default-src 'none'",
        f"style-src '{_hash(style)}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    if script is not None:
        allowed += [f"script-src '{_hash(script)}'", "connect-src 'self'"]
    return "; ".join(allowed)


def said(text: str) -> Markup:
    """A sentence with its commands set off: what stands in backquotes."""
    parts = _COMMAND.split(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@lru_cache
def _part(name: str) -> str:
    return resources.files("migrator.report").joinpath("templates", name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("migrator.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "moment": moment,
        "exact": exact,
        "count": count,
        "figure": _figure,
        "duration": show_duration,
        "stamp": _stamp,
    }
    return environment


def _stamp(at: datetime) -> str:
    """For programs, as HTML wants it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _figure(number: float | None) -> str:
    if number is None:
        return "not known"
    return show_count(number) if abs(number) >= 1000 else f"{number:.4g}"


# Charts, each with its words and its table.


def _timeline(waves: Sequence[WaveSection], now: datetime) -> Markup | None:
    found = spans(waves, now)
    if not found:
        return None
    deadlines = {wave.name: wave.complete_by for wave in waves if wave.complete_by is not None}
    is_over = all(wave.actual.complete is not None for wave in waves)
    return draw(charts.timeline([wave.name for wave in waves], found, deadlines, None if is_over else now))


def _is_of_one_day(waves: Sequence[WaveSection], now: datetime) -> bool:
    """Is everything of the timeline of today, so that a time is enough?"""
    stones = [at for wave in waves for one in (wave.forecast, wave.actual, wave.expected) for at in one.in_order if at]
    return all(at.astimezone(UTC).date() == now.astimezone(UTC).date() for at in stones)


def _assumed(facts: ReportFacts) -> list[str]:
    """What the forecast takes for granted."""
    outlook = facts.standing.outlook
    return list(dict.fromkeys(text for wave in outlook.waves for text in wave.assumes)) if outlook is not None else []


def _gate_charts(moves: Sequence[MovePart]) -> dict[tuple[str, str], Drawn]:
    """By move and gate: of those that have figures to draw."""
    found: dict[tuple[str, str], Drawn] = {}
    for move in moves:
        for gate in move.gates:
            if len(gate.buckets) > 1 and len(found) < MOST_CHARTS:
                found[move.id, gate.name] = Drawn(draw(charts.gate(gate)), _gate_words(gate), _table(gate.buckets))
    return found


def _gate_words(gate: GateHistory) -> str:
    low, high = min(one.low for one in gate.buckets), max(one.high for one in gate.buckets)
    between = f"always {_figure(low)}" if low == high else f"between {_figure(low)} and {_figure(high)}"
    when = f"{exact(gate.first.at)} to {exact(gate.last.at)} UTC"
    return f"{gate.name}, {when}: {between}; wanted: {gate.wanted or 'see the plan'}"


def _requests(one: AccountLoads) -> Drawn:
    points = [(datetime.fromtimestamp(minute * 60, UTC), float(number)) for minute, number in one.minutes.items()]
    buckets = thin(points, REQUEST_COLUMNS)
    most = max(bucket.high for bucket in buckets)
    budget = "no budget" if one.budget_per_minute is None else f"a budget of {_figure(one.budget_per_minute)}"
    words = f"{one.account}: at most {_figure(most)} requests in a minute, {count(one.total)} in all, with {budget}"
    return Drawn(draw(charts.requests(buckets, one.budget_per_minute)), words, _table(buckets))


def _table(buckets: Sequence[Bucket]) -> tuple[Bucket, ...]:
    """The figures of a chart in few rows; the highest and the lowest of them are among them."""
    if len(buckets) <= TABLE_ROWS:
        return tuple(buckets)
    size = -(-len(buckets) // TABLE_ROWS)
    return tuple(_joined(buckets[place : place + size]) for place in range(0, len(buckets), size))


def _joined(part: Sequence[Bucket]) -> Bucket:
    number = sum(one.number for one in part)
    mean = sum(one.mean * one.number for one in part) / number
    return Bucket(
        part[0].begin, part[-1].end, number, min(one.low for one in part), mean, max(one.high for one in part)
    )


def _load_chart(facts: ReportFacts) -> Markup | None:
    known = [one for one in facts.loads if one.load_per_minute]
    if not facts.reliefs or not known:
        return None
    return draw(charts.loads(facts.reliefs[:MOST_ACCOUNTS], known[:MOST_ACCOUNTS]))


def _loads(facts: ReportFacts) -> list[Load]:
    sources = [
        Load(one.account, one.before_per_minute, one.after[-1][1] if one.after else None, one.limit_per_minute)
        for one in facts.reliefs
    ]
    known = {one.account for one in sources}
    targets = [
        Load(
            one.account,
            0.0,
            None if one.unknown and not one.load_per_minute else one.load_per_minute,
            one.limit_per_minute,
        )
        for one in facts.loads
        if one.account not in known
    ]
    return [*sources, *targets][:MOST_ROWS]
