"""Moments of a forecast: what lies beyond every calendar is "never", not the end of the program.

Decides only where sums of times stop. Rule: every addition of seconds to a moment in a forecast goes through here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

NEVER: Final = datetime(8999, 1, 1, tzinfo=UTC)
"""Later than this is not forecast; a thousand years before the last year that a ``datetime`` can have."""
LONGEST: Final = NEVER - datetime(1971, 1, 1, tzinfo=UTC)


def span(seconds: float) -> timedelta:
    """``seconds`` as a duration, at most ``LONGEST``."""
    return LONGEST if not seconds < LONGEST.total_seconds() else timedelta(seconds=max(0.0, seconds))


def later(at: datetime, seconds: float) -> datetime:
    """``at`` and so many seconds; ``NEVER`` where that is later."""
    return at if at >= NEVER else min(NEVER, at + min(span(seconds), NEVER - at))
