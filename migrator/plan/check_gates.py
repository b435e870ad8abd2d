"""Rules of gates, and of the sources they ask."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from migrator.kinds import METRICS
from migrator.model.schedule import WAY_BACK_READY
from migrator.plan.check_accounts import keys_of_kind, tell
from migrator.plan.check_bounds import pointless
from migrator.plan.check_waves import planned
from migrator.plan.compile import account_values
from migrator.plan.report import Report
from migrator.plan.schema import GatePart
from migrator.plan.tree import Path
from migrator.ports.kinds import MetricKind

MAX_SAID: Final = 20
"""Accounts named for one gate of one wave."""
SUBSTITUTIONS: Final = ("$region", "$area", "$account")


def check_gates(report: Report) -> None:
    for name, metric in report.document.metrics.items():
        path, kind, values = ("metrics", name), METRICS[metric.kind], metric.model_dump()
        keys_of_kind(report, path, metric, kind, METRICS.keys, values, name)
        tell(report, path, metric, kind.slips(values))
    for name, gate in report.document.gates.items():
        _question(report, ("gates", name), gate)
        if not report.is_partial(("gates", name)):
            _bounds(report, ("gates", name), gate)
    for name, gate in report.document.gates.items():
        _silence(report, ("gates", name), gate)
        if not report.is_partial(("gates", name)) and (why := pointless(gate)) is not None:
            report.warn(("gates", name), f"gate {name} {why}")
    _uses(report)
    _sources(report)


def _question(report: Report, path: Path, gate: GatePart) -> None:
    known = report.refer((*path, "source"), gate.source, "metrics")
    if (gate.metric is None) == (gate.query is None):
        report.fault(path, f"gate {path[-1]} needs one of metric and query, and not both", at_key=True)
        return
    source = report.document.metrics.get(gate.source) if known else None
    if source:
        kind, other = METRICS[source.kind], "query" if gate.query is not None else "metric"
        if kind.asks != other:
            text = f"a source of kind {kind.name} takes a {kind.asks}, not a {other}"
            report.fault((*path, other), text, at_key=True)
        tell(report, path, gate, kind.gate_slips(gate.metric, gate.window))
    for word in re.findall(r"\$[A-Za-z_]\w*", gate.query or ""):
        if word not in SUBSTITUTIONS:
            report.fault((*path, "query"), f"{word} stands for nothing: there are {', '.join(SUBSTITUTIONS)}")


def _bounds(report: Report, path: Path, gate: GatePart) -> None:
    name = path[-1]
    if all(bound is None for bound in (gate.min, gate.max, gate.near, gate.max_ratio)):
        report.fault(path, f"gate {name} has no bound: give min, max, near and within, or max_ratio", at_key=True)
    _together(report, path, gate, "near", "within")
    _together(report, path, gate, "relative_to", "max_ratio")
    if gate.near is not None and (gate.min is not None or gate.max is not None):
        report.fault(
            (*path, "near"), f"gate {name} has near beside min or max: one way to bound is enough", at_key=True
        )
    if gate.relative_to == gate.account:
        report.fault((*path, "relative_to"), f"gate {name} compares the source with itself")
    if gate.min is not None and gate.max is not None and gate.min > gate.max:
        report.fault((*path, "min"), f"gate {name} has a min above its max, so nothing passes")
    _band(report, path, gate)


def _silence(report: Report, path: Path, gate: GatePart) -> None:
    """Silence that passes is no real sample, and a soak that wants one of them never ends where nobody asks anything."""
    if gate.on_no_data == "pass" and gate.min_samples > 0:
        wanted = (
            f"min_samples{'' if 'min_samples' in gate.model_fields_set else ' (by default)'} wants {gate.min_samples}"
        )
        text = (
            f"gate {path[-1]} passes on silence, but {wanted} with a value: where nothing is asked its soak does not end;"
            " write min_samples: 0 to soak on silence alone"
        )
        report.warn((*path, "on_no_data"), text)


def _together(report: Report, path: Path, gate: GatePart, one: str, other: str) -> None:
    for key, missing in ((one, other), (other, one)):
        if getattr(gate, key) is not None and getattr(gate, missing) is None:
            report.fault((*path, key), f"{key} needs {missing} beside it", at_key=True)


def _band(report: Report, path: Path, gate: GatePart) -> None:
    """``fail_above`` and ``fail_below`` leave room between passing and failing; they cannot lie inside what passes."""
    span = (gate.near or 0.0) * (gate.within or 0.0)
    upper = gate.max if gate.near is None else gate.near + span
    lower = gate.min if gate.near is None else gate.near - span
    if gate.fail_above is not None and (upper is None or gate.fail_above < upper):
        text = "fail_above needs a max or near below it: between the two a sample is inconclusive"
        report.fault((*path, "fail_above"), text)
    if gate.fail_below is not None and (lower is None or gate.fail_below > lower):
        text = "fail_below needs a min or near above it: between the two a sample is inconclusive"
        report.fault((*path, "fail_below"), text)


def _uses(report: Report) -> None:
    used: set[str] = set()
    for position, wave in enumerate(report.document.waves):
        seen: set[str] = set()
        for index, name in enumerate(wave.gates):
            if name != WAY_BACK_READY:
                report.refer(("waves", position, "gates", index), name, "gates")
            if name in seen:
                report.fault(("waves", position, "gates", index), f"wave {wave.name} names gate {name} twice")
            seen.add(name)
        used |= set(wave.gates)
    retire = report.document.retire
    for index, name in enumerate(retire.gates if retire else ()):
        place = ("retire", "gates", index)
        report.refer(place, name, "gates")
        used.add(name)
        gate = report.document.gates.get(name)
        if gate is not None and gate.metric is not None and gate.account != "source":
            text = f"gate {name} looks at the target; one that shows that the source's reads have ended says account: source"
            report.fault(place, text)
    if WAY_BACK_READY in report.document.gates:
        text = f"gate {WAY_BACK_READY} is built in: name yours otherwise, or name the built-in one in a wave without defining it"
        report.fault(("gates", WAY_BACK_READY), text)
    if report.is_partial(("waves",)) or report.is_partial(("retire",)):
        return
    for name in report.document.gates:
        if name not in used:
            report.warn(("gates", name), f"gate {name} is not used")


def _sources(report: Report) -> None:
    """Whether a gate's source can answer for the accounts that the waves would ask it about."""
    document = report.document
    if report.is_partial(("defaults",)):
        return
    values = {name: account_values(name, document) for name in document.accounts}
    sides_of = _sides(report)
    asked_where: list[tuple[Path, Sequence[str], dict[str, set[str]]]] = [
        (("waves", position, "gates"), document.waves[position].gates, sides) for position, sides in sides_of.items()
    ]
    if document.retire is not None:
        sources = {one for sides in sides_of.values() for one in sides["source"]}
        asked_where.append((("retire", "gates"), document.retire.gates, {"source": sources, "target": set()}))
    for place, names, sides in asked_where:
        known: dict[tuple[str, str, bool], tuple[tuple[str, str], ...]] = {}
        for index, name in enumerate(names):
            gate = document.gates.get(name)
            source = document.metrics.get(gate.source) if gate else None
            if gate is None or source is None:
                continue
            kind, asked = METRICS[source.kind], (source.kind, gate.account, gate.relative_to is not None)
            if asked not in known:
                both = sides[gate.account] | (sides["source"] if gate.relative_to else set())
                known[asked] = _never(kind, {one: values[one] for one in sorted(both)})
            for account, why in known[asked]:
                text = f"gate {name} asks {kind.figures} of account {account}, {why}"
                report.fault((*place, index), text)


def _sides(report: Report) -> dict[int, dict[str, set[str]]]:
    """Wave -> the known accounts at which its moves begin and end."""
    found: dict[int, dict[str, set[str]]] = {}
    known = report.document.accounts
    for position, _, region_name, area in planned(report):
        region = report.document.regions.get(region_name)
        if region is not None:
            sides = found.setdefault(position, {"source": set(), "target": set()})
            sides["source"] |= {region.source} & known.keys()
            sides["target"] |= {region.targets.get(area, "")} & known.keys()
    return found


def _never(kind: MetricKind, accounts: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Accounts of which a kind of source cannot tell, and why. Those of which the plan only says too little are found by
    ``gates.reach``: a plan may be written before its accounts exist."""
    never = [(name, why) for name, values in accounts.items() if (why := kind.cannot_tell(values["kind"]))]
    return tuple(never[:MAX_SAID])
