"""Three regions in three subscriptions of two tenants, with six target accounts that are not there, and `migrate` run on them.

Everything is asked over https with tokens of the double's own Microsoft Entra ID, by the real SDKs in real processes. Azure
Monitor's figures are those of the requests that the data plane saw, and of the customers that are told here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from migrator.adapters.azure import open_store
from migrator.adapters.own_processes import environment
from migrator.model.objects import CREATE, BlobType, ContainerInfo, ContentHeaders, Shape
from migrator.model.schedule import Account
from migrator.testing.estate import Application, Estate, Minute, StorageAccount, StrictAccounts, Subscription
from migrator.testing.estate import running as estate_running
from migrator.testing.strict import Running, StrictService
from migrator.testing.strict import running as strict_running
from tests.azurite import server
from tests.azurite.server import Azurite
from tests.certificates import make_certificate

HERE, THERE = "11111111-0000-0000-0000-00000000000a", "22222222-0000-0000-0000-00000000000b"
ONE, TWO, THREE = (f"00000000-0000-0000-0000-00000000000{number}" for number in (1, 2, 3))
TENANTS = {ONE: HERE, TWO: HERE, THREE: THERE}
CLIENT_ID, CLIENT_SECRET = "33333333-0000-0000-0000-00000000000c", "no-secret-of-anybody"
REGIONS = {"north-america": "na", "europe": "eu", "asia-pacific": "ap"}
PLACES = {"na": (ONE, "eastus2"), "eu": (TWO, "westeurope"), "ap": (THREE, "southeastasia")}
AREAS = {"web-tracking": "web", "email-events": "email"}
SOURCES = {"nacore": (ONE, "eastus2"), "eucore": (TWO, "westeurope"), "apcore": (TWO, "southeastasia")}
TARGETS = tuple(f"{short}{area}" for short in REGIONS.values() for area in AREAS.values())
CUSTOMERS = 2_000.0
"""Requests a minute at each target, as Azure Monitor tells them."""


@dataclass
class World:
    """``environ``: what a `migrate` process is given."""

    folder: Path
    azurite: Azurite
    strict: Running
    estate: Estate
    ca_file: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def plan(self) -> Path:
        return self.folder / "plan.yaml"

    def account(self, name: str) -> StorageAccount | None:
        return self.estate.resources.accounts.get(name)

    def shown(self, *words: str) -> int:
        """On this terminal; the exit code."""
        process = self.start(*words, out=None)
        return process.wait(timeout=600)

    def start(self, *words: str, out: int | None = subprocess.PIPE) -> subprocess.Popen[str]:
        installed = Path(sys.executable).parent / "migrate"
        environ = {**environment(), **self.environ}
        return subprocess.Popen(
            [str(installed), *words],
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT if out is not None else None,
            text=True,
        )

    def migrate(self, *words: str, seconds: float = 400.0) -> tuple[int, str]:
        process = self.start(*words)
        said, _ = process.communicate(timeout=seconds)
        return process.returncode, said

    def killed(self, *words: str, when: str, seconds: float = 120.0) -> None:
        """Run until the estate has been asked ``when`` (method and a part of the path), then kill -9."""
        method, _, path = when.partition(" ")
        before = len(self.estate.requests(method, path))
        process = self.start(*words)
        end = time.monotonic() + seconds
        while len(self.estate.requests(method, path)) == before:
            if process.poll() is not None or time.monotonic() > end:
                said, _ = process.communicate(timeout=5)
                raise AssertionError(f"never asked {when}: {said}")
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)

    async def fill(self, count: int) -> None:
        for name in SOURCES:
            store = self.behind(name)
            for container, prefix in (("web-visits", ""), ("events", "email/")):
                await store.create_container(ContainerInfo(container))
                for number in range(count):
                    body = f"{name} {container} {number}".encode()
                    await store.put(container, f"{prefix}n{number:04d}", body, PLAIN, condition=CREATE)
            await store.close()

    async def contents(self, name: str) -> dict[str, str]:
        """Container and name -> content hash, of the customers' objects."""
        store, found = self.behind(name), {}
        for info in await store.containers():
            for blob in (await store.page(info.name)).entries:
                if not blob.name.startswith(".migrate/"):
                    async with store.read(info.name, blob.name, if_match=blob.etag) as chunks:
                        found[f"{info.name}/{blob.name}"] = b"".join([one async for one in chunks]).decode()
        await store.close()
        return found

    def behind(self, name: str) -> object:
        """The account as Azurite has it, without any rule."""
        account = Account(name, "azure", endpoint=self.azurite.endpoint(name), credential="env:SECRET")
        return open_store(account, environ={"SECRET": self.azurite.connection_string(name)}, cloud={})

    def customers(self, hours: int = 1) -> None:
        """Azure Monitor tells of customers at every target, from now on, beside what the data plane sees."""
        begin = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
        for name in TARGETS:
            subscription = PLACES[name[:2]][0]
            id = StorageAccount(name, subscription, "data", {}).id
            self.estate.monitor.minutes[id] = {
                begin + timedelta(minutes=number): Minute({"Success": CUSTOMERS}) for number in range(hours * 60)
            }


