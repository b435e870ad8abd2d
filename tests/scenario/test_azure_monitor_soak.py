"""Whole rollouts judged by Azure Monitor: the real SDK against a local server of its wire protocol, in accelerated time.

An hour takes six seconds. The moved data lies in embedded accounts; only the figures are Azure's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from migrator.adapters.local import LocalStore
from migrator.adapters.metrics.azure_monitor import AzureMonitorSource
from migrator.adapters.routing import FileRouter
from migrator.engine.rollout import Outcome, Rollout, Run, World
from migrator.model.moves import MoveState
from migrator.model.objects import CREATE, ContainerInfo
from migrator.model.samples import Verdict
from migrator.model.schedule import Account, Cutover, Gate, Schedule
from migrator.testing.estate.monitor import AzureMonitor, Minute
from tests.contract.prometheus_server import serving
from tests.scenario.weeks import HOURS, MINUTES, SLOW, Weeks, slow_heart
from tests.scenario.world import shape

FASTER = 600.0
PATIENT = 10 * HOURS
"""A minute of a busy machine: limits of seconds would be a tenth of a second here."""
BEGINS = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
PLACES = {"na": ("s1", "East US 2"), "ca": ("s1", "East US 2"), "eu": ("s2", "westeurope")}
SETTLED = Gate(
    "settled", "azure", "fail", metric="requests_per_minute", near=2e6, within_ratio=0.15, settle_seconds=5 * MINUTES
)
CALM = Gate("calm", "azure", "inconclusive", metric="throttled_ratio", max=0.001, settle_seconds=5 * MINUTES)


class FastClock:
    """Ten minutes a second, from noon on."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def monotonic(self) -> float:
        return (time.monotonic() - self._begun) * FASTER

    def now(self) -> datetime:
        return BEGINS + timedelta(seconds=self.monotonic())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / FASTER)

    def random(self) -> float:
        return 0.5

    def nonce(self) -> str:
        return f"{time.monotonic_ns():016x}"


class Estate(Weeks):
    """Regions of ``PLACES``, each with a target account that Azure Monitor knows, and what it would say now."""

    def begin(self, url: str, monitor: AzureMonitor) -> None:
        self.clock = FastClock()
        self.monitor = monitor
        self.metrics["azure"] = AzureMonitorSource(self.schedule.accounts, None, cloud={"metrics": url})

    @property
    def schedule(self) -> Schedule:
        planned = super().schedule
        return replace(planned, accounts={name: self.account(name) for name in planned.accounts})

    def account(self, name: str) -> Account:
        subscription, location = PLACES[name.split("-")[1]]
        endpoint = f"https://{name.replace('-', '')}.blob.core.windows.net"
        return Account(
            name, "azure", endpoint=endpoint, subscription=subscription, resource_group="rg", location=location
        )

    def id_of(self, name: str) -> str:
        provider = "providers/Microsoft.Storage/storageAccounts"
        place = f"/subscriptions/{PLACES[name.split('-')[1]][0]}/resourceGroups/rg"
        return f"{place}/{provider}/{name.replace('-', '')}"

    def says(self, name: str, minute: Callable[[datetime], Minute | None], *, hours: int = 12) -> None:
        """What is known of an account, minute by minute, once it is five minutes old."""
        minutes = [BEGINS + timedelta(minutes=number) for number in range(-60, hours * 60)]
        self.monitor.minutes[self.id_of(name)] = {at: one for at in minutes if (one := minute(at)) is not None}

    def fresh(self) -> Rollout:
        self._runs += 1
        schedule = self.schedule
        stores = {
            name: LocalStore(name, self.folder / f"{name}.db", caller="engine", create=True)
            for name in schedule.accounts
        }
        router = FileRouter(schedule.routing.path or "")
        world = World(stores, router, self.state, self.metrics, self.clock, self.teller, dict.fromkeys(stores, 0.0))  # type: ignore[arg-type]
        world.is_dead = lambda lock: True
        world.rhythm = SLOW
        return Rollout(schedule, world=world, run=Run(f"run-{self._runs}", "tester", "here", 1, "boot-here"))

    async def apply_now(self) -> Outcome:
        with slow_heart(SILENT_SECONDS=PATIENT):
            async with asyncio.timeout(90):
                return await self.fresh().apply()

    async def fill_now(self) -> None:
        for move in [move for wave in self.waves for move in wave.moves]:
            store = LocalStore(move.source, self.folder / f"{move.source}.db", caller="app")
            await store.create_container(ContainerInfo(move.area.name))
            await store.put(move.area.name, "n", b"v", shape(), condition=CREATE)
            await store.close()

    def reasons(self, move: str, gate: str, verdict: Verdict) -> set[str]:
        return {one.reason for one in self.samples(move, gate) if one.verdict is verdict}


