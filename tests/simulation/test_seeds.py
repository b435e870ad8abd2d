"""Customers keep writing, machines die, operators change their minds - and nothing that was promised is broken.

``SIMULATION_SEEDS`` (default 500) says how many stories; ``make simulate SEEDS=10000`` tells many more. ``test_reach``
tells and judges the first ones, since it looks for blind spots in the same stories. A failing one is replayed with
``python -m migrator.testing.simulation --show SEED``.
"""

import os

import pytest

from migrator.testing.simulation import run
from tests.simulation.judging import broken
from tests.simulation.test_reach import SEEDS as FIRST

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "500"))
LOT = 100


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FIRST, max(SEEDS, FIRST + LOT), LOT))
def test_no_promise_is_broken_and_every_story_ends(first):
    faults = [fault for seed in range(first, first + LOT) for fault in broken(run(seed))]
    assert not faults, "\n".join(faults)
