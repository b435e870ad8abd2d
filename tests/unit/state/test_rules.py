"""The pure rules: positions sort as ranges do, and what is tiled stays tiled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.adapters.state.rules import BEFORE_ALL, position, tile, upper_at
from migrator.errors import InternalError
from migrator.model.moves import EvidenceRange
from migrator.model.names import MoveId
from migrator.ports.state_store import ReplaceRanges

MOVE = MoveId("europe", "web")
UPPERS = st.one_of(st.none(), st.binary(max_size=3))


def change(above: bytes | None, upper: bytes | None, *uppers: bytes | None) -> ReplaceRanges:
    return ReplaceRanges(MOVE, "box", "", above, upper, tuple(EvidenceRange("box", "", each) for each in uppers))


@given(UPPERS)
def test_a_position_gives_its_upper_bound_back(upper: bytes | None) -> None:
    assert upper_at(position(upper)) == upper
    assert position(upper) > BEFORE_ALL


@given(UPPERS, UPPERS)
def test_positions_sort_as_bounds_with_open_above_last(first: bytes | None, second: bytes | None) -> None:
    if first is None or second is None:
        assert (position(first) < position(second)) == (second is None and first is not None)
    else:
        assert (position(first) < position(second)) == (first < second)


@given(UPPERS, UPPERS, st.lists(UPPERS, max_size=4))
def test_only_rising_bounds_that_end_at_the_stretchs_end_tile_it(
    above: bytes | None, upper: bytes | None, uppers: list[bytes | None]
) -> None:
    low = b"" if above is None else position(above)
    ends = [position(each) for each in uppers]
    is_tiling = bool(ends) and ends[-1] == position(upper) and ends == sorted(set(ends)) and low < ends[0]
    wanted = change(above, upper, *uppers)
    if is_tiling:
        assert tile(wanted, has_ranges=True, is_boundary=lambda _: True) == wanted.ranges
        filled = tile(wanted, has_ranges=False, is_boundary=lambda _: False)
        assert filled[-1].upper is None
        assert [each.upper for each in filled[:-1]] == sorted(
            {each.upper for each in filled[:-1] if each.upper is not None}
        )
        assert set(wanted.ranges) <= set(filled)
    else:
        with pytest.raises(InternalError):
            tile(wanted, has_ranges=True, is_boundary=lambda _: True)


def test_a_stretch_that_cuts_a_range_is_refused_at_either_end() -> None:
    for bad in (b"b", b"d"):
        with pytest.raises(InternalError, match="no range ends at"):
            tile(change(b"b", b"d", b"d"), has_ranges=True, is_boundary=lambda end, bad=bad: end != bad)