@asynccontextmanager
async def estate(folder: Path, *moves: str, **wave: Any) -> AsyncIterator[Estate]:
    made, monitor = Estate(folder), AzureMonitor()
    made.loop.close()  # this world lives in real time, only faster
    given = {
        "soak_seconds": HOURS,
        "gates": (SETTLED, CALM),
        "cutover": Cutover(straggler_interval_seconds=HOURS, fence_timeout_seconds=PATIENT),
        **wave,
    }
    made.wave("first", *moves, **given)
    async with serving({"/subscriptions/{subscription}/metrics:getBatch": monitor.batch}) as url:
        made.begin(url, monitor)
        await made.fill_now()
        try:
            yield made
        finally:
            await made.metrics["azure"].close()


def customers(at: datetime) -> Minute:
    return Minute(responses={"Success": 1_999_000.0, "ClientOtherError": 1000.0})


async def test_one_request_serves_all_moves_of_a_subscription_and_region(tmp_path: Path) -> None:
    async with estate(tmp_path, "na/web", "na/mail", "ca/web", "eu/web") as world:
        for name in ("dst-na-web", "dst-na-mail", "dst-ca-web", "dst-eu-web"):
            world.says(name, customers)
        assert (await world.apply_now()).code == "done"
        asked = world.monitor.asked
        assert {one["path"] for one in asked} == {
            "/subscriptions/s1/metrics:getBatch",
            "/subscriptions/s2/metrics:getBatch",
        }
        first = [one for one in asked if "/s1/" in one["path"]]
        together = [one for one in first if len(one["ids"]) == 3]
        assert len(together) > 0.8 * len(first), "moves that soak together are asked about together"
        assert all(one["ids"] == [world.id_of("dst-eu-web")] for one in asked if "/s2/" in one["path"])
        assert all(one["top"] == "1000" for one in asked if "filter" in one)


@pytest.mark.slow
async def test_a_soak_outlives_every_bad_day_of_its_source(tmp_path: Path) -> None:
    """Late figures, holes, a throttled and a cut answer: each makes the soak stand still, and none passes."""
    async with estate(tmp_path, "na/web", gates=(CALM, replace(SETTLED, on_no_data="inconclusive"))) as world:
        good = AzureMonitor.batch
        story: dict[str, Callable[[], web.Response | None]] = {
            "calm": lambda: None,
            "throttled": lambda: web.json_response(
                {"error": {"code": "429"}}, status=429, headers={"Retry-After": "60"}
            ),
            "broken": lambda: web.json_response({"error": {"code": "InternalServerError"}}, status=503),
        }
        step = timedelta(minutes=20)

        def what(at: datetime) -> str:
            stories = ("calm", "throttled", "calm", "broken", "calm", "cut", "calm")
            number = int((at - BEGINS) / step)
            return stories[number] if 0 <= number < len(stories) else "calm"

        async def batch(request: web.Request) -> web.StreamResponse:
            now = what(world.clock.now())
            world.monitor.instead = story.get(now, story["calm"])()
            return await good(world.monitor, request)

        world.monitor.batch = batch  # type: ignore[method-assign]
        silent = BEGINS + timedelta(minutes=180), BEGINS + timedelta(minutes=200)
        hole = BEGINS + timedelta(minutes=220), BEGINS + timedelta(minutes=240)

        def minute(at: datetime) -> Minute | None:
            if silent[0] <= at < silent[1]:
                return None
            if hole[0] <= at < hole[1] and at.minute % 2:
                return Minute(is_hole=True)
            if what(at) == "cut":
                return Minute(responses={f"Kind{number}": 2000.0 for number in range(1000)})
            return customers(at)

        world.says("dst-na-web", minute)
        world.change_wave("first", soak_seconds=2.5 * HOURS)
        async with serving({"/subscriptions/{subscription}/metrics:getBatch": batch}) as url:
            await world.metrics["azure"].close()
            world.metrics["azure"] = AzureMonitorSource(world.schedule.accounts, None, cloud={"metrics": url})
            assert (await world.apply_now()).code == "done"
        assert world.record("na/web").state is MoveState.SOAKED
        errored = " ".join(world.reasons("na/web", "calm", Verdict.ERRORED))
        assert "asks for fewer requests" in errored
        assert "Azure Monitor failed" in errored
        assert "it may have left out response types" in errored
        doubtful = " ".join(world.reasons("na/web", "settled", Verdict.INCONCLUSIVE))
        assert "no customer request in the window" in doubtful
        assert "minutes are missing" in doubtful
        assert not world.reasons("na/web", "settled", Verdict.FAILED)
        took = world.record("na/web").since - world.record("na/web").switched_at  # type: ignore[operator]
        assert took > timedelta(hours=3.3), "what could not be told added nothing"


