"""A plan whose six target accounts are not there, in three subscriptions and two tenants, by real processes that are killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from migrator.model.estate import MARK
from tests.azurite import server
from tests.estate.demo import judged
from tests.estate.world import TARGETS, THERE, running
from tests.first_migration import not_printed

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(server.missing() is not None, reason=server.missing() or ""),
]
PHASES = (
    "POST checkNameAvailability",
    "PUT storageAccounts/na",
    "GET asyncoperations",
    "PUT blobServices/default",
)
"""What the estate was asked when the process was killed: of four runs, one after the other."""


def test_runs_that_are_killed_in_each_phase_are_followed_by_one_that_ends_alike(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        world.estate.set_faults(create_seconds=1.5, reach_seconds=0.5)
        for phase in PHASES:
            world.killed("apply", "plan.yaml", "--yes", when=phase)
        code, said = world.migrate("apply", "plan.yaml", "--yes")
        assert code == 0, said
        documents = [dict(world.account(name).document) for name in TARGETS]
        changes = len(world.estate.resources.created)

        again, more = world.migrate("apply", "plan.yaml", "--yes")

        assert again == 0, more
        assert judged(world, changes) == 0
        assert [dict(world.account(name).document) for name in TARGETS] == documents
    shapes = [{key: one[key] for key in ("sku", "kind", "properties")} for one in documents]
    assert all(shape == shapes[0] for shape in shapes)
    assert len({one["tags"][MARK] for one in documents}) == 1
    kept = [
        world.account(name).parts["blobServices/default"]["properties"]["deleteRetentionPolicy"] for name in TARGETS
    ]
    assert kept == [{"enabled": True, "days": 7}] * 6
    assert {one["tenant"] for one in world.estate.identities.given} > {THERE}


def test_tokens_that_end_every_few_seconds_fail_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        world.estate.identities.token_seconds = 3
        world.estate.set_faults(create_seconds=4)
        code, said = world.migrate("apply", "plan.yaml", "--yes")
        assert code == 0, said
        assert not_printed(said) == []
        assert judged(world, 6) == 0
        assert asyncio.run(world.contents("apweb"))
