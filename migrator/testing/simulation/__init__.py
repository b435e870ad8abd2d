"""A deterministic world for the engine: simulated stores, router, state, metrics, clocks, machines and customers.

Everything follows from a seed; a seed that fails once fails the same way each time. ``run`` makes a world from a seed,
drives a whole rollout through it, and reports what the oracle saw.
"""

from __future__ import annotations

from migrator.testing.simulation.cases import Violation
from migrator.testing.simulation.history import Report
from migrator.testing.simulation.scenario import run

__all__ = ["Report", "Violation", "run"]