async def test_an_account_that_only_we_use_is_silent_and_not_settled(tmp_path: Path) -> None:
    """Customers at 0 and our scans at 5,000 a minute, near 5,000 wanted: no data, and on_no_data says fail."""
    near = replace(SETTLED, near=5000.0)
    async with estate(tmp_path, "na/web", gates=(near,)) as world:
        world.says("dst-na-web", lambda at: Minute(responses={"Success": 5000.0}))
        rollout = world.fresh()
        own = rollout._fleet.shared.own_traffic
        for number in range(12 * 60):
            own.count("dst-na-web", "list", minute=int(BEGINS.timestamp()) // 60 + number, requests=5000)
        with slow_heart(SILENT_SECONDS=PATIENT):
            outcome = await asyncio.wait_for(rollout.apply(), 60)
        assert outcome.code == "halted"
        assert "all of them are migration's own; on_no_data: fail" in outcome.reasons[0]
        assert world.record("na/web").state is MoveState.REVERSED


@pytest.mark.parametrize(("own", "verdict"), [(100_000, Verdict.PASSED), (300_000, Verdict.INCONCLUSIVE)])
async def test_our_requests_are_taken_out_of_the_customers(tmp_path: Path, own: int, verdict: Verdict) -> None:
    """2.0 M of customers and 0.1 M of ours: settled at 2.0 M. With 0.3 M of ours nobody can tell."""
    async with estate(
        tmp_path, "na/web", gates=(replace(SETTLED, within_ratio=0.02),), soak_seconds=0.25 * HOURS
    ) as world:
        world.says("dst-na-web", lambda at: Minute(responses={"Success": 2e6 + own}))
        rollout = world.fresh()
        counted = rollout._fleet.shared.own_traffic
        for number in range(12 * 60):
            counted.count("dst-na-web", "list", minute=int(BEGINS.timestamp()) // 60 + number, requests=own)
        run = asyncio.ensure_future(rollout.apply())
        with slow_heart(SILENT_SECONDS=PATIENT):
            for _ in range(1000):
                if world.samples("na/web", "settled"):
                    break
                await asyncio.sleep(0.05)
            rollout.stop()
            await asyncio.wait_for(run, 30)
        sample = world.samples("na/web", "settled")[0]
        assert sample.verdict is verdict
        if verdict is Verdict.PASSED:
            assert sample.value == pytest.approx(2e6, rel=0.001)
        else:
            assert "of the requests are migration's own" in sample.reason


async def test_the_source_before_the_switch_is_asked_once_and_remembered(tmp_path: Path) -> None:
    """Twice as slow as the source was is too slow; what the source does after the switch is of no interest."""
    relative = Gate(
        "as-fast",
        "azure",
        "inconclusive",
        metric="e2e_latency_ms",
        relative_to="source",
        max_ratio=1.2,
        settle_seconds=0.0,
    )
    async with estate(tmp_path, "na/web", gates=(relative,), soak_seconds=0.5 * HOURS) as world:
        quick = Minute(responses={"Success": 1000.0}, figures={"SuccessE2ELatency": 10.0})
        slow = Minute(responses={"Success": 1000.0}, figures={"SuccessE2ELatency": 90.0})
        world.says("src-na", lambda at: quick if at < BEGINS + timedelta(minutes=20) else slow)
        world.says("dst-na-web", lambda at: quick)
        # The copy has barely begun at noon: what the window before the fence holds is nearly all customers'.
        assert (await world.apply_now()).code == "done"
        asked = [one for one in world.monitor.asked if one["ids"] == [world.id_of("src-na")]]
        assert len({(one["starttime"], one["metricnames"]) for one in asked}) == len(asked) <= 2
        assert world.reasons("na/web", "as-fast", Verdict.PASSED) == {
            "10 ms end to end, wanted at most 12 (1.2 times the source's 10 before the switch)"
        }
