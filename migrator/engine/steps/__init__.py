"""The steps of a move, by the state they work in: ``STEPS[state](mover)`` does the work and reports what happened, and
``STEPS[state].tells`` says it before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from migrator.engine.steps import carry, cut, preflight, provision, soak
from migrator.engine.steps.step import Step
from migrator.machine.events import Event as E
from migrator.model.moves import MoveState as S

STEPS: Final[Mapping[S, Step]] = {
    S.PENDING: Step(preflight.begin, preflight.tells_begin, E.BEGUN),
    S.PREFLIGHT: Step(preflight.preflight, preflight.tells, E.CHECKED, preflight.instead),
    S.PROVISIONING: Step(provision.provision, provision.tells, E.PROVISIONED),
    S.COPYING: Step(carry.copy, carry.tells_copy, E.COPIED),
    S.CATCHING_UP: Step(carry.catch_up, carry.tells_catch_up, E.CAUGHT_UP),
    S.READY: Step(carry.ready, carry.tells_ready, E.ADMITTED),
    S.FENCING: Step(cut.fence, cut.tells_fence, E.FENCED),
    S.DRAINING: Step(cut.drain, cut.tells_drain, E.DRAINED),
    S.VERIFYING: Step(cut.verify, cut.tells_verify, E.PROVED),
    S.SWITCHING: Step(cut.switch, cut.tells_switch, E.SWITCHED),
    S.SOAKING: Step(soak.soaking, soak.tells, E.SOAKED),
}
