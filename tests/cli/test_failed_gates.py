"""A gate that fails, from the outside: what the plan says happens, later waves do not begin, and `retry` goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import PLAN, Done, Migrate

GATE = """\
metrics:
  counters: {kind: local}
gates:
  busy: {source: counters, metric: requests_per_minute, min: 1M, window: 200ms, settle: 0s, on_no_data: fail, failure_limit: 1}
"""


def plan(on_failure: str, *, no_data: str = "fail") -> str:
    """No customer is there, so silence decides."""
    text = PLAN.replace("    gates: []", f"    gates: [busy]\n    on_failure: {on_failure}", 1)
    return text.replace("waves:\n", GATE.replace("on_no_data: fail", f"on_no_data: {no_data}") + "waves:\n")


@pytest.fixture
def failing(migrate: Migrate, here: Path, request: pytest.FixtureRequest) -> Done:
    """An apply whose first wave's gate fails."""
    (here / "p.yaml").write_text(plan(request.param))
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    return migrate("apply", "p.yaml", "--yes")


def states(migrate: Migrate) -> list[str]:
    body = json.loads(migrate("status", "p.yaml", "--json").out)
    return [move["state"] for wave in body["waves"] for move in wave["moves"]]


def account(migrate: Migrate) -> str:
    record = json.loads(migrate("routes", "p.yaml", "--json").out)["document"]["routes"]["north-america/web-tracking"]
    return f"{record['account']} {record['mode']}"


@pytest.mark.parametrize("failing", ["rollback"], indirect=True)
def test_a_failed_gate_takes_its_wave_back_and_stops_the_later_ones(
    failing: Done, migrate: Migrate, here: Path
) -> None:
    assert failing.code == 4
    assert "gate busy" in failing.out
    assert "web-tracking is back at core" in failing.out
    assert states(migrate) == ["reversed", "pending"]
    assert account(migrate) == "core read-write"
    again = migrate("apply", "p.yaml", "--yes")  # nobody decided yet: nothing begins again by itself
    assert (again.code, states(migrate)) == (4, ["reversed", "pending"])
    assert "migrate retry" in again.out + again.err
    (here / "p.yaml").write_text(plan("rollback", no_data="pass, min_samples: 0"))
    assert migrate("retry", "p.yaml", "--reason", "silence is fine here").code == 0
    assert migrate("apply", "p.yaml", "--yes").code == 0
    assert states(migrate) == ["soaked", "soaked"]


@pytest.mark.parametrize("failing", ["halt"], indirect=True)
def test_a_failed_gate_halts_where_the_plan_says_so(failing: Done, migrate: Migrate, here: Path) -> None:
    assert failing.code == 4
    assert states(migrate) == ["halted", "pending"]
    assert account(migrate) == "web read-write"
    assert migrate("apply", "p.yaml", "--yes").code == 4
    (here / "p.yaml").write_text(plan("halt", no_data="pass, min_samples: 0"))
    assert migrate("retry", "p.yaml", "--reason", "silence is fine here").code == 0
    assert migrate("apply", "p.yaml", "--yes").code == 0
    assert states(migrate) == ["soaked", "soaked"]
