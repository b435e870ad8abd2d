"""A draft proposes what can be read off an estate, and says of everything else that a person must decide it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from migrator.errors import UsageError
from migrator.model.discovered import FoundAccount, FoundTraffic, Holding, Quiet
from migrator.model.values import replace
from migrator.plan import loads
from migrator.plan.draft import draft

BEGIN = datetime(2026, 12, 1, 14, tzinfo=UTC)


def found(name: str, *containers: str, busy: float | None = None, **more: str) -> FoundAccount:
    given = {"location": "East US 2", "sku": "Standard_LRS", "kind": "StorageV2", **more}
    endpoint = f"https://{name}.blob.core.windows.net"
    traffic = FoundTraffic(busy, BEGIN, busy / 2, 168) if busy is not None else None
    return FoundAccount(name, "sub-1", "data", endpoint=endpoint, containers=containers, traffic=traffic, **given)


def test_families_of_containers_become_areas_and_the_quietest_account_goes_first() -> None:
    loud = found("core", "web-eu", "web-us", "events", busy=900_000.0)
    quiet = found("calm", "web-1", "pictures", busy=1_000.0, location="westeurope")
    text = draft([loud, quiet, found("spare")], name="split", cloud={})
    schedule = loads(text, "plan.yaml").schedule
    assert {name: [one.container for one in area.selectors] for name, area in schedule.areas.items()} == {
        "events": ["events"],
        "pictures": ["pictures"],
        "web": ["web-*"],
    }
    assert [wave.name for wave in schedule.waves] == ["first", "westeurope-rest", "eastus2"]
    assert [str(move.id) for move in schedule.waves[0].moves] == ["westeurope/pictures"]
    assert "events: 450000, web: 450000" in text
    assert (
        "# requests a minute, the mean of an hour, in the last 7 days: 900 k in the busiest (Tue 2026-12-01 14:00 UTC),"
        " 450 k in the median one" in text
    )
    assert schedule.accounts["coreweb"].provision["sku"] == "Standard_LRS"
    assert "account: spare" in text  # nothing of it is moved, so routes may be kept there


def test_cut_overs_are_proposed_for_an_accounts_quiet_hours() -> None:
    def quiet(name: str, begin: int, share: float) -> FoundAccount:
        one = found(name, "web-1", "events", busy=begin + 1.0)
        return replace(one, traffic=replace(one.traffic, quiet=Quiet(begin, 4, share)), location=f"{name}land")

    text = draft([quiet("night", 22, 0.124), quiet("eve", 20, 0.5), quiet("even", 3, 0.97)], name="split", cloud={})
    windows = {wave.name: wave.change_windows for wave in loads(text, "p").schedule.waves}
    assert [(one.begin_minute, one.end_minute) for one in windows["nightland"]] == [(22 * 60, 2 * 60)]
    assert [(one.begin_minute, one.end_minute) for one in windows["eveland"]] == [(20 * 60, 24 * 60)]
    assert windows["evenland-rest"] == ()
    assert "DECIDE: when night is quietest, 12% of its mean" in text
    assert "even is as busy at any hour" in text


def test_what_accounts_and_areas_hold_is_said_as_far_as_it_is_known() -> None:
    held = Holding(1_200_000, 3 * 2**40, BEGIN)
    metered = replace(found("core", "web-1", "web-2", "events"), holds=held)
    text = draft([metered], name="split", cloud={})
    assert "3 containers, 1,200,000 blobs, 3 TiB (2026-12-01 14:00 UTC)" in text
    assert "DECIDE inventory: its meter knows no areas" in text
    assert all(move.declared is None for move in loads(text, "p").schedule.moves)
    counts = {name: Holding(number, 10 * number, BEGIN) for name, number in (("web-1", 5), ("web-2", 7), ("events", 0))}
    counted = loads(draft([replace(metered, counted=counts)], name="split", cloud={}), "p").schedule
    known = {move.id.area: (move.declared.objects, move.declared.bytes) for move in counted.moves}
    assert known == {"web": (12, 120.0), "events": (0, 0.0)}
    alone = draft([replace(found("single", "web-9"), holds=held)], name="split", cloud={})
    (move,) = loads(alone, "p").schedule.moves
    assert (move.declared.objects, move.declared.bytes) == (1_200_000, 3 * 2**40)  # all of it is one area's


def test_an_account_of_which_nothing_is_known_is_not_taken_to_be_quiet() -> None:
    known, idle = found("known", "web-1", "events", busy=5.0), found("idle", "web-1", "events", busy=0.0)
    text = draft([found("dark", "web-1", "events"), known, idle], name="split", cloud={})
    order = [wave.moves[0].source for wave in loads(text, "p").schedule.waves]
    assert list(dict.fromkeys(order)) == ["idle", "known", "dark"]
    assert "nobody asked idle for anything in the last 7 days: is it used at all?" in text
    assert "# no request in the last 7 days" in text


def test_who_read_the_estate_is_who_the_plan_signs_in_as() -> None:
    text = draft([found("core", "web", "events")], name="split", cloud={}, credential="managed-identity:1")
    schedule = loads(text, "p").schedule
    assert {account.credential for account in schedule.accounts.values()} == {"managed-identity:1"}
    assert schedule.metrics["azure"].options["credential"] == "managed-identity:1"


def test_an_account_of_one_area_is_left_as_it_is() -> None:
    text = draft([found("core", "web-1", "events"), found("single", "web-9")], name="split", cloud={})
    assert {move.source for move in loads(text, "p").schedule.moves} == {"core"}
    alone = draft(
        [found("single", "web-9")], name="split", cloud={}
    )  # where it is all there is, somebody may want to move it
    assert {move.source for move in loads(alone, "p").schedule.moves} == {"single"}


def test_new_names_are_names_of_accounts_that_nobody_has() -> None:
    long = "a" * 24
    text = draft([found(long, "web", "events"), found("a" * 21 + "web", "x-1")], name="split", cloud={})
    names = set(loads(text, "p").schedule.accounts)
    assert all(3 <= len(name) <= 24 and name.isalnum() for name in names)
    assert "a" * 20 + "web2" in names


@pytest.mark.parametrize("name", ["1st", "null", "yes", "2026-10"])
def test_containers_of_odd_names_are_quoted(name: str) -> None:
    text = draft([found("core", name, "events")], name="split", cloud={})
    schedule = loads(text, "p").schedule
    assert any(area.takes(name, "x") for area in schedule.areas.values())


def test_accounts_and_groups_of_odd_names_are_texts() -> None:
    odd = FoundAccount(
        "12345", "7", "007 (old)", "westus", "Standard_LRS", "StorageV2", "https://12345.blob.core.windows.net"
    )
    text = draft(
        [replace(odd, containers=("web", "yes")), replace(found("off"), subscription="8")], name="split", cloud={}
    )
    schedule = loads(text, "p").schedule
    assert schedule.accounts["12345"].resource_group == "007 (old)"
    assert (schedule.accounts["12345"].subscription, schedule.routing.account) == ("7", "off")


def test_what_could_not_be_read_is_said_and_nothing_is_drafted_of_nothing() -> None:
    refused = FoundAccount(
        "closed", "s", "g", "eastus2", "Standard_LRS", "StorageV2", "https://x", unread="no right\nto do that"
    )
    text = draft([found("core", "web", "events"), refused], name="split", cloud={})
    assert "# The containers of closed could not be listed: no right to do that" in text
    with pytest.raises(UsageError, match="none of the 1 accounts"):
        draft([refused], name="split", cloud={})
    with pytest.raises(UsageError):
        draft([found("core", "$logs", "azure-webjobs-hosts")], name="split", cloud={})
