"""What each chart of the page shows, as a Vega-Lite description of it.

Decides marks, colours by name, and axes. Leaves what figures mean to whoever hands them in. Rules: what is told by a colour is
told by a shape or a place as well; times are UTC; a chart has so few points that the whole page stays small.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from migrator.forecast.capacity import AccountLoad, Relief
from migrator.gates.units import UNITS
from migrator.model.values import value
from migrator.report.gate_history import GateHistory
from migrator.report.thinning import Bucket

WIDTH: Final = 640
ROW: Final = 22
SHORT_NAME: Final = 28
Spec = dict[str, Any]


@value(frozen=True, slots=True)
class Span:
    """A bar of the timeline: ``row`` (a wave), ``lane``, ``phase``, and when. ``is_past``: it happened, else it is expected."""

    row: str
    lane: Literal["forecast", "actual"]
    phase: str
    begin: datetime
    end: datetime
    is_past: bool = False


PHASES: Final = ("copy", "wait", "watch")
_PHASE_COLORS: Final = ("var(--copy)", "var(--wait)", "var(--watch)")


def timeline(
    rows: Sequence[str], spans: Sequence[Span], deadlines: Mapping[str, datetime], now: datetime | None
) -> Spec:
    """Each wave with two bars, forecast above and actual below; promised dates as diamonds, ``now`` as a line."""
    moments = [*([now] if now else ()), *deadlines.values(), *(one.begin for one in spans), *(one.end for one in spans)]
    axis = _time_axis(min(moments), max(moments))
    y = {"field": "row", "type": "nominal", "sort": list(rows), "title": None, "axis": _names()}
    offset = {"field": "lane", "type": "nominal", "scale": {"domain": ["forecast", "actual"]}}
    bars: Spec = {
        "data": {"values": [_span(one) for one in spans]},
        "mark": {"type": "bar", "cornerRadius": 2},
        "encoding": {
            "x": {"field": "begin", "type": "temporal", "scale": {"type": "utc"}, "axis": axis, "title": "time (UTC)"},
            "x2": {"field": "end"},
            "y": y,
            "yOffset": offset,
            "color": {
                "field": "phase",
                "type": "nominal",
                "scale": {"domain": list(PHASES), "range": list(_PHASE_COLORS)},
                "legend": {"title": None},
            },
            "opacity": {
                "field": "sure",
                "type": "nominal",
                "scale": {"domain": ["forecast", "happened"], "range": [0.45, 1]},
                "legend": {"title": None, "symbolType": "square", "symbolFillColor": "var(--copy)"},
            },
        },
    }
    dates: Spec = {
        "data": {"values": [{"row": row, "at": _ms(at)} for row, at in deadlines.items()]},
        "mark": {"type": "point", "shape": "diamond", "filled": True, "size": 110, "color": "var(--bad)", "opacity": 1},
        "encoding": {"x": _at("at", axis), "y": y},
    }
    line: Spec = {
        "data": {"values": [{"at": _ms(now), "said": "now"}] if now else []},
        "layer": [
            {
                "mark": {"type": "rule", "color": "var(--text)", "strokeDash": [4, 3]},
                "encoding": {"x": _at("at", axis)},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 4, "dy": -5, "baseline": "bottom"},
                "encoding": {"x": _at("at", axis), "y": {"value": 0}, "text": {"field": "said"}},
            },
        ],
    }
    layers = [bars, *([dates] if deadlines else ()), *([line] if now else ())]
    return {"width": WIDTH - 90, "height": {"step": ROW * 0.75}, "layer": layers}


def _span(one: Span) -> Spec:
    sure = "happened" if one.is_past else "forecast"
    times = {"begin": _ms(one.begin), "end": _ms(one.end)}
    return {"row": one.row, "lane": one.lane, "phase": one.phase, "sure": sure, **times}


def gate(history: GateHistory) -> Spec:
    """The figures from lowest to highest by time, what is allowed as dashed lines, and what was not healthy as marks below."""
    begin, end = history.first.at, history.last.at
    axis = _time_axis(begin, end)
    domain = [_ms(begin), max(_ms(end), _ms(begin) + 1000)]
    figures = _figures(history.buckets, axis, domain, UNITS.get(history.metric, history.metric))
    layers = [*figures, *(_bound(at) for at in (history.low, history.high) if at is not None)]
    if history.unhealthy:
        layers.append(_marks(history.unhealthy, axis))
    return {"width": WIDTH, "height": 110, "layer": layers}


NARROW: Final = 400
"""Of charts that stand side by side."""


def requests(buckets: Sequence[Bucket], budget: float | None) -> Spec:
    """Requests of each minute by time, and the budget as a dashed line."""
    begin, end = buckets[0].begin, buckets[-1].end
    axis = _time_axis(begin, end)
    domain = [_ms(begin), max(_ms(end), _ms(begin) + 60_000)]
    layers = _figures(buckets, axis, domain, "requests a minute")
    top = max(one.high for one in buckets)
    if budget is not None and budget <= 4 * top:  # a line far above would press the figures flat
        layers.append(_bound(budget))
    return {"width": NARROW, "height": 80, "layer": layers}


def loads(relief: Sequence[Relief], load: Sequence[AccountLoad]) -> Spec:
    """Each account's load before and after the rollout, and its limit as a tick."""
    rows: list[Spec] = []
    limits: list[Spec] = []
    for one in relief:
        after = one.after[-1][1] if one.after else one.before_per_minute
        rows += [_load(one.account, "before", one.before_per_minute), _load(one.account, "after", after)]
        limits += [{"row": one.account, "limit": one.limit_per_minute}] if one.limit_per_minute else []
    for new in load:
        rows += [_load(new.account, "before", 0.0), _load(new.account, "after", new.load_per_minute)]
        limits += [{"row": new.account, "limit": new.limit_per_minute}] if new.limit_per_minute else []
    order = list(dict.fromkeys(row["row"] for row in rows))
    y = {"field": "row", "type": "nominal", "sort": order, "title": None, "axis": _names()}
    bars: Spec = {
        "data": {"values": rows},
        "mark": {"type": "bar", "cornerRadius": 2},
        "encoding": {
            "x": {
                "field": "load",
                "type": "quantitative",
                "title": "customers' requests a minute (tick: the account's limit)",
                "axis": {"format": "~s", "tickCount": 6},
            },
            "y": y,
            "yOffset": {"field": "when", "type": "nominal", "sort": ["before", "after"]},
            "color": {
                "field": "when",
                "type": "nominal",
                "scale": {"domain": ["before", "after"], "range": ["var(--wait)", "var(--copy)"]},
                "legend": {"title": None},
            },
        },
    }
    ticks: Spec = {
        "data": {"values": limits},
        "mark": {"type": "tick", "thickness": 3, "size": ROW, "color": "var(--bad)"},
        "encoding": {"x": {"field": "limit", "type": "quantitative"}, "y": y},
    }
    return {"width": WIDTH - 90, "height": {"step": ROW * 0.5}, "layer": [bars, ticks] if limits else [bars]}


