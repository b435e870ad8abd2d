"""The preview as commands use it: which waves are looked at, what a saved plan is compared with, whether changes are pending.

Decides that apply looks only at waves that may begin: what has begun is proved by its own evidence, and a rollout of weeks must
not list everything again at each resume. Leaves the looking to ``migrator.engine.preview``. Rule: a
preview makes nothing, no state store and no local account; into a store that is there it puts what it counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from migrator.cli import wiring
from migrator.cli.doors import Doors
from migrator.cli.identity import is_proven_dead
from migrator.cli.loading import what_was_edited
from migrator.cli.meters import measured
from migrator.cli.settings import Settings
from migrator.cli.views.errors import show_note
from migrator.cli.views.figures import instant
from migrator.cli.views.next_apply import what_apply_does
from migrator.cli.yardstick import means_of_here, unmeasured
from migrator.engine.checks.case import InventoryMode
from migrator.engine.checks.facts import RoutesRead
from migrator.engine.checks.recorded import STOPS
from migrator.engine.preview import Desk, Preview, findings_of_document, findings_of_record, preview
from migrator.errors import FaultLine, LockedError, MigrateError, NotFound, StateError, UsageError
from migrator.forecast import Outlook, StartingPoint, look_ahead
from migrator.kinds import ACCOUNTS
from migrator.machine.agreement import is_as_left, live_account
from migrator.machine.liveness import is_alive
from migrator.machine.states import has_soaked
from migrator.model.findings import Finding
from migrator.model.happenings.happening import Shown
from migrator.model.moves import MoveRecord, MoveState
from migrator.model.routes import RouteDocument
from migrator.model.schedule import PlannedMove, Schedule, is_created
from migrator.model.values import replace, value
from migrator.plan.saved import fingerprint
from migrator.standing.assess import assess
from migrator.standing.inventory_notes import kept_inventories, kept_seams, known_inventories
from migrator.standing.traffic_notes import kept_traffic

if TYPE_CHECKING:
    from migrator.ports.state_store import StateStore

IN_MEMORY: Final = "sqlite://"
COUNTING_SECONDS: Final = 10.0
COUNTED_LATELY: Final = timedelta(days=1)
MODES: Final[tuple[InventoryMode, ...]] = ("full", "sample", "cached")


@value(frozen=True, slots=True)
class Look:
    """A preview and what only the whole of it tells. ``fingerprint`` is None if not every wave was looked at."""

    preview: Preview
    states: dict[str, str]
    fingerprint: str | None
    next: str
    """What the next apply does, as one sentence."""

    @property
    def stops(self) -> bool:
        """Does something that is no error of the plan keep apply from its work?"""
        return any(one.code in STOPS for one in self.preview.findings)

    @property
    def changes_pending(self) -> bool:
        return not all(has_soaked(state_in(state)) for state in self.states.values())


class Counting:
    """A reporter of a count: a large estate takes hours, and nobody should wait in silence."""

    def __init__(self, counted: Callable[[int], None] | None) -> None:
        self._counted = counted
        self._said_at = monotonic()

    def event(self, happening: Shown, move: str | None = None) -> None: ...

    def progress(self, move: str, **figures: Any) -> None:
        objects = figures["counted"]
        if self._counted is not None:
            self._counted(objects)
        if monotonic() - self._said_at > COUNTING_SECONDS:
            self._said_at = monotonic()
            show_note(f"counting: {objects:,} objects of {move} so far")


@contextmanager
def recorded_state(settings: Settings, schedule: Schedule) -> Iterator[StateStore]:
    """The plan's state store for reading; an empty one in memory where there is none yet."""
    url = wiring.state_url(settings, schedule)
    is_there = wiring.is_there(url)
    store = wiring.open_state_of(url if is_there else IN_MEMORY, schedule.name, create=not is_there)
    with closing(store):
        yield store


