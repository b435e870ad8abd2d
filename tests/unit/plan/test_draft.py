"""A draft proposes what can be read off an estate, and says of everything else that a person must decide it."""

from __future__ import annotations

import pytest

from migrator.errors import UsageError
from migrator.model.discovered import FoundAccount
from migrator.model.values import replace
from migrator.plan import loads
from migrator.plan.draft import draft


def found(name: str, *containers: str, busy: float | None = None, **more: str) -> FoundAccount:
    given = {"location": "East US 2", "sku": "Standard_LRS", "kind": "StorageV2", **more}
    endpoint = f"https://{name}.blob.core.windows.net"
    return FoundAccount(
        name, "sub-1", "data", endpoint=endpoint, containers=containers, requests_per_minute=busy, **given
    )


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
    assert "900 k requests a minute at its busiest" in text
    assert schedule.accounts["coreweb"].provision["sku"] == "Standard_LRS"
    assert "account: spare" in text  # nothing of it is moved, so routes may be kept there


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
