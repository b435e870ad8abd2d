"""What a credential without some right meets: it goes on where it can, and is told role, scope and account where it cannot."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from migrator.adapters.azure import roles
from migrator.adapters.azure.object_store import AzureStore
from migrator.adapters.clock import SystemClock
from migrator.engine.checks import canary, sorts
from migrator.engine.checks.case import Case
from migrator.engine.checks.check import look
from migrator.engine.checks.moments import Asks, When
from migrator.errors import AccessRefused, Unsupported
from migrator.model.objects import CREATE, ContainerInfo
from migrator.model.schedule import Account
from migrator.model.values import replace
from migrator.testing.strict import COPY_REFUSALS, Faults, Grant, Nature
from tests.contract.object_store_suite import PLAIN, names
from tests.strict_service import Strict

TAGGED = replace(PLAIN, tags={"a": "1", "b": "2"})
ROOT = Path(__file__).parents[2]


def may(*granted: str) -> Nature:
    return Nature(grants=tuple(Grant(role) for role in granted))  # type: ignore[arg-type]


async def filled(strict: Strict, own: str, *, tagged: int = 0, plain: int = 3) -> None:
    store = strict.behind(own)
    await store.create_container(ContainerInfo("box"))
    for number in range(plain):
        await store.put("box", f"plain{number}", b"body", PLAIN, condition=CREATE)
    for number in range(tagged):
        await store.put("box", f"tagged{number}", b"body", TAGGED, condition=CREATE)


@pytest.mark.parametrize("role", ["Reader", "Contributor"])
async def test_without_the_right_to_read_tags_objects_that_have_none_are_listed(
    secure_strict: Strict, role: str
) -> None:
    own = secure_strict.take(may(role))
    await filled(secure_strict, own)
    store = secure_strict.sign_in(own)
    for _ in range(3):
        assert await names(store, "box") == ["plain0", "plain1", "plain2"]
    asked = [one.status for one in secure_strict.service.requests(account=own) if one.operation == "List Blobs"]
    assert asked.count(403) == 1, "it is asked once"
    assert (await store.survey("box")).features.tagged == 0


async def test_objects_with_tags_that_it_may_not_read_are_counted_and_never_listed_without_them(
    secure_strict: Strict,
) -> None:
    own = secure_strict.take(may("Contributor"))
    await filled(secure_strict, own, tagged=2)
    store = secure_strict.sign_in(own)
    with pytest.raises(AccessRefused) as caught:
        await names(store, "box")
    assert "2 of its blobs have tags" in caught.value.message
    assert "Storage Blob Data Owner" in caught.value.hint
    assert "containers/blobs/tags/read" in caught.value.hint
    assert (await store.survey("box")).features.tagged == 2


async def test_whoever_may_read_tags_reads_them_and_counts_none(secure_strict: Strict) -> None:
    own = secure_strict.take(may("Owner"))
    await filled(secure_strict, own, tagged=2)
    store = secure_strict.sign_in(own)
    page = await store.page("box")
    assert [dict(one.tags) for one in page.entries if one.name.startswith("tagged")] == [{"a": "1", "b": "2"}] * 2
    assert (await store.survey("box")).features.tagged == 0


async def test_metadata_that_is_called_like_the_count_of_tags_is_no_tag(secure_strict: Strict) -> None:
    own = secure_strict.take(may("Reader"))
    await filled(secure_strict, own)
    shape = replace(PLAIN, metadata={"TagCount": "7"})
    await secure_strict.behind(own).put("box", "odd", b"body", shape, condition=CREATE)
    assert "odd" in await names(secure_strict.sign_in(own), "box")


async def test_whoever_may_not_list_at_all_is_told_what_listing_needs(secure_strict: Strict) -> None:
    own = secure_strict.take(may("Delegator"))
    await filled(secure_strict, own)
    with pytest.raises(AccessRefused) as caught:
        await names(secure_strict.sign_in(own), "box")
    assert "Storage Blob Data Reader" in caught.value.hint


BOX = "container box"
DOINGS: dict[str, tuple[Callable[[AzureStore], Awaitable[Any]], str, str]] = {
    "list": (lambda store: store.page("box"), roles.READER, BOX),
    "read": (lambda store: store.whole("box", "plain0", most_bytes=100), roles.READER, BOX),
    "look": (lambda store: store.head("box", "plain0"), roles.READER, BOX),
    "look at a container": (lambda store: store.container("box"), roles.READER, BOX),
    "list containers": (lambda store: store.containers(), roles.READER, "account"),
    "sign": (lambda store: store.source_url("box", "plain0"), roles.DELEGATOR, "account"),
    "make": (lambda store: store.create_container(ContainerInfo("new")), roles.CONTRIBUTOR, "container new"),
    "write": (lambda store: store.put("box", "new", b"", PLAIN, condition=CREATE), roles.CONTRIBUTOR, BOX),
    "write with tags": (lambda store: store.put("box", "new", b"", TAGGED, condition=CREATE), roles.OWNER, BOX),
    "set tags": (lambda store: store.set_tags("box", "plain0", {"a": "b"}), roles.OWNER, BOX),
    "delete": (lambda store: store.delete("box", "plain0", if_match="0x1"), roles.CONTRIBUTOR, BOX),
}
"""What to do, with the least built-in role for it, and where that is needed."""


@pytest.mark.parametrize("what", DOINGS)
async def test_each_refusal_names_role_scope_and_account(secure_strict: Strict, what: str) -> None:
    own = secure_strict.take(may("Owner"))
    await filled(secure_strict, own)
    secure_strict.service.set_nature(own, Nature(grants=()) if what == "sign" else may("Delegator"))
    store = secure_strict.sign_in(own)
    request, role, scope = DOINGS[what]
    with pytest.raises(
        (AccessRefused, Unsupported)
    ) as caught:  # without a signature a copy goes through this machine instead
        await request(store)
    said = str(caught.value)
    assert role in said
    assert f"{scope} {'' if scope == 'account' else 'of account '}{own}" in said.replace("on account", "account")
    assert "docs/rights.md" in said


def test_every_request_has_a_row() -> None:
    """But those on access policies, which need the account's key."""
    said: set[str] = set()
    for room in (ROOT / "migrator/adapters/azure").glob("*.py"):
        text = room.read_text()
        said |= set(re.findall(r'\.send\(\s*"[A-Z]+",\s*"([a-z -]+)"', text))
        said |= set(re.findall(r'\._(?:write|add|from_origin|_copied)\(\s*"([a-z ]+)"', text))
        said |= set(re.findall(r'doing = "([a-z -]+)"', text))
        said |= set(re.findall(r'\.open\("([a-z ]+)"', text))
    assert len(said) > 15
    assert {one for one in said if roles.right_for(one, is_container=False) is None} <= {
        "read the access policies of",
        "set the access policies of",
        "write under a policy to",
    }


