"""A forecast in words: from where to where it may lie, what was taken for granted, and what earlier outcomes corrected.

Decides words alone; every figure comes from ``outlook``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from migrator.forecast.outlook import Outlook
from migrator.forecast.spread import Range
from migrator.model.units import show_duration


def ranges_of(outlook: Outlook, wave: str) -> str:
    """``copied in 0.8 s to 1.2 s, writers paused 2.5 s to 3.1 s, 4,000 to 4,900 requests``; "" where nothing is known."""
    copying, pause, asking = outlook.copying(wave), outlook.pause(wave), outlook.asking(wave)
    if copying is None or pause is None or asking is None:
        return ""
    parts = [f"copied in {_seconds(copying)}", f"writers paused {_seconds(pause)}"]
    return ", ".join([*parts, f"{asking.low:,.0f} to {asking.high:,.0f} requests"])


def ranges_ahead(outlook: Outlook) -> Iterator[tuple[str, str]]:
    """Of each wave that has not begun and of which anything is known: its name, and the ranges."""
    for wave in outlook.waves:
        if not wave.is_begun and (said := ranges_of(outlook, wave.name)):
            yield wave.name, said


def assumed(outlook: Outlook) -> Iterator[str]:
    """What the moves of waves that have not begun take for granted, the commonest first, a clause each."""
    ahead = [one for wave in outlook.waves if not wave.is_begun for one in outlook.of_wave(wave.name)]
    counted = Counter(clause for one in ahead for clause in one.assumes)
    for clause, number in counted.most_common():
        yield clause if number == len(ahead) else f"{clause}: {number} of {len(ahead)} moves"


def processes(outlook: Outlook) -> str:
    """Of how many processes and cores of this machine the forecast is; "" where nobody said."""
    means = outlook.here.means
    work = f"{means.processes} processes" if means.processes > 1 else "one process"
    if means.measured_at is None:
        return f"with {work} on {means.cores} cores"
    slow = (
        f", which is {means.slowness:.1f} times as slow now as the one the figures are of"
        if means.slowness >= SLOW
        else ""
    )
    return f"with {work} on this machine of {means.cores} cores{slow}"


def more_cores(outlook: Outlook) -> str:
    """What more of them make of the longest pause of waves ahead; "" where it is short."""
    ahead = [one for wave in outlook.waves if not wave.is_begun for one in outlook.of_wave(wave.name)]
    longest = max(ahead, key=lambda one: one.fence_seconds, default=None)
    if longest is None or not longest.more_processes:
        return ""
    now = f"the writers of {longest.id} wait about {show_duration(longest.fence_seconds)}"
    more = ", ".join(f"{show_duration(seconds)} with {number}" for number, seconds in longest.more_processes)
    return f"{now}, and {more} processes (--workers) on as many cores"


SLOW = 1.5
"""A machine that is worth a word."""


def _seconds(one: Range) -> str:
    low, high = show_duration(one.low), show_duration(one.high)
    return low if low == high else f"{low} to {high}"
