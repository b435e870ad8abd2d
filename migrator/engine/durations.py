"""The three durations that every fence rests on: ttl, max_write and clock_margin. They belong to the document, never to a wave.

Rules: during a rollout they only grow; a first apply on an existing document publishes what is longer and waits the old ones
before any fence; what is about to be published is on record before, so that an edit which takes it back is refused; no fence
begins while the document promises more than the plan, whoever wrote that, and after it was put right what clients may have been
promised is waited for, as far as they believe it (PROTOCOL.md caps both).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from migrator.engine.fleet import Fleet
from migrator.engine.routes import RouteDesk
from migrator.errors import PlanError
from migrator.model import notes
from migrator.model.happenings.rollouts import DurationsPublished, DurationsTooLong
from migrator.model.schedule import Routing
from migrator.ports.state_store import Change, SetNote

MOST_TTL_SECONDS, MOST_WRITE_SECONDS = 300.0, 3600.0
"""Clients take longer ones of a document for these. Source: PROTOCOL.md (a test holds both together)."""
_NAMES = {
    "ttl_seconds": "routing.ttl",
    "max_write_seconds": "cutover.max_write",
    "clock_margin_seconds": "cutover.clock_margin",
}
_PROTOCOL: Final = "protocol"


def require_grown(routing: Routing, published: Mapping[str, Any] | None) -> None:
    """PlanError if an edited plan makes one of them smaller than what this rollout has published."""
    for field, key in _NAMES.items():
        planned, known = getattr(routing, field), (published or {}).get(field, 0.0)
        if planned < known:
            raise PlanError(
                f"cannot apply this edit: {key} is {planned:g}s, but this rollout has published {known:g}s, and clients"
                " may rely on that until it is over",
                hint=f"durations only grow during a rollout: put {key} back to {known:g}s or more",
            )
    if routing.protocol < (known := (published or {}).get(_PROTOCOL, 1)):
        raise PlanError(
            f"cannot apply this edit: routing.protocol is {routing.protocol}, but this rollout has published {known}, and clients"
            " have entered its register",
            hint=f"put routing.protocol back to {known} until the rollout is over",
        )


async def publish(fleet: Fleet) -> None:
    """Bring the document up to the plan, before anything is fenced; write down what was published."""
    state, desks, routing = fleet.world.state, fleet.shared.desks.all, fleet.schedule.routing
    known = state.note(notes.DURATIONS)
    waiting = (known or {}).get("old_drain_seconds", 0.0)
    if old := [one for desk in desks if (one := await desk.unpublished()) is not None]:
        _remember(fleet, old_drain_seconds=max(waiting, *(one.drain_seconds for one in old)))
    shorter = [one for desk in desks if (one := await desk.publish_durations()) is not None]
    if shorter:
        before = max(shorter, key=lambda one: one.drain_seconds)
        waiting = max(waiting, before.drain_seconds)
        published = DurationsPublished(before.ttl_seconds, before.max_write_seconds, waiting)
        _remember(fleet, fleet.journal(published), old_drain_seconds=waiting)
        fleet.tell(published)
    elif known is None or any(known.get(field, 0.0) < getattr(routing, field) for field in (*_NAMES, _PROTOCOL)):
        _remember(fleet, old_drain_seconds=waiting)
    if waiting:  # also where an earlier run ended before the wait did: nobody knows for how long it had waited
        fleet.shared.fence_from = fleet.world.clock.monotonic() + waiting
    for why in {why for desk in desks if (why := too_long(desk, routing)) is not None}:
        fleet.tell(DurationsTooLong(why))


def too_long(desk: RouteDesk, routing: Routing) -> str | None:
    """Why no fence begins under these durations of the document, and what to do; None if the plan's are as long."""
    seen = desk.longer_than_planned()
    if seen is None:
        return None
    return (
        f"the route document promises ttl {seen.ttl_seconds:g} s and max_write {seen.max_write_seconds:g} s, the plan"
        f" {routing.ttl_seconds:g} s and {routing.max_write_seconds:g} s: a fence would stop writers for"
        f" {seen.drain_seconds:g} s; find out who wrote that, and put the document's back to the plan's, or say in the plan"
        " what clients are to rely on; then migrate retry --reason TEXT"
    )


def believed(seen: Routing) -> float:
    """For how long after they were put right clients may go by durations that the document once promised."""
    ttl, max_write = min(seen.ttl_seconds, MOST_TTL_SECONDS), min(seen.max_write_seconds, MOST_WRITE_SECONDS)
    return ttl + max_write + seen.clock_margin_seconds


def to_wait(desk: RouteDesk, note: Mapping[str, Any] | None) -> SetNote | None:
    """To be committed when a move stops for the document's durations: a later run waits what clients may believe."""
    seen = desk.longer_than_planned()
    if seen is None:
        return None
    known = note or {}
    return SetNote(
        notes.DURATIONS, {**known, "old_drain_seconds": max(known.get("old_drain_seconds", 0.0), believed(seen))}
    )


def waited(note: Mapping[str, Any] | None) -> SetNote | None:
    """To be committed with the first fence after the wait; None if there is nothing to write."""
    if not note or not note.get("old_drain_seconds"):
        return None
    return SetNote(notes.DURATIONS, {**note, "old_drain_seconds": 0.0})


def _remember(fleet: Fleet, *changes: Change, old_drain_seconds: float) -> None:
    note = {field: getattr(fleet.schedule.routing, field) for field in (*_NAMES, _PROTOCOL)}
    fleet.commit(SetNote(notes.DURATIONS, {**note, "old_drain_seconds": old_drain_seconds}), *changes)
