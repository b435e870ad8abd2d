"""Access policies that are left revoked at rest are told; but not what was on record in a store alone that was put back since."""

import pytest

from migrator.machine.policies import without_writing
from migrator.model.moves import MoveRecord, MoveState, RevokedPolicy
from migrator.model.routes import READ_WRITE, RouteDocument, RouteRecord
from migrator.model.values import replace
from migrator.testing.simulation.blobs import Sender
from migrator.testing.simulation.driving import real_engine
from migrator.testing.simulation.excuses import MAIN_STORE
from migrator.testing.simulation.policies import READERS, WRITERS
from migrator.testing.simulation.scenario import Scenario

ENFORCED = 9178
"""A story whose fences revoke policies."""
CLOSED = (without_writing(WRITERS), READERS)
OPEN = (WRITERS, READERS)


class Court:
    """A move at rest at its source; an engine that is dead meanwhile revoked the policies of one container there."""

    def __init__(self) -> None:
        self.world = Scenario(ENFORCED, real_engine)
        self.world._fill()
        plan = self.world.schedule.moves[0]
        route = RouteRecord(plan.source, "https://it", READ_WRITE, 3, "one", "", "run-1")
        self.world.board.document = RouteDocument(5.0, 10.0).with_record(str(plan.id), route)
        self.account = plan.source
        self.box = next(one for one in self.world.accounts[plan.source].containers if plan.area.takes(one, "x"))
        self.older = MoveRecord(plan.id, "w", plan.source, plan.target, MoveState.REVERSED)
        self.newer = replace(self.older, revoked=(RevokedPolicy(self.account, self.box, WRITERS),))
        self.set(1, CLOSED)
        self.world.oracle.excuses.ended("engine-1", in_order=False)

    def set(self, engine, policies):
        held = self.world.wires[self.account].policies
        before = held.of(self.box)
        held.put(self.box, policies, self.world.loop.time())
        sender = Sender(f"engine-{engine}", True)
        self.world._set_policies(sender, self.account, self.box, before, policies, self.world.loop.time())

    def put_back(self, before, after):
        self.world.oracle.excuses.came_from(MAIN_STORE, MAIN_STORE, 0.0)
        self.world.oracle.excuses.forgot([before], [after])

    def judged(self):
        self.world._judge_policies([self.older])
        self.world.loop.discard()
        excused = self.world.oracle.excuses.used["policies that a store cannot know"]
        found = [one for one in self.world.oracle.violations if one.invariant == "policies-left-revoked"]
        return len(found), excused


def test_policies_that_are_left_revoked_are_told():
    assert Court().judged() == (1, 0)


@pytest.mark.parametrize("is_on_record", [False, True])
def test_a_backup_that_is_older_than_the_fence_cannot_know_what_it_revoked(is_on_record):
    court = Court()
    court.put_back(court.newer, court.newer if is_on_record else court.older)
    assert court.judged() == ((1, 0) if is_on_record else (0, 1))


def test_a_backup_excuses_nothing_that_the_store_did_not_know_before():
    court = Court()
    court.put_back(court.older, court.older)
    assert court.judged() == (1, 0)


def test_another_backup_that_has_them_ends_the_excuse():
    court = Court()
    court.put_back(court.newer, court.older)
    court.put_back(court.older, court.newer)
    assert court.judged() == (1, 0)


@pytest.mark.parametrize("engine", [1, 2])
def test_whoever_opened_them_ends_the_excuse(engine):
    court = Court()
    court.put_back(court.newer, court.older)
    court.set(engine, OPEN)
    court.set(2, CLOSED)
    assert court.judged() == (1, 0)


@pytest.mark.parametrize("engine", [1, 2])
def test_a_request_of_the_dead_engine_that_comes_late_tells_nobody(engine):
    """An engine that has the store as it is now wrote down what it closed."""
    court = Court()
    court.put_back(court.newer, court.older)
    court.set(engine, CLOSED)
    assert court.judged() == ((0, 1) if engine == 1 else (1, 0))
