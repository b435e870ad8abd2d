"""One write, several tries: each is admitted anew."""

import pytest

from migrator.client.errors import OutcomeUnknown, RouteFenced
from migrator.client.follower import Grant
from migrator.client.lease import WriteLease
from migrator.client.writes import Attempt

AT = "https://eucore.blob.core.windows.net"


def an_attempt() -> Attempt:
    return Attempt("europe/web", "PUT", f"{AT}/web/a", {})


def lease(now, *, expires: float, epoch: int = 7) -> WriteLease:
    return WriteLease(Grant("europe/web", AT, "eu-core", epoch, expires, 60.0), clock=lambda: now[0])


def test_a_try_after_the_end_of_its_lease_is_not_sent():
    """The write's own time is not over; the lease's is, and the engine counts from that."""
    now = [0.0]
    attempt, held = an_attempt(), lease(now, expires=10.0)
    attempt.admit(held)
    attempt.unanswered(is_sent=False)
    now[0] = 9.0
    attempt.admit(held)
    now[0] = 10.0
    with pytest.raises(RouteFenced, match="is over"):
        attempt.admit(held)


def test_nobody_knows_the_outcome_of_a_try_whose_lease_ended_before_its_answer():
    now = [0.0]
    attempt, held = an_attempt(), lease(now, expires=10.0)
    attempt.admit(held)
    attempt.unanswered()
    now[0] = 11.0
    with pytest.raises(OutcomeUnknown):
        attempt.admit(held)


def test_a_renewed_lease_of_the_same_epoch_carries_the_next_try_to_the_first_deadline():
    now = [0.0]
    attempt = an_attempt()
    attempt.admit(lease(now, expires=10.0))
    attempt.unanswered(is_sent=False)
    now[0] = 30.0
    attempt.admit(lease(now, expires=40.0))
    now[0] = 61.0
    with pytest.raises(RouteFenced, match="used up"):
        attempt.admit(lease(now, expires=90.0))


@pytest.mark.parametrize("epoch", [6, 8])
def test_a_try_under_another_epoch_is_another_write(epoch):
    now = [0.0]
    attempt = an_attempt()
    attempt.admit(lease(now, expires=10.0))
    with pytest.raises(RouteFenced, match="the route changed"):
        attempt.admit(lease(now, expires=10.0, epoch=epoch))
