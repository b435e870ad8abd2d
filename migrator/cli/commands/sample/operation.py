"""Sample data into the sources of a plan.

Decides which accounts may be filled: embedded ones and services on this machine, nothing else, because sample data in a
real account would be migrated with it; and when: sample data is written without a lease, so not beside a run, which may open a
fence at any time, and not at a source that customers have left. Leaves the data itself to ``migrator.testing.sample``.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import closing

from migrator.cli import wiring
from migrator.cli.doors import Doors
from migrator.cli.preview import require_free
from migrator.cli.settings import Settings
from migrator.errors import UsageError
from migrator.kinds import ACCOUNTS
from migrator.machine.agreement import live_account
from migrator.model.addresses import is_loopback
from migrator.model.names import MoveId
from migrator.model.schedule import Schedule
from migrator.model.values import value
from migrator.ports.object_store import ObjectStore
from migrator.testing.sample import Tally, fill


@value(frozen=True, slots=True)
class Filled:
    account: str
    move: MoveId
    tally: Tally


def require_quiet(schedule: Schedule, settings: Settings) -> None:
    """What is written now must be no write round a fence, and no straggler.

    Raises:
        LockedError: a run is at work.
        UsageError: a cut-over is open, or customers have left the source.
    """
    url = wiring.state_url(settings, schedule)
    if not wiring.is_there(url):
        return
    with closing(wiring.open_state_of(url, schedule.name)) as store:
        require_free(store, "fill the sources with sample data")
        planned = {move.id for move in schedule.moves}
        for record in store.moves():
            if record.id not in planned:
                continue
            if record.intent is not None:
                raise UsageError(
                    f"cannot fill the sources with sample data: a cut-over of {record.id} was interrupted, and its writers may be"
                    " waiting",
                    hint="`migrate apply PLAN` frees them first",
                )
            if (live := live_account(record)) != record.source:
                raise UsageError(
                    f"cannot fill the sources with sample data: customers of {record.id} are at {live} by now, and what is"
                    f" written at {record.source} would be a straggler",
                    hint="take it back with `migrate rollback PLAN`, or use a plan of another name with accounts of its own",
                )


async def fill_sources(doors: Doors, *, objects: int, tell: Callable[[Filled], None]) -> None:
    """Fill every move's part of its source account; objects that are there already stay. The same plan always gets the same
    objects. UsageError, before anything is written, if one source is neither local nor on this machine."""
    schedule = doors.schedule
    sources = {move.source for move in schedule.moves}
    doors.let_make(sources)
    stores = doors.accounts(sources)
    for name, store in stores.items():
        _refuse_real_account(name, store, is_local=ACCOUNTS[schedule.accounts[name].kind].is_embedded)
    for move in schedule.moves:
        seed = zlib.crc32(str(move.id).encode())
        tally = await fill(stores[move.source], move.area, objects=objects, seed=seed)
        tell(Filled(move.source, move.id, tally))


def _refuse_real_account(name: str, store: ObjectStore, *, is_local: bool) -> None:
    if not is_local and not is_loopback(store.endpoint):
        raise UsageError(
            f"cannot fill account {name} with sample data: {store.endpoint} is not on this machine",
            hint="sample data goes only into `kind: local` accounts and services at 127.0.0.1",
        )
