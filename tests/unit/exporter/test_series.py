"""Every series is made of a standing, absent where nobody knows, and readable for Prometheus whatever a name holds."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from migrator.errors import StateError, UsageError
from migrator.exporter.collector import RolloutCollector, read_address, registry_of
from migrator.exporter.page import page
from migrator.exporter.series import SERIES
from migrator.forecast import look_ahead
from migrator.forecast.timeline import StartingPoint
from migrator.machine.waiting import Wait
from migrator.model.moves import Figures, LockRecord, MoveRecord, MoveState, WaveState
from migrator.model.names import MoveId
from migrator.model.pace import AccountPace, Pace
from migrator.model.samples import Sample, Verdict
from migrator.plan import load
from migrator.standing.values import MoveStanding, Standing, WaveStanding

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
WEB = MoveId("na", "web")
NOTHING = Standing("p", None, False, (), (), NOW)


def everything() -> Standing:
    """A rollout in which each series has a value."""
    schedule = load(ROOT / "plans/three-regions.yaml").schedule
    figures = Figures(objects_copied=7, bytes_copied=70, objects_deleted=1, lag_objects=3, fence_seconds=2.5)
    sample = Sample(WEB, "errors", NOW, NOW, NOW, Verdict.PASSED, 0.5, "")
    move = MoveStanding(
        MoveRecord(WEB, schedule.waves[0].name, "core", "web", state=MoveState.SOAKING, figures=figures, epoch=4),
        is_fenced=True,
        fence_seconds=1.5,
        soak_left_seconds=60.0,
        gates=(sample,),
        listed_counts={"straggler": 2},
    )
    waves = tuple(
        WaveStanding(wave.name, WaveState.SOAKING, (Wait("soak"),), (move,) if place == 0 else ())
        for place, wave in enumerate(schedule.waves)
    )
    pace = Pace(NOW, {"core": AccountPace(5.0, 9.0, "budget")}, {"na/web": 3.0})
    lock = LockRecord("ab12", 1, "run", "ann", "box", 77, "boot", NOW, NOW - timedelta(seconds=2), 0.0)
    return Standing("p", lock, True, waves, (), NOW, pace=pace, outlook=look_ahead(schedule, {}, StartingPoint(NOW)))


def scraped(standing: Standing, plan: str = "p") -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Series name -> labels -> value, as Prometheus reads it."""
    text = generate_latest(registry_of(RolloutCollector(plan, "1.0", lambda: standing))).decode()
    return {
        sample.name: {tuple(sorted(one.labels.items())): one.value for one in family.samples if one.name == sample.name}
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_series_has_one_name_in_the_words_of_prometheus() -> None:
    names = [series.name for series in SERIES]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"migrate_[a-z_]+", name) and not name.endswith("_total") for name in names)


@pytest.mark.parametrize("series", SERIES, ids=lambda series: series.name)
def test_every_series_is_shown_where_its_value_is_known(series) -> None:  # type: ignore[no-untyped-def]
    found = scraped(everything())[series.shown_name]
    for labels in found:
        assert {name for name, _ in labels} == {"plan", *series.labels}


def test_what_nobody_knows_is_absent_and_not_zero() -> None:
    found = scraped(NOTHING)
    assert set(found) == {
        "migrate_build_info",
        "migrate_store_readable",
        "migrate_run_at_work",
        "migrate_person_needed",
    }


def test_values_are_those_of_the_standing() -> None:
    found = scraped(everything())
    of_web = (("area", "web"), ("plan", "p"), ("region", "na"))
    assert found["migrate_move_copied_objects_total"][of_web] == 7
    assert found["migrate_move_fence_age_seconds"][of_web] == 1.5
    assert found["migrate_move_writers_wait"][of_web] == 1
    assert found["migrate_move_listed_objects"][(*of_web[:1], ("kind", "straggler"), *of_web[1:])] == 2
    assert found["migrate_account_braked"][(("account", "core"), ("by", "budget"), ("plan", "p"))] == 1
    assert found["migrate_account_braked"][(("account", "core"), ("by", "service"), ("plan", "p"))] == 0


def test_a_name_with_quotes_and_line_ends_stays_one_label() -> None:
    name = 'p"\n\\{}'
    assert list(scraped(NOTHING, name)["migrate_store_readable"]) == [(("plan", name),)]


def test_a_store_that_cannot_be_read_shows_nothing_else() -> None:
    def unreadable() -> Standing:
        raise StateError("cannot read the state store: it is busy")

    text = generate_latest(registry_of(RolloutCollector("p", "1.0", unreadable))).decode()
    shown = {one.name: one.value for family in text_string_to_metric_families(text) for one in family.samples}
    assert shown == {"migrate_build_info": 1.0, "migrate_store_readable": 0.0}


@pytest.mark.parametrize(
    "address", ["9464", ":9464", "localhost", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "h:٣"]
)
def test_an_address_that_is_none_is_one_plain_sentence(address: str) -> None:
    with pytest.raises(UsageError, match=r"^cannot serve metrics at .*: expected HOST:PORT"):
        read_address(address)


def test_addresses_of_both_families_are_read() -> None:
    assert read_address("127.0.0.1:9464") == ("127.0.0.1", 9464)
    assert read_address("[::1]:9464") == ("::1", 9464)


def test_the_page_is_printed_from_the_list() -> None:
    assert (ROOT / "docs/metrics.md").read_text() == page(), "python -m migrator.exporter.page > docs/metrics.md"


def dead_names(text: str) -> set[str]:
    """Series that a dashboard or a page asks for and no scrape shows."""
    known = {series.shown_name for series in SERIES} | {"migrate_store_readable", "migrate_build_info"}
    return set(re.findall(r"migrate_[a-z_]+", text)) - known


def test_the_dashboard_asks_for_series_that_there_are() -> None:
    dashboard = json.loads((ROOT / "docs/grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [one["query"]["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    assert len(asked) == 17
    assert dead_names("\n".join(asked)) == set()


def test_a_series_that_is_gone_is_noticed() -> None:
    assert dead_names('rate(migrate_move_copied_objekts_total{plan="p"}[5m])') == {"migrate_move_copied_objekts_total"}
