"""The plan's load on each new account is held against the account's limit, with figures an operator can check."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.forecast import AccountLoad, capacity_findings, loads
from migrator.forecast.capacity import accounts_needed
from migrator.model.findings import Finding
from migrator.model.names import Area, MoveId, Selector
from migrator.model.schedule import PlannedMove
from tests.unit.forecast.worlds import schedule


def test_loads_are_summed_over_all_areas_of_an_account() -> None:
    plan = schedule(
        {"web": ("new", 1_200_000), "email": ("new", 600_000), "images": ("other", 90_000)}, limit=2_400_000
    )
    new, other = loads(plan)
    assert (new.account, new.load_per_minute, new.limit_per_minute) == ("new", 1_800_000, 2_400_000)
    assert (new.headroom_per_minute, new.used_ratio, new.is_over) == (600_000, 0.75, False)
    assert (other.load_per_minute, len(other.moves)) == (90_000, 1)


def test_an_account_over_its_limit_is_an_error_that_names_both_figures_and_the_remedy() -> None:
    plan = schedule({area: (area, 11_000_000) for area in ("web", "email", "campaign", "images")}, limit=2_400_000)
    findings = capacity_findings(plan)
    assert [finding.severity for finding in findings] == ["error"] * 4
    assert findings[-1] == Finding(
        "error",
        "account-overloaded",
        "web",
        "account web is to take 183,333 requests/s (11 M a minute) of eu/web, over its limit of 40,000 requests/s "
        "(2.4 M a minute)",
        "area web needs 6 accounts of this size in eu: split it by container or prefix into 6 areas, each with an account "
        "of its own",
    )


def test_areas_that_are_too_much_together_get_accounts_of_their_own() -> None:
    plan = schedule({"web": ("new", 2_000_000), "email": ("new", 1_000_000)}, limit=2_400_000)
    (finding,) = capacity_findings(plan)
    assert finding.code == "account-overloaded"
    assert "50,000 requests/s (3 M a minute) of eu/web, eu/email, over" in finding.text
    assert finding.remedy == "give area web an account of its own in eu; give area email an account of its own in eu"


# load a minute, limit a minute -> severities
JUDGED = [
    (0, 2_400_000, []),
    (2_000_000, 2_400_000, []),
    (2_160_000, 2_400_000, []),
    (2_160_001, 2_400_000, ["warning"]),
    (2_400_000, 2_400_000, ["warning"]),
    (2_400_001, 2_400_000, ["error"]),
    (None, 2_400_000, ["info"]),
    (1_000, None, ["info"]),
    (None, None, []),
]


@pytest.mark.parametrize(("load", "limit", "severities"), JUDGED)
def test_each_load_is_judged(load: float | None, limit: float | None, severities: list[str]) -> None:
    found = capacity_findings(schedule({"web": ("new", load)}, limit=limit))
    assert [finding.severity for finding in found] == severities


def test_what_is_not_known_is_said_beside_what_is() -> None:
    plan = schedule({"web": ("new", 5_000_000), "email": ("new", None)}, limit=2_400_000)
    assert [(finding.severity, finding.code) for finding in capacity_findings(plan)] == [
        ("error", "account-overloaded"),
        ("info", "traffic-unknown"),
    ]


@pytest.mark.parametrize(
    ("load", "limit", "number"),
    [(11e6, 2.4e6, 6), (2.04e6, 2.4e6, 1), (2.05e6, 2.4e6, 2), (4.08e6, 2.4e6, 2), (0, 1, 1)],
)
def test_the_remedy_leaves_room_in_every_account(load: float, limit: float, number: int) -> None:
    assert accounts_needed(load, limit) == number
    assert load / number <= limit * 0.85


def test_an_account_without_a_limit_has_no_headroom_figure() -> None:
    load = AccountLoad("new", 5.0, None, (PlannedMove(MoveId("eu", "a"), Area("a", (Selector("a"),)), "s", "new"),))
    assert (load.headroom_per_minute, load.used_ratio, load.is_over) == (None, None, False)
    assert replace(load, limit_per_minute=4.0).is_over


def test_an_account_near_its_limit_or_without_one_is_said_and_refuses_nothing() -> None:
    (near,) = capacity_findings(schedule({"web": ("new", 2_000_000)}, limit=2_100_000))
    assert (near.code, near.severity) == ("account-near-limit", "warning")
    (unknown,) = capacity_findings(schedule({"web": ("new", 2_000_000)}, limit=None))
    assert (unknown.code, unknown.severity) == ("account-limit-unknown", "info")
