"""What this process has under way, by area: the right to say that nothing is.

Decides when a write counts as over: when somebody said so, else when the time of its lease or request is up. Leaves to ``book``
that granting and counting are one step, and to ``presence`` what is promised. Rules: what nobody says the end of counts to its
bound; a bound is rounded up, so that many of them take a few numbers.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

_SLOTS_PER_SECOND = 4


class Work:
    """Counts. ``on_clear`` is called, by the thread that ended it, when the last of an area is over."""

    def __init__(self, on_clear: Callable[[], None] = lambda: None) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, dict[int, int]] = {}
        self._on_clear = on_clear

    def begin(self, key: str, until: float) -> Counted:
        """One more of ``key``, over at ``until`` at the latest."""
        slot = math.ceil(until * _SLOTS_PER_SECOND)
        with self._lock:
            counts = self._counts.setdefault(key, {})
            counts[slot] = counts.get(slot, 0) + 1
        return Counted(self, key, slot)

    def also(self, counted: Counted, until: float) -> Counted | None:
        """Something that begins while ``counted`` is under way; None: it is not."""
        slot = math.ceil(until * _SLOTS_PER_SECOND)
        with self._lock:
            if counted.is_over:
                return None
            counts = self._counts.setdefault(counted.key, {})
            counts[slot] = counts.get(slot, 0) + 1
        return Counted(self, counted.key, slot)

    def clear_at(self, key: str, now: float) -> float | None:
        """When the last of ``key`` is over at the latest; None: nothing is under way."""
        with self._lock:
            counts = self._counts.get(key)
            if not counts:
                return None
            for slot in [slot for slot in counts if slot <= now * _SLOTS_PER_SECOND]:
                del counts[slot]
            return max(counts) / _SLOTS_PER_SECOND if counts else None

    def end(self, counted: Counted) -> None:
        with self._lock:
            if counted.is_over:
                return
            counted.is_over = True
            counts = self._counts.get(counted.key, {})
            left = counts.get(counted.slot, 0) - 1
            if left > 0:
                counts[counted.slot] = left
            else:
                counts.pop(counted.slot, None)
            is_clear = not counts
        if is_clear:
            self._on_clear()

    def forget(self) -> None:
        """Of a process that was forked from the one that counted."""
        self._lock = threading.Lock()
        self._counts = {}


class Counted:
    """One thing that is under way."""

    __slots__ = ("_work", "is_over", "key", "slot")

    def __init__(self, work: Work, key: str, slot: int) -> None:
        self._work = work
        self.key = key
        self.slot = slot
        self.is_over = False

    def also(self, until: float) -> Counted | None:
        """As ``Work.also``."""
        return self._work.also(self, until)

    def over(self) -> None:
        """It has ended, as is surely known. Again: nothing happens."""
        self._work.end(self)


__all__ = ["Counted", "Work"]
