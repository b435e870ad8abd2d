"""``migrate rollback``: take the lock and go back, or steer the run that holds it.

While an apply is at work it is asked to go back, and this command follows until that run has ended; then it takes the lock
itself, so that the way back is complete - or completed here - when this command says so. The wish is removed at the end, or
it would meet the next apply.
"""

from __future__ import annotations

from typing import Final

from migrator.cli.identity import user
from migrator.cli.scope import Scope
from migrator.engine.rollout import Abandon, Rollout
from migrator.engine.world import Outcome
from migrator.errors import LockedError
from migrator.model.happenings.waits import RunAsked
from migrator.model.moves import Control
from migrator.model.values import replace
from migrator.ports.state_store import SetControl

FOLLOW_SECONDS: Final = 0.5


async def go_back(
    rollout: Rollout, scope: Scope, *, on_conflict: str | None, abandon: Abandon | None = None
) -> Outcome:
    """Bring the moves of ``scope`` back to their sources, whoever has to do it."""
    world = rollout.world
    wish: Control | None = None
    try:
        while True:
            try:
                return await rollout.rollback(
                    wave=scope.wave, region=scope.region, area=scope.area, on_conflict=on_conflict, abandon=abandon
                )
            except LockedError as held:
                if wish is None:
                    wish = rollout.steer(
                        wave=scope.wave,
                        region=scope.region,
                        area=scope.area,
                        on_conflict=on_conflict,
                        who=user(),
                        abandon=abandon,
                    )
                    run = held.message.removeprefix("cannot start: ")
                    world.reporter.event(RunAsked(run))
            await world.clock.sleep(FOLLOW_SECONDS)
    finally:
        if wish is not None:
            _withdraw(rollout, wish)


def _withdraw(rollout: Rollout, wish: Control) -> None:
    """Remove a wish that the run did not take up before it ended; never one of somebody else, or of a failed gate."""
    for control in rollout.world.state.controls():
        if (control.kind, control.scope, control.who, control.at) == (wish.kind, wish.scope, wish.who, wish.at):
            rollout.world.state.commit([SetControl(replace(control, value={}))], token=None)
