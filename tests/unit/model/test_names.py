"""What belongs to an area is what one of its selectors takes, however many there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from migrator.model.names import Area, Selector

CONTAINERS = ("box", "boxes", "web-a", "web-b")
SELECTORS = st.builds(Selector, st.sampled_from((*CONTAINERS, "web-*", "b*", "?ox")), st.text("ab/", max_size=3))


@given(st.lists(SELECTORS, max_size=6), st.sampled_from(CONTAINERS), st.text("ab/", max_size=4))
def test_an_area_takes_what_a_selector_takes(selectors: list[Selector], container: str, name: str) -> None:
    area = Area("x", tuple(selectors))
    assert area.takes(container, name) is any(one.takes(container, name) for one in selectors)
    prefixes = {one.prefix for one in selectors if one.takes_container(container)}
    assert area.prefixes_in(container) == tuple(sorted(prefixes))


def test_containers_with_a_meaning_of_their_own_are_taken_where_they_are_named() -> None:
    for name in ("$web", "$root", "$logs"):
        assert not any(Selector(glob).takes_container(name) for glob in ("*", "?web", "*web", "[$]*"))
        assert all(Selector(text).takes_container(name) for text in ("$*", name))
    assert Selector("*").takes_container("web")
    assert not Selector("$*").takes_container("web")


def test_reserved_names_are_nobodys() -> None:
    assert not Area("x", (Selector("*"),)).takes("box", ".migrate/canary")


def test_thousands_of_containers_are_looked_up_not_searched() -> None:
    """A hundred thousand questions of ten thousand containers: a search would ask a billion times."""
    area = Area("x", tuple(Selector(f"c{number:05}") for number in range(10_000)))
    assert all(area.takes(f"c{number % 10_000:05}", "blob") for number in range(100_000))
    assert not area.takes("c10000", "blob")


def test_equal_areas_are_equal_whatever_was_asked_of_them() -> None:
    asked, fresh = (Area("x", (Selector("box"),)) for _ in range(2))
    asked.takes("box", "a")
    assert asked == fresh
    assert hash(asked) == hash(fresh)
    assert repr(asked) == repr(fresh)
