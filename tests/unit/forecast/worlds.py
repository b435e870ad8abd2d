"""Small schedules, made by hand: the forecast needs no plan document."""

from __future__ import annotations

from collections.abc import Mapping

from migrator.model.names import Area, MoveId, Selector
from migrator.model.schedule import Account, Budget, Cutover, PlannedMove, PlannedWave, Routing, Schedule, Verify


def schedule(
    areas: Mapping[str, tuple[str, float | None]],
    *,
    limit: float | None = None,
    budgets: Mapping[str, Budget] | None = None,
    cutover: Cutover | None = None,
    soak_seconds: float = 0.0,
) -> Schedule:
    """One wave of region "eu": each area goes from account "old" to the named one, with its traffic a minute."""
    moves = tuple(
        PlannedMove(MoveId("eu", area), Area(area, (Selector(area),)), "old", target, traffic)
        for area, (target, traffic) in areas.items()
    )
    names = ["old", *dict.fromkeys(move.target for move in moves)]
    wave = PlannedWave("all", moves, (), soak_seconds, 300.0, (), "rollback", "wave", cutover or Cutover(), Verify())
    return Schedule(
        name="made by hand",
        fingerprint="",
        accounts={name: Account(name, "azure", requests_per_minute=limit) for name in names},
        areas={move.area.name: move.area for move in moves},
        waves=(wave,),
        routing=Routing("file", path="routes.json"),
        default_budget=Budget(),
        budgets=budgets or {},
        metrics={},
    )