def test_the_page_names_every_action_and_role() -> None:
    page = (ROOT / "docs/rights.md").read_text()
    for right in roles.RIGHTS.values():
        assert f"`{right.action}`" in page
        assert right.role in page


async def found(**stores: AzureStore) -> dict[str, Any]:
    moves: Any = [SimpleNamespace(id="here/area", source="src", target="dst")]
    schedule: Any = SimpleNamespace(accounts={name: Account(name, "azure") for name in ("src", "dst")})
    world: Any = SimpleNamespace(stores=stores, unopened={}, clock=SystemClock())
    ask = frozenset({Asks.ACCOUNTS})
    case = Case(schedule=schedule, when=When.PLAN, moves=moves, may_ask=ask, world=world)
    return {one.code: one for one in await look(sorts.CHECKS, case)}


async def test_plan_says_whose_tags_are_not_seen(secure_strict: Strict) -> None:
    own = secure_strict.take(may("Contributor"))
    await filled(secure_strict, own)
    seen = await found(src=secure_strict.sign_in(own), dst=secure_strict.behind(own))
    assert (seen["tags-unseen"].severity, seen["tags-unseen"].subject) == ("warning", "src")
    assert "tags-unseen" not in await found(src=secure_strict.behind(own), dst=secure_strict.behind(own))


async def test_an_account_that_knows_no_tags_is_listed_without_them(strict: Strict, monkeypatch: Any) -> None:
    own = strict.take(Nature(kind="BlobStorage"))
    await filled(strict, own)
    store = strict.open(own)
    right = store._listing

    async def listing(container: str, prefix: str, marker: str, include: str, *rest: Any) -> Any:
        if "tags" in include:
            raise AccessRefused("cannot list: no tags here", code="BlobTagsNotSupportedForAccountType")
        return await right(container, prefix, marker, include, *rest)

    monkeypatch.setattr(store, "_listing", listing)
    assert len(await names(store, "box")) == 3


@pytest.mark.parametrize("lends", [True, False])
async def test_a_canary_needs_no_more_than_reading_the_source(secure_strict: Strict, lends: bool) -> None:
    source, target = secure_strict.take(may("Reader")), secure_strict.take(may("Contributor"))
    await filled(secure_strict, source)
    await secure_strict.behind(target).create_container(ContainerInfo("box"))
    here, there = secure_strict.sign_in(source), secure_strict.sign_in(target)
    if not lends:
        secure_strict.service.set_faults(source, Faults(copies=(COPY_REFUSALS["firewall"],)))
    way = await canary.send_read_only(SystemClock(), ".migrate/probe/x/", "box", here, there)
    assert way.words.startswith("by the service" if lends else "streamed through this machine")
    assert await names(secure_strict.behind(target), "box") == []
    writes = [
        one for one in secure_strict.service.requests(account=source) if one.operation in ("Put Blob", "Delete Blob")
    ]
    assert [one for one in writes if one.who != "key"] == []
