"""Objects a second, from running totals that grow in steps.

Decides over what time a rate is taken: from one change of the total to a later one, a few seconds apart at least, because a total
grows with a checkpoint and stands still between two. Rule: where nothing came for longer than that, the rate falls by itself, so
that no screen goes on showing what went on before it stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RATE_SECONDS: Final = 5.0
"""A rate is taken over at least this long."""


class Rates:
    """By key, whatever it names; times in seconds of any clock that goes on."""

    def __init__(self, window_seconds: float = RATE_SECONDS) -> None:
        self._window = window_seconds
        self._begun: dict[str, tuple[float, float]] = {}
        self._last: dict[str, tuple[float, float]] = {}
        self._taken: dict[str, tuple[float, float, float]] = {}
        """Rate, seconds it was taken over, and when."""

    def add(self, key: str, at_seconds: float, total: float) -> None:
        """The total of ``key`` at a time; a total that fell (another direction) begins anew."""
        begun, before = self._begun.setdefault(key, (at_seconds, total))
        _, last = self._last.get(key, (begun, before))
        if total < last:
            self._begun[key] = self._last[key] = (at_seconds, total)
        elif total > last:
            self._last[key] = (at_seconds, total)
            if at_seconds - begun >= self._window:
                seconds = at_seconds - begun
                self._taken[key] = ((total - before) / seconds, seconds, at_seconds)
                self._begun[key] = (at_seconds, total)

    def of(self, key: str, now_seconds: float | None = None) -> float | None:
        """None before anything was taken. ``now_seconds``: without it, as it was when it was taken."""
        if key not in self._taken:
            return None
        rate, seconds, at = self._taken[key]
        if now_seconds is None:
            return rate
        at = max(at, self._last[key][0])
        return rate * seconds / max(seconds, now_seconds - at)

    def known(self, now_seconds: float | None = None) -> Mapping[str, float]:
        return {key: rate for key in self._taken if (rate := self.of(key, now_seconds)) is not None}
