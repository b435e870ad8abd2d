"""``migrate traffic``: the meters' figures as lines for the plan, and what cannot be split."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time

import pytest

from migrator.adapters.local import LocalStore
from migrator.model.objects import CREATE, BlobType, ContainerInfo, ContentHeaders, Shape
from migrator.plan import loads
from migrator.testing.estate import Estate, Subscription, every_minute, running
from tests.cli.conftest import PLAN, Migrate

PLAIN = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)
ROUTING, WAVES = PLAN[PLAN.index("routing:") :].split("waves:")


@pytest.fixture
def estate() -> Iterator[Estate]:
    with running(Estate([Subscription("s1", "tenant")])) as served:
        yield served


def account(name: str, more: str = "location: eastus2") -> str:
    endpoint = f"https://{name}.blob.core.windows.net"
    return f"  {name}: {{endpoint: '{endpoint}', subscription: s1, resource_group: rg, {more}}}\n"


def plan(estate: Estate, accounts: str) -> str:
    """One account of one area, one that two share."""
    return (
        "version: 1\nname: tiny\naccounts:\n"
        + accounts
        + account("euweb")
        + account("naweb")
        + account("namail")
        + "areas:\n  web: {containers: [web]}\n  mail: {containers: [mail]}\n"
        + "regions:\n  na: {source: nacore, targets: {web: naweb, mail: namail}}\n  eu: {source: eucore, targets: {web: euweb}}\n"
        + ROUTING
        + f"cloud: {{metrics: '{estate.public}'}}\n"
        + "waves:\n  - {name: all, moves: [{region: na, areas: '*'}, {region: eu, areas: [web]}], soak: 1s, gates: []}\n"
    )


def tell(estate: Estate, name: str, per_minute: float, hours: int = 2) -> None:
    id = f"/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/{name}"
    begin = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=hours)
    estate.monitor.minutes[id] = every_minute(begin, 60, responses={"Success": per_minute})


def test_one_areas_account_is_measured_and_a_shared_one_is_not_split(
    estate: Estate, migrate: Migrate, here: Path
) -> None:
    (here / "p.yaml").write_text(plan(estate, account("nacore") + account("eucore")))
    tell(estate, "nacore", 38_000_000)
    tell(estate, "eucore", 2_140_000)
    done = migrate("traffic", "p.yaml")
    assert done.code == 0, done.err
    assert "  regions:\n    eu:\n      traffic: {web: 2.1M}\n" in done.out
    assert "Cannot split nacore: 2 areas share it" in done.out
    assert "38 M" in done.out
    lines = [line for line in done.out.splitlines() if "traffic: {" in line]
    assert len(lines) == 1
    told = json.loads(migrate("traffic", "p.yaml", "--json").out)
    assert [(one["account"], one["requests_per_minute"], one["splits"]) for one in told["accounts"]] == [
        ("eucore", 2_140_000.0, True),
        ("nacore", 38_000_000.0, False),
    ]


def test_what_it_prints_is_a_part_of_a_plan(estate: Estate, migrate: Migrate, here: Path) -> None:
    text = plan(estate, account("nacore") + account("eucore"))
    (here / "p.yaml").write_text(text)
    tell(estate, "eucore", 2_140_000)
    printed = migrate("traffic", "p.yaml").out
    line = next(line.strip() for line in printed.splitlines() if "traffic: {" in line)
    measured = text.replace("eu: {source: eucore,", f"eu: {{source: eucore, {line},")
    moves = {str(move.id): move.traffic_per_minute for move in loads(measured, "p.yaml").schedule.moves}
    assert moves["eu/web"] == 2_100_000


def test_what_has_no_figure_says_why(estate: Estate, migrate: Migrate, here: Path) -> None:
    without = account("eucore", more="requests_per_minute: 1M")
    (here / "p.yaml").write_text(plan(estate, account("nacore") + without))
    tell(estate, "nacore", 100.0, hours=30)
    done = migrate("traffic", "p.yaml")
    assert done.code == 1
    assert "the plan does not say its location" in done.out
    assert "it had no request in the last 24 h" in done.out
    assert "next: `migrate traffic p.yaml --hours 168` looks at a week." in done.out
    longer = migrate("traffic", "p.yaml", "--hours", "48")
    assert longer.code == 0
    assert "next: write what the applications' own figures say as `traffic` of the region" in longer.out


ALONE = PLAN[: PLAN.index("  - name: second")]
for before, after in (
    ("web-tracking: web, email-events: mail}", "web-tracking: web}\n    traffic: measured"),
    ("  email-events: {containers: [{name: events, prefix: email/}]}\n", ""),
):
    ALONE = ALONE.replace(before, after)


def ask_an_hour_ago(here: Path, number: int) -> None:
    """Customers' requests to the source, whose counters keep them."""

    async def work() -> None:
        store = LocalStore("core", here / "state/core.db", now=lambda: time() - 3600.0)
        await store.create_container(ContainerInfo("web-1"))
        for name in range(number):
            await store.put("web-1", f"n{name}", b"x", PLAIN, condition=CREATE)
        await store.close()

    (here / "state").mkdir(exist_ok=True)
    asyncio.run(work())


def test_a_plan_may_leave_traffic_to_the_meter(migrate: Migrate, here: Path) -> None:
    (here / "p.yaml").write_text(ALONE)
    valid = migrate("validate", "p.yaml")
    assert (
        "the traffic of north-america/web-tracking is to be measured, and nobody has asked its meter yet" in valid.out
    )
    ask_an_hour_ago(here, 59)
    planned = migrate("plan", "p.yaml")
    assert planned.code == 0, planned.out
    # 59 puts and a container in an hour
    assert re.search(r"north-america/web-tracking +1 +20\S+ \S+ UTC +core +20", planned.out)
    told = json.loads(migrate("plan", "p.yaml", "--json").out)
    assert [(one["account"], one["requests_per_minute"], one["hours"]) for one in told["traffic"]] == [
        ("core", 1.0, 168)
    ]
    assert told["loads"][0]["load_per_minute"] == 1.0
    assert migrate("apply", "p.yaml", "--yes").code == 0
    kept = migrate("plan", "p.yaml", "--json", "--inventory", "cached")  # asks no meter: the state store knows
    cached = json.loads(kept.out)
    assert "traffic" in cached, cached
    assert [(one["account"], one["requests_per_minute"]) for one in cached["traffic"]] == [("core", 1.0)]


def test_what_several_areas_share_is_not_split_by_a_plan_either(migrate: Migrate, here: Path) -> None:
    (here / "p.yaml").write_text(PLAN.replace("email-events: mail}", "email-events: mail}\n    traffic: measured"))
    ask_an_hour_ago(here, 5)
    planned = json.loads(migrate("plan", "p.yaml", "--json").out)
    found = [one for one in planned["findings"] if one["code"] == "traffic-unmeasured"]
    assert [one["severity"] for one in found] == ["warning", "warning"]
    assert "2 areas share core, and its meter knows no containers" in found[0]["text"]
    assert {one["requests_per_minute"] for one in planned["traffic"]} == {None}
