"""A rollout's series for Prometheus, wired to the plan's state store.

Decides that every scrape opens the store anew and only reads it: it runs in a thread of its own, and a scrape that waits for a
busy store delays nobody else. What the series are is ``migrator.exporter``'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import migrator
from migrator.cli.identity import is_proven_dead
from migrator.cli.settings import Settings
from migrator.cli.wiring import is_there, open_state_of, state_url
from migrator.model.schedule import Schedule
from migrator.standing.assess import assess
from migrator.standing.values import Standing

if TYPE_CHECKING:
    from migrator.exporter.collector import RolloutCollector


def look_of(settings: Settings, schedule: Schedule) -> Callable[[], Standing]:
    """What reads the store anew whenever it is called, in any thread. StateError while that cannot be read."""
    url = state_url(settings, schedule)

    def look() -> Standing:
        now = datetime.now(UTC)
        if not is_there(url):
            return assess(schedule.name, schedule=schedule, store=None, now=now, is_dead=is_proven_dead)
        with closing(open_state_of(url, schedule.name)) as store:
            return assess(schedule.name, schedule=schedule, store=store, now=now, is_dead=is_proven_dead)

    return look


def collector_of(settings: Settings, schedule: Schedule) -> RolloutCollector:
    from migrator.exporter.collector import RolloutCollector

    return RolloutCollector(schedule.name, migrator.__version__, look_of(settings, schedule))


@contextmanager
def served(settings: Settings, schedule: Schedule, address: str | None) -> Iterator[None]:
    """Answer scrapes of ``address`` meanwhile, if there is one. UsageError before anything else if nobody can listen there."""
    if address is None:
        yield
        return
    from migrator.exporter.collector import serve

    end = serve(address, collector_of(settings, schedule))
    try:
        yield
    finally:
        end()


def write_file(settings: Settings, schedule: Schedule, path: Path) -> None:
    """The series of now, for the textfile collector of node_exporter. UsageError if the file cannot be written."""
    from migrator.exporter.collector import write

    write(path, collector_of(settings, schedule))
