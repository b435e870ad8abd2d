"""Rules of waves: which moves they hold, which waves come before, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Final

from migrator.model.units import show_duration
from migrator.plan.circles import circles, in_order
from migrator.plan.compile import after_of, areas_of, cutover_of, routing_of
from migrator.plan.report import Report
from migrator.plan.schema import VerifyPart, WavePart
from migrator.plan.tree import Path

MAX_MOVES: Final = 25_000
"""A hundred areas in each of 250 regions; state, previews and displays are made for thousands."""
MAX_WINDOWS: Final = 1_000
MAX_SIDE_BY_SIDE: Final = 20
LONGEST_FREEZE: Final = timedelta(days=90)
MAX_CIRCLE: Final = 8
"""Waves named of a longer circle."""


def check_waves(report: Report) -> None:
    if not report.document.waves:
        report.fault(("waves",), "a plan needs at least one wave", at_key=True)
    _names(report)
    _after(report)
    _cycles(report)
    _moves(report)
    _pairs(report)
    for position, wave in enumerate(report.document.waves):
        _times(report, ("waves", position), wave)
        _soak(report, ("waves", position), wave)
        _verify(report, ("waves", position, "verify"), wave.verify)
        if not wave.approval.required and (wave.approval.by or wave.approval.not_the_author):
            report.fault(("waves", position, "approval"), "who may approve is said of an approval that is not required")
    _verify(report, ("verify",), report.document.verify)
    _pauses(report)
    _many(report)
    for index, freeze in enumerate(report.document.freeze):
        if freeze.end <= freeze.begin:
            report.fault(("freeze", index, "to"), "a freeze must end after it begins")
        elif freeze.end - freeze.begin > LONGEST_FREEZE:
            days = (freeze.end - freeze.begin).days
            report.warn(("freeze", index), f"this freeze lasts {days:,} days: nothing cuts over in all that time")


def _pauses(report: Report) -> None:
    """A drain takes its time, however little there is to copy. Said once where the document's own words make it so."""
    routing, said = routing_of(report.document), set[Path]()
    for position, wave in enumerate(report.document.waves):
        cutover = cutover_of(report.document.cutover, wave.cutover)
        drain = routing.drain_of(cutover)
        place = _place_of_pause(report, position)
        if drain <= cutover.max_pause_seconds or place in said:
            continue
        said.add(place)
        text = (
            f"a fence of wave {wave.name} would stop writers for {show_duration(drain)} before anything is copied (ttl, max_write"
            f" and clock_margin), longer than max_pause ({show_duration(cutover.max_pause_seconds)}): shorten these, or allow"
            " a longer pause"
        )
        report.fault(place, text)


def _place_of_pause(report: Report, position: int) -> Path:
    places: tuple[Path, ...] = (
        ("waves", position, "cutover", "max_pause"),
        ("cutover", "max_pause"),
        ("cutover", "max_write"),
        ("routing", "ttl"),
    )
    return next((one for one in places if report.tree.has(report.shaped.origin(one))), ("routing",))


def _many(report: Report) -> None:
    """The forecast asks every window of a wave for every move."""
    windows = {
        (frozenset(one.days), one.begin, one.end, one.timezone)
        for wave in report.document.waves
        for one in wave.change_windows
    }
    if len(windows) > MAX_WINDOWS:
        text = f"the waves have more than {MAX_WINDOWS:,} different change windows: join some"
        report.fault(("waves",), text, at_key=True)
    if len({(one.begin, one.end) for one in report.document.freeze}) > MAX_WINDOWS:
        report.fault(("freeze",), f"there are more than {MAX_WINDOWS:,} different freezes: join some", at_key=True)


def planned(report: Report) -> Iterator[tuple[int, Path, str, str]]:
    """The moves that the waves name, at most ``MAX_MOVES``: position of the wave, path of the area's name (of the whole
    key where it is written for all of them), region, area. Unknown names included."""
    return islice(_planned(report), MAX_MOVES)


def _planned(report: Report) -> Iterator[tuple[int, Path, str, str]]:
    for position, wave in enumerate(report.document.waves):
        for index, moves in enumerate(wave.moves):
            path: Path = ("waves", position, "moves", index, "areas")
            for number, area in enumerate(areas_of(report.document, moves)):
                item = (*path, number)
                yield position, item if report.tree.has(report.shaped.origin(item)) else path, moves.region, area


def _names(report: Report) -> None:
    first: set[str] = set()
    for position, wave in enumerate(report.document.waves):
        if wave.name in first:
            report.fault(("waves", position, "name"), f"there is a wave {wave.name} already")
        first.add(wave.name)


def _wave_names(report: Report) -> tuple[str, ...]:
    """Of all waves as written, those that do not fit included."""
    waves = report.tree.value(("waves",))
    written = [wave.get("name") for wave in waves if isinstance(wave, dict)] if isinstance(waves, list) else []
    return tuple(str(name) for name in written if name is not None)


def _after(report: Report) -> None:
    names = dict.fromkeys(_wave_names(report))
    for position, wave in enumerate(report.document.waves):
        for index, name in enumerate(wave.after or ()):
            path = ("waves", position, "after", index)
            # `after: NAME` is short for a list of one: then the value itself is the place
            place = path if report.tree.has(report.shaped.origin(path)) else path[:-1]
            report.one_of(place, name, names, "wave")


