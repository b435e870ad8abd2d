"""A month of figures in as many buckets as a chart has columns.

Decides what is kept of a bucket: how many figures, the lowest, the highest and their mean, so that no peak is lost. Rule: buckets
follow the time, not the number of figures; an empty one is left out, so that a gap stays a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from migrator.model.values import value


@value(frozen=True, slots=True)
class Bucket:
    """``number`` figures of ``begin`` to ``end``, both ends among them."""

    begin: datetime
    end: datetime
    number: int
    low: float
    mean: float
    high: float


def thin(points: Iterable[tuple[datetime, float]], columns: int) -> tuple[Bucket, ...]:
    """At most ``columns`` buckets of equal width, ascending; a bucket a figure where there are no more than that.

    Args:
        points: moments and figures, in any order.
    """
    found = sorted(points)
    if len(found) <= columns:
        return tuple(Bucket(at, at, 1, figure, figure, figure) for at, figure in found)
    first, last = found[0][0], found[-1][0]
    width = max(timedelta(microseconds=1), (last - first) / columns)
    groups: dict[int, list[tuple[datetime, float]]] = {}
    for at, figure in found:
        groups.setdefault(min(columns - 1, int((at - first) / width)), []).append((at, figure))
    return tuple(_bucket(groups[place]) for place in sorted(groups))


def _bucket(points: Sequence[tuple[datetime, float]]) -> Bucket:
    figures = [figure for _, figure in points]
    return Bucket(points[0][0], points[-1][0], len(points), min(figures), sum(figures) / len(figures), max(figures))
