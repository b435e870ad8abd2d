"""Nothing is called done, or needless, without a look at the route: what a state store says of a move may be of another time, of
another rollout, or overtaken by a hand."""

from __future__ import annotations

import shutil

import pytest

from migrator.errors import UsageError
from migrator.model.moves import MoveState
from tests.scenario.test_adopting import edit, put, to
from tests.scenario.world import ID, Small


@pytest.fixture
def small(tmp_path):
    return Small(tmp_path)


async def published_and_saved(small: Small) -> None:
    """The route is published, nothing has begun; a backup is made of it."""
    assert (await small.rollout().publish()).code == "done"
    shutil.copytree(small.folder / "state", small.folder / "backup")


def put_back(small: Small) -> None:
    shutil.rmtree(small.folder / "state")
    shutil.copytree(small.folder / "backup", small.folder / "state")


async def pending_by_a_backup(small: Small) -> None:
    await published_and_saved(small)
    assert (await small.rollout().apply()).code == "done"
    put_back(small)


async def pending_by_another_store(small: Small) -> None:
    assert (await small.rollout().apply()).code == "done"
    shutil.rmtree(small.folder / "state")


async def reversed_by_a_backup(small: Small) -> None:
    assert (await small.rollout().apply()).code == "done"
    assert (await small.rollout().rollback()).code == "done"
    shutil.copytree(small.folder / "state", small.folder / "backup")
    await small.rollout().retry(reason="again", who="me")
    assert (await small.rollout().apply()).code == "done"
    put_back(small)


async def reversed_and_moved_by_a_hand(small: Small) -> None:
    assert (await small.rollout().apply()).code == "done"
    assert (await small.rollout().rollback()).code == "done"
    await to(small, "dst")


async def reversed_and_taken_by_another_store(small: Small) -> None:
    assert (await small.rollout().apply()).code == "done"
    assert (await small.rollout().rollback()).code == "done"
    await to(small, "dst")
    await edit(small, lineage="f" * 16)


PENDING = (pending_by_a_backup, pending_by_another_store)
REVERSED = (reversed_by_a_backup, reversed_and_moved_by_a_hand, reversed_and_taken_by_another_store)


@pytest.mark.parametrize("history", [*PENDING, *REVERSED])
async def test_a_rollback_is_not_done_while_customers_are_at_the_target(small, history):
    await small.fill(4)
    await history(small)
    route = await small.route()
    assert route.account == "dst"
    outcome = await small.rollout().rollback()
    assert outcome.code == "halted"
    (said,) = outcome.reasons
    assert said.startswith("cannot roll back europe/web: route and state disagree")
    assert "--adopt-route" in said
    assert ("most likely the wrong one" in said) is (history is pending_by_another_store)
    assert await small.route() == route
    state = MoveState.PENDING if history in PENDING else MoveState.REVERSED
    assert small.state().move(ID).state is state, "nothing was written of a move whose customers are nobody knows where"


@pytest.mark.parametrize("history", [*PENDING, *REVERSED])
async def test_and_the_way_out_that_it_names_is_one(small, history):
    await small.fill(4)
    await history(small)
    assert (await small.rollout().rollback()).code == "halted"
    await small.write("dst", "late", b"a customer's")
    assert (await small.rollout().retry(reason="it is right", who="me", adopt_route=True)).code == "done"
    assert (await small.rollout().apply()).code == "done"
    outcome = await small.rollout().rollback()
    assert outcome.code == "done", outcome.reasons
    assert (await small.route()).account == "src"
    assert (await small.contents("src"))["late"][0] == b"a customer's"


@pytest.mark.parametrize("history", REVERSED)
async def test_an_apply_names_no_retry_that_would_be_refused(small, history):
    await small.fill(4)
    await history(small)
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert "is reversed" in outcome.reasons[0]
    assert "route and state disagree" in outcome.reasons[0]
    assert "to start it again" not in outcome.reasons[0]
    assert (await small.rollout().retry(reason="no", who="me")).code == "halted"


async def test_a_halted_move_whose_route_went_elsewhere_since_says_so(small):
    await small.fill(4)
    assert (await small.rollout().publish()).code == "done"
    put(small, state=MoveState.HALTED, resume_from=MoveState.CATCHING_UP, reason="three fences were cancelled")
    await to(small, "dst")
    (said, *_) = (await small.rollout().apply()).reasons
    assert "three fences were cancelled; and now route and state disagree" in said
    assert "once that is mended" not in said


@pytest.mark.parametrize("history", PENDING)
async def test_a_retry_with_nothing_to_retry_and_a_publishing_with_nothing_to_publish_look_too(small, history):
    await small.fill(4)
    await history(small)
    outcome = await small.rollout().retry(reason="no", who="me")
    assert outcome.code == "halted"
    assert outcome.reasons[0].startswith("cannot go on with europe/web: route and state disagree")
    outcome = await small.rollout().publish()
    assert outcome.code == "halted"
    assert outcome.reasons[0].startswith("europe/web: route and state disagree")


async def test_where_route_and_state_agree_nothing_to_do_is_said_as_before(small):
    await small.fill(4)
    assert (await small.rollout().rollback()).code == "done"
    assert (await small.rollout().publish()).code == "done"
    assert (await small.rollout().publish()).code == "done"
    assert (await small.rollout().rollback()).code == "done"
    with pytest.raises(UsageError, match="no move in that scope is halted or reversed"):
        await small.rollout().retry(reason="no", who="me")
    assert (await small.rollout().apply()).code == "done"
    assert (await small.rollout().rollback()).code == "done"
    assert (await small.rollout().rollback()).code == "done"
    (said,) = (await small.rollout().apply()).reasons
    assert "to start it again: migrate retry" in said
