"""What is refused for the sake of one name: the others are carried over, it is named before any fence, and both ways."""

from __future__ import annotations

import pytest

from migrator.adapters.local import LocalStore
from migrator.errors import CloudError
from migrator.model.moves import MoveState
from migrator.model.rhythm import Rhythm
from migrator.ports.troubles import TROUBLES
from tests.scenario.world import ID, Small


@pytest.fixture
async def small(tmp_path):
    made = Small(tmp_path, rhythm=Rhythm(lease_seconds=0.05))
    await made.fill(3)
    return made


class Leases:
    """(account, name) that somebody holds a lease of; ``ends_after``: so many refusals."""

    def __init__(self, monkeypatch, *held, ends_after=None):
        self.held, self.refused, self.ends_after = set(held), 0, ends_after
        for method in ("copy", "put", "commit_blocks", "delete"):
            monkeypatch.setattr(LocalStore, method, self._guarded(getattr(LocalStore, method)))

    def _guarded(self, right):
        async def guarded(store, *facts, **more):
            container, name = facts[1:3] if right.__name__ == "copy" else facts[:2]
            if (store.account, name) in self.held:
                self.refused += 1
                if self.ends_after is not None and self.refused >= self.ends_after:
                    self.held.clear()
                why = TROUBLES["LeaseIdMissing"]
                raise CloudError(
                    f"cannot write {store.account}/{container}/{name}: {why.why}", hint=why.hint, code="LeaseIdMissing"
                )
            return await right(store, *facts, **more)

        return guarded


async def names_of(small, account):
    store = small.store(account)
    found = [blob.name for blob in (await store.page("web")).entries if not blob.name.startswith(".migrate/")]
    await store.close()
    return found


async def test_a_leased_object_is_named_before_any_fence_and_the_others_are_there(small, monkeypatch):
    name = (await names_of(small, "src"))[1]
    leases = Leases(monkeypatch, ("dst", name))
    rollout = small.rollout()
    assert (await rollout.apply()).code == "halted"
    record = small.state().move(ID)
    assert record.state is MoveState.HALTED
    assert f"1 objects cannot be carried over, all others were (web/{name}: " in record.reason
    assert "it is leased; break its lease" in record.reason
    kinds = [kind for kind, _, _ in rollout.world.reporter.events]
    assert "fence" not in kinds
    assert len(await names_of(small, "dst")) == len(await names_of(small, "src")) - 1
    leases.held.clear()


async def test_a_lease_that_ends_is_waited_out(small, monkeypatch):
    name = (await names_of(small, "src"))[1]
    Leases(monkeypatch, ("dst", name), ends_after=1)
    rollout = small.rollout()
    assert (await rollout.apply()).code == "done"
    assert any("are leased" in text for kind, _, text in rollout.world.reporter.events if kind == "waiting")


async def test_a_lease_at_the_source_is_named_before_the_fence_of_the_way_back(small, monkeypatch):
    assert (await small.rollout().apply()).code == "done"
    name = (await names_of(small, "src"))[1]
    await small.write("dst", name, b"changed")
    leases = Leases(monkeypatch, ("src", name))
    rollout = small.rollout()
    await rollout.rollback()
    record = small.state().move(ID)
    assert record.state is MoveState.HALTED
    assert f"web/{name}" in record.reason
    assert "leased" in record.reason
    assert "fence" not in [kind for kind, _, _ in rollout.world.reporter.events]
    leases.held.clear()
    await small.rollout().rollback()
    assert small.state().move(ID).state is MoveState.REVERSED
