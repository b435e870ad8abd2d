"""The plan's load on each new account is held against the account's limit, with figures an operator can check."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from migrator.forecast import AccountLoad, capacity_findings, loads
from migrator.forecast.capacity import accounts_needed
from migrator.forecast.measured import MeasuredTraffic, Peak, newest, shared, with_traffic
from migrator.model.findings import Finding
from migrator.model.names import Area, MoveId, Selector
from migrator.model.schedule import PlannedMove, Schedule
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


AT = datetime(2026, 12, 1, 16, tzinfo=UTC)


def left_to_the_meter() -> Schedule:
    plan = schedule({"web": ("web", None), "email": ("email", None)}, limit=2_400_000)
    waves = tuple(
        replace(wave, moves=tuple(replace(move, is_measured=True) for move in wave.moves)) for wave in plan.waves
    )
    return replace(plan, waves=waves)


def test_what_was_measured_counts_like_a_figure_of_the_plans() -> None:
    plan, web = left_to_the_meter(), MoveId("eu", "web")
    found = {web: MeasuredTraffic("core", AT, 168, Peak(11_000_000.0, AT, 60))}
    told = with_traffic(plan, found)
    assert {load.account: load.load_per_minute for load in loads(told)} == {"web": 11_000_000.0, "email": 0.0}
    assert [(one.severity, one.code, one.subject) for one in capacity_findings(told, found)] == [
        ("info", "traffic-unmeasured", "email"),
        ("error", "account-overloaded", "web"),
    ]
    written = replace(plan.move(web), is_measured=False, traffic_per_minute=5.0)
    waves = tuple(replace(wave, moves=(written,)) for wave in plan.waves[:1])
    assert (
        with_traffic(replace(plan, waves=waves), found).move(web).traffic_per_minute == 5.0
    )  # the plan's own word stands


def test_what_cannot_be_measured_is_said_and_an_earlier_figure_stays_with_its_date() -> None:
    plan, web, email = left_to_the_meter(), MoveId("eu", "web"), MoveId("eu", "email")
    before = {web: MeasuredTraffic("core", AT, 168, Peak(100.0, AT, 60))}
    failed = {one: MeasuredTraffic("core", AT, 168, why_not=shared("core", 2)) for one in (web, email)}
    now = newest(before, failed)
    assert [(one.severity, one.text) for one in capacity_findings(with_traffic(plan, now), now)] == [
        (
            "warning",
            "the traffic of eu/email cannot be measured: 2 areas share core, and its meter knows no containers",
        ),
        (
            "warning",
            "the traffic of eu/web cannot be measured: 2 areas share core, and its meter knows no containers; the figure is"
            " of 2026-12-01 16:00 UTC",
        ),
    ]
    assert with_traffic(plan, now).move(web).traffic_per_minute == 100.0
    assert newest(now, before) == {**now, **before}
