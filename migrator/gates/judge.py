"""One gate, one reading -> one verdict with the reason in words.

Decides what silence is, which points count, how they become one figure and how that figure stands to the gate's bounds.
Leaves asking the source, own counters and the window's place to the engine, and rows of verdicts to ``soak``. Rules:

1. No customer request in the window is silence, and only ``on_no_data`` says what silence means. Migration's own requests
   are not customers'.
2. What cannot be told is never a pass: counters lost, our share too large, figures too few or too old, no comparison, an
   infinite value are inconclusive.
   Where our share is small, a rate loses it, and of a ratio over requests ours are taken for good ones: customers may have
   done no better than that.
3. Of several things that are wrong the worst decides: failed before inconclusive before passed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from migrator.errors import InternalError, MigrateError
from migrator.gates.bounds import Ruling, against_baseline, against_bounds, worst
from migrator.gates.units import AVAILABILITY, RATE, RATIOS, WEIGHTED, with_unit
from migrator.model.samples import Point, Reading, Verdict
from migrator.model.schedule import Gate
from migrator.model.values import value

OWN_SHARE_LIMIT: Final = 0.10
"""Above this share of our own requests a figure says more about us than about the customers."""

_ON_NO_DATA: Final = {"fail": Verdict.FAILED, "inconclusive": Verdict.INCONCLUSIVE, "pass": Verdict.PASSED}


@value(frozen=True, slots=True)
class Baseline:
    """What the source account showed before the switch, and migration's own requests in it as for ``judge``."""

    reading: Reading
    own_requests: float | None = 0.0


@value(frozen=True, slots=True)
class Judgement:
    """``value``: the figure that was judged, in the metric's own unit; None where there was none."""

    verdict: Verdict
    value: float | None
    reason: str


def judge(
    gate: Gate,
    reading: Reading,
    *,
    baseline: Baseline | None,
    own_requests: float | None,
    begin: datetime,
    end: datetime,
    now: datetime,
) -> Judgement:
    """Judge what a source said of [begin, end).

    Args:
        reading: one point a minute (less for local accounts in a short window). For a ``metric``, ``volume`` counts the
            requests behind a point, or is None where the source does not know; points outside the window are ignored.
        baseline: the source account from before the switch, for ``relative_to: source``; else None.
        own_requests: migration's own answered requests within the window that ``reading`` includes; 0 where the source
            leaves them out; None if the counters were lost. Means nothing for a ``query``.
        now: for ``max_age`` only.
    """
    if begin >= end:
        raise InternalError(f"gate {gate.name} was given a window that ends before it begins")
    seen = [one for one in reading.points if begin <= one.at < end and not math.isnan(one.value)]
    points = [one for one in seen if _volume(gate, one) != 0]
    total = _total(gate, points)
    early = _silence(gate, points, total, own_requests, reading.note) or _doubt(gate, points, total, own_requests, now)
    if early is not None:
        return early
    figures = _figures(gate, points, total, own_requests or 0.0, begin, end)
    if any(math.isinf(value) for value in figures):
        return Judgement(Verdict.INCONCLUSIVE, None, "the source gave an infinite value")
    return _verdict_on(gate, figures, baseline)


def could_not_ask(error: MigrateError) -> Judgement:
    """The judgement of a source that did not answer."""
    return Judgement(Verdict.ERRORED, None, f"the source could not be asked: {error.message}")


def _volume(gate: Gate, point: Point) -> float | None:
    """Requests behind a point. Where a source does not say, the rate metric is its own answer."""
    if point.volume is None and gate.metric == RATE:
        return point.value
    return point.volume


def _total(gate: Gate, points: Sequence[Point]) -> float | None:
    """Requests in the window, ours included; None if any point does not know."""
    volumes = [_volume(gate, one) for one in points]
    known = [one for one in volumes if one is not None]
    return math.fsum(known) if len(known) == len(volumes) else None


def _silence(
    gate: Gate, points: Sequence[Point], total: float | None, own: float | None, note: str
) -> Judgement | None:
    """Rule 1."""
    if not points:
        what = "no customer request in the window" if gate.metric else "the query gave no value in the window"
    elif gate.metric and total is not None and own is not None and own > 0 and total <= own:
        what = "no customer request in the window: all of them are migration's own"
    else:
        return None
    said = f" ({note})" if note else ""
    return Judgement(_ON_NO_DATA[gate.on_no_data], None, f"{what}{said}; on_no_data: {gate.on_no_data}")


