"""How many requests may be under way at a service: as many as pay, found out by trying.

Decides one number from what was answered. How many requests a service far away wants to have before it (latency times pace)
nobody knows beforehand, and a service or a core that is busy takes no more for having more before it. So a window is tried a
step wider: if clearly more is answered, it stays and is tried wider again, else it goes back. Now and then it is tried
narrower: if as much is answered, it stays. Rules:

- what was answered while there was too little to do says nothing, nor what was sent before the last step;
- a service that refuses halves it at once, and it is not tried wider for a while;
- it never leaves ``least`` to ``most``, which memory and open files decide.

Leaves budgets to whoever grants requests: a window that a budget does not let fill is not widened.
"""

from __future__ import annotations

from typing import Final

FIRST_STEP: Final = 2.0
"""Times as wide, until a try does not pay."""
WIDER: Final = 1.5
NARROWER: Final = 0.75
PAYS: Final = 0.3
"""Part of a step that must come back as pace: half as wide again has to bring 15 % more."""
AS_MUCH: Final = 0.97
"""Of the pace before: less is a loss."""
JUDGED_SECONDS: Final = 0.15
JUDGED_ANSWERS: Final = 2.0
"""Times the window: fewer answers, or a shorter time, are chance."""
FULL: Final = 0.75
"""Part of the answers that came while nothing was free; below it the window was not what held it up."""
FIRST_REST: Final = 4
LONGEST_REST: Final = 64
"""Judgements between two tries; twice as many after each that did not pay."""


class Window:
    """``limit`` requests at once, ``start`` at first."""

    def __init__(self, *, start: int, least: int, most: int) -> None:
        self.limit = start
        self._least, self._most = least, most
        self._known: tuple[int, float] | None = None
        """A window and the pace that it had."""
        self._is_narrowing = False
        self._rest = self._next_rest = FIRST_REST
        self._rested = 0
        self._begun: float | None = None
        self._answers = self._full = self._looked = 0
        self._is_unripe = self._is_refused = False
        self._step = FIRST_STEP

    @classmethod
    def up_to(cls, most: int, start: int) -> Window:
        """Of ``start``, and always of that where ``most`` is no more."""
        return cls(start=start, least=max(1, start // 4) if most > start else start, most=max(start, most))

    def answered(self) -> None:
        """A request was answered."""
        self._answers += 1

    def look(self, now: float, *, was_full: bool) -> None:
        """Time to judge? ``now``: of a clock that does not go back; ``was_full``: since the last look, was there more to send
        than the window let?"""
        if self._begun is None or (self._is_unripe and self._answers >= self.limit):
            self._begin(now)  # what was sent before the window was what it is has been answered
            return
        self._full += self._answers - self._looked if was_full else 0
        self._looked = self._answers
        seconds = now - self._begun
        if self._is_unripe or seconds < JUDGED_SECONDS or self._answers < JUDGED_ANSWERS * self.limit:
            return
        pace, share = self._answers / seconds, self._full / self._answers
        self._begin(now)
        if share >= FULL:
            self._judge(pace)
        elif self._known is not None and self._known[0] != self.limit:
            self._set(self._known[0])  # a try that nothing can be learned from

    def _begin(self, now: float) -> None:
        self._begun, self._is_unripe, self._is_refused = now, False, False
        self._answers = self._full = self._looked = 0

    def refused(self) -> None:
        """The service has too much to do. What it refuses of the requests that were under way together is one sign."""
        if self._is_refused:
            return
        self._is_refused = True
        self._known = None
        self._rest = self._next_rest = LONGEST_REST
        self._rested = 0
        self._set(max(self._least, self.limit // 2))

    def _judge(self, pace: float) -> None:
        known = self._known
        if known is None:
            self._known = (self.limit, pace)
            if self._next_rest == FIRST_REST:
                self._try_wider()
            return
        window, before = known
        if self.limit > window:
            wanted = before * (1.0 + PAYS * (self.limit / window - 1.0))
            self._settle(pace, is_kept=pace >= wanted)
        elif self.limit < window:
            self._settle(pace, is_kept=pace >= AS_MUCH * before)
        else:
            self._known = (window, (before + pace) / 2.0)
            self._rested += 1
            if self._rested >= self._rest:
                self._try_other()

    def _settle(self, pace: float, *, is_kept: bool) -> None:
        assert self._known is not None
        if is_kept:
            self._known = (self.limit, pace)
            self._rest = self._next_rest = FIRST_REST
            self._rested = 0
            if self._is_narrowing:
                self._try_narrower()
            else:
                self._try_wider()
            return
        self._set(self._known[0])
        self._step = WIDER
        self._rest, self._next_rest = self._next_rest, min(2 * self._next_rest, LONGEST_REST)
        self._rested = 0

    def _try_other(self) -> None:
        if self._is_narrowing:
            self._try_wider()
        else:
            self._try_narrower()

    def _try_wider(self) -> None:
        self._is_narrowing, self._rested = False, 0
        self._set(min(self._most, int(self.limit * self._step)))

    def _try_narrower(self) -> None:
        self._is_narrowing, self._rested = True, 0
        self._set(max(self._least, int(self.limit * NARROWER)))

    def _set(self, limit: int) -> None:
        if limit != self.limit:
            self._answers, self._is_unripe = 0, True
        self.limit = limit
