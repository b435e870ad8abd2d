"""The whole forecast of a rollout: load, time, cost, and what is wrong with them.

Decides only how the parts come together. Rule: it is a pure function of plan, inventories and recorded state, so ``plan``,
``validate``, ``apply`` and ``status`` all say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from migrator.forecast.capacity import AccountLoad, Relief, capacity_findings, loads, reliefs
from migrator.forecast.deadlines import deadline_findings
from migrator.forecast.grounds import Grounds
from migrator.forecast.inventory import Inventory
from migrator.forecast.learned import CORRECTED, NOTHING_LEARNED, Corrections, change_share, corrections_of
from migrator.forecast.measured import with_traffic
from migrator.forecast.move_times import MoveTimes, soak_seconds
from migrator.forecast.requests import Cost, RequestCounts, cost_of
from migrator.forecast.spread import Range
from migrator.forecast.tiers import Tiered
from migrator.forecast.timeline import StartingPoint, WaveTimes, timeline
from migrator.forecast.timing import MoveForecast, drain_findings, forecast_wave, timing_findings
from migrator.model.findings import Finding
from migrator.model.names import MoveId
from migrator.model.rhythm import USUAL
from migrator.model.schedule import PlannedWave, Prices, Schedule
from migrator.model.values import replace, value

READY_PASS_SECONDS = USUAL.ready_pass_seconds
"""While it waits for its window a move keeps up with a pass so often."""
SCAN_REST = 10
"""A scan of the soak is followed by at least so many times its own length of rest. Source: ``engine.steps.soak``."""


@value(frozen=True, slots=True)
class Outlook:
    """``moves``: where an inventory is known. ``requests``: by wave, then by account, the soak's scans included. ``cost`` is
    None without prices or without any inventory."""

    here: StartingPoint
    moves: Mapping[MoveId, MoveForecast]
    waves: tuple[WaveTimes, ...]
    loads: tuple[AccountLoad, ...]
    reliefs: tuple[Relief, ...]
    requests: Mapping[str, Mapping[str, RequestCounts]]
    cost: Cost | None
    findings: tuple[Finding, ...]
    learned: Corrections = NOTHING_LEARNED

    def wave(self, name: str) -> WaveTimes:
        return next(wave for wave in self.waves if wave.name == name)

    def requests_of(self, wave: str) -> RequestCounts:
        return _sum(self.requests[wave].values())

    def of_wave(self, wave: str) -> tuple[MoveForecast, ...]:
        """Of its moves, where an inventory is known."""
        return tuple(one for move in self.wave(wave).moves if (one := self.moves.get(move.id)) is not None)

    def copying(self, wave: str) -> Range | None:
        """Seconds, of its slowest move; None where nothing is known. The same of ``pause`` and ``asking``."""
        return max((one.copying for one in self.of_wave(wave)), key=_likely, default=None)

    def pause(self, wave: str) -> Range | None:
        return max((one.pause for one in self.of_wave(wave)), key=_likely, default=None)

    def asking(self, wave: str) -> Range | None:
        """Requests: nearly all are objects, which are counted; how often it is looked again is not known."""
        known = self.of_wave(wave)
        if not known:
            return None
        error = max(one.inventory.error_ratio for one in known)
        return Range.around(self.requests_of(wave).total, COUNTED, error)


def _likely(one: Range) -> float:
    return one.likely


COUNTED: Final = 0.1
"""How far off requests may be, as a share, where the objects were counted."""
CANARIES: Final = RequestCounts(list=4, read=5, write=2, delete=2).times(2)
"""On each side of a move: both ways are proved with a canary in the preflight, and again before the fence. Source:
``engine.checks.canary`` (sweeps, put, head, copy, comparison, delete, each way)."""


def look_ahead(schedule: Schedule, inventories: Mapping[MoveId, Inventory], here: StartingPoint) -> Outlook:
    """The forecast from where the rollout stands. Moves without an inventory have no figures of their own.

    What waves that are over showed corrects it.
    """
    schedule = with_traffic(schedule, here.traffic)
    moves: dict[MoveId, MoveForecast] = {}
    learned = corrections_of(here.waves.values())
    grounds = Grounds(here.means, learned, change_share(here.waves.values(), here.moves))
    for wave in schedule.waves:
        moves.update((one.id, one) for one in forecast_wave(schedule, wave, inventories, grounds))
    waves = timeline(schedule, moves, here)
    requests = {
        wave.name: _wave_requests(wave, times, moves, learned.requests)
        for wave, times in zip(schedule.waves, waves, strict=True)
    }
    total = _sum(one for by_account in requests.values() for one in by_account.values())
    switched = {
        move.id for wave in waves for move in wave.moves if move.switched is not None and move.switched <= here.now
    }
    ahead = [one for one in moves.values() if one.id not in switched]
    return Outlook(
        here=here,
        moves=moves,
        waves=waves,
        loads=loads(schedule),
        reliefs=reliefs(schedule),
        requests=requests,
        cost=_cost(schedule, schedule.prices, moves, waves, total, here) if schedule.prices and moves else None,
        findings=(
            *capacity_findings(schedule, here.traffic),
            *drain_findings(schedule.routing),
            *_of_time([*timing_findings(ahead), *deadline_findings(schedule, moves, here, waves)], waves),
        ),
        learned=learned,
    )


def _cost(
    schedule: Schedule,
    prices: Prices,
    moves: Mapping[MoveId, MoveForecast],
    waves: Iterable[WaveTimes],
    requests: RequestCounts,
    here: StartingPoint,
) -> Cost:
    kept = {move.id: _days_kept(schedule, times, here) for times in waves for move in times.moves}
    tiered = [
        Tiered(one.inventory, schedule.wave_of(one.id).verify.content_share, kept.get(one.id)) for one in moves.values()
    ]
    return cost_of(prices, requests, sum(one.inventory.bytes for one in moves.values()), tiered)


def _days_kept(schedule: Schedule, times: WaveTimes, here: StartingPoint) -> float | None:
    """Until what the wave leaves at its sources may be deleted; None where the plan speaks of no such thing, or nobody knows."""
    if not schedule.retire.is_planned or times.soaked is None:
        return None
    return max(0.0, (times.soaked - here.now).total_seconds() + schedule.retire.watch_seconds) / 86_400


def _of_time(findings: Iterable[Finding], waves: Iterable[WaveTimes]) -> Iterator[Finding]:
    """Errors before a rollout begins. Afterwards they are warnings: to refuse to go on would make nothing shorter, and a soak
    that nobody watches would be lost."""
    has_begun = any(wave.is_begun for wave in waves)
    for finding in findings:
        yield replace(finding, severity="warning") if has_begun and finding.severity == "error" else finding


def _wave_requests(
    wave: PlannedWave, times: WaveTimes, forecasts: Mapping[MoveId, MoveForecast], corrected: float
) -> dict[str, RequestCounts]:
    found: dict[str, RequestCounts] = {}
    at = {move.id: move for move in times.moves}
    for move in wave.moves:
        if (one := forecasts.get(move.id)) is None:
            continue
        scans = one.scan.times(_scans(wave, one, at.get(move.id)))
        for account, own in ((move.source, one.source_requests), (move.target, one.target_requests)):
            found[account] = (
                found.get(account, RequestCounts()) + own + one.fence_requests.times(0.5) + scans + CANARIES
            )
    return {account: requests.times(corrected) for account, requests in found.items()}


def _scans(wave: PlannedWave, one: MoveForecast, times: MoveTimes | None) -> float:
    """Passes while a move waits for its window, and looks for stragglers while it soaks."""
    waited = (times.cut - times.ready).total_seconds() if times is not None and times.cut is not None else 0.0
    passes = waited / (READY_PASS_SECONDS + one.scan_seconds)
    rest = max(wave.cutover.straggler_interval_seconds, SCAN_REST * one.scan_seconds)
    return passes + 1 + soak_seconds(wave) // (rest + one.scan_seconds)


def _sum(parts: Iterable[RequestCounts]) -> RequestCounts:
    total = RequestCounts()
    for part in parts:
        total = total + part
    return total


def to_record(outlook: Outlook, wave: str) -> dict[str, Any]:
    """What is kept with a wave when it begins: JSON values, to be held against the outcome.

    Returns:
        ``{made_at, requests, begins, ready, switched, soaked, complete_by, ranges, corrected, moves: {REGION/AREA: {objects,
        bytes, origin, copy_seconds, fence_seconds, drain_seconds, requests}}}``; times are ISO 8601 or None. ``ranges`` has
        ``[low, high]`` of copy_seconds, fence_seconds and requests, ``corrected`` the factors that earlier outcomes brought.
    """
    times, learned = outlook.wave(wave), outlook.learned
    ranges = {
        "copy_seconds": outlook.copying(wave),
        "fence_seconds": outlook.pause(wave),
        "requests": outlook.asking(wave),
    }
    return {
        "made_at": outlook.here.now.isoformat(),
        "requests": round(outlook.requests_of(wave).total),
        "begins": _iso(times.begins),
        "ready": _iso(times.ready),
        "switched": _iso(times.switched),
        "soaked": _iso(times.soaked),
        "complete_by": _iso(times.complete_by),
        "ranges": {kind: [round(one.low, 3), round(one.high, 3)] for kind, one in ranges.items() if one},
        CORRECTED: {
            "copy_seconds": round(learned.copy, 4),
            "fence_seconds": round(learned.pause, 4),
            "requests": round(learned.requests, 4),
        },
        "moves": {str(move.id): _kept(outlook.moves.get(move.id)) for move in times.moves},
    }


def _kept(one: MoveForecast | None) -> dict[str, Any]:
    if one is None:
        return {}
    return {
        "objects": one.inventory.objects,
        "bytes": one.inventory.bytes,
        "origin": one.inventory.origin,
        "copy_seconds": round(one.copy_seconds, 3),
        "fence_seconds": round(one.fence_seconds, 3),
        "drain_seconds": round(one.drain_seconds, 3),
        "requests": round(one.requests),
    }


def _iso(at: Any) -> str | None:
    return None if at is None else str(at.isoformat())
