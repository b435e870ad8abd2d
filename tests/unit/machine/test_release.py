"""A release changes the fence or the record before it, and nothing else, ever."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from migrator.machine.release import decide_release, is_fence_of
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteRecord

BEFORE = RouteRecord("na-core", "https://na-core", "read-write", 6, "0" * 16, "2026-03-01T12:00:00Z", "run-1")
FENCE = replace(BEFORE, mode="read-only", epoch=7, updated="2026-03-01T12:05:00Z")
RELEASED = replace(FENCE, mode="read-write", epoch=8)
SWITCHED = replace(RELEASED, account="na-web", endpoint="https://na-web")


def test_the_fence_becomes_writable_at_the_same_account_under_the_next_epoch() -> None:
    assert decide_release(FENCE, BEFORE, FENCE) == RELEASED


def test_the_record_before_the_fence_moves_on_so_that_a_late_fence_is_refused() -> None:
    """Above the fence's epoch: where a hand has put the record back, followers have seen that one say something else."""
    assert decide_release(BEFORE, BEFORE, FENCE) == replace(BEFORE, epoch=8)


def test_another_run_that_claimed_the_fence_does_not_keep_it_closed() -> None:
    claimed = replace(FENCE, run="run-2", updated="2026-03-01T12:06:00Z")
    assert decide_release(claimed, BEFORE, FENCE) == replace(claimed, mode="read-write", epoch=8)


@pytest.mark.parametrize("spelled", [BEFORE.endpoint + "/", BEFORE.endpoint.replace("https", "HTTPS")])
def test_another_spelling_of_the_address_keeps_no_fence_closed(spelled: str) -> None:
    assert decide_release(replace(FENCE, endpoint=spelled), BEFORE, FENCE) == RELEASED
    assert is_fence_of(FENCE, replace(BEFORE, endpoint=spelled)), "an engine writes the address as the plan has it"


@pytest.mark.parametrize(
    "current",
    [
        None,
        RELEASED,
        SWITCHED,
        replace(BEFORE, epoch=7),
        replace(FENCE, epoch=9),
        replace(BEFORE, epoch=5),
        replace(FENCE, lineage="f" * 16),
        replace(FENCE, endpoint="https://elsewhere"),
        replace(FENCE, mode="read-write"),
    ],
)
def test_every_other_record_is_left_alone(current: RouteRecord | None) -> None:
    assert decide_release(current, BEFORE, FENCE) is None


def test_a_release_never_repeats_itself_never_moves_the_data_and_never_blocks() -> None:
    """All records near the two: what is decided keeps account, endpoint and lineage, opens, and is not released again."""
    fields = product(("na-core", "na-web"), (READ_ONLY, READ_WRITE), range(4, 11), ("0" * 16, "f" * 16))
    for account, mode, epoch, lineage in fields:
        current = replace(BEFORE, account=account, mode=mode, epoch=epoch, lineage=lineage)
        released = decide_release(current, BEFORE, FENCE)
        if released is None:
            continue
        assert (released.account, released.endpoint, released.lineage) == (account, current.endpoint, lineage)
        assert (released.mode, released.epoch) == (READ_WRITE, FENCE.epoch + 1)
        assert decide_release(released, BEFORE, FENCE) is None


@pytest.mark.parametrize(
    ("fence", "is_fence"),
    [
        (FENCE, True),
        (replace(FENCE, run="run-2"), True),
        (replace(FENCE, mode="read-write"), False),
        (replace(FENCE, epoch=8), True),
        (replace(FENCE, epoch=6), False),
        (replace(FENCE, epoch=5), False),
        (replace(FENCE, account="na-web"), False),
        (replace(FENCE, lineage="f" * 16), False),
        (BEFORE, False),
    ],
)
def test_a_fence_is_the_record_before_it_read_only_under_a_later_epoch(fence: RouteRecord, is_fence: bool) -> None:
    assert is_fence_of(fence, BEFORE) is is_fence
