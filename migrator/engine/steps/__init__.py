"""The steps of a move, by the state they work in: ``STEPS[state](mover)`` does the work and reports what happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from migrator.engine.mover import Step
from migrator.engine.steps import carry, cut, preflight, soak
from migrator.model.moves import MoveState as S

STEPS: Final[Mapping[S, Step]] = {
    S.PENDING: preflight.begin,
    S.PREFLIGHT: preflight.preflight,
    S.COPYING: carry.copy,
    S.CATCHING_UP: carry.catch_up,
    S.READY: carry.ready,
    S.FENCING: cut.fence,
    S.DRAINING: cut.drain,
    S.VERIFYING: cut.verify,
    S.SWITCHING: cut.switch,
    S.SOAKING: soak.soaking,
}
