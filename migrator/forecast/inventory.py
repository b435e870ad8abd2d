"""What a source holds of one move, how that is known, and how far off it may be.

Decides how parts add up, what is large, and what a few random descents into the names say of the whole. Leaves reading to
``engine.inventory``. Rule: an inventory says where it comes from, and an estimate how far off it may be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from statistics import median
from typing import Any, Final, Literal

from migrator.model.objects import NO_BYTES, SYNC_COPY_LIMIT_BYTES
from migrator.model.schedule import Declared
from migrator.model.values import replace, value

Origin = Literal["counted", "sampled", "kept", "declared"]

LARGE_ABOVE_BYTES: Final = SYNC_COPY_LIMIT_BYTES
"""Objects above this are copied in blocks: what ``large_objects`` counts."""


@value(frozen=True, slots=True)
class Inventory:
    """``large_bytes`` is the part in objects above ``LARGE_ABOVE_BYTES``, ``large_objects`` how many those are;
    ``streamed_bytes`` and ``streamed_objects`` are the append and page blobs, which a fence streams; all are in ``objects`` and
    ``bytes`` too.
    ``cool_bytes``, ``cold_bytes`` and ``archive_bytes`` lie in those tiers, and are in ``bytes`` too.
    ``prefixes``: of how many listings a pass consists. ``page_seconds``: how long a page of them took, 0.0 where nobody measured.

    ``origin``: counted (every page was read), sampled (extrapolated; ``error_ratio`` is the standard error of ``objects`` as a
    share of it), kept (counted or sampled by an earlier plan or apply, at ``counted_at``), declared (the plan's own word).
    """

    objects: int
    bytes: int
    large_objects: int = 0
    large_bytes: int = 0
    prefixes: int = 1
    origin: Origin = "counted"
    error_ratio: float = 0.0
    counted_at: datetime | None = None
    streamed_objects: int = 0
    streamed_bytes: int = 0
    page_seconds: float = 0.0
    cool_bytes: int = 0
    cold_bytes: int = 0
    archive_bytes: int = 0
    changes_per_second: float | None = None
    """Objects that customers write or delete, by two listings; None: nobody knows."""

    def with_objects(
        self, sizes: Sequence[int], streamed: Sequence[int] = (), tiered: Mapping[str, int] = NO_BYTES
    ) -> Inventory:
        """So many objects more, of these sizes in bytes; ``streamed``: of those, the append and page blobs; ``tiered``: bytes of
        them by tier."""
        large = [size for size in sizes if size > LARGE_ABOVE_BYTES]
        return replace(
            self,
            objects=self.objects + len(sizes),
            bytes=self.bytes + sum(sizes),
            large_objects=self.large_objects + len(large),
            large_bytes=self.large_bytes + sum(large),
            streamed_objects=self.streamed_objects + len(streamed),
            streamed_bytes=self.streamed_bytes + sum(streamed),
            cool_bytes=self.cool_bytes + tiered.get("Cool", 0),
            cold_bytes=self.cold_bytes + tiered.get("Cold", 0),
            archive_bytes=self.archive_bytes + tiered.get("Archive", 0),
        )


NOTHING: Final = Inventory(0, 0, prefixes=0)
_SINCE_LATER: Final = ("streamed_objects", "streamed_bytes", "cool_bytes", "cold_bytes", "archive_bytes")


def summed(parts: Sequence[Inventory]) -> Inventory:
    """All listings of a move together. Errors of parts are taken as independent of each other."""
    objects = sum(one.objects for one in parts)
    error = math.sqrt(sum((one.error_ratio * one.objects) ** 2 for one in parts))
    return Inventory(
        objects=objects,
        bytes=sum(one.bytes for one in parts),
        large_objects=sum(one.large_objects for one in parts),
        large_bytes=sum(one.large_bytes for one in parts),
        prefixes=sum(one.prefixes for one in parts),
        origin="sampled" if any(one.origin == "sampled" for one in parts) else "counted",
        error_ratio=error / objects if objects else 0.0,
        streamed_objects=sum(one.streamed_objects for one in parts),
        streamed_bytes=sum(one.streamed_bytes for one in parts),
        page_seconds=typical([one.page_seconds for one in parts]),
        cool_bytes=sum(one.cool_bytes for one in parts),
        cold_bytes=sum(one.cold_bytes for one in parts),
        archive_bytes=sum(one.archive_bytes for one in parts),
    )


def typical(seconds: Sequence[float]) -> float:
    """Of how long pages took: the median of those that were measured; a service that was busy once is not a slow one."""
    measured = [one for one in seconds if one]
    return median(measured) if measured else 0.0


LEAST_APART_SECONDS: Final = 1.0
"""Between two listings that are to tell anything."""


def changed_since(before: Inventory | None, found: Inventory, now: datetime) -> Inventory:
    """``found`` with the rate at which customers change it, by the listing ``before``: objects that came or went, or as many as
    the bytes between both are worth. What replaces an object by one as long is not seen. Where no time has passed, the rate
    that was known then stays."""
    if before is None or before.counted_at is None or "sampled" in (found.origin, before.origin) or before.error_ratio:
        return found
    seconds = (now - before.counted_at).total_seconds()
    if seconds < LEAST_APART_SECONDS:
        return replace(found, changes_per_second=before.changes_per_second)
    size = max(1.0, found.bytes / found.objects) if found.objects else 1.0
    changes = max(abs(found.objects - before.objects), abs(found.bytes - before.bytes) / size)
    return replace(found, changes_per_second=min(changes, max(found.objects, before.objects)) / seconds)


def declared(said: Declared) -> Inventory:
    """What the plan says; all of it in objects that one request copies."""
    return Inventory(said.objects, int(said.bytes), origin="declared")


@value(frozen=True, slots=True)
class Descent:
    """One random way down the tree of names: ``weight`` is how many ways like it there are (the product of the branches at
    each fork), ``leaf`` what its last prefix holds."""

    weight: float
    leaf: Inventory


def estimated(descents: Sequence[Descent]) -> Inventory:
    """The mean over descents of weight times leaf, which is right on average however the names are spread, and its standard
    error. One descent alone has no error to show, so it counts as wholly uncertain (1.0).

    Source: D. E. Knuth, "Estimating the efficiency of backtrack programs", 1975.
    """
    number = len(descents)
    counts = [one.weight * one.leaf.objects for one in descents]
    mean = sum(counts) / number

    def mean_of(values: Sequence[float]) -> int:
        return round(sum(one.weight * value for one, value in zip(descents, values, strict=True)) / number)

    spread = math.sqrt(sum((one - mean) ** 2 for one in counts) / (number - 1) / number) if number > 1 else mean
    return Inventory(
        objects=round(mean),
        bytes=mean_of([one.leaf.bytes for one in descents]),
        large_objects=mean_of([one.leaf.large_objects for one in descents]),
        large_bytes=mean_of([one.leaf.large_bytes for one in descents]),
        origin="sampled",
        error_ratio=spread / mean if mean else 0.0,
        streamed_objects=mean_of([one.leaf.streamed_objects for one in descents]),
        streamed_bytes=mean_of([one.leaf.streamed_bytes for one in descents]),
        page_seconds=typical([one.leaf.page_seconds for one in descents]),
        cool_bytes=mean_of([one.leaf.cool_bytes for one in descents]),
        cold_bytes=mean_of([one.leaf.cold_bytes for one in descents]),
        archive_bytes=mean_of([one.leaf.archive_bytes for one in descents]),
    )


def to_note(inventory: Inventory, at: datetime) -> dict[str, Any]:
    """JSON values for the state store; ``at`` is when it was counted."""
    return {**asdict(inventory), "counted_at": at.astimezone(UTC).isoformat()}


def from_note(note: Any) -> Inventory | None:
    """What ``to_note`` wrote, as kept; None for anything else, which then counts as nothing kept."""
    if not isinstance(note, Mapping):
        return None
    try:
        counted_at = datetime.fromisoformat(note["counted_at"])
        numbers = {key: int(note[key]) for key in ("objects", "bytes", "large_objects", "large_bytes", "prefixes")}
        # Notes of earlier versions do not tell blobs of these kinds and tiers apart.
        numbers |= {key: int(note.get(key, 0)) for key in _SINCE_LATER}
        return Inventory(
            **numbers,
            origin="kept",
            error_ratio=float(note["error_ratio"]),
            counted_at=counted_at,
            page_seconds=float(note.get("page_seconds", 0.0)),
            changes_per_second=None if (rate := note.get("changes_per_second")) is None else float(rate),
        )
    except (KeyError, TypeError, ValueError):
        return None