PLAIN = Shape(BlobType.BLOCK, ContentHeaders(content_type="text/plain"), {}, {}, None)


def plan_of(world: World, *, gates: bool) -> str:
    """The plan, as an operator would write it."""
    lines = ["version: 1", "name: azure-estate", "state: sqlite:///state/migrator.db", "defaults:"]
    lines += ["  account: {resource_group: data}", "accounts:"]
    for name, (subscription, location) in SOURCES.items():
        lines.append(
            f"  {name}: {{endpoint: {world.strict.endpoint(name)}, subscription: {subscription}, location: {location}}}"
        )
    for name in TARGETS:
        subscription, location = PLACES[name[:2]]
        tenant = f", tenant: {TENANTS[subscription]}" if TENANTS[subscription] != HERE else ""
        lines.append(f"  {name}:")
        lines.append(
            f"    {{endpoint: {world.strict.endpoint(name)}, subscription: {subscription}, location: {location}{tenant},"
        )
        lines.append("     provision: {sku: Standard_ZRS, tags: {rollout: azure-estate}, shared_key: false}}")
    lines += ["areas:", "  web-tracking: {containers: [web-visits]}"]
    lines += ["  email-events: {containers: [{name: events, prefix: email/}]}", "regions:"]
    for region, short in REGIONS.items():
        targets = ", ".join(f"{area}: {short}{word}" for area, word in AREAS.items())
        lines.append(f"  {region}: {{source: {short}core, targets: {{{targets}}}}}")
    routes = f"{world.estate.public}/appconfig/routes"
    lines += [
        f"routing: {{kind: app-configuration, endpoint: {routes}, credential: default, name: storage-split, ttl: 1s}}"
    ]
    lines += ["cutover: {max_write: 1s, clock_margin: 200ms, fence_timeout: 60s, straggler_interval: 5s}"]
    at = world.estate.public
    lines += [f"cloud: {{authority: {at}, resource_manager: {at}, metrics: {at}, ca_file: {world.ca_file}}}"]
    gate = "source: azure, window: 1m, settle: 0s, on_no_data: inconclusive"
    soak, listed = ("5s", "[settled, calm]") if gates else ("2s", "[]")
    if gates:
        near = f"metric: requests_per_minute, near: {CUSTOMERS:.0f}, within: 15%"
        lines += ["metrics: {azure: {kind: azure-monitor}}", "gates:", f"  settled: {{{near}, {gate}}}"]
        lines += [f"  calm: {{metric: throttled_ratio, max: 0.01, {gate}}}"]
    how = f"soak: {soak}, interval: 3s, gates: {listed}"
    lines += ["waves:", f"  - {{name: first, moves: [{{region: north-america, areas: '*'}}], {how}}}"]
    rest = ", ".join(f"{{region: {one}, areas: '*'}}" for one in ("europe", "asia-pacific"))
    lines += [f"  - {{name: rest, moves: [{rest}], {how}}}"]
    return "\n".join(lines) + "\n"


@contextmanager
def running(folder: Path, *, objects: int = 20, gates: bool = False) -> Iterator[World]:
    """Everything up, the sources filled, the plan written."""
    names = [*SOURCES, *TARGETS]
    certificate = make_certificate(folder)
    with server.running(names) as azurite:
        there = {name: azurite.keys[name] for name in SOURCES}
        spare = {name: azurite.keys[name] for name in TARGETS}
        service = StrictService(azurite.endpoint("").rstrip("/"), there)
        with strict_running(service, certificate=certificate) as strict:
            subscriptions = [Subscription(id, tenant, groups={"data": "eastus2"}) for id, tenant in TENANTS.items()]
            applications = [Application(one, CLIENT_ID, f"object-{one[:1]}", CLIENT_SECRET) for one in (HERE, THERE)]
            estate = Estate(subscriptions, data=StrictAccounts(strict, spare), applications=applications)
            for name, (subscription, location) in SOURCES.items():
                estate.add(name, subscription, "data", location, sku="Standard_RAGRS").parts["blobServices/default"] = {
                    "properties": {"deleteRetentionPolicy": {"enabled": True, "days": 7}}
                }
            with estate_running(estate, certificate=certificate):
                environ = {"AZURE_TENANT_ID": HERE, "AZURE_CLIENT_ID": CLIENT_ID, "AZURE_CLIENT_SECRET": CLIENT_SECRET}
                environ |= {"NO_COLOR": "1", "PATH": os.environ["PATH"]}
                world = World(folder, azurite, strict, estate, certificate[0], environ)
                estate.store("routes")
                world.plan.write_text(plan_of(world, gates=gates))
                asyncio.run(world.fill(objects))
                world.customers()
                yield world


__all__ = ["AREAS", "REGIONS", "SOURCES", "TARGETS", "World", "running"]
