"""Document -> schedule: names resolved, defaults filled in, units already converted.

Decides nothing that ``check`` has not allowed; it may assume a document without faults. Rule: the schedule holds everything
the engine needs, so nobody looks into the document again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from functools import cache
from typing import Any

from migrator.kinds import ACCOUNTS, METRICS, NOTICES, ROUTING
from migrator.model.names import Area, MoveId, Selector
from migrator.model.notices import OCCASIONS, Channel
from migrator.model.schedule import (
    WAY_BACK_READY,
    Account,
    Budget,
    ChangeWindow,
    Cutover,
    Declared,
    Freeze,
    Gate,
    Metric,
    PlannedMove,
    PlannedWave,
    Prices,
    Retire,
    Routing,
    Schedule,
    Verify,
)
from migrator.model.values import replace
from migrator.plan.schema import (
    DAYS,
    AccountBudgetPart,
    CutoverPart,
    Document,
    GatePart,
    MetricPart,
    MovesPart,
    NotifyPart,
    RegionPart,
    RetirePart,
    VerifyPart,
    WaveCutoverPart,
    WavePart,
)
from migrator.ports.kinds import Kind


def compile_schedule(document: Document, plain: Mapping[str, Any], *, not_built: tuple[str, ...] = ()) -> Schedule:
    """The schedule of a document that ``check`` found no fault in.

    Args:
        plain: the document as plain values, for its fingerprint: comments, order of keys and spelling of YAML are not in it.
        not_built: one line for each key that this version cannot apply.
    """
    areas = {
        name: Area(name, tuple(Selector(c.name, c.prefix) for c in area.containers))
        for name, area in document.areas.items()
    }
    accounts = {name: _account(name, document) for name in document.accounts}
    gates = {name: _gate(name, part) for name, part in document.gates.items()}
    metrics = {name: _metric(name, part) for name, part in document.metrics.items()}
    routing = routing_of(document)
    digests = {name: digest([[one.container, one.prefix] for one in area.selectors]) for name, area in areas.items()}
    waves = tuple(
        _with_fingerprint(_wave(document, position, areas, gates), digests, accounts, routing, metrics)
        for position in range(len(document.waves))
    )
    default = _budget(document.budget)
    return Schedule(
        name=document.name,
        fingerprint=digest(plain),
        accounts=accounts,
        areas=areas,
        waves=waves,
        routing=routing,
        default_budget=default,
        budgets={name: _budget(part, default) for name, part in document.budget.accounts.items()},
        metrics=metrics,
        freeze=tuple(dict.fromkeys(Freeze(part.begin, part.end) for part in document.freeze)),
        prices=Prices(**document.prices.model_dump()) if document.prices else None,
        state_url=document.state,
        public_access=document.containers.public_access,
        proved=document.proved,
        not_built=not_built,
        cloud=document.cloud.model_dump(exclude_none=True),
        channels=tuple(channel_of(part) for part in document.notify),
        retire=_retire(document.retire, gates),
    )


def _retire(part: RetirePart | None, gates: Mapping[str, Gate]) -> Retire:
    if part is None:
        return Retire()
    return Retire(part.watch, tuple(gates[name] for name in part.gates), is_planned=True)


def digest(value: Any) -> str:
    """SHA-256 of canonical JSON (sorted keys, no spaces), in hex."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_as_json)
    return hashlib.sha256(text.encode()).hexdigest()


def areas_of(document: Document, moves: MovesPart) -> tuple[str, ...]:
    """The areas one line of a wave's ``moves`` names; ``"*"`` is every area of the document."""
    return tuple(document.areas) if moves.areas == ["*"] else tuple(moves.areas)


def after_of(document: Document, position: int) -> tuple[str, ...]:
    """The waves that must have soaked before the one at ``position``: by default the one above."""
    after = document.waves[position].after
    if after is not None:
        return tuple(after)
    return (document.waves[position - 1].name,) if position else ()


def account_values(name: str, document: Document) -> dict[str, Any]:
    """An account's keys, the document's defaults below its own."""
    part = document.accounts[name]
    defaults = document.defaults.account
    values = part.model_dump()
    for key in defaults.model_fields_set - part.model_fields_set:
        values[key] = getattr(defaults, key)
    return values


def _account(name: str, document: Document) -> Account:
    values = account_values(name, document)
    options = _options(Account, values, ACCOUNTS[values["kind"]])
    return Account(name, **{key: one for key, one in values.items() if key in _fields(Account)}, options=options)


