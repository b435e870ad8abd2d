"""The preview: what the plan would do, found out by reading only.

Decides which inventory a forecast rests on: what was just read, else what the state store keeps, else the plan's own word. Leaves
each finding to the checks (``checks.registry``), load and time to ``forecast``, wording on the screen to the views. Findings of
severity "error" are what ``apply`` refuses: everything that would stop a rollout is found here, not in the middle of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import field

from migrator.engine.ahead import ahead_of
from migrator.engine.checks import recorded
from migrator.engine.checks.case import Case, InventoryMode, kinds_not_kept
from migrator.engine.checks.check import judged, look
from migrator.engine.checks.facts import RoutesRead
from migrator.engine.checks.moments import Asks, When
from migrator.engine.checks.registry import CHECKS
from migrator.engine.distance import means_of, with_copies
from migrator.engine.edited import Edited
from migrator.engine.teller import Steps, steps_of
from migrator.engine.world import World
from migrator.errors import FaultLine
from migrator.forecast import Inventory, Outlook, look_ahead
from migrator.forecast.inventory import changed_since
from migrator.forecast.means import Means
from migrator.forecast.measured import MeasuredTraffic, newest
from migrator.machine.liveness import beat_just_now
from migrator.model.findings import Finding
from migrator.model.names import MoveId
from migrator.model.schedule import Schedule, is_created
from migrator.model.values import replace, value
from migrator.ports.state_store import StateStore
from migrator.standing.inventory_notes import SeamsOf, known_inventories
from migrator.standing.starting import starting_point

Measure = Callable[[Mapping[MoveId, Inventory], Means], Awaitable[Means]]
"""Takes what there is to move, and what was known; answers with what this machine is like now."""


@value(frozen=True, slots=True)
class Desk:
    """What the command has read before. ``lines``: warnings of the document's reader; ``edited``: against the plan that was
    applied ``since``; ``routes``: None where nobody reads them; ``traffic``: what meters said just now; ``measure``: how quick
    this machine is now, for so much work."""

    lines: Sequence[FaultLine] = ()
    edited: Edited | None = None
    since: str = ""
    routes: RoutesRead | None = None
    traffic: Mapping[MoveId, MeasuredTraffic] = field(default_factory=dict)
    measure: Measure | None = None


@value(frozen=True, slots=True)
class Preview:
    """``inventories``: what each move has to copy, where anybody knows; ``containers``: by source account, those the plan
    moves; ``features``: by ``account/container``, what a move cannot keep (kinds, no counts); ``steps``: what is left
    to do of each move, in the plan's order."""

    findings: tuple[Finding, ...]
    inventories: Mapping[MoveId, Inventory]
    outlook: Outlook
    containers: Mapping[str, tuple[str, ...]]
    features: Mapping[str, tuple[str, ...]]
    steps: tuple[Steps, ...]
    seams: Mapping[MoveId, SeamsOf] = field(default_factory=dict)
    """Of moves whose source was counted or sampled now."""

    @property
    def has_errors(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)


async def preview(
    schedule: Schedule,
    world: World,
    *,
    waves: Collection[str] | None = None,
    mode: InventoryMode = "full",
    with_probe: bool = False,
    with_gates: bool = False,
    desk: Desk | None = None,
) -> Preview:
    """Read both sides of every move of ``waves`` (None: all), and forecast the whole rollout. Nothing is written, unless a
    probe is asked for. ``with_gates``: also ask each gate once."""
    chosen = [wave for wave in schedule.waves if waves is None or wave.name in waves]
    desk = desk or Desk()
    may_ask = {Asks.STATE, Asks.ACCOUNTS, Asks.LISTINGS}
    may_ask |= {Asks.ROUTES} if desk.routes is not None else set()
    may_ask |= {Asks.GATES} if with_gates else set()
    may_ask |= {Asks.WRITES} if with_probe else set()
    may_ask |= {Asks.ESTATE} if world.estate is not None else set()
    case = Case(
        schedule=schedule,
        when=When.PLAN,
        moves=[move for wave in chosen for move in wave.moves],
        may_ask=frozenset(may_ask),
        world=world,
        known=world.state,
        mode=mode,
        lines=desk.lines,
        edited=desk.edited,
        edited_since=desk.since,
        read_routes=desk.routes,
    )
    await case.reach()
    await case.count()
    answers = case.answers
    counted = {move.id: answers.inventories[move.id] for move in case.moves if move.id in answers.inventories}
    before, now = known_inventories(schedule, world.state), world.clock.now()
    counted = {id: changed_since(before.get(id), one, now) for id, one in counted.items()}
    inventories = {**before, **counted}
    here = starting_point(schedule, world.state, world.clock.now())
    here = replace(here, traffic=newest(here.traffic, desk.traffic))
    means = await means_of(case, here.means)
    if desk.measure is not None and counted:
        means = await desk.measure(inventories, means)
    case.outlook = look_ahead(schedule, inventories, replace(here, means=means))
    findings = await look(CHECKS, case)
    if answers.proved:  # the copies of a probe tell how long one takes
        means = with_copies(means, answers.proved)
        case.outlook = look_ahead(schedule, inventories, replace(here, means=means))
    return Preview(
        findings=findings,
        inventories=inventories,
        outlook=case.outlook,
        containers=_containers(case),
        features={place: kinds for one in answers.features.values() for place, kinds in kinds_not_kept(one).items()},
        steps=_steps(case, world, inventories),
        seams=answers.seams,
    )


def findings_of_record(schedule: Schedule, state: StateStore, desk: Desk) -> tuple[Finding, ...]:
    """What the state store alone shows: edits and standing stops."""
    case = Case(
        schedule=schedule,
        when=When.PLAN,
        may_ask=frozenset({Asks.STATE}),
        known=state,
        edited=desk.edited,
        edited_since=desk.since,
    )
    return judged(recorded.CHECKS, case)


def findings_of_document(schedule: Schedule, lines: Sequence[FaultLine], outlook: Outlook) -> tuple[Finding, ...]:
    """What the document alone shows, and the forecast that was made of it."""
    return judged(CHECKS, Case(schedule=schedule, when=When.VALIDATE, lines=lines, outlook=outlook))


def _containers(case: Case) -> dict[str, tuple[str, ...]]:
    """By source account that could be read: the containers that the moves take."""
    found: dict[str, set[str]] = {}
    for move in case.moves:
        if (there := case.answers.containers.get(move.source)) is not None:
            names = (info.name for info in there if move.area.prefixes_in(info.name))
            found.setdefault(move.source, set()).update(names)
    return {account: tuple(sorted(names)) for account, names in found.items()}


def _steps(case: Case, world: World, inventories: Mapping[MoveId, Inventory]) -> tuple[Steps, ...]:
    now, schedule = world.clock.now(), case.schedule
    absent = frozenset(name for name in case.answers.absent if is_created(schedule.accounts[name]))
    known = ahead_of(schedule, world.state, inventories, now, absent=absent)
    lock = world.state.lock()
    is_at_work = lock is not None and beat_just_now(lock, now)
    return tuple(steps_of(known[move.id], is_at_work=is_at_work) for move in case.moves)
