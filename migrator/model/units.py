"""Durations, sizes, counts and shares as people write them, and as the tool shows them. Pure.

Decides spelling only: ``30s``, ``500MiB``, ``2.4M``, ``15%``. Every reader takes the text or a bare number and raises
ValueError with one clause for the plan's author. Rule: a duration or a size without its unit is refused (only 0 needs
none), because nobody remembers which one was meant; a count has no unit, so a bare number is fine.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Final

_DURATION_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SIZE_UNITS: Final = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_COUNT_UNITS: Final = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_NUMBER: Final = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
_DURATION_PART: Final = re.compile(rf"({_NUMBER})(ms|s|m|h|d)")
_DURATION: Final = re.compile(rf"(?:{_NUMBER}(?:ms|s|m|h|d))+")
_SIZE: Final = re.compile(rf"({_NUMBER}) ?([A-Za-z]+)")
_COUNT: Final = re.compile(rf"({_NUMBER})([kMG]?)")
_RATIO: Final = re.compile(rf"({_NUMBER}) ?%")
MAX_DURATION_SECONDS: Final = 10 * 366 * 86_400.0
"""Ten years; a longer duration is a slip of the pen."""

Written = str | int | float
"""What a plan document may hold where a quantity is wanted."""


def parse_duration(written: Written) -> float:
    """Seconds of ``500ms``, ``30s``, ``5m``, ``96h``, ``7d`` or a sum of them (``1h30m``)."""
    text = _text(written)
    if text in ("0", "0.0"):
        return 0.0
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{_shown(text)} is not a duration: write a number and ms, s, m, h or d, such as 30s or 96h")
    parts = _DURATION_PART.findall(text)
    units = [list(_DURATION_UNITS).index(unit) for _, unit in parts]
    if any(later >= earlier for earlier, later in pairwise(units)):
        raise ValueError(f"{_shown(text)} is not a duration: larger units come first, each once, such as 1h30m")
    seconds = sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)
    if seconds > MAX_DURATION_SECONDS:
        raise ValueError(f"{_shown(text)} is more than ten years")
    return round(seconds, 6)


def parse_size(written: Written) -> int:
    """Bytes of ``500MiB`` (binary) or ``2GB`` (decimal)."""
    text = _text(written)
    if text in ("0", "0.0"):
        return 0
    match = _SIZE.fullmatch(text)
    if not match or match[2] not in _SIZE_UNITS:
        raise ValueError(f"{_shown(text)} is not a size: write a number and a unit, such as 500MiB or 2GB")
    return round(float(match[1]) * _SIZE_UNITS[match[2]])


def parse_count(written: Written) -> float:
    """A number, or one with ``k``, ``M`` or ``G`` (decimal): ``60k`` is 60,000."""
    text = _text(written)
    match = _COUNT.fullmatch(text)
    if not match:
        raise ValueError(f"{_shown(text)} is not a count: write a number, or one with k or M, such as 60k or 2.4M")
    return round(float(match[1]) * _COUNT_UNITS[match[2]], 6) if match[2] else float(match[1])


def parse_ratio(written: Written) -> float:
    """The share that ``15%`` means: 0.15."""
    match = _RATIO.fullmatch(_text(written))
    if not match:
        raise ValueError(f"{_shown(_text(written))} is not a percentage: write a number and %, such as 15%")
    return round(float(match[1]) / 100.0, 12)


def parse_bound(written: Written) -> float:
    """A gate's bound: any finite number (also below zero), a count (``2M``) or a percentage (``0.1%``)."""
    if isinstance(written, (int, float)) and not isinstance(written, bool):
        if not math.isfinite(written):
            raise ValueError("a bound must be a finite number")
        return float(written)
    text = _text(written)
    if text.endswith("%"):
        return parse_ratio(text)
    try:
        return parse_count(text)
    except ValueError:
        raise ValueError(f"{_shown(text)} is not a number: write one such as 0.001, 2M or 15%") from None


def show_duration(seconds: float) -> str:
    """For people, two units at most, rounded down: ``0.4 s``, ``42 s``, ``5 min 10 s``, ``4 d 2 h``."""
    if seconds < 0:
        return f"-{show_duration(-seconds)}"
    if seconds < 10:
        return f"{seconds:.0f} s" if seconds == int(seconds) else f"{max(seconds, 0.1):.1f} s"
    whole = int(seconds)
    for unit, name, below, below_name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // below
            return f"{whole // unit} {name} {rest} {below_name}" if rest else f"{whole // unit} {name}"
    return f"{whole} s"


def show_count(number: float) -> str:
    """For people: ``950``, ``60 k``, ``2.4 M``; one decimal at most from 1,000 on."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # 999,960 would round to "1000.0 k", so a step begins a little early
        if abs(number) >= unit * 0.99995:
            return f"{_trimmed(number / unit)} {name}"
    return _trimmed(number)


def show_bytes(number_bytes: float) -> str:
    """For people, binary steps: ``512 B``, ``1.5 MiB``."""
    value = float(number_bytes)
    for step in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1023.95:
            return f"{_trimmed(value)} {step}"
        value /= 1024
    return f"{_trimmed(value)} PiB"


def show_ratio(ratio: float) -> str:
    """For people: ``15%``, ``0.1%``."""
    return f"{round(ratio * 100, 4):g}%"


def _text(written: Written) -> str:
    if isinstance(written, bool) or not isinstance(written, (str, int, float)):
        raise ValueError("expected a quantity, such as 30s, 500MiB, 2.4M or 15%")
    if isinstance(written, float):
        return f"{written:.9f}".rstrip("0").rstrip(".") if math.isfinite(written) else str(written)
    return str(written).strip()


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "...")


def _trimmed(value: float) -> str:
    rounded = f"{value:,.1f}"
    return rounded.removesuffix(".0")
