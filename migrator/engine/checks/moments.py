"""When checks run, and what they may have to ask then."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class When(StrEnum):
    """The moments at which checks run."""

    VALIDATE = "validate"
    PLAN = "plan"
    """``migrate plan``, and the look of ``apply`` before its question."""
    PREFLIGHT = "preflight"
    """Before a move's first copy."""
    FENCE = "fence"
    """Before each fence of a move that goes forward."""
    DOCTOR = "doctor"


class Asks(StrEnum):
    """What a check needs beside the plan, the cheapest first."""

    STATE = "state store"
    ROUTES = "routes"
    ESTATE = "resource manager"
    ACCOUNTS = "accounts"
    LISTINGS = "listings"
    GATES = "gates"
    WRITES = "writes"


RUNS: Final = frozenset({When.PREFLIGHT, When.FENCE})
"""Moments of a run: an error halts the move, and what may pass by itself is waited out, not told."""
