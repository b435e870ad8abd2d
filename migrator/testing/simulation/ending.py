"""The laws of the end: where everything came to rest in calm weather, the route and the state store say the same of a move.

Decides what may not be left behind. Leaves access policies to the world, and all that happened before to ``oracle``.
"""

from __future__ import annotations

from migrator.machine.transitions import live_side
from migrator.model.moves import MoveRecord, MoveState
from migrator.model.routes import READ_ONLY, RouteRecord
from migrator.ports.troubles import OTHERS_BLOCKS, TROUBLES
from migrator.testing.simulation.cases import Case, Scene, show
from migrator.testing.simulation.excuses import Excuses

NO_REASONS = (TROUBLES["InvalidBlobType"].why, TROUBLES[OTHERS_BLOCKS].why, "every pass found new differences")
"""What no move may be halted for in calm weather: the tool mends it, or says which name it is about."""


def judge_end(scene: Scene, excuses: Excuses, case: Case, record: MoveRecord, route: RouteRecord) -> None:
    """The last engine ended by itself, and left one move so."""
    if record.state is MoveState.HALTED and any(words in record.reason for words in NO_REASONS):
        scene.break_("halted-for-a-name", f"{record.id} is halted, and nobody can help it: {record.reason}")
    if route.mode == READ_ONLY:
        scene.break_("left-read-only", f"{record.id} is {record.state} and its route {show(route)}")
    wanted = record.source if live_side(record) == "source" else record.target
    # A record that was made, but whose making was never written down, is found again by the next preflight; one that was
    # published is looked at again when its move begins.
    epoch = route.epoch if record.state is MoveState.PENDING else record.epoch or route.epoch
    if (route.account, route.epoch) == (wanted, epoch):
        return
    if _may_be_unaware(case, record, route):
        excuses.used["a record that was changed while its move was at rest"] += 1
        return
    text = f"{record.id} is {record.direction} {record.state} at epoch {record.epoch}, {show(route)}"
    scene.break_("route-disagrees", text)


def _may_be_unaware(case: Case, record: MoveRecord, route: RouteRecord) -> bool:
    """Nobody looks at the route of a move that has not begun, or that is back: a change is found when it begins. What an engine
    of the same state store changed is no excuse: it knows."""
    if record.state is MoveState.PENDING:
        return record.epoch < route.epoch
    return record.state is MoveState.REVERSED and case.changed_unseen_at >= case.rested_at
