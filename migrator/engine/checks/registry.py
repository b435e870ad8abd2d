"""Every check there is: the one list from which validate, plan, preflight, the look before each fence and the doctor run theirs.

Decides the order in which findings of one severity are told. A check that is in no module's list here runs never, and a test
shows that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from migrator.engine.checks import (
    accounts,
    channels,
    containers,
    doctor,
    document,
    estate,
    fences,
    followers,
    gates,
    own_writers,
    probes,
    proofs,
    recorded,
    routes,
    sorts,
    ways,
)
from migrator.engine.checks.check import Check, Says

CHECKS: Final[tuple[Check, ...]] = (
    document.WARNED,
    *recorded.CHECKS,
    *routes.CHECKS,
    *followers.CHECKS,
    document.FORECAST,
    document.FULL_DRAIN,
    *ways.CHECKS,
    *sorts.CHECKS,
    *proofs.CHECKS,
    *containers.CHECKS,
    *estate.CHECKS,
    *own_writers.CHECKS,
    *accounts.CHECKS,
    *doctor.CHECKS,
    *probes.CHECKS,
    *fences.CHECKS,
    *gates.CHECKS,
    *channels.CHECKS,
    document.NOT_BUILT,
    recorded.SIZES,
)
CODES: Final[Mapping[str, Says]] = {says.code: says for check in CHECKS for says in check.says}
"""By code: stable words that programs may rely on."""
