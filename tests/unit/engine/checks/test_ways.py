"""What a preview says of ways and clocks, without sending anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from migrator.engine.checks.ways import clocks, streamed

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


class Store:
    def __init__(self, name, *, lends=True, ahead=0.0, endpoint="https://x"):
        self.account, self.lends, self.endpoint = name, lends, endpoint
        self.answered_at = None if ahead is None else (NOW + timedelta(seconds=ahead)).timestamp()

    def can_copy_from(self, other):
        return other.lends


def world(*stores, unopened=()):
    return SimpleNamespace(
        stores={store.account: store for store in stores},
        unopened=dict.fromkeys(unopened),
        clock=SimpleNamespace(now=lambda: NOW),
    )


MOVES = [SimpleNamespace(source="src", target="dst")]


def test_an_account_that_lends_no_signature_is_streamed_and_only_its_own_way_is():
    found = list(streamed(world(Store("src", lends=False), Store("dst")), MOVES))
    assert [one.subject for one in found] == ["src -> dst"]
    assert "through this machine" in found[0].text


def test_the_way_back_is_said_before_it_is_needed():
    found = list(streamed(world(Store("src"), Store("dst", lends=False)), MOVES))
    assert [one.subject for one in found] == ["dst -> src"]


def test_what_cannot_be_opened_or_is_a_file_has_nothing_to_lend():
    assert not list(streamed(world(Store("src", lends=False), Store("dst"), unopened=["src"]), MOVES))
    assert not list(streamed(world(Store("src", lends=False, endpoint="local:/x"), Store("dst")), MOVES))


@pytest.mark.parametrize(("ahead", "words"), [(360.0, "360 s behind"), (-1_800.0, "1,800 s ahead of")])
def test_a_clock_that_is_wrong_is_said(ahead, words):
    found = list(clocks(world(Store("src", ahead=ahead)), ["src"]))
    assert words in found[0].text
    assert found[0].severity == "warning"


@pytest.mark.parametrize("ahead", [None, 0.0, 30.0, -30.0])
def test_a_clock_that_is_right_or_unknown_is_no_finding(ahead):
    assert not list(clocks(world(Store("src", ahead=ahead)), ["src"]))
