"""What an enforced fence makes of a policy: nobody writes, readers go on, and it can be told from what others make of it."""

from __future__ import annotations

from itertools import combinations

import pytest

from migrator.machine.policies import can_write, same_policy, without_writing
from migrator.model.moves import StoredPolicy

LETTERS = "racwdxytlfmeopi"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_no_letter_that_changes_anything_is_left_and_every_reading_one_is(count):
    for letters in combinations(LETTERS, count):
        policy = StoredPolicy("p", "".join(letters), "", "2030-01-01T00:00:00Z")
        closed = without_writing(policy)
        reading = set(letters) & set("rlfi")
        if reading:
            assert set(closed.permissions) == reading
            assert closed.expiry == policy.expiry
        else:
            assert closed.expiry < "2001", "it could only write: it expires"
        assert can_write(policy) is bool(set(letters) - set("rlfi"))


def test_a_policy_that_leaves_permissions_to_the_signature_is_not_ours_to_close():
    assert not can_write(StoredPolicy("p"))


def test_the_service_may_order_letters_and_write_times_in_its_own_way():
    ours = StoredPolicy("p", "rwl", "", "2030-01-01T00:00:00Z")
    assert same_policy(ours, StoredPolicy("p", "lrw", "", "2030-01-01T00:00:00.0000000Z"))
    assert not same_policy(ours, StoredPolicy("p", "rl", "", "2030-01-01T00:00:00Z"))
    assert not same_policy(ours, StoredPolicy("q", "rwl", "", "2030-01-01T00:00:00Z"))
    assert not same_policy(ours, StoredPolicy("p", "rwl", "", "2031-01-01T00:00:00Z"))
