"""What happens between ``migrate apply`` and the engine: the saved plan, the preview, the question.

Rule, in this order, as the exit codes are: a run at work (5), a stale saved plan (6), nobody to ask (64), error findings and
a declined question (1). A fence that an earlier run left open comes before all but the lock: the engine resolves it first,
and neither a listing of an estate nor an edit that is refused may hold that up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli.calls import name_plan
from migrator.cli.consent import require_consent, require_terminal
from migrator.cli.doors import Doors
from migrator.cli.identity import is_proven_dead
from migrator.cli.operating import operate
from migrator.cli.preview import (
    Look,
    look,
    mode_for,
    move_states,
    recorded_state,
    require_free,
    routes_as_left,
    state_in,
    waves_to_begin,
    what_the_store_says,
)
from migrator.cli.scope import wave_of
from migrator.cli.settings import Settings
from migrator.cli.views import preview as view
from migrator.cli.views.apply import show_going_on
from migrator.cli.views.errors import show_note
from migrator.cli.views.figures import duration, many
from migrator.cli.views.next_apply import what_apply_does
from migrator.cli.views.screen import Page
from migrator.cli.views.whereabouts import lines
from migrator.cli.whereabouts import whereabouts
from migrator.cli.wiring import is_there, state_url
from migrator.engine.edits import refusals
from migrator.engine.rollout import Rollout
from migrator.errors import FindingsError, StalePlanError
from migrator.forecast import Inventory, Outlook
from migrator.forecast.outlook import look_ahead
from migrator.machine.states import has_soaked, is_complete
from migrator.model.findings import Finding
from migrator.model.names import MoveId
from migrator.model.schedule import Schedule
from migrator.model.values import replace, value
from migrator.plan import Loaded, load, loads
from migrator.plan.saved import SavedPlan, is_saved, read
from migrator.ports.state_store import SetNote
from migrator.standing.assess import assess
from migrator.standing.inventory_notes import kept_inventories, kept_seams, known_inventories
from migrator.standing.starting import starting_point
from migrator.standing.traffic_notes import kept_traffic
from migrator.standing.values import Standing

if TYPE_CHECKING:
    from migrator.ports.state_store import StateStore


@value(frozen=True, slots=True)
class ApplyOptions:
    """``call`` is the command line that does the same again, for messages."""

    path: Path
    loaded: Loaded
    saved: SavedPlan | None
    wave: str | None
    call: str


def request_of(path: Path, *, wave: str | None) -> ApplyOptions:
    """Read a plan document or a saved plan. PlanError, or UsageError for a wave that is not in it."""
    saved = read(path) if is_saved(path) else None
    loaded = load(path) if saved is None else loads(saved.document, saved.plan_path, is_kept=True)
    option = ""
    if wave is not None:
        wave_of(loaded.schedule, wave)
        option = f" --wave {wave}"
    document = path if saved is None else Path(saved.plan_path)
    name_plan(str(document))
    return ApplyOptions(path, loaded, saved, wave, f"migrate apply PLAN{option}")


@value(frozen=True, slots=True)
class Consent:
    """Leave to begin. ``inventories``: what forecasts rest on; ``notes``: what of it was counted and measured just now."""

    inventories: Mapping[MoveId, Inventory] = field(default_factory=dict)
    notes: tuple[SetNote, ...] = ()
    outlook: Outlook | None = None
    situation: Standing | None = None
    remarks: tuple[Finding, ...] = ()


def consent_to(
    doors: Doors,
    request: ApplyOptions,
    settings: Settings,
    *,
    yes: bool,
    as_json: bool,
    counted: Callable[[int], None] | None = None,
) -> Consent | None:
    """Check, show and ask. None if there is nothing to do. ``counted`` is told how many objects were found so far.

    Raises:
        LockedError, StalePlanError, UsageError, FindingsError: see this module's rule.
    """
    schedule = request.loaded.schedule
    url = state_url(settings, schedule)
    was_there = is_there(url)
    with recorded_state(settings, schedule) as store:
        require_free(store, "apply")
        for _, fault in refusals(schedule, store):
            if _has_open_fence(store):
                _free_writers(request, settings, store, yes=yes, as_json=as_json)
            raise fault
        if _has_open_fence(store):
            _require_fresh(request, None)
            require_terminal(yes=yes, what="applying")
            show_note("an earlier run ended inside a fence: that is put in order first, without a preview")
            require_consent(f"Go on with plan {schedule.name}?", yes=yes)
            return Consent()
        if request.saved is None:
            if _has_arrived(doors, request, store):
                return None
            require_terminal(yes=yes, what="applying")
            found = _look(doors, request, store, counted)
        else:
            found = look(doors, store, waves=None, ask=True, warnings=request.loaded.warnings)
            _require_fresh(request, found)
            require_terminal(yes=yes, what="applying")
        consent = _consent(schedule, store, found)
        where = whereabouts(settings, schedule, store)
    if not was_there and is_there(url):  # another run began meanwhile, so what was seen is its work: look again
        return consent_to(doors, request, settings, yes=yes, as_json=as_json, counted=counted)
    _refuse_errors(request, settings, found, as_json=as_json)
    waves = f"wave {request.wave}" if request.wave else many(len(schedule.waves), "wave")
    for line in () if yes else lines(where):
        show_note(line)
    if found is None and consent.situation is not None and not as_json and not yes:
        show_going_on(Page(settings), schedule, consent.situation, request.wave, consent.remarks)
    pause = pause_in_words(schedule, consent, request.wave)
    require_consent(f"{pause}Apply plan {schedule.name}, {waves}?", yes=yes)
    return consent


def _free_writers(request: ApplyOptions, settings: Settings, store: StateStore, *, yes: bool, as_json: bool) -> None:
    """An edit is refused, and a fence is open: writers do not wait until the plan is put right. What is open is resolved by the
    plan that the state store keeps.

    Raises:
        LockedError, UsageError, FindingsError: as ``consent_to``.
    """
    kept, name = store.plan(), request.loaded.schedule.name
    if kept is None:
        return
    require_terminal(yes=yes, what="applying")
    show_note("an earlier run ended inside a fence: that is put in order first, by the plan of before this edit")
    require_consent(f"Free the writers of plan {name}?", yes=yes)
    before = loads(kept.document, str(request.path), is_kept=True)
    with Doors(before.schedule) as doors:
        operate(doors, before, settings, Rollout.resolve, resume=request.call, create=False, as_json=as_json)


def _consent(schedule: Schedule, store: StateStore, found: Look | None) -> Consent:
    """What is known of all waves: those which begin hours later in the same run are among them."""
    inventories = known_inventories(schedule, store) if found is None else found.preview.inventories
    here = starting_point(schedule, store, datetime.now(UTC))
    if found is not None:
        before = found.preview.outlook.here
        here = replace(here, traffic=before.traffic, means=before.means)
    outlook = look_ahead(schedule, inventories, here)
    kept = kept_inventories(schedule, inventories, outlook.here.now, here.means)
    if found is not None:
        kept = (*kept, *kept_seams(schedule, found.preview.seams))
    return Consent(
        inventories=inventories,
        notes=(*kept, *kept_traffic(here.traffic)),
        outlook=outlook,
        situation=assess(schedule.name, schedule=schedule, store=store, now=datetime.now(UTC), is_dead=is_proven_dead),
        remarks=what_the_store_says(schedule, store),
    )


def pause_in_words(schedule: Schedule, consent: Consent, wave: str | None) -> str:
    """Whose writers will wait, and for how long, as a sentence before the question; empty if nobody's."""
    if consent.outlook is None or consent.situation is None:
        return ""
    switched = {one.record.id for one in consent.situation.moves if one.record.switched_at is not None}
    ahead = [
        one
        for planned in schedule.waves
        for move in planned.moves
        if wave in (None, planned.name)
        and move.id not in switched
        and (one := consent.outlook.moves.get(move.id)) is not None
    ]
    if not ahead:
        return ""
    most, limit = max(one.fence_seconds for one in ahead), max(one.fence_timeout_seconds for one in ahead)
    return (
        f"Writers of {many(len(ahead), 'area')} will wait, each for about {duration(most)} or less, never for more than"
        f" {duration(limit)}. "
    )


