"""How commands get a compiled plan, and its state store where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli.settings import Settings
from migrator.cli.wiring import open_state
from migrator.errors import UsageError
from migrator.model.schedule import PlannedWave, Schedule

if TYPE_CHECKING:
    from migrator.ports.state_store import StateStore


def load_plan(path: Path, *, say_warnings: bool = False) -> Schedule:
    """The compiled plan at ``path``. PlanError names every fault; warnings go to standard error if wanted."""
    from migrator.cli.views.errors import show_note
    from migrator.plan import load

    loaded = load(path)
    if say_warnings:
        for warning in loaded.warnings:
            show_note(f"warning: {warning}")
    return loaded.schedule


@contextmanager
def state_of(settings: Settings, schedule: Schedule, *, create: bool) -> Iterator[StateStore]:
    """The plan's state store, closed at the end."""
    store = open_state(settings, schedule, create=create)
    try:
        yield store
    finally:
        store.close()


def wave_of(schedule: Schedule, name: str) -> PlannedWave:
    """The wave with this name. UsageError names the near or the existing ones."""
    import difflib

    names = [wave.name for wave in schedule.waves]
    if name in names:
        return schedule.wave(name)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"its waves are {', '.join(names)}"
    raise UsageError(f"cannot find wave {name} in plan {schedule.name}", hint=hint)
