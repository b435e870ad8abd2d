"""Whole rollouts between two accounts that behave as real ones do: what they refuse, and what an operator sees of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from migrator.adapters.azure.object_store import AzureStore
from migrator.adapters.clock import SystemClock
from migrator.adapters.routing import FileRouter
from migrator.adapters.workers import InlineExecutor
from migrator.engine.rollout import Rollout, Run, World
from migrator.engine.world import Outcome
from migrator.model.moves import MoveState
from migrator.model.objects import CREATE, Condition, ContainerInfo
from migrator.model.rhythm import USUAL, Rhythm
from migrator.model.schedule import Account, Budget
from migrator.testing.strict import Faults, Grant, Hold, Nature
from tests.contract.object_store_suite import PLAIN
from tests.scenario.world import ID, Silent, Small
from tests.strict_service import Strict

CALM = Faults()
QUICK: Rhythm = replace(USUAL, lease_seconds=0.2, first_pause_seconds=0.2, longest_pause_seconds=1.0)


class Estate:
    """One move from ``src`` to ``dst``, both behind the strict service."""

    def __init__(self, strict: Strict, folder: Path, **natures: Nature) -> None:
        self.strict, self.small = strict, Small(folder)
        self.own = {name: strict.take(natures.get(name)) for name in ("src", "dst")}
        self.is_signed_in = strict.ca_file is not None
        accounts = {
            name: Account(name, "azure", endpoint=strict.served.endpoint(own)) for name, own in self.own.items()
        }
        self.small.schedule = replace(self.small.schedule, accounts=accounts)

    def behind(self, name: str) -> AzureStore:
        return self.strict.behind(self.own[name])

    def nature(self, name: str, nature: Nature | None = None, **changed: Any) -> None:
        self.strict.service.set_nature(self.own[name], nature, **changed)

    def faults(self, name: str, faults: Faults = CALM) -> None:
        self.strict.service.set_faults(self.own[name], faults)

    async def fill(self, count: int) -> None:
        store = self.behind("src")
        await store.create_container(ContainerInfo("web"))
        for number in range(count):
            await store.put("web", f"n{number:03}", f"body {number}".encode(), PLAIN, condition=CREATE)

    async def write(self, name: str, blob: str, body: bytes) -> None:
        store = self.behind(name)
        etag = (await store.head("web", blob)).etag
        await store.put("web", blob, body, PLAIN, condition=Condition(if_match=etag))

    async def contents(self, name: str) -> Mapping[str, bytes]:
        store = self.behind(name)
        listed = (await store.page("web")).entries
        return {one.name: (await store.whole("web", one.name, most_bytes=1000)).body for one in listed}

    async def rollout(self, token_seconds: float = 24 * 3600.0) -> Rollout:
        sign_in = partial(self.strict.sign_in, seconds=token_seconds)
        open_one = sign_in if self.is_signed_in else self.strict.open
        stores: dict[str, Any] = {}
        for name, own in self.own.items():
            stores[name] = open_one(own)
            stores[name].account = name
        clock = SystemClock()
        bounds = {name: await store.late_write_seconds(clock.now()) for name, store in stores.items()}
        router = FileRouter(str(self.small.folder / "routes.json"))
        world = World(stores, router, self.small.state(), {"m": self.small.figure}, clock, Silent(), bounds)
        world.is_dead = lambda lock: True
        world.executor, world.rhythm = InlineExecutor(stores, clock), QUICK
        return Rollout(self.small.schedule, world=world, run=Run(clock.nonce(), "tester", "here", os.getpid(), "boot"))

    async def apply(self) -> Outcome:
        return await (await self.rollout()).apply()

    async def retry(self) -> None:
        await (await self.rollout()).retry(reason="mended", who="tester")

    def state(self) -> MoveState:
        record = self.small.state().move(ID)
        assert record is not None
        return record.state

    def asked(self, name: str) -> list[Any]:
        """Requests of the engine; ours come from behind."""
        return self.strict.service.requests(account=self.own[name])


def may(role: str) -> Nature:
    return Nature(grants=(Grant(role),))  # type: ignore[arg-type]


async def test_the_role_that_everybody_has_is_enough_where_nothing_has_tags(secure_strict: Strict, tmp_path) -> None:
    estate = Estate(secure_strict, tmp_path, src=may("Contributor"), dst=may("Contributor"))
    await estate.fill(40)
    assert (await estate.apply()).code == "done"
    assert await estate.contents("dst") == await estate.contents("src")
    await estate.write("dst", "n007", b"written after the switch")
    assert (await (await estate.rollout()).rollback()).code == "done"
    assert (await estate.contents("src"))["n007"] == b"written after the switch"


async def test_a_reader_of_the_source_is_enough_where_the_plan_says_so(secure_strict: Strict, tmp_path) -> None:
    estate = Estate(secure_strict, tmp_path, src=may("Reader"), dst=may("Contributor"))
    await estate.fill(10)
    outcome = await estate.apply()
    assert outcome.code == "halted"
    assert "Storage Blob Data Contributor" in outcome.reasons[0]
    assert f"container web of account {estate.own['src']}" in outcome.reasons[0]
    estate.small.change_wave(cutover=replace(estate.small.schedule.waves[0].cutover, canary="target-only"))
    await estate.retry()
    assert (await estate.apply()).code == "done"
    assert await estate.contents("dst") == await estate.contents("src")
    written = [one for one in estate.asked("src") if one.operation in ("Put Blob", "Delete Blob", "Set Blob Tags")]
    assert [one for one in written if one.status < 300] == []


async def test_an_overloaded_source_is_waited_out_without_a_person(strict: Strict, tmp_path) -> None:
    """A share of everything is refused, in each way in which an overloaded service refuses."""
    estate = Estate(strict, tmp_path)
    await estate.fill(150)
    estate.faults("src", Faults(busy=0.3, too_many=0.05, timed_out=0.02))
    work = asyncio.ensure_future(estate.apply())
    await asyncio.sleep(10.0)
    estate.faults("src")
    outcome = await work
    assert outcome.code == "done", outcome
    assert await estate.contents("dst") == await estate.contents("src")
    refused = [
        one for one in estate.asked("src") if one.code in ("ServerBusy", "OperationTimedOut") or one.status == 429
    ]
    assert refused
    said = [entry.text for entry in estate.small.state().journal() if entry.kind == "throttled"]
    assert any(text.startswith("src asks for less") for text in said)


async def test_objects_that_nobody_can_read_are_named_once_and_all_others_are_carried_over(
    strict: Strict, tmp_path
) -> None:
    keyed = ("web/n00[0-2]",)
    estate = Estate(strict, tmp_path, src=Nature(customer_keys=keyed))
    await estate.fill(40)
    outcome = await estate.apply()
    assert outcome.code == "halted"
    assert "3 objects cannot be carried over, all others were" in outcome.reasons[0]
    assert "web/n000" in outcome.reasons[0]
    assert len(await estate.contents("dst")) == 37
    estate.nature("src", Nature())
    await estate.retry()
    assert (await estate.apply()).code == "done"
    assert await estate.contents("dst") == await estate.contents("src")


async def test_leases_in_the_way_back_are_named_and_counted(strict: Strict, tmp_path) -> None:
    estate = Estate(strict, tmp_path)
    await estate.fill(20)
    assert (await estate.apply()).code == "done"
    for name in ("n003", "n004", "n005"):
        await estate.write("dst", name, b"written after the switch")
    estate.faults("src", Faults(leased=("web/n00[34]",)))
    outcome = await (await estate.rollout()).rollback()
    assert outcome.code == "halted"
    assert "2 objects cannot be carried over, all others were" in outcome.reasons[0]
    assert "leased" in outcome.reasons[0]
    assert (await estate.contents("src"))["n005"] == b"written after the switch"
    estate.faults("src")
    outcome = await (await estate.rollout()).rollback()
    assert outcome.code == "done", outcome
    assert estate.state() is MoveState.REVERSED
    assert await estate.contents("src") == await estate.contents("dst")


@pytest.mark.parametrize("side", ["src", "dst"])
@pytest.mark.parametrize("kind", ["time-based", "legal", "versions"])
async def test_nothing_is_written_where_nobody_may_delete_it(strict: Strict, tmp_path, side: str, kind: Any) -> None:
    estate = Estate(strict, tmp_path, **{side: Nature(holds=(Hold("web", kind),))})
    await estate.fill(3)
    await estate.behind("dst").create_container(ContainerInfo("web"))
    outcome = await estate.apply()
    assert outcome.code == "halted"
    assert f"web of {side} is under" in outcome.reasons[0]
    for name in ("src", "dst"):
        assert [one for one in estate.asked(name) if one.operation == "Put Blob"] == []


async def test_a_data_lake_is_refused_although_its_credential_may_not_ask_what_it_is(
    secure_strict: Strict, tmp_path
) -> None:
    estate = Estate(secure_strict, tmp_path)
    await estate.fill(3)
    store = estate.behind("src")
    await store.put("web", "folder/name", b"body", PLAIN, condition=CREATE)
    estate.nature("src", is_hierarchical=True)
    outcome = await estate.apply()
    assert outcome.code == "halted"
    assert "hierarchical namespace" in outcome.reasons[0]
    for name in ("src", "dst"):
        assert [one for one in estate.asked(name) if one.operation == "Put Blob"] == []


@pytest.mark.parametrize("side", ["src", "dst"])
@pytest.mark.parametrize(
    "nature",
    [Nature(is_hierarchical=True), Nature(sku="Premium_LRS"), Nature(kind="Storage")],
    ids=["data lake", "premium page", "v1"],
)
async def test_an_account_that_cannot_take_part_is_refused_before_anything_is_written(
    strict: Strict, tmp_path, side: str, nature: Nature
) -> None:
    estate = Estate(strict, tmp_path, **{side: nature})
    await estate.fill(3)
    outcome = await estate.apply()
    assert outcome.code == "halted"
    assert f"blobs of account {side} cannot be moved" in outcome.reasons[0]
    for name in ("src", "dst"):
        assert [one for one in estate.asked(name) if one.operation == "Put Blob"] == []


async def what_ends(estate: Estate, ends: Callable[[], None], *, token_seconds: float = 24 * 3600.0) -> Outcome:
    """A rollout in which ``ends()`` happens again and again while objects are carried over; what was renewed is used for some
    requests before it ends, too."""
    rollout = await estate.rollout(token_seconds)
    work, served = asyncio.ensure_future(rollout.apply()), 0
    while not work.done():
        await asyncio.wait({work}, timeout=0.1)
        record = estate.small.state().move(ID)
        now = sum(one.status < 300 for name in ("src", "dst") for one in estate.asked(name))
        if record is not None and record.state is MoveState.COPYING and now >= served + 30:
            ends()
            served = now
    return await work


@pytest.mark.parametrize("token_seconds", [2.0, 24 * 3600.0], ids=["seconds", "a day"])
async def test_tokens_that_end_or_are_revoked_in_the_middle_of_a_copy_cost_nothing(
    secure_strict: Strict, tmp_path, token_seconds: float
) -> None:
    """Also those by which signatures for copies and for writes were made."""
    estate = Estate(secure_strict, tmp_path, src=may("Owner"), dst=may("Owner"))
    estate.small.schedule = replace(estate.small.schedule, default_budget=Budget(requests_per_minute=6_000))
    await estate.fill(150)
    outcome = await what_ends(estate, secure_strict.service.revoke_tokens, token_seconds=token_seconds)
    assert outcome.code == "done", outcome
    assert await estate.contents("dst") == await estate.contents("src")
    asked = [*estate.asked("src"), *estate.asked("dst")]
    assert [
        one for one in asked if one.status == 401
    ] or token_seconds < 30  # one of seconds is asked for anew each time
    assert len([one for one in asked if one.operation == "Copy Blob From URL" and one.status == 202]) >= 150


async def test_signatures_that_end_in_the_middle_of_a_copy_are_made_anew(secure_strict: Strict, tmp_path) -> None:
    """A machine that was asleep for some minutes finds all of its signatures, and its tokens, dead."""
    estate = Estate(secure_strict, tmp_path, src=may("Owner"), dst=may("Owner"))
    estate.small.schedule = replace(estate.small.schedule, default_budget=Budget(requests_per_minute=6_000))
    await estate.fill(150)
    outcome = await what_ends(estate, lambda: secure_strict.service.advance(400.0), token_seconds=3600.0)
    assert outcome.code == "done", outcome
    assert await estate.contents("dst") == await estate.contents("src")
    assert [one for one in estate.asked("dst") if one.rule == "sas-time"]
