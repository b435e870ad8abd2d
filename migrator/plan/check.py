"""placeholder"""

from __future__ import annotations

from dataclasses import dataclass

from migrator.plan.shape import Shaped
from migrator.plan.tree import Fault, Tree


@dataclass(frozen=True, slots=True)
class Found:
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


def check(tree: Tree, shaped: Shaped) -> Found:
    return Found()
