"""Customers keep writing, machines die, operators change their minds - and nothing that was promised is broken.

``SIMULATION_SEEDS`` (default 200) says how many stories; a failing one is replayed with
``python -m migrator.testing.simulation --show SEED``.
"""

import os

import pytest

from migrator.testing.simulation import run

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "200"))


@pytest.mark.slow
@pytest.mark.xfail(reason="the engine does not keep every promise yet", strict=False)
def test_no_promise_is_broken():
    broken = {seed: report.violations for seed in range(SEEDS) if (report := run(seed)).violations}
    listed = "\n".join(f"seed {seed}: {violations[0]}" for seed, violations in broken.items())
    assert not broken, f"{len(broken)} of {SEEDS} seeds:\n{listed}"
