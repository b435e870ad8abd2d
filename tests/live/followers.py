"""Many followers in one process, each with routes, a policy and an entry of its own: ``python -m tests.live.followers CROWD``, a
JSON object.

Each writes a few small objects over and over, and has written down every write before it is sent and once it is acknowledged.
SIGTERM ends them between two writes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TextIO

from azure.core.exceptions import AzureError
from azure.storage.blob.aio import BlobServiceClient

from migrator.client import LeaseError, LeasePolicy, OutcomeUnknown, RestartUpload, RouteFenced, RouteMoved, Routes

NAMES = 3
"""Objects of one follower."""


@dataclass(frozen=True)
class Crowd:
    """``credentials``: variable of the connection string by endpoint. ``number`` tells this process' names from the others'."""

    routes: str
    routes_credential: str
    credentials: dict[str, str]
    region: str
    area: str
    container: str
    number: int
    followers: int
    rest_seconds: float
    log: str
    api: str

    def text(self) -> str:
        return json.dumps(self.__dict__)


@dataclass
class Follower:
    crowd: Crowd
    index: int
    log: TextIO
    stopping: asyncio.Event
    clients: dict[str, BlobServiceClient] = field(default_factory=dict)

    async def run(self) -> None:
        crowd, chance = self.crowd, Random(self.crowd.number * 1000 + self.index)
        label = f"{crowd.number}-{self.index}"
        async with Routes.from_url(crowd.routes, credential=crowd.routes_credential, label=label) as routes:
            policy = LeasePolicy(routes, crowd.region, crowd.area, wait=300)
            turn, abandoned = 0, set()
            while not self.stopping.is_set():
                turn += 1
                name = f"{label}-{turn % NAMES}"
                try:
                    if name not in abandoned:
                        await self._write(routes, policy, name, turn)
                except (RouteMoved, RestartUpload, RouteFenced):
                    self._note("refused", name, turn)
                except (OutcomeUnknown, AzureError) as fault:
                    abandoned.add(name)
                    self._note(f"unknown: {fault}", name, turn)
                if turn == NAMES:
                    self._note("ready", label, turn)
                with suppress(TimeoutError):
                    async with asyncio.timeout(crowd.rest_seconds * (0.5 + chance.random())):
                        await self.stopping.wait()
        for client in self.clients.values():
            await client.close()

    async def _write(self, routes: Routes, policy: Any, name: str, turn: int) -> None:
        try:
            with await routes.writable(self.crowd.region, self.crowd.area, timeout=300) as lease:
                endpoint = lease.endpoint
        except LeaseError as fault:
            self._note(f"no lease: {fault}", name, turn)
            return
        if endpoint not in self.clients:
            text = os.environ[self.crowd.credentials[endpoint]]
            self.clients[endpoint] = BlobServiceClient.from_connection_string(
                text, api_version=self.crowd.api, retry_policy=policy
            )
        blob = self.clients[endpoint].get_blob_client(self.crowd.container, name)
        self._note("sent", name, turn)
        await blob.upload_blob(str(turn).encode(), overwrite=True)
        self._note("done", name, turn)

    def _note(self, kind: str, name: str, turn: int) -> None:
        self.log.write(json.dumps({"kind": kind, "name": name, "turn": turn}) + "\n")
        self.log.flush()


def expected(logs: list[Path]) -> dict[str, set[int]]:
    """What each object may hold: what was acknowledged last, or what was sent since and not answered."""
    found: dict[str, set[int]] = {}
    for log in logs:
        for line in log.read_text().splitlines():
            try:
                one = json.loads(line)
            except ValueError:
                continue  # cut off when its process was killed
            if one["kind"] == "done":
                found[one["name"]] = {one["turn"]}
            elif one["kind"] == "sent":
                found.setdefault(one["name"], {0}).add(one["turn"])
            elif one["kind"] == "refused":
                found[one["name"]].discard(one["turn"])
    return found


async def main() -> None:
    crowd = Crowd(**json.loads(sys.argv[1]))
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    with closing(Path(crowd.log).open("a", encoding="utf-8")) as log:  # noqa: ASYNC230 - before anything runs
        followers = [Follower(crowd, index, log, stopping) for index in range(crowd.followers)]
        async with asyncio.TaskGroup() as group:
            for one in followers:
                group.create_task(one.run())
                await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())
