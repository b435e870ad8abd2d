"""Waves that wait for each other are told by one circle each; waves that do not are not told."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from hypothesis import given
from hypothesis import strategies as st

from migrator.plan.circles import circles

NAMES = "abcdef"
GRAPHS = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES + "?"), max_size=3), max_size=6)


@given(GRAPHS)
def test_a_circle_is_told_exactly_if_there_is_one(after: dict[str, list[str]]) -> None:
    try:
        tuple(TopologicalSorter(after).static_order())
        is_circular = False
    except CycleError:
        is_circular = True
    found = list(circles(after))
    assert bool(found) is is_circular
    for circle in found:
        for name, earlier in zip(circle, [*circle[1:], circle[0]], strict=True):
            assert earlier in after[name]
    assert len({name for circle in found for name in circle}) == sum(map(len, found))


def test_the_shortest_circle_is_told() -> None:
    assert list(circles({"a": ["b"], "b": ["c", "a"], "c": ["a"], "d": ["d"]})) == [["a", "b"], ["d"]]
