"""The oracle sees: a migrator without fence, lease and evidence does not get past it."""

from migrator.testing.simulation import run
from tests.simulation.naive import naive_engine


def test_a_naive_migrator_is_caught_losing_writes():
    found = set()
    for seed in range(30):
        found |= {violation.invariant for violation in run(seed, engine=naive_engine).violations}
    assert {"lost-write", "switch-without-fence", "lease-alive-at-switch", "two-accounts-accept"} <= found
