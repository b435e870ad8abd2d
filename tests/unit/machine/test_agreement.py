"""What clients obey is what is judged: account, endpoint, mode, epoch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.machine.agreement import Agreement, in_words, is_as_left, is_own_old_fence, judge_route, may_write
from migrator.machine.release import Fate, explain
from migrator.model.moves import MoveRecord, MoveState, RouteIntent
from migrator.model.names import MoveId
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteRecord, same_address

LINEAGE, HERE, RUN = "0" * 16, "https://na-core", "run-1"
MOVE = MoveRecord(MoveId("na", "web"), "first", "na-core", "na-web", state=MoveState.COPYING, epoch=6, ever_routed=True)
ROUTE = RouteRecord("na-core", HERE, READ_WRITE, 6, LINEAGE, "2026-03-01T12:00:00Z", RUN)
EVIL = replace(ROUTE, endpoint="https://evil.example")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (ROUTE, Agreement.AGREES),
        (replace(ROUTE, endpoint="HTTPS://NA-Core/"), Agreement.AGREES),
        (EVIL, Agreement.OTHER_ADDRESS),
        (replace(EVIL, epoch=7), Agreement.OTHER_ADDRESS),
        (replace(EVIL, mode=READ_ONLY, epoch=7), Agreement.OTHER_ADDRESS),
        (replace(EVIL, account="na-web"), Agreement.OTHER_ACCOUNT),
        (replace(ROUTE, mode=READ_ONLY), Agreement.STALE_FENCE),
        (replace(ROUTE, epoch=5), Agreement.OLDER_EPOCH),
        (replace(ROUTE, lineage="f" * 16), Agreement.OTHER_STORE),
    ],
)
def test_a_record_is_judged_by_the_address_that_the_plan_gives(found, expected):
    assert judge_route(MOVE, found, lineage=LINEAGE, endpoint=HERE) is expected
    assert is_as_left(MOVE, found, lineage=LINEAGE, endpoint=HERE) is (expected is Agreement.AGREES)
    assert may_write(MOVE, found, live="na-core", lineage=LINEAGE, run=RUN, endpoint=HERE) is (
        found.epoch == 6 and expected in (Agreement.AGREES, Agreement.STALE_FENCE)
    )


def test_a_route_under_a_later_epoch_agrees_and_is_not_as_it_was_left():
    later = replace(ROUTE, epoch=7)
    assert judge_route(MOVE, later, lineage=LINEAGE, endpoint=HERE) is Agreement.AGREES
    assert not is_as_left(MOVE, later, lineage=LINEAGE, endpoint=HERE), "it may have been elsewhere meanwhile"


def test_the_words_name_both_addresses():
    text = in_words(MOVE, EVIL, Agreement.OTHER_ADDRESS, endpoint=HERE)
    assert "https://evil.example instead of https://na-core" in text


@pytest.mark.parametrize("changed", [{"run": "run-2"}, {"lineage": "f" * 16}, {"account": "na-web"}, {"epoch": 7}])
def test_a_run_writes_on_its_own_claim_alone(changed):
    assert not may_write(MOVE, replace(ROUTE, **changed), live="na-core", lineage=LINEAGE, run=RUN, endpoint=HERE)


def test_a_fence_that_was_put_back_is_not_opened_at_another_address():
    old = replace(ROUTE, mode=READ_ONLY)
    assert is_own_old_fence(MOVE, old, run=RUN, endpoint=HERE)
    assert not is_own_old_fence(MOVE, replace(old, endpoint=EVIL.endpoint), run=RUN, endpoint=HERE)
    assert not is_own_old_fence(MOVE, old, run="run-2", endpoint=HERE)
    assert not is_own_old_fence(MOVE, replace(old, epoch=7), run=RUN, endpoint=HERE), "nobody of ours released that one"


def test_a_cut_over_is_not_called_released_where_clients_are_sent_elsewhere():
    intent = RouteIntent(ROUTE, replace(ROUTE, mode=READ_ONLY, epoch=7))
    assert explain(replace(ROUTE, epoch=8), intent) is Fate.RELEASED
    assert explain(replace(EVIL, epoch=8), intent) is Fate.UNEXPLAINED


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("https://a.example", "https://a.example/", True),
        ("https://A.example/x", "https://a.example/x", True),
        ("https://a.example/X", "https://a.example/x", False),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example.evil", False),
        ("https://a.example", "https://a.example:444", False),
        ("https://a.example", "https://a.example@evil", False),
        ("local:/srv/A.db", "local:/srv/a.db", False),
    ],
)
def test_addresses(one, other, are_same):
    assert same_address(one, other) is same_address(other, one) is are_same
