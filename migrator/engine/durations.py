"""The three durations that every fence rests on: ttl, max_write and clock_margin. They belong to the document, never to a wave.

Rules: during a rollout they only grow; a first apply on an existing document publishes what is longer and waits the old ones
before any fence; a fence waits for the longest the document was ever seen to say, whoever wrote it (see ``RouteDesk``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migrator.engine.fleet import Fleet
from migrator.errors import PlanError
from migrator.model.schedule import Routing
from migrator.ports.state_store import SetNote

NOTE = "durations"
_NAMES = {
    "ttl_seconds": "routing.ttl",
    "max_write_seconds": "cutover.max_write",
    "clock_margin_seconds": "cutover.clock_margin",
}


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


async def publish(fleet: Fleet) -> None:
    """Bring the document up to the plan, before anything is fenced; write down what was published."""
    state, desk, routing = fleet.world.state, fleet.shared.desk, fleet.schedule.routing
    known = state.note(NOTE)
    before = await desk.publish_durations()
    if before is not None:
        text = (
            f"the route document promised ttl {before.ttl_seconds:g} s and max_write {before.max_write_seconds:g} s;"
            f" the plan's longer ones are published, and no fence begins for {before.drain_seconds:g} s"
        )
        fleet.world.reporter.event("durations", None, text)
        _remember(fleet, old_drain_seconds=before.drain_seconds, text=text)
        fleet.shared.fence_from = fleet.world.clock.monotonic() + before.drain_seconds
    elif known is None or any(known.get(field, 0.0) < getattr(routing, field) for field in _NAMES):
        _remember(fleet, old_drain_seconds=0.0)
    elif known.get(
        "old_drain_seconds"
    ):  # an earlier run ended before the wait did: nobody knows for how long it had waited
        fleet.shared.fence_from = fleet.world.clock.monotonic() + known["old_drain_seconds"]
    if desk.drain_seconds > routing.drain_seconds:
        text = f"the route document promises longer durations than the plan: fences wait {desk.drain_seconds:g} s"
        fleet.world.reporter.event("durations", None, text)


def waited(note: Mapping[str, Any] | None) -> SetNote | None:
    """To be committed with the first fence after the wait; None if there is nothing to write."""
    if not note or not note.get("old_drain_seconds"):
        return None
    return SetNote(NOTE, {**note, "old_drain_seconds": 0.0})


def _remember(fleet: Fleet, *, old_drain_seconds: float, text: str = "") -> None:
    note = {field: getattr(fleet.schedule.routing, field) for field in _NAMES}
    journal = [fleet.journal("durations", text)] if text else []
    fleet.commit(SetNote(NOTE, {**note, "old_drain_seconds": old_drain_seconds}), *journal)
