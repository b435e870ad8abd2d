"""A seed is one story: the same in this process, and in any other."""

import os
import subprocess
import sys

import pytest

from migrator.testing.simulation import run


@pytest.mark.parametrize("seed", [3, 15, 40])
def test_the_same_seed_is_the_same_story(seed):
    first, second = run(seed), run(seed)
    assert first.history == second.history
    assert first.digest == second.digest
    assert first.violations == second.violations


def test_another_seed_is_another_story():
    assert run(1).digest != run(2).digest


def test_another_process_tells_the_same_story():
    told = [
        subprocess.run(
            [sys.executable, "-m", "migrator.testing.simulation", "--show", "15"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout.splitlines()[-1]
        for hash_seed in ("1", "2")
    ]
    assert told[0] == told[1]
    assert told[0].startswith("digest ")