def look(
    doors: Doors,
    store: StateStore,
    *,
    waves: Sequence[str] | None,
    mode: InventoryMode = "full",
    probe: bool = False,
    ask: bool = False,
    warnings: Sequence[FaultLine] = (),
    counted: Callable[[int], None] | None = None,
) -> Look:
    """Preview these waves (None: all); accounts that cannot be read are findings. ``ask``: ask their gates, too, as a probe
    does. ``warnings``: the document's own. ``counted`` is told of objects found so far."""
    schedule = doors.schedule
    desk = _desk(schedule, store, warnings)
    found = doors.run(_look(doors, store, desk, waves, mode, probe, ask or probe, Counting(counted)))
    situation = assess(schedule.name, schedule=schedule, store=store, now=datetime.now(UTC), is_dead=is_proven_dead)
    states = move_states(schedule, store)
    mark = None
    if waves is None:
        mark = fingerprint(
            schedule.fingerprint,
            accounts={name: f"{one.kind} {ACCOUNTS[one.kind].address(one)}" for name, one in schedule.accounts.items()},
            containers=found.containers,
            limits={name: one.requests_per_minute for name, one in schedule.accounts.items()},
            features=found.features,
            states=states,
        )
    disagreement = next((one.subject for one in found.findings if one.code == "route-disagrees"), "")
    after = what_apply_does(schedule, situation, has_errors=found.has_errors, disagreement=disagreement)
    return Look(found, states, mark, after)


def _desk(schedule: Schedule, store: StateStore, warnings: Sequence[FaultLine] = ()) -> Desk:
    record = store.plan()
    since = instant(record.saved_at) if record is not None else ""
    return Desk(lines=warnings, edited=what_was_edited(schedule, store), since=since)


def what_the_store_says(schedule: Schedule, store: StateStore) -> tuple[Finding, ...]:
    """What is shown where no account is looked at: what of the plan was edited, and what stands in its way."""
    return findings_of_record(schedule, store, _desk(schedule, store))


async def _look(
    doors: Doors,
    store: StateStore,
    desk: Desk,
    waves: Sequence[str] | None,
    mode: InventoryMode,
    probe: bool,
    ask: bool,
    reporter: Counting,
) -> Preview:
    desk = replace(desk, routes=await _routes(doors), traffic=await measured(doors) if mode != "cached" else {})
    world = doors.world_to_read(store, reporter, ask=ask)
    desk = replace(desk, measure=partial(means_of_here, doors.schedule))
    return await preview(doors.schedule, world, waves=waves, mode=mode, with_probe=probe, with_gates=ask, desk=desk)


async def _routes(doors: Doors) -> RoutesRead:
    """The route document, and why it cannot be read or written."""
    document: RouteDocument | None = None
    is_read = False
    try:
        from migrator.ports.router import one_of_each

        router = doors.router()
        document = await doors.routes()
        is_read = True
        for region in one_of_each(router, (move.id.region for move in doors.schedule.moves)).values():
            await router.prove_writable(region)
    except MigrateError as fault:
        if isinstance(fault, NotFound) and fault.what == "account" and _is_made(doors.schedule):
            return RoutesRead(document)  # apply makes it
        return RoutesRead(document, unwritable=fault) if is_read else RoutesRead(unreadable=fault)
    try:
        return RoutesRead(document, roll=await doors.roll(document))
    except MigrateError as fault:
        return RoutesRead(document, roll_error=fault)


def _is_made(schedule: Schedule) -> bool:
    """Does apply make the accounts that the routes are kept in? Of others than embedded ones it creates targets alone."""
    accounts = [schedule.accounts[name] for name in wiring.needs_account(schedule.routing)]
    return all(ACCOUNTS[one.kind].will_be_made(one) and not is_created(one) for one in accounts)


def routes_as_left(doors: Doors, store: StateStore, moves: Sequence[PlannedMove]) -> bool:
    """Does the route document say of ``moves`` what the store knew last? False also where it cannot be read: the engine asks
    again, and says why."""

    known = {record.id: record for record in store.moves()}
    if any(move.id not in known for move in moves):
        return False
    live = sorted({live_account(known[move.id]) for move in moves})

    async def read() -> tuple[RouteDocument | None, dict[str, str]]:
        stores = doors.accounts(live)
        return await doors.routes(), {name: one.endpoint for name, one in stores.items()}

    try:
        document, addresses = doors.run(read())
    except MigrateError:
        return False
    routes = document.routes if document is not None else {}

    def is_left(move: PlannedMove) -> bool:
        record = known[move.id]
        endpoint = addresses[live_account(record)]
        return is_as_left(record, routes.get(str(move.id)), lineage=store.lineage, endpoint=endpoint)

    return all(map(is_left, moves))


