"""A drafted plan validates, runs, and never takes the place of one that is there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migrator.adapters.local import LocalStore
from migrator.errors import AccessRefused
from migrator.model.objects import CREATE, BlobType, ContainerInfo, ContentHeaders, Shape
from migrator.model.schedule import Account
from migrator.plan import load
from migrator.testing.estate import Estate, Minute, Subscription, running
from tests.cli.conftest import Migrate


def test_a_first_try_validates_and_runs_as_its_comments_say(migrate: Migrate, here: Path) -> None:
    done = migrate("init", "--local", "--out", "try.yaml")
    assert (done.code, done.err) == (0, "")
    assert "migrate sample try.yaml" in done.out
    text = (here / "try.yaml").read_text()
    assert "PLAN" not in text
    assert not load(here / "try.yaml").warnings
    for line in ("migrate validate try.yaml", "migrate plan try.yaml"):
        assert line in text
        assert migrate(*line.split()[1:]).code in (0, 1)  # the accounts are not there before they are filled
    assert migrate("sample", "try.yaml", "--objects", "5").code == 0
    planned = migrate("plan", "try.yaml")
    assert planned.code == 0
    assert "Nothing stands in the way." in planned.out


def test_a_draft_can_be_printed(migrate: Migrate, here: Path) -> None:
    done = migrate("init", "--local", "--out", "-")
    assert done.code == 0
    assert done.out.startswith("# A first try")
    assert list(here.iterdir()) == [here / "p.yaml"]


def test_nothing_is_overwritten(migrate: Migrate, here: Path) -> None:
    before = (here / "p.yaml").read_text()
    done = migrate("init", "--local", "--out", "p.yaml")
    assert (done.code, done.out) == (64, "")
    assert "cannot write p.yaml: it is there already" in done.err
    assert (here / "p.yaml").read_text() == before


def test_a_first_try_asks_no_cloud(migrate: Migrate) -> None:
    done = migrate("init", "--local", "--subscription", "one")
    assert (done.code, "--local asks no cloud" in done.err) == (64, True)


PLAIN = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)
PLACES = ("eastus2", "westeurope", "eastasia", "westus", "northeurope")


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    """40 accounts in five subscriptions, eight in each."""
    subscriptions = [Subscription(f"sub-{number}", "tenant", groups={"data": "eastus2"}) for number in range(5)]
    made = Estate(subscriptions)
    for number in range(40):
        place = PLACES[number % 5]
        account = made.add(f"acct{number:02d}", f"sub-{number // 8}", "data", place)
        names = ["web-1", "web-2", "events", "images", "$logs"][: 1 + number % 5] if number else []
        for name in names:
            account.parts[f"blobServices/default/containers/{name}"] = {"properties": {}}
    with running(made) as served:
        yield served


def test_an_estate_is_drafted_into_a_plan_that_validates(migrate: Migrate, here: Path, estate: Estate) -> None:
    cloud = ("--cloud", f"resource_manager={estate.public}", "--cloud", f"metrics={estate.public}")
    done = migrate("init", "--out", "drafted.yaml", *cloud)
    assert done.code == 0, done.err
    assert re.search(
        r"Wrote drafted.yaml: \d+ moves in \d+ waves, from 40 accounts; \d+ lines say DECIDE\.\n", done.out
    )
    assert "settle them in an editor first" in done.out
    text, loaded = (here / "drafted.yaml").read_text(), load(here / "drafted.yaml")
    schedule = loaded.schedule
    assert set(schedule.areas) == {"web", "events", "images"}
    assert len(schedule.moves) == len({move.id for move in schedule.moves}) > 40
    assert all(schedule.accounts[move.target].provision for move in schedule.moves)
    assert len({account.endpoint for account in schedule.accounts.values()}) == len(schedule.accounts)
    assert {account.subscription for account in schedule.accounts.values()} == {f"sub-{number}" for number in range(5)}
    assert text.count("DECIDE") > 10
    assert "$logs" not in text
    valid = migrate("validate", "drafted.yaml")
    assert valid.code == 0, valid.out
    assert "storage-split is valid" in valid.out


def test_traffic_sizes_and_quiet_hours_are_read_off_the_meter(migrate: Migrate, here: Path, estate: Estate) -> None:
    id = "/subscriptions/sub-0/resourceGroups/data/providers/Microsoft.Storage/storageAccounts/acct04"
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for hour in range(1, 120):
        at = now - timedelta(hours=hour)
        quiet = at.hour in (2, 3, 4, 5)
        estate.monitor.minutes.setdefault(id, {})[at] = Minute({"Success": 600 if quiet else 60_000})
    estate.monitor.held["acct04"] = {("BlockBlob", "Hot"): (1_200_000, 3 * 2**40), ("BlockBlob", "Cool"): (5, 2**40)}
    cloud = ("--cloud", f"resource_manager={estate.public}", "--cloud", f"metrics={estate.public}")
    before = len(estate.monitor.asked)
    done = migrate("init", "--subscription", "sub-0", *cloud)
    assert (done.code, done.err) == (0, "")
    text, schedule = (here / "plan.yaml").read_text(), load(here / "plan.yaml").schedule
    assert "acct04:  # StorageV2, Standard_LRS, 5 containers, 1,200,005 blobs, 4 TiB (" in text
    assert "in the last 7 days: 1 k in the busiest (" in text
    assert "DECIDE: when acct04 is quietest" in text
    windows = [wave.change_windows for wave in schedule.waves if any(move.source == "acct04" for move in wave.moves)]
    assert {(one.begin_minute, one.end_minute) for found in windows for one in found} == {(120, 360)}
    # questions about accounts of one region go out together
    assert len(estate.monitor.asked) - before <= 2 * len(PLACES)
    estate.monitor.error_codes[f"{id}/blobServices/default"] = "InternalError"
    again = migrate("init", "--subscription", "sub-0", "--out", "less.yaml", *cloud)
    estate.monitor.error_codes.clear()
    assert "traffic and sizes are not known of every account: cannot read metrics of" in again.err
    less = (here / "less.yaml").read_text()
    assert "in the last 7 days: 1 k in the busiest (" in less  # the one is not lost with the other
    assert "blobs, " not in less


def test_containers_are_counted_where_that_is_wanted(
    migrate: Migrate, here: Path, estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fill() -> None:
        store = LocalStore("acct04", here / "four.db", create=True)
        for container, number in (("web-1", 3), ("web-2", 2), ("events", 0), ("images", 1)):
            await store.create_container(ContainerInfo(container))
            for one in range(number):
                await store.put(container, f"n{one}", b"12345", PLAIN, condition=CREATE)
        await store.close()

    asyncio.run(fill())

    def opened(account: Account, **options: object) -> LocalStore:
        if account.name != "acct04":
            raise AccessRefused(f"cannot list {account.name}: no")
        return LocalStore("acct04", here / "four.db", create=False)

    monkeypatch.setattr("migrator.adapters.azure.open_store", opened)
    cloud = ("--cloud", f"resource_manager={estate.public}", "--cloud", f"metrics={estate.public}")
    done = migrate("init", "--subscription", "sub-0", "--count", *cloud)
    assert done.code == 0, done.err
    assert "not every account could be counted: cannot list acct0" in done.err
    moves = [move for move in load(here / "plan.yaml").schedule.moves if move.source == "acct04"]
    known = {move.id.area: (move.declared.objects, move.declared.bytes) for move in moves if move.declared}
    assert known == {"web": (5, 25.0), "events": (0, 0.0), "images": (1, 5.0)}


def test_a_draft_is_of_the_subscriptions_and_areas_that_were_named(
    migrate: Migrate, here: Path, estate: Estate
) -> None:
    cloud = ("--cloud", f"resource_manager={estate.public}")
    done = migrate("init", "--subscription", "sub-1", "--subscription", "nobodys", "--area", "web", *cloud)
    assert done.code == 0, done.err
    assert "left out: subscription nobodys" in done.err
    schedule = load(here / "plan.yaml").schedule
    assert set(schedule.areas) == {"web"}
    assert {account.subscription for account in schedule.accounts.values()} == {"sub-1"}
    nothing = migrate("init", "--subscription", "sub-1", "--area", "no-such", "--out", "other.yaml", *cloud)
    assert (nothing.code, "holds a container of an area" in nothing.err) == (64, True)
    assert not (here / "other.yaml").exists()