def _doubt(
    gate: Gate, points: Sequence[Point], total: float | None, own: float | None, now: datetime
) -> Judgement | None:
    """Rule 2, as far as it can be told before there is a figure."""
    why = _own_doubt(total, own) if gate.metric else None
    why = why or _age_doubt(gate, points, now) or _volume_doubt(gate, total, own)
    return Judgement(Verdict.INCONCLUSIVE, None, why) if why else None


def _own_doubt(total: float | None, own: float | None) -> str | None:
    if own is None:
        return "the counters of migration's own requests were lost, so customers' cannot be told from them"
    if not own:
        return None
    if total is None:
        return "the source does not say how many requests are behind its figures, and migration's own are among them"
    share = own / total
    if share > OWN_SHARE_LIMIT:
        return f"{share:.0%} of the requests are migration's own, more than {OWN_SHARE_LIMIT:.0%}"
    return None


def _age_doubt(gate: Gate, points: Sequence[Point], now: datetime) -> str | None:
    age = (now - max(one.at for one in points)).total_seconds()
    if gate.max_age_seconds is None or age <= gate.max_age_seconds:
        return None
    return f"the newest figure is {age:.0f} s old, more than max_age {gate.max_age_seconds:.0f} s"


def _volume_doubt(gate: Gate, total: float | None, own: float | None) -> str | None:
    if gate.min_volume is None:
        return None
    if total is None:
        return "the source does not say how many requests are behind its figures, and min_volume asks for it"
    customers = total - (own or 0.0) if gate.metric else total
    if customers >= gate.min_volume:
        return None
    return f"{customers:.0f} customer requests in the window are too few, min_volume is {gate.min_volume:.0f}"


def _figures(
    gate: Gate, points: Sequence[Point], total: float | None, own: float, begin: datetime, end: datetime
) -> tuple[float, ...]:
    """The figure to judge; two where minutes of a rate are missing and may have been silent or be late."""
    if gate.aggregate == "max":
        return (_customers(gate, max(one.value for one in points), total, own),)
    mean = _customers(gate, aggregate_mean(gate, points), total, own)
    minutes = int((end - begin).total_seconds() // 60)
    spoken = {int((one.at - begin).total_seconds() // 60) for one in points}
    if gate.metric == RATE and total is not None and len(spoken) < minutes:
        return mean, (total - own) / minutes
    return (mean,)


def _customers(gate: Gate, value: float, total: float | None, own: float) -> float:
    """The figure without our own requests, of which ``total`` has some but never all."""
    if not total or not own:
        return value
    share = (total - own) / total
    if gate.metric == RATE:
        return value * share
    if gate.metric in RATIOS:
        return min(1.0, value / share)
    if gate.metric == AVAILABILITY:
        return max(0.0, 100.0 - (100.0 - value) / share)
    return value


def aggregate_mean(gate: Gate, points: Sequence[Point]) -> float:
    """Each request once for ratios and latencies, else each point once."""
    volumes = [one.volume for one in points]
    if gate.metric in WEIGHTED and all(volume is not None for volume in volumes):
        weights = [volume or 0.0 for volume in volumes]
        weighted = (one.value * weight for one, weight in zip(points, weights, strict=True))
        return math.fsum(weighted) / math.fsum(weights)
    return math.fsum(one.value for one in points) / len(points)


def _verdict_on(gate: Gate, figures: Sequence[float], baseline: Baseline | None) -> Judgement:
    base = _baseline_figure(gate, baseline)
    findings = [worst(_findings(gate, value, base)) for value in figures]
    if len({one.verdict for one in findings}) > 1:
        late, silent = (with_unit(value, gate.metric) for value in figures)
        return Judgement(
            Verdict.INCONCLUSIVE, figures[0], f"minutes are missing: {late} if they are late, {silent} if silent"
        )
    return Judgement(findings[-1].verdict, figures[-1], findings[-1].reason)


def _findings(gate: Gate, value: float, base: float | str) -> Iterable[Ruling]:
    yield against_bounds(gate, value)
    if gate.relative_to is not None:
        yield against_baseline(gate, value, base)


def _baseline_figure(gate: Gate, baseline: Baseline | None) -> float | str:
    """The same aggregate over the source's points; in words why there is none."""
    points = [
        one
        for one in (baseline.reading.points if baseline else ())
        if math.isfinite(one.value) and _volume(gate, one) != 0
    ]
    if baseline is None or not points:
        return "nothing is known of the source before the switch"
    total = _total(gate, points)
    own = baseline.own_requests
    why = _own_doubt(total, own) if gate.metric else None
    if why is not None:
        return f"before the switch, at the source, {why}"
    value = max(one.value for one in points) if gate.aggregate == "max" else aggregate_mean(gate, points)
    return _customers(gate, value, total, own or 0.0)