def _look(doors: Doors, request: ApplyOptions, store: StateStore, counted: Callable[[int], None] | None) -> Look | None:
    schedule = request.loaded.schedule
    waves = waves_to_begin(schedule, store, request.wave)
    if not waves:
        return None
    return look(
        doors,
        store,
        waves=waves,
        mode=mode_for(schedule, store, waves),
        ask=True,
        warnings=request.loaded.warnings,
        counted=counted,
    )


def _has_arrived(doors: Doors, request: ApplyOptions, store: StateStore) -> bool:
    """Every move asked for has soaked, customers are where it left them, and no dead run's lock is left to be cleared away."""
    if store.lock() is not None:
        return False
    schedule, states = request.loaded.schedule, move_states(request.loaded.schedule, store)
    moves = schedule.moves if request.wave is None else schedule.wave(request.wave).moves
    have_soaked = all(has_soaked(state_in(states[str(move.id)])) for move in moves)
    return have_soaked and routes_as_left(doors, store, moves)


def _has_open_fence(store: StateStore) -> bool:
    return any(move.intent is not None for move in store.moves())


def _require_fresh(request: ApplyOptions, found: Look | None) -> None:
    if request.saved is not None and (found is None or found.fingerprint != request.saved.fingerprint):
        raise StalePlanError(
            f"cannot apply {request.path}: accounts, containers, limits or moves are not what they were when it was saved",
            hint=f"look again with `migrate plan {request.saved.plan_path} --out {request.path}`",
        )


def _refuse_errors(request: ApplyOptions, settings: Settings, found: Look | None, *, as_json: bool) -> None:
    """Show the preview; FindingsError if it holds errors. What cannot be built is refused even when all waves have begun."""
    schedule = request.loaded.schedule
    if found is None:
        if schedule.not_built:
            keys = ", ".join(schedule.not_built)
            raise FindingsError(f"cannot apply plan {schedule.name}: this version cannot apply {keys}")
        return
    if not as_json:
        view.show(Page(settings), schedule, found, with_next=False)
    errors = [finding for finding in found.preview.findings if finding.severity == "error"]
    if errors:
        first = view.told(errors[0])
        more = f" (and {many(len(errors) - 1, 'more error')})" if len(errors) > 1 else ""
        raise FindingsError(
            f"cannot apply plan {schedule.name}: {first}{more}",
            hint=errors[0].remedy or f"see `migrate plan {request.path}`",
        )


def show_what_is_left(schedule: Schedule, settings: Settings) -> None:
    """After one wave was asked for: what of the plan is still to do."""
    with recorded_state(settings, schedule) as store:
        now = datetime.now(UTC)
        situation = assess(schedule.name, schedule=schedule, store=store, now=now, is_dead=is_proven_dead)
        left = [one.name for one in situation.waves if not is_complete(one.state)]
        if left:
            Page(settings).line(f"Left: {', '.join(left)}; {what_apply_does(schedule, situation)}.")
