"""Rules of areas and regions: nothing belongs to two, nothing is copied onto itself or onto another's data."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Final

from migrator.plan.overlap import MAX_PAIRS, Placed, TooManyPairs, overlapping
from migrator.plan.report import Report
from migrator.plan.schema import ContainerPart
from migrator.plan.tree import Path

MAX_OVERLAPS: Final = 100
"""Whoever mended so many looks again."""


def check_areas(report: Report) -> None:
    _overlaps(report)
    for area, part in report.document.areas.items():
        for index, container in enumerate(part.containers):
            _prefix(report, ("areas", area, "containers", index, "prefix"), container.prefix)
    for name in report.document.regions:
        _region(report, name)
    _shared_targets(report)
    _shared_sources(report)
    _without_target(report)


def _overlaps(report: Report) -> None:
    placed = [
        Placed(area, index, container)
        for area, part in report.document.areas.items()
        for index, container in enumerate(part.containers)
    ]
    try:
        for one, other in islice(overlapping(placed), MAX_OVERLAPS):
            path, both = (
                ("areas", other.area, "containers", other.index),
                f"{_shown(one.part)} and {_shown(other.part)}",
            )
            if one.area == other.area:
                report.fault(path, f"area {one.area} names blobs twice: {both}")
            else:
                report.fault(path, f"areas {one.area} and {other.area} overlap: {both} may mean the same blob")
    except TooManyPairs:
        text = (
            f"more than {MAX_PAIRS:,} pairs of containers begin and end so alike that only a comparison can tell whether "
            "they overlap: name containers, or use fewer globs"
        )
        report.fault(("areas",), text, at_key=True)


def _prefix(report: Report, path: Path, prefix: str) -> None:
    """Characters that other tools take for a pattern, or that nobody sees, are part of a blob's name here."""
    odd = [f"`{mark}`" for mark in "*?[" if mark in prefix]
    if prefix.startswith("/"):
        odd.append("a slash at its begin")
    if prefix != prefix.strip():
        odd.append("a space at its begin or end")
    if odd:
        text = f"this prefix has {' and '.join(odd)}: a prefix is taken as it stands, so only names that begin so are meant"
        report.warn(path, text)


def _region(report: Report, name: str) -> None:
    region, path = report.document.regions[name], ("regions", name)
    report.refer((*path, "source"), region.source, "accounts")
    for area, account in region.targets.items():
        report.refer((*path, "targets", area), area, "areas", at_key=True)
        report.refer((*path, "targets", area), account, "accounts")
        if account == region.source:
            report.fault((*path, "targets", area), f"the target of area {area} is its source account {account}")
    forecasts: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("traffic", region.traffic),
        ("inventory", region.inventory),
    )
    for key, areas in forecasts:
        for area, said in areas.items():
            if said is None and area in region.targets:
                continue  # `traffic: measured` of them all stands at no area, and its areas are those of the targets
            if report.refer((*path, key, area), area, "areas", at_key=True) and area not in region.targets:
                report.warn((*path, key, area), f"area {area} has {key} in region {name}, and no target there")
    for area, known in region.inventory.items():
        if known.objects and known.bytes is None:
            report.fault((*path, "inventory", area), f"area {area} has objects: say their bytes too", at_key=True)
    if region.pair is not None:
        report.refer((*path, "pair"), region.pair, "regions")
        if region.pair == name:
            report.fault((*path, "pair"), f"region {name} cannot be its own pair")


def _shared_targets(report: Report) -> None:
    sources = {region.source: name for name, region in report.document.regions.items()}
    first: dict[tuple[str, str], str] = {}
    for name, region in report.document.regions.items():
        for area, account in region.targets.items():
            path = ("regions", name, "targets", area)
            other = first.setdefault((account, area), name)
            if other != name:
                text = (
                    f"region {other} moves area {area} into account {account} too: both would write the same containers"
                )
                report.fault(path, text)
            if sources.get(account, name) != name:
                text = f"account {account} is the source of region {sources[account]}, so it cannot be a target"
                report.fault(path, text)


def _shared_sources(report: Report) -> None:
    first: dict[tuple[str, str], str] = {}
    for name, region in report.document.regions.items():
        for area in region.targets:
            other = first.setdefault((region.source, area), name)
            if other != name:
                text = f"region {other} moves area {area} from account {region.source} too: one area has one home"
                report.fault(("regions", name, "targets", area), text)


def _without_target(report: Report) -> None:
    if report.is_partial(("regions",)):
        return
    used = {area for region in report.document.regions.values() for area in region.targets}
    for area in report.document.areas:
        if area not in used:
            report.fault(("areas", area), f"area {area} has no target in any region", at_key=True)


def _shown(part: ContainerPart) -> str:
    return f"{part.name}/{part.prefix}*" if part.prefix else part.name
