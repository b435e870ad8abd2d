"""How many processes a run copies with, and how they are started.

Rule: processes are worth their memory only where the budget lets one core be too little. They are as many as the cores, though
this process works too: it waits for the disk at every commit. Embedded accounts need none, for their writes queue up at one
file anyway.
"""

from __future__ import annotations

import math
import os
from typing import Final

from migrator.kinds import ACCOUNTS
from migrator.model.schedule import Schedule

ONE_CORE_PER_SECOND: Final = 5_000
"""Copies a second that this process carries beside its own work without being slowed down."""
WORKER_PER_SECOND: Final = 10_000
"""Copies a second of one worker, with room to spare."""
MOST_WORKERS: Final = 64


def workers_for(schedule: Schedule, wanted: int | None) -> int:
    """``wanted`` is ``--workers``; without it, as many as the budget can use and the machine has
    cores. 0 is this process."""
    if wanted is not None:
        return wanted
    pace = max((_copies_per_second(schedule, move.source, move.target) for move in schedule.moves), default=0.0)
    if pace <= ONE_CORE_PER_SECOND:
        return 0
    useful = math.ceil(pace / WORKER_PER_SECOND) if math.isfinite(pace) else MOST_WORKERS
    return min(useful, _cores())


def beginners() -> int:
    """How many workers may begin at once: one for each core beside this process's own."""
    return max(1, _cores() - 1)


def cores() -> int:
    """That this process may use."""
    return _cores()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _copies_per_second(schedule: Schedule, source: str, target: str) -> float:
    if any(ACCOUNTS[schedule.accounts[name].kind].is_embedded for name in (source, target)):
        return 0.0
    budgets = [schedule.budget(name).requests_per_minute for name in (source, target)]
    return min((budget / 60.0 for budget in budgets if budget is not None), default=math.inf)
