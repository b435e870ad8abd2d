from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.coverage import floors
from tests.coverage.__main__ import main
from tests.coverage.floors import Figure
from tests.test_architecture import ROOT


def report(**covered: int) -> dict[str, Any]:
    """Each file with 80 statements and 20 branches, of which so many ran."""
    return {
        "files": {
            name.replace("__", "/") + ".py": {
                "summary": {
                    "num_statements": 80,
                    "num_branches": 20,
                    "covered_lines": min(ran, 80),
                    "covered_branches": max(ran - 80, 0),
                }
            }
            for name, ran in covered.items()
        }
    }


def test_a_room_is_all_its_modules_with_their_branches() -> None:
    given = report(
        migrator__gates__reach=0, migrator__gates__judge=90, migrator__errors=100, migrator__cli__views__a=50
    )
    assert floors.figures(given) == {"cli": Figure(100, 50), "gates": Figure(200, 90), "migrator": Figure(100, 100)}


def test_a_module_that_nothing_runs_any_more_takes_its_room_below_the_floor() -> None:
    measured = floors.figures(report(migrator__gates__reach=0, migrator__gates__judge=90))
    assert floors.faults(measured, {"gates": 94}) == ["gates is below its floor: expected 94 %, found 45.0 %"]
    assert floors.faults(measured, {"gates": 45}) == []


def test_a_new_room_needs_a_floor_and_one_that_was_not_measured_is_no_success() -> None:
    measured = {"new": Figure(10, 10)}
    assert floors.faults(measured, {"old": 90}) == [
        "new has no floor: run `make coverage RAISE=1`",
        "old has a floor and was not measured",
    ]


@pytest.mark.parametrize(("ran", "before", "after"), [(95, 90, 94), (89, 90, 90), (91, 90, 90), (95, None, 94)])
def test_a_floor_only_rises(ran: int, before: int | None, after: int) -> None:
    known = {} if before is None else {"cli": before}
    assert floors.raised({"cli": Figure(100, ran)}, known) == {"cli": after}


def test_the_command_fails_below_a_floor_and_raises_none_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(floors, "FLOORS", tmp_path / "floors.json")
    floors.write({"cli": 60})
    given = tmp_path / "report.json"
    given.write_text(json.dumps(report(migrator__cli__app=50)))
    assert main(str(given), "--raise") == 1
    assert "cli is below its floor: expected 60 %, found 50.0 %" in capsys.readouterr().err
    given.write_text(json.dumps(report(migrator__cli__app=90)))
    assert main(str(given), "--raise") == 0
    assert floors.read() == {"cli": 89}


def test_every_room_of_the_product_has_a_floor() -> None:
    rooms = {path.parent.name for path in (ROOT / "migrator").glob("*/__init__.py")} - {"testing"}
    assert floors.read().keys() == rooms | {"migrator"}
