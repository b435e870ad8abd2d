"""How commands get a compiled plan, and its state store where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli.settings import Settings
from migrator.cli.wiring import is_there, open_state, open_state_of, state_url, stored_plans
from migrator.errors import PlanError, UsageError
from migrator.model.schedule import Schedule
from migrator.model.values import value

if TYPE_CHECKING:
    from migrator.engine.edited import Edited
    from migrator.ports.state_store import StateStore


def load_plan(path: Path) -> Schedule:
    """The compiled plan at ``path``. PlanError names every fault."""
    from migrator.plan import load

    return load(path).schedule


@contextmanager
def state_of(settings: Settings, schedule: Schedule, *, create: bool) -> Iterator[StateStore]:
    """The plan's state store, closed at the end."""
    with closing(open_state(settings, schedule, create=create)) as store:
        yield store


@value(frozen=True, slots=True)
class KnownRollout:
    """What is known of one rollout. ``call``: how its plan is named on the command line."""

    name: str
    call: str
    schedule: Schedule | None
    store: StateStore | None
    """None where nothing was ever applied."""


@contextmanager
def known_rollout(settings: Settings, plan: Path | None) -> Iterator[KnownRollout]:
    """The rollout of a plan document, or the only one that the state store holds.

    Raises:
        StateError: without a plan, and there is no state store.
        UsageError: without a plan, and the store holds none or several.
    """
    if plan is not None:
        schedule = load_plan(plan)
        url = state_url(settings, schedule)
        if not is_there(url):
            yield KnownRollout(schedule.name, str(plan), schedule, None)
            return
        with closing(open_state_of(url, schedule.name)) as store:
            yield KnownRollout(schedule.name, str(plan), schedule, store)
        return
    url = state_url(settings)
    name = _only_plan(url)
    with closing(open_state_of(url, name)) as store:
        yield KnownRollout(name, "PLAN", _recorded_schedule(store), store)


def what_was_edited(schedule: Schedule, store: StateStore) -> Edited | None:
    """What ``schedule`` says otherwise than the plan that was applied last; None if that is the same, or was never applied."""
    from migrator.engine.edited import edited

    record = store.plan()
    if record is None or record.fingerprint == schedule.fingerprint:
        return None
    known = {wave.name: wave.fingerprint for wave in store.waves()}
    changed = frozenset(wave.name for wave in schedule.waves if known.get(wave.name) != wave.fingerprint)
    return edited(_recorded_schedule(store), schedule, changed)


def _only_plan(url: str) -> str:
    names = stored_plans(url)
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError("cannot tell which plan is meant: the state store holds none", hint="name the plan document")
    raise UsageError(
        f"cannot tell which plan is meant: the state store holds {', '.join(names)}", hint="name the plan document"
    )


def _recorded_schedule(store: StateStore) -> Schedule | None:
    """The plan as it was last applied; None if this program cannot read it any more."""
    from migrator.plan import loads

    record = store.plan()
    if record is None:
        return None
    try:
        return loads(record.document, record.name, is_kept=True).schedule
    except PlanError:
        return None
