"""Which accounts can take part in a move, asked of a service that has them all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from migrator.adapters.azure.object_store import AzureStore
from migrator.adapters.clock import SystemClock
from migrator.engine.checks import sorts
from migrator.engine.checks.case import Case
from migrator.engine.checks.check import look
from migrator.engine.checks.moments import Asks, When
from migrator.errors import AccessRefused, CloudError, Throttled
from migrator.model.findings import Finding
from migrator.model.objects import CREATE, ContainerInfo
from migrator.model.schedule import Account
from migrator.model.values import replace
from migrator.testing.strict import Faults, Grant, Nature
from tests.contract.object_store_suite import PLAIN
from tests.strict_service import Strict

SORTS = {
    "v2": (Nature(), ""),
    "blob": (Nature(kind="BlobStorage"), ""),
    "premium block": (Nature(kind="BlockBlobStorage", sku="Premium_LRS"), ""),
    "data lake": (Nature(is_hierarchical=True), "hierarchical namespace (Data Lake)"),
    "premium page": (Nature(sku="Premium_LRS"), "takes no block blobs"),
    "v1": (Nature(kind="Storage"), "general-purpose v1"),
    "files": (Nature(kind="FileStorage", sku="Premium_LRS"), "file shares"),
}


@pytest.mark.parametrize("sort", SORTS)
async def test_an_account_says_what_it_is(strict: Strict, sort: str) -> None:
    nature, objection = SORTS[sort]
    told = await strict.open(strict.take(nature)).describe()
    assert nature.kind in told.words
    assert nature.sku in told.words
    assert objection in told.objection
    assert bool(told.objection) == bool(objection) == bool(told.remedy)


async def test_azurite_says_what_it_is_too(strict: Strict) -> None:
    told = await strict.behind(strict.take()).describe()
    assert (told.words, told.objection) == ("StorageV2, Standard_RAGRS", "")


def case(when: When, **stores: Any) -> Case:
    moves: Any = [SimpleNamespace(id="here/area", source="src", target="dst")]
    schedule: Any = SimpleNamespace(accounts={name: Account(name, "azure") for name in ("src", "dst")})
    world: Any = SimpleNamespace(stores=stores, unopened={}, clock=SystemClock())
    return Case(schedule=schedule, when=when, moves=moves, may_ask=frozenset({Asks.ACCOUNTS}), world=world)


async def seen(when: When, **stores: AzureStore) -> dict[str, Finding]:
    return {one.code: one for one in await look(sorts.CHECKS, case(when, **stores))}


@pytest.mark.parametrize("when", [When.PLAN, When.PREFLIGHT])
async def test_each_side_is_shown_and_one_that_cannot_take_part_is_refused(strict: Strict, when: When) -> None:
    plain, lake = strict.open(strict.take()), strict.open(strict.take(Nature(is_hierarchical=True)))
    assert (await seen(when, src=plain, dst=plain))["account-sort"].text == "dst, src: StorageV2, Standard_LRS"
    for pair in ({"src": lake, "dst": plain}, {"src": plain, "dst": lake}):
        found = await seen(when, **pair)
        assert found["unfit-account"].severity == "error"
        (account,) = [name for name, store in pair.items() if store is lake]
        assert found["unfit-account"].subject == account
        assert "Data Lake" in found["unfit-account"].text


@pytest.mark.parametrize("when", [When.PLAN, When.PREFLIGHT])
async def test_one_that_does_not_say_it_is_not_refused_for_that(
    strict: Strict, when: When, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = strict.open(strict.take())

    async def describe() -> None:
        raise AccessRefused("cannot ask: no right")

    monkeypatch.setattr(plain, "describe", describe)
    found = await seen(when, src=plain, dst=plain)
    assert {one.severity for one in found.values()} == {"info"}
    assert "look yourself" in found["account-sort-unknown"].remedy


async def test_in_a_run_what_passes_by_itself_is_waited_out(strict: Strict) -> None:
    own = strict.take()
    plain = strict.open(own)
    looked = case(When.PREFLIGHT, src=plain, dst=plain)
    looked.answers.containers |= {"src": (), "dst": ()}
    strict.service.set_faults(own, Faults(busy=1.0))
    with pytest.raises(Throttled):
        await look(sorts.CHECKS, looked)


@pytest.mark.parametrize("role", ["Owner", "Reader"])
async def test_a_data_role_may_not_ask_and_is_told_by_the_first_directory(secure_strict: Strict, role: str) -> None:
    own = secure_strict.take()
    await fill(secure_strict, own)
    secure_strict.service.set_nature(own, Nature(is_hierarchical=True, grants=(Grant(role),)))  # type: ignore[arg-type]
    lake = secure_strict.sign_in(own)
    found = await seen(When.PREFLIGHT, src=lake, dst=lake)
    assert found["unfit-account"].severity == "error"
    assert "Data Lake" in found["unfit-account"].text
    with pytest.raises(CloudError, match="it shows directories") as caught:
        await lake.page("box")
    assert "Data Lake" in caught.value.message


async def test_an_account_without_directories_is_listed_however_its_blobs_are_called(strict: Strict) -> None:
    own = strict.take()
    await fill(strict, own)
    shape = replace(PLAIN, metadata={"ResourceType": "directory"})
    await strict.behind(own).put("box", "directory", b"", shape, condition=CREATE)
    store = strict.open(own)
    for _ in range(2):
        assert len((await store.page("box")).entries) == 2


async def fill(strict: Strict, own: str) -> None:
    store = strict.behind(own)
    await store.create_container(ContainerInfo("box"))
    await store.put("box", "a/b/c", b"body", PLAIN, condition=CREATE)


async def test_directories_are_counted_where_nothing_else_tells_of_them(strict: Strict) -> None:
    """Get Account Information needs a right of its own."""
    lake = strict.open(strict.take(Nature(is_hierarchical=True)))
    await lake.create_container(ContainerInfo("box"))
    await lake.put("box", "a/b/c", b"body", PLAIN, condition=CREATE)
    survey = await lake.survey("box")
    assert (list(survey.sizes), survey.features.directories) == ([4], 2)
