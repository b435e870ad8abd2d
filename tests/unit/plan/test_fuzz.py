"""Whatever stands in a plan, it is valid or refused with placed faults: never a traceback."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.errors import PlanError
from migrator.plan import loads
from migrator.plan.schema import Document
from tests.unit.plan.samples import SMALL

_LINES = SMALL.splitlines(keepends=True)
_SCRAPS = st.sampled_from(
    [
        "",
        "x",
        "[]",
        "{}",
        "null",
        "5",
        "-1",
        "true",
        "'*'",
        "*",
        "&a",
        "web",
        "na-core",
        "96h",
        "? ",
        ": ",
        "- ",
        "\n",
        "\t",
    ]
    + [f"{key}: " for key in Document.model_fields]
)


def _try(text: str) -> None:
    try:
        loads(text, "plan.yaml")
    except PlanError as refusal:
        for fault in refusal.faults:
            place = re.match(r"plan\.yaml:(\d+):(\d+): \S", fault)
            assert place, fault
            assert 1 <= int(place[1]) <= text.count("\n") + 2


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(SMALL)), st.integers(0, 30), _SCRAPS)
def test_any_scrap_in_place_of_any_part(at: int, length: int, scrap: str) -> None:
    _try(SMALL[:at] + scrap + SMALL[at + length :])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(range(len(_LINES))), unique=True, max_size=6))
def test_any_lines_left_out(out: list[int]) -> None:
    _try("".join(line for number, line in enumerate(_LINES) if number not in out))


_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text("ab-/*[]", max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(Document.model_fields)), _VALUES)
def test_any_value_under_any_key(key: str, value: object) -> None:
    import json

    kept = re.sub(rf"(?m)^{key}:.*\n(?:[ ].*\n)*", "", SMALL)
    _try(f"{kept}{key}: {json.dumps(value)}\n")
