"""Two patterns overlap exactly if some name matches both: compared with trying all short names."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.plan.overlap import globs_meet, overlap
from migrator.plan.schema import ContainerPart

TABLE = [
    ("web-*", "web-visits", True),
    ("web-*", "*-visits", True),
    ("web-*", "app-*", False),
    ("a?c", "abc", True),
    ("a?c", "ac", False),
    ("a[bx]c", "a[xy]c", True),
    ("a[b]c", "a[y]c", False),
    ("a[!b]c", "abc", False),
    ("a[a-f]*", "a[g-z]*", False),
    ("*a*", "*b*", True),
    ("*", "$root", True),
    ("", "*", True),
]


@pytest.mark.parametrize(("one", "other", "meets"), TABLE)
def test_globs_meet(one: str, other: str, meets: bool) -> None:
    assert globs_meet(one, other) is meets
    assert globs_meet(other, one) is meets


_PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]"]), max_size=4).map("".join)
_NAMES = ["".join(letters) for length in range(7) for letters in product("abc", repeat=length)]


@settings(max_examples=60, deadline=None)
@given(_PATTERNS, _PATTERNS)
def test_they_meet_exactly_if_a_name_matches_both(one: str, other: str) -> None:
    assert globs_meet(one, other) is any(fnmatchcase(name, one) and fnmatchcase(name, other) for name in _NAMES)


PARTS = [
    (("events", "email/"), ("events", "campaign/"), False),
    (("events", "email/"), ("events", ""), True),
    (("events", "email/"), ("events", "email/2026/"), True),
    (("events", "email/"), ("event", "email/"), False),
    (("*", ""), ("$web", ""), False),
    (("$web", ""), ("$web", "a/"), True),
]


@pytest.mark.parametrize(("one", "other", "meets"), PARTS)
def test_parts_overlap_if_containers_and_prefixes_do(one: tuple[str, str], other: tuple[str, str], meets: bool) -> None:
    first, second = (ContainerPart(name=name, prefix=prefix) for name, prefix in (one, other))
    assert overlap(first, second) is meets
    assert overlap(second, first) is meets


def test_many_stars_do_not_take_for_ever() -> None:
    assert globs_meet("*a" * 30 + "*", "*b" * 30 + "*")
    assert not globs_meet("*a" * 30, "*b" * 30)