def forecast_of_document(schedule: Schedule, warnings: Sequence[FaultLine]) -> tuple[Outlook, tuple[Finding, ...]]:
    """The forecast of a rollout that would begin now, and what the document alone shows."""
    here = StartingPoint(datetime.now(UTC), means=unmeasured(schedule))
    outlook = look_ahead(schedule, known_inventories(schedule, None), here)
    return outlook, findings_of_document(schedule, warnings, outlook)


def mode_of(word: str) -> InventoryMode:
    """UsageError for a word that is no way to take an inventory."""
    for mode in MODES:
        if word == mode:
            return mode
    raise UsageError(f"unknown --inventory mode {word!r}", hint=f"write {', '.join(MODES)}")


def keep(schedule: Schedule, store: StateStore, settings: Settings, found: Look) -> None:
    """Keep what was counted for `--inventory cached` and `status`, where there is a state store already."""
    outlook = found.preview.outlook
    notes = kept_inventories(schedule, found.preview.inventories, outlook.here.now, outlook.here.means)
    try:
        if not wiring.is_there(wiring.state_url(settings, schedule)):
            return
        seams = kept_seams(schedule, found.preview.seams)
        store.commit([*notes, *seams, *kept_traffic(outlook.here.traffic)], token=None)
    except StateError as fault:
        show_note(f"the inventory could not be kept: {fault.message}")


def move_states(schedule: Schedule, store: StateStore) -> dict[str, str]:
    """``region/area`` -> ``direction state`` of every move of the plan."""
    known = {move.id: move for move in store.moves()}
    states = {}
    for planned in schedule.moves:
        record = known.get(planned.id) or MoveRecord(planned.id, "", planned.source, planned.target)
        states[str(planned.id)] = f"{record.direction} {record.state}"
    return states


def state_in(text: str) -> MoveState:
    """The state of ``direction state``."""
    return MoveState(text.split()[-1])


def waves_to_begin(schedule: Schedule, store: StateStore, only: str | None) -> list[str]:
    """The waves to look at before an apply: all of them before anything has begun; later only those that may begin now, so
    that an apply which comes back every few minutes for weeks lists nothing that must wait anyway."""
    states = {key: state_in(text) for key, text in move_states(schedule, store).items()}
    soaked = {wave.name for wave in schedule.waves if all(has_soaked(states[str(move.id)]) for move in wave.moves)}
    is_first = all(state is MoveState.PENDING for state in states.values())
    return [
        wave.name
        for wave in schedule.waves
        if only in (None, wave.name)
        and any(states[str(move.id)] is MoveState.PENDING for move in wave.moves)
        and (is_first or soaked.issuperset(wave.after))
    ]


def mode_for(schedule: Schedule, store: StateStore, waves: Sequence[str]) -> InventoryMode:
    """Count afresh before an apply, unless all of it was counted within the last day."""
    known, now = known_inventories(schedule, store), datetime.now(UTC)
    moves = [move for name in waves for move in schedule.wave(name).moves]
    ages = [now - at for move in moves if (one := known.get(move.id)) and (at := one.counted_at)]
    return "cached" if len(ages) == len(moves) and all(age < COUNTED_LATELY for age in ages) else "full"


def require_free(store: StateStore, what: str) -> None:
    """LockedError if another run is at work: said before anything is looked at. The engine's own lock decides later."""
    lock = store.lock()
    if lock is None or not is_alive(lock, datetime.now(UTC), is_proven_dead):
        return
    raise LockedError(
        f"cannot {what}: {lock.owner}@{lock.host} (pid {lock.pid}) is at work since {instant(lock.since)}, lock {lock.nonce}",
        hint="wait for it, watch it with `migrate status`, or steer it with hold, pause or rollback",
    )
