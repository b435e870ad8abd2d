"""Forty areas on a small screen: what moves is on top and never cut off, what rests is counted, names stay apart."""

from __future__ import annotations

import io
import json

import pytest

from migrator.cli.settings import Settings
from migrator.cli.views.preview import show_findings
from migrator.cli.views.rows import ORDER, counted, fitted, fitting, middle, rank
from migrator.cli.views.screen import Page
from migrator.model.findings import Finding
from migrator.model.moves import MoveState
from tests.cli.conftest import Migrate

STATES = (
    ("soaked",) * 31 + ("pending",) * 4 + ("copying",) * 6 + ("soaking",) * 5 + ("draining",) * 2 + ("halted", "ready")
)


def test_what_moves_is_on_top_and_what_rests_is_counted() -> None:
    shown, rest = fitting([(state, f"{state} {number}") for number, state in enumerate(STATES)], 22)
    assert [one.split()[0] for one in shown] == [
        *("halted", "draining", "draining"),
        *["copying"] * 6,
        "ready",
        *["soaking"] * 5,
    ]
    assert rest == "31 soaked, 4 pending"


def test_a_screen_that_is_too_small_keeps_the_most_urgent_and_counts_the_others() -> None:
    shown, rest = fitting([(state, state) for state in STATES], 5)
    assert shown == ["halted", "draining", "draining", "copying"]
    assert rest == "5 copying, 1 ready, 5 soaking, 31 soaked, 4 pending"


def test_where_all_rests_all_is_shown_if_it_fits() -> None:
    assert fitting([("soaked", "a"), ("soaked", "b")] * 3, 10) == (["a", "b"] * 3, "")
    assert counted(["soaked", "copying"]) == "1 copying, 1 soaked"


def test_every_state_of_the_law_has_a_place() -> None:
    places = set(ORDER)
    assert {str(state).replace("_", "-") for state in MoveState} <= places
    assert rank("draining") < rank("copying") < rank("soaking") < rank("soaked")


def test_names_are_cut_in_the_middle_so_that_they_stay_apart() -> None:
    names = [f"north-america/notification-preferences-{end}" for end in ("events", "archive", "exports")]
    cut = [middle(name, 26) for name in names]
    assert len(set(cut)) == 3
    assert all(len(one) == 26 for one in cut)
    assert middle("short", 26) == "short"


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_table_fits_and_says_nothing_empty(width: int) -> None:
    headings = ("MOVE", "STATE", "NOW", "COPIED", "SIZE", "RATE")
    rows = [
        (f"asia-pacific-southeast/notification-preferences-{n}", "draining", "—", "60 (100 %)", "0 B", "0/s")
        for n in range(9)
    ]
    here, cells = fitted(headings, rows, width, spare=("RATE", "SIZE", "COPIED"))
    assert here == ["MOVE", "STATE", "COPIED"]
    assert sum(max(len(row[column]) for row in cells) + 2 for column in range(len(here))) <= width
    assert len({row[0] for row in cells}) == 9


def test_only_one_wave_or_region_is_shown_where_that_is_asked_for(migrate: Migrate) -> None:
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    assert migrate("apply", "p.yaml", "--yes").code == 0
    one = json.loads(migrate("status", "p.yaml", "--wave", "second", "--json").out)
    assert [wave["name"] for wave in one["waves"]] == ["second"]
    assert len(json.loads(migrate("status", "p.yaml", "--region", "north-america", "--json").out)["waves"]) == 2
    assert migrate("status", "p.yaml", "--wave", "sceond").code == 64


def test_findings_of_one_kind_are_one_thing_to_mend() -> None:
    findings = tuple(
        Finding("error", "fence-too-long", f"eu/{n}", f"eu/{n} would pause", f"mend {n}") for n in range(111)
    )
    out = io.StringIO()
    show_findings(Page(Settings(), out), findings)
    lines = out.getvalue().splitlines()
    assert len(lines) == 3 * 2 + 1
    assert lines[-1] == "  and 108 more of this kind (fence-too-long): eu/3, eu/4, eu/5, eu/6, eu/7, eu/8 ..."
