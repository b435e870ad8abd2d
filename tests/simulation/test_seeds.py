"""Customers keep writing, machines die, operators change their minds - and nothing that was promised is broken.

``SIMULATION_SEEDS`` (default 300) says how many stories; ``make simulate SEEDS=10000`` tells many more. A failing one is replayed
with ``python -m migrator.testing.simulation --show SEED``.
"""

import os

import pytest

from migrator.testing.simulation import run

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "300"))
LOT = 100


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, LOT))
def test_no_promise_is_broken_and_every_story_ends(first):
    told = [run(seed) for seed in range(first, min(first + LOT, SEEDS))]
    broken = [f"seed {report.seed}: {report.violations[0]}" for report in told if report.violations]
    endless = [f"seed {report.seed}: without an end" for report in told if report.is_unfinished]
    assert not broken + endless, "\n".join(broken + endless)