def _load(account: str, when: str, per_minute: float) -> Spec:
    return {"row": account, "when": when, "load": per_minute}


def _figures(buckets: Sequence[Bucket], axis: Spec, domain: Sequence[float], title: str) -> list[Spec]:
    values = [{"at": _ms(one.begin), "low": one.low, "mean": one.mean, "high": one.high} for one in buckets]
    x = {**_at("at", axis), "scale": {"type": "utc", "domain": list(domain)}}
    number = {"format": "~s", "tickCount": 4}
    y = {"type": "quantitative", "title": title, "axis": number, "scale": {"zero": True, "nice": True}}
    layers: list[Spec] = []
    if any(one.low != one.high for one in buckets):
        band = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
        mark = {"type": "area", "color": "var(--copy)", "opacity": 0.3, "line": False}
        layers.append({"data": {"values": values}, "mark": mark, "encoding": band})
    point = {"type": "point", "filled": True, "size": 18, "color": "var(--copy)", "opacity": 1}
    line = {"type": "line", "color": "var(--copy)", "strokeWidth": 1.5, "point": point if len(values) <= 60 else False}
    layers.append({"data": {"values": values}, "mark": line, "encoding": {"x": x, "y": {**y, "field": "mean"}}})
    return layers


def _bound(at: float) -> Spec:
    mark = {"type": "rule", "color": "var(--bad)", "strokeDash": [6, 4], "strokeWidth": 1.5}
    return {"data": {"values": [{"at": at}]}, "mark": mark, "encoding": {"y": {"field": "at", "type": "quantitative"}}}


def _marks(moments: Iterable[tuple[datetime, str]], axis: Spec) -> Spec:
    verdicts = ["failed", "inconclusive", "errored"]
    return {
        "data": {"values": [{"at": _ms(at), "verdict": verdict} for at, verdict in moments]},
        "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1, "yOffset": -5},
        "encoding": {
            "x": _at("at", axis),
            "y": {"value": 110},
            "shape": {
                "field": "verdict",
                "type": "nominal",
                "scale": {"domain": verdicts, "range": ["triangle-up", "circle", "cross"]},
                "legend": None,
            },
            "color": {
                "field": "verdict",
                "type": "nominal",
                "scale": {"domain": verdicts, "range": ["var(--bad)", "var(--wait)", "var(--muted)"]},
                "legend": None,
            },
        },
    }


def _names() -> Spec:
    return {"labelLimit": 170, "labelFontSize": 12, "labelColor": "var(--text)", "ticks": False, "domain": False}


def _at(field: str, axis: Spec) -> Spec:
    return {"field": field, "type": "temporal", "scale": {"type": "utc"}, "axis": axis, "title": "time (UTC)"}


def _time_axis(begin: datetime, end: datetime) -> Spec:
    seconds = (end - begin).total_seconds()
    shown = (
        "%H:%M:%S"
        if seconds < 600
        else "%H:%M"
        if seconds < 86_400
        else "%-d %b %H:%M"
        if seconds < 4 * 86_400
        else "%-d %b"
    )
    return {"format": shown, "tickCount": 5, "labelOverlap": True, "grid": True}


def _ms(at: datetime) -> float:
    return round(at.timestamp() * 1000)