def _options(part: type, values: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """What is said under those keys of its kind that ``part`` has no field for."""
    known = _fields(part)
    return {key: values[key] for key in kind.keys if key not in known and values[key] is not None}


@cache
def _fields(part: Any) -> frozenset[str]:
    return frozenset(one.name for one in fields(part))


def _metric(name: str, part: MetricPart) -> Metric:
    values = part.model_dump(exclude={"kind"}, exclude_none=True)
    own = METRICS[part.kind].keys
    return Metric(name, part.kind, {key: one for key, one in values.items() if key in own or key in _IN_EVERY_METRIC})


def channel_of(part: NotifyPart) -> Channel:
    """A channel of ``notify``; named by where it goes and for whom, so that its place in the plan does not matter."""
    kind = NOTICES[part.kind]
    values = part.model_dump(include=set(kind.keys), exclude_none=True)
    channel = Channel(
        "", part.kind, part.audience, frozenset(part.occasions or OCCASIONS), dict(part.templates), options=values
    )
    title = kind.title(channel)
    return replace(channel, name=title if part.audience == "operators" else f"{title}, for customers")


_IN_EVERY_METRIC = frozenset({"env"})
"""Set or not, of this kind or not: approvals that were given are bound to it."""


def _budget(part: AccountBudgetPart, default: Budget | None = None) -> Budget:
    default = default or Budget()
    requests, size = part.requests_per_minute, part.bytes_per_second
    return Budget(
        requests_per_minute=default.requests_per_minute if requests is None else requests,
        bytes_per_second=default.bytes_per_second if size is None else size,
    )


def _gate(name: str, part: GatePart) -> Gate:
    values = part.model_dump(exclude={"within", "window", "settle", "max_age"})
    return Gate(
        name,
        within_ratio=part.within,
        window_seconds=part.window,
        settle_seconds=part.settle,
        max_age_seconds=part.max_age,
        **values,
    )


def routing_of(document: Document) -> Routing:
    part = document.routing
    values = part.model_dump(exclude={"ttl", "argv", "hosts"})
    return Routing(
        **{key: one for key, one in values.items() if key in _fields(Routing)},
        options=_options(Routing, values, ROUTING[part.kind]),
        argv=tuple(part.model_dump().get("argv") or ()),
        hosts=tuple(part.hosts or ()),
        ttl_seconds=part.ttl,
        max_write_seconds=document.cutover.max_write,
        clock_margin_seconds=document.cutover.clock_margin + ROUTING[part.kind].stale_seconds,
    )


def _wave(document: Document, position: int, areas: Mapping[str, Area], gates: Mapping[str, Gate]) -> PlannedWave:
    part = document.waves[position]
    return PlannedWave(
        name=part.name,
        moves=_moves(document, part, areas),
        after=after_of(document, position),
        soak_seconds=part.soak,
        interval_seconds=part.interval,
        gates=tuple(gates[name] for name in part.gates if name != WAY_BACK_READY),
        on_failure=part.on_failure,
        rollback_scope=part.rollback_scope,
        cutover=cutover_of(document.cutover, part.cutover),
        verify=_verify(document.verify, part.verify),
        approval_required=part.approval.required,
        approval_by=tuple(part.approval.by),
        approval_not_by_author=part.approval.not_the_author,
        change_windows=tuple(
            dict.fromkeys(
                ChangeWindow(frozenset(DAYS.index(day) for day in one.days), one.begin, one.end, one.timezone)
                for one in part.change_windows
            )
        ),
        not_before=part.not_before,
        complete_by=part.complete_by,
        max_moves=part.max_moves,
        needs_way_back=WAY_BACK_READY in part.gates,
    )


def _moves(document: Document, part: WavePart, areas: Mapping[str, Area]) -> tuple[PlannedMove, ...]:
    return tuple(
        _move(moves.region, document.regions[moves.region], areas[name])
        for moves in part.moves
        for name in areas_of(document, moves)
    )


def _move(name: str, region: RegionPart, area: Area) -> PlannedMove:
    known = region.inventory.get(area.name)
    return PlannedMove(
        MoveId(name, area.name),
        area,
        region.source,
        region.targets[area.name],
        region.traffic.get(area.name),
        Declared(known.objects, known.bytes or 0.0) if known else None,
        is_measured=area.name in region.traffic and region.traffic[area.name] is None,
    )


def cutover_of(document: CutoverPart, wave: WaveCutoverPart | None) -> Cutover:
    """The wave's own word, then the document's, then the default."""
    values: dict[str, Any] = {}
    for key in WaveCutoverPart.model_fields:
        own = getattr(wave, key) if wave else None
        value = getattr(document, key) if own is None else own
        if value is not None:
            values[_CUTOVER_UNITS.get(key, key)] = value
    return Cutover(**values)


_CUTOVER_UNITS = {
    "fence_timeout": "fence_timeout_seconds",
    "max_pause": "max_pause_seconds",
    "max_delete": "max_delete_ratio",
    "straggler_interval": "straggler_interval_seconds",
}


def _verify(document: VerifyPart, wave: VerifyPart | None) -> Verify:
    level = (wave.level if wave else None) or document.level or "attributes"
    sample = (wave.sample if wave else None) or document.sample
    return Verify(level, sample)


def _with_fingerprint(
    wave: PlannedWave,
    areas: Mapping[str, str],
    accounts: Mapping[str, Account],
    routing: Routing,
    metrics: Mapping[str, Metric],
) -> PlannedWave:
    """Bind the wave to all that an approval is about: itself, its accounts, its gates' sources, the routing.

    Args:
        areas: name -> digest of its containers: an area of thousands moves in many regions.
    """
    names = sorted({name for move in wave.moves for name in (move.source, move.target)})
    body = {
        "wave": _of_wave(wave),
        "moves": [asdict(replace(move, area=_NO_AREA)) for move in wave.moves],
        "areas": {move.area.name: areas[move.area.name] for move in wave.moves},
        "accounts": {name: _bound(accounts[name]) for name in names},
        "metrics": {gate.source: asdict(metrics[gate.source]) for gate in wave.gates},
        "routing": _bound(routing),
    }
    return replace(wave, fingerprint=digest(body))


def _of_wave(wave: PlannedWave) -> dict[str, Any]:
    """Its values. What says nothing of the way back is what it was before anything did, and so are approvals."""
    values = asdict(replace(wave, moves=()))
    if not wave.needs_way_back:
        del values["needs_way_back"]
    if wave.cutover.reverse == "on-demand":
        del values["cutover"]["reverse"]
    return values


def _bound(part: Account | Routing) -> dict[str, Any]:
    """Its values. Without options of its kind they are what they were before there were any, and so are approvals."""
    values = asdict(part)
    if not part.options:
        del values["options"]
    if values.get("protocol") == 1:
        del values["protocol"]
    return values


_NO_AREA = Area("", ())


def _as_json(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"not a value of a plan: {type(value).__name__}")
