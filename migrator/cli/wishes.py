"""The state store that a wish goes into: a pause, a hold, a throttle, an approval.

Decides whether anybody would read it there. A wish needs no run and no lock, so that in the wrong folder nothing else would stop
it: "Paused" would be said while the true run goes on. Rule: a store that never saw the plan takes a wish only while no other
store has written the plan's routes, and then it is said where the wish is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from migrator.cli.doors import Doors
from migrator.cli.settings import Settings
from migrator.cli.views.errors import show_note
from migrator.cli.whereabouts import strangers_now, whereabouts
from migrator.cli.wiring import is_there, open_state_of, state_url
from migrator.errors import StateError
from migrator.model.schedule import Schedule
from migrator.ports.state_store import StateStore
from migrator.standing.whereabouts import Whereabouts


@contextmanager
def store_for_wishes(settings: Settings, schedule: Schedule) -> Iterator[StateStore]:
    """The plan's state store, made if there is none, and closed at the end.

    Raises:
        StateError: it never saw this plan, and another store has moved some of it: no run would read the wish.
    """
    url, note = state_url(settings, schedule), ""
    with ExitStack() as stack:
        store = stack.enter_context(closing(open_state_of(url, schedule.name))) if is_there(url) else None
        if store is None or store.plan() is None:
            where = whereabouts(settings, schedule, store)
            if others := strangers_now(stack.enter_context(Doors(schedule)), store):
                raise _refusal(where, others)
            note = f"kept in {where.place} ({where.named_by}), which has never seen this plan"
        if store is None:
            store = stack.enter_context(closing(open_state_of(url, schedule.name, create=True)))
        yield store
        if note:
            show_note(note)


def _refusal(where: Whereabouts, others: tuple[str, ...]) -> StateError:
    some = ", ".join(others[:3]) + (" ..." if len(others) > 3 else "")
    return StateError(
        f"cannot record this in {where.place} ({where.named_by}): it has never seen this plan, and another one has written the"
        f" routes of {some}, so no run would read it",
        hint="find the state store of that rollout: it is in the folder where the plan was first applied, or what --state or"
        " MIGRATE_STATE named there",
    )
