"""The follower against every short history of observations, and against a world in which a fence really happens."""

from __future__ import annotations

from functools import partial
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.client.errors import LeaseError, RouteFenced, RouteUnusable
from migrator.client.follower import Follower, Grant, Refresh
from migrator.model.routes import READ_ONLY, READ_WRITE, Mode, RouteDocument, RouteRecord

KEY = "europe/images"
TTL = 30.0


def document(account: str, mode: Mode, epoch: int, *, ttl: float = TTL) -> RouteDocument:
    record = RouteRecord(account, f"https://{account}.example", mode, epoch, "lineage", "", "")
    return RouteDocument(ttl, 60, {KEY: record})


DOCUMENTS: list[RouteDocument | None] = [
    None,
    RouteDocument(TTL, 60, {}),
    *(document(account, mode, epoch) for account in ("a", "b") for mode in (READ_WRITE, READ_ONLY) for epoch in (1, 2)),
]


def granted(follower: Follower, now: float) -> Grant | None:
    try:
        return follower.lease(now)
    except LeaseError:
        return None


def test_every_history_of_three_observations_keeps_the_rules() -> None:
    """Documents x sending times, in and out of order: 27,000 histories, each held to the rules of the module."""
    for history in product(product(DOCUMENTS, (10.0, 20.0, 25.0)), repeat=3):
        follower = Follower(KEY)
        accepted: list[tuple[RouteRecord, float]] = []
        for seen, sent_at in history:
            before = follower.epoch
            if follower.observe(seen, sent_at):
                assert seen is not None
                accepted.append((seen.routes[KEY], sent_at))
            assert follower.epoch >= before, "an epoch went back"
        grant = granted(follower, 26.0)
        if grant is None:
            continue
        newest = max(record.epoch for record, _ in accepted)
        of_epoch = [(record, sent_at) for record, sent_at in accepted if record.epoch == newest]
        assert grant.epoch == newest
        assert {(r.account, r.mode) for r, _ in of_epoch} == {(grant.account, READ_WRITE)}
        assert grant.expires == max(sent_at for _, sent_at in of_epoch) + TTL


def test_no_contradiction_sent_last_is_ever_granted() -> None:
    """After any observation, a later one that contradicts it stops all grants until a usable one."""
    for first, second in product(DOCUMENTS[2:], DOCUMENTS):
        follower = Follower(KEY)
        assert first is not None
        follower.observe(first, 10.0)
        if not follower.observe(second, 11.0):
            with pytest.raises(RouteUnusable):
                follower.lease(12.0)
            assert follower.resolve(12.0).stale
            assert follower.resolve(12.0).account == first.routes[KEY].account
            assert follower.observe(first, 12.0)
            if first.routes[KEY].mode == READ_WRITE:
                assert follower.lease(13.0).account == first.routes[KEY].account


@given(
    fence_at=st.floats(0, 100),
    requests=st.lists(st.tuples(st.floats(0, 120), st.floats(0, 50), st.floats(0, 1)), max_size=12),
    asks=st.lists(st.floats(0, 400), min_size=1, max_size=8),
)
def test_no_lease_outlives_a_fence_by_ttl(
    fence_at: float, requests: list[tuple[float, float, float]], asks: list[float]
) -> None:
    """Whatever the delays of requests and answers, no grant of the fenced epoch is good at ``fence + ttl``."""
    follower = Follower(KEY)
    answers = []
    for sent_at, delay, moment in requests:
        served_at = sent_at + delay * moment
        seen = document("a", READ_WRITE, 1) if served_at < fence_at else document("a", READ_ONLY, 2)
        answers.append((sent_at + delay, sent_at, seen))

    def answer(seen: RouteDocument, sent_at: float) -> None:
        follower.observe(seen, sent_at)

    def ask(now: float) -> None:
        grant = granted(follower, now)
        if grant is not None:
            assert now < grant.expires <= fence_at + TTL

    events = [(at, 0, partial(answer, seen, sent_at)) for at, sent_at, seen in answers]
    events += [(at, 1, partial(ask, at)) for at in asks]
    for _, _, act in sorted(events, key=lambda event: event[:2]):
        act()


def test_counting_from_the_answer_would_outlive_a_fence() -> None:
    """Why the rule is what it is: sent before the fence, answered after it, and still writing when the drain is over."""
    sent_at, fence_at, answered_at = 0.0, 1.0, 20.0
    follower = Follower(KEY)
    follower.observe(document("a", READ_WRITE, 1), answered_at)  # the mistake
    assert follower.lease(fence_at + TTL + 5).epoch == 1
    follower = Follower(KEY)
    follower.observe(document("a", READ_WRITE, 1), sent_at)
    with pytest.raises(RouteFenced):
        follower.lease(fence_at + TTL)


@pytest.mark.parametrize(
    ("age", "urgency"),
    [(0, Refresh.NO), (14.9, Refresh.NO), (15, Refresh.SOON), (29.9, Refresh.SOON), (30, Refresh.MUST)],
)
def test_a_record_is_refreshed_in_the_second_half_of_its_life(age: float, urgency: Refresh) -> None:
    follower = Follower(KEY)
    follower.observe(document("a", READ_WRITE, 1), 100)
    assert follower.write_refresh(100 + age) is urgency
    assert follower.read_refresh(100 + age) is urgency


@pytest.mark.parametrize(("age", "urgency"), [(0.9, Refresh.NO), (1, Refresh.SOON), (2, Refresh.MUST)])
def test_readers_look_at_a_fenced_route_every_two_seconds(age: float, urgency: Refresh) -> None:
    follower = Follower(KEY)
    follower.observe(document("a", READ_ONLY, 2), 100)
    assert follower.read_refresh(100 + age) is urgency


def test_writers_look_at_a_fenced_route_as_often_as_they_ask_but_not_more() -> None:
    follower = Follower(KEY)
    follower.observe(document("a", READ_ONLY, 2), 100)
    assert follower.write_refresh(100.1) is Refresh.NO
    assert follower.write_refresh(100.2) is Refresh.MUST


def test_a_refused_document_is_looked_at_again() -> None:
    follower = Follower(KEY)
    follower.observe(document("a", READ_WRITE, 2), 100)
    follower.observe(document("a", READ_WRITE, 1), 101)
    assert follower.write_refresh(101.1) is Refresh.NO
    assert follower.write_refresh(101.3) is Refresh.MUST
    assert follower.read_refresh(103) is Refresh.MUST


def test_each_area_has_its_own_story() -> None:
    """A record that vanished stops its own area only."""
    other = "europe/other"
    follower, neighbour = Follower(KEY), Follower(other)
    first = document("a", READ_WRITE, 1)
    both = first.with_record(other, first.routes[KEY])
    for each in (follower, neighbour):
        each.observe(both, 1.0)
        each.observe(first, 2.0)
    assert follower.lease(3.0).account == "a"
    with pytest.raises(RouteUnusable, match="europe/other: the route document has no record"):
        neighbour.lease(3.0)
