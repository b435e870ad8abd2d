"""Rules of waves: which moves they hold, which waves come before, and when."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.plan.compile import after_of, areas_of
from migrator.plan.report import Report
from migrator.plan.schema import VerifyPart, WavePart
from migrator.plan.tree import Path


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
    _verify(report, ("verify",), report.document.verify)
    for index, freeze in enumerate(report.document.freeze):
        if freeze.end <= freeze.begin:
            report.fault(("freeze", index, "to"), "a freeze must end after it begins")


def planned(report: Report) -> Iterator[tuple[int, Path, str, str]]:
    """Every move the waves name: position of the wave, path of its areas, region, area. Unknown names included."""
    for position, wave in enumerate(report.document.waves):
        for index, moves in enumerate(wave.moves):
            for area in areas_of(report.document, moves):
                yield position, ("waves", position, "moves", index, "areas"), moves.region, area


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
    for position, wave in enumerate(report.document.waves):
        for index, name in enumerate(wave.after or ()):
            path = ("waves", position, "after", index)
            # `after: NAME` is short for a list of one: then the value itself is the place
            place = path if report.tree.has(report.shaped.origin(path)) else path[:-1]
            report.one_of(place, name, _wave_names(report), "wave")


def _cycles(report: Report) -> None:
    after = {wave.name: after_of(report.document, number) for number, wave in enumerate(report.document.waves)}
    positions = {wave.name: number for number, wave in enumerate(report.document.waves)}
    reported: set[frozenset[str]] = set()
    for name in after:
        cycle = _cycle_from(name, after)
        if cycle and frozenset(cycle) not in reported:
            reported.add(frozenset(cycle))
            written = next((n for n in cycle if report.document.waves[positions[n]].after is not None), name)
            path = ("waves", positions[written], "after")
            report.fault(path, f"waves wait for each other in a circle: {' after '.join([*cycle, cycle[0]])}")


def _cycle_from(name: str, after: dict[str, tuple[str, ...]]) -> list[str]:
    """The shortest circle through ``name``, beginning with it; empty if there is none."""
    trails = [[name]]
    seen = {name}
    while trails:
        trail = trails.pop(0)
        for earlier in after.get(trail[-1], ()):
            if earlier == name:
                return trail
            if earlier not in seen:
                seen.add(earlier)
                trails.append([*trail, earlier])
    return []


def _moves(report: Report) -> None:
    for position, wave in enumerate(report.document.waves):
        if not wave.moves:
            report.fault(("waves", position, "moves"), f"wave {wave.name} moves nothing")
        for index, moves in enumerate(wave.moves):
            report.refer(("waves", position, "moves", index, "region"), moves.region, "regions")
    first: dict[tuple[str, str], str] = {}
    for position, path, region, area in planned(report):
        item = _item(report, path, area)
        if not report.refer(item, area, "areas"):
            continue
        known = report.document.regions.get(region)
        if known is not None and area not in known.targets:
            report.fault(item, f"area {area} has no target in region {region}")
        if (region, area) in first:
            report.fault(item, f"{region}/{area} is moved by wave {first[region, area]} already")
        first.setdefault((region, area), report.document.waves[position].name)
    _never_moved(report, set(first))


def _item(report: Report, path: Path, area: str) -> Path:
    areas = report.tree.value(report.shaped.origin(path))
    return (*path, areas.index(area)) if isinstance(areas, list) and area in areas else path


def _never_moved(report: Report, moved: set[tuple[str, str]]) -> None:
    if report.is_partial(("waves",)):
        return
    for name, region in report.document.regions.items():
        for area in region.targets:
            if (name, area) not in moved:
                report.warn(("regions", name, "targets", area), f"{name}/{area} has a target, and no wave moves it")


def _pairs(report: Report) -> None:
    """Two regions that back each other up are never at risk together."""
    regions = report.document.regions
    pairs = {frozenset((name, region.pair)) for name, region in regions.items() if region.pair}
    for position, wave in enumerate(report.document.waves):
        seen: list[str] = []
        for index, moves in enumerate(wave.moves):
            for other in seen:
                if other != moves.region and frozenset((other, moves.region)) in pairs:
                    text = f"regions {other} and {moves.region} are a pair and cannot be in one wave"
                    report.fault(("waves", position, "moves", index, "region"), text)
            seen.append(moves.region)


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