def _cycles(report: Report) -> None:
    """One circle for each set of waves that wait for each other; a name that two waves have is known already."""
    after: dict[str, tuple[str, ...]] = {}
    positions: dict[str, int] = {}
    for number, wave in enumerate(report.document.waves):
        after.setdefault(wave.name, after_of(report.document, number))
        positions.setdefault(wave.name, number)
    for circle in circles(after):
        written = next((name for name in circle if report.document.waves[positions[name]].after is not None), circle[0])
        shown = circle if len(circle) <= MAX_CIRCLE else [*circle[: MAX_CIRCLE - 1], "...", circle[-1]]
        text = f"waves wait for each other in a circle: {' after '.join([*shown, circle[0]])}"
        report.fault(("waves", positions[written], "after"), text)


def _moves(report: Report) -> None:
    for position, wave in enumerate(report.document.waves):
        if not wave.moves:
            report.fault(("waves", position, "moves"), f"wave {wave.name} moves nothing")
        for index, moves in enumerate(wave.moves):
            report.refer(("waves", position, "moves", index, "region"), moves.region, "regions")
    if next(islice(_planned(report), MAX_MOVES, None), None) is not None:
        report.fault(("waves",), f"the waves name more than {MAX_MOVES:,} moves: split the plan", at_key=True)
    first: dict[tuple[str, str], str] = {}
    for position, path, region, area in planned(report):
        if not report.refer(path, area, "areas"):
            continue
        known = report.document.regions.get(region)
        if known is not None and area not in known.targets:
            report.fault(path, f"area {area} has no target in region {region}")
        if (region, area) in first:
            report.fault(path, f"{region}/{area} is moved by wave {first[region, area]} already")
        first.setdefault((region, area), report.document.waves[position].name)
    _never_moved(report, set(first))


def _never_moved(report: Report, moved: set[tuple[str, str]]) -> None:
    if report.is_partial(("waves",)):
        return
    for name, region in report.document.regions.items():
        for area in region.targets:
            if (name, area) not in moved:
                report.warn(("regions", name, "targets", area), f"{name}/{area} has a target, and no wave moves it")


def _pairs(report: Report) -> None:
    """Two regions that back each other up are never at risk together."""
    partners: dict[str, set[str]] = {}
    for name, region in report.document.regions.items():
        if region.pair and region.pair != name:
            partners.setdefault(name, set()).add(region.pair)
            partners.setdefault(region.pair, set()).add(name)
    for position, wave in enumerate(report.document.waves):
        seen: dict[str, None] = {}
        for index, moves in enumerate(wave.moves):
            for other in sorted(partners.get(moves.region, set()) & seen.keys()) if moves.region not in seen else ():
                text = f"regions {other} and {moves.region} are a pair and cannot be in one wave"
                report.fault(("waves", position, "moves", index, "region"), text)
            seen[moves.region] = None
    _side_by_side(report, partners)


def _side_by_side(report: Report, partners: dict[str, set[str]]) -> None:
    """Waves of a pair that do not wait for each other may cut over in the same minute. Only a warning: windows, approvals
    and dates keep them apart as well."""
    waves = report.document.waves
    after = {wave.name: after_of(report.document, number) for number, wave in enumerate(waves)}
    order = in_order(after)
    if not partners or order is None or len(after) != len(waves):
        return
    place = {name: number for number, name in enumerate(order)}
    before = [0] * len(order)
    holds: dict[str, int] = {}
    positions = {wave.name: number for number, wave in enumerate(waves)}
    said = 0
    for number, name in enumerate(order):
        for earlier in after[name]:
            if earlier in place:
                before[number] |= before[place[earlier]] | 1 << place[earlier]
        regions = {moves.region for moves in waves[positions[name]].moves}
        for region in sorted(regions & partners.keys()):
            for other in sorted(partners[region] & holds.keys()):
                apart = holds[other] & ~before[number]
                if apart and said < MAX_SIDE_BY_SIDE:
                    said += 1
                    beside = order[apart.bit_length() - 1]
                    text = (
                        f"regions {other} and {region} are a pair, and waves {beside} and {name} do not wait for each other:"
                        " both may cut over at once"
                    )
                    report.warn(("waves", positions[name], "after"), text)
        for region in regions:
            holds[region] = holds.get(region, 0) | 1 << number


def _times(report: Report, path: Path, wave: WavePart) -> None:
    for index, window in enumerate(wave.change_windows):
        if window.begin == window.end or window.begin == 24 * 60 or not window.days:
            report.fault((*path, "change_windows", index), "this change window is never open")
    if wave.not_before and wave.complete_by and wave.complete_by <= wave.not_before:
        report.fault((*path, "complete_by"), f"wave {wave.name} must complete before it may begin")


def _soak(report: Report, path: Path, wave: WavePart) -> None:
    if wave.soak > 0 and not wave.gates:
        report.warn((*path, "soak"), f"wave {wave.name} soaks without gates: only stragglers are watched")
    if wave.soak == 0 and wave.gates:
        report.warn((*path, "gates"), f"wave {wave.name} has a soak of 0: one healthy round of its gates ends it")


def _verify(report: Report, path: Path, verify: VerifyPart | None) -> None:
    if verify is None or verify.sample is None:
        return
    if (verify.level or report.document.verify.level) != "content":
        report.fault((*path, "sample"), "a sample is of content: it needs `level: content` beside it", at_key=True)
