"""An application on a real blob service that never stops writing: ``python -m tests.live.writer ORDER`` (JSON).

The stock SDK with the lease policy of ``migrator.client``; every write is in the log before it is counted. Four of ten writes
go to a hot set that is overwritten, retagged, retiered and appended to, but never deleted, so that readers always find it;
the rest creates, changes and deletes objects of its own. Now and then the writer reads what it wrote, under a lease. SIGTERM
ends it between two writes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.core.pipeline.transport import HttpRequest, RequestsTransport
from azure.storage.blob import BlobBlock, BlobServiceClient, BlobType, StandardBlobTier

from migrator.client import OutcomeUnknown, RouteFenced, RouteMoved, RouteUnusable, SyncLeasePolicy, SyncRoutes
from migrator.client.lease import WriteLease
from tests.live.journal_of_writes import Held, WriteLog, state_of

API = "2026-06-06"
HOT_SHARE = 0.4
TIERS = ("Hot", "Cool")


@dataclass(frozen=True)
class Order:
    """``credentials``: variable of the connection string by endpoint. ``number`` tells this writer's names from the others'.
    ``rest_seconds``: between two requests. ``ways``: where a customer finds an endpoint that is away for others.
    ``hosts``: that may be given credentials, beside those of this machine."""

    routes: str
    routes_credential: str
    credentials: dict[str, str]
    region: str
    area: str
    container: str
    number: int
    hot: int
    log: str
    seed: int
    rest_seconds: float = 0.0
    ways: dict[str, str] = field(default_factory=dict)
    hosts: list[str] = field(default_factory=list)

    def text(self) -> str:
        return json.dumps(self.__dict__)


class Way(RequestsTransport):
    """To the same account by another port, below everything that looks at an address."""

    def __init__(self, ways: dict[str, str]):
        super().__init__()
        self._ways = ways

    def send(self, request: HttpRequest, **options: Any) -> Any:
        for endpoint, instead in self._ways.items():
            if request.url.startswith(endpoint + "/"):
                request.url = instead + request.url.removeprefix(endpoint)
                break
        return super().send(request, **options)


def client(order: Order, endpoint: str, retry: Any) -> BlobServiceClient:
    text = os.environ[order.credentials[endpoint]]
    return BlobServiceClient.from_connection_string(
        text, api_version=API, retry_policy=retry, transport=Way(order.ways)
    )


class Noted(SyncLeasePolicy):
    """Remembers under which lease the last try was admitted."""

    last: WriteLease | None = None

    def _lease(self, *, may_wait: bool) -> WriteLease:
        self.last = super()._lease(may_wait=may_wait)
        return self.last


@dataclass
class Writer:
    order: Order
    routes: SyncRoutes
    log: WriteLog
    chance: Random
    held: dict[str, Held] = field(default_factory=dict)
    abandoned: set[str] = field(default_factory=set)
    stopping: bool = False
    _made: int = 0

    def __post_init__(self) -> None:
        self.policy = Noted(self.routes, self.order.region, self.order.area)
        self.endpoint = ""
        self.service: BlobServiceClient | None = None

    def run(self) -> None:
        hot = [f"hot/{self.order.number}-{index:03d}" for index in range(self.order.hot)]
        for name in hot:
            while name not in self.held and name not in self.abandoned and not self.stopping:
                self._write("create", name, self._fresh(name, log=name.endswith(("0", "5"))))
        self.log.line("ready")
        while not self.stopping:
            name = self.chance.choice(hot) if self.chance.random() < HOT_SHARE else self._cold()
            if name in self.abandoned:
                continue
            if self.chance.random() < 0.05 and name in self.held:
                self._check(name)
            self._write(*self._choose(name))
            time.sleep(self.order.rest_seconds)

    def _cold(self) -> str:
        cold = [name for name in self.held if name.startswith("cold/")]
        if not cold or (self.chance.random() < 0.4 and len(cold) < 250):
            self._made += 1
            return f"cold/{self.order.number}-{time.time_ns():x}"
        return self.chance.choice(cold)

    def _choose(self, name: str) -> tuple[str, str, Held | None]:
        held = self.held.get(name)
        if held is None:
            return "create", name, self._fresh(name, log=self._made % 5 == 0)
        if held.kind == "AppendBlob":
            if len(held.body) > 6_000:
                if name.startswith("cold/"):
                    return "delete", name, None
                return "overwrite", name, self._fresh(name, log=True)
            line = json.dumps({"key": name, "line": self.chance.getrandbits(60)}).encode() + b"\n"
            return "append", name, Held(held.body + line, held.tags, held.kind)
        ops = {"overwrite": 5, "retag": 3, "retier": 1, "blocks": 1, "delete": 1 if name.startswith("cold/") else 0}
        op = self.chance.choices(tuple(ops), tuple(ops.values()))[0]
        if op == "delete":
            return op, name, None
        if op == "retag":
            return op, name, Held(held.body, {"turn": str(self.chance.getrandbits(30))}, tier=held.tier)
        if op == "retier":
            return op, name, Held(held.body, held.tags, tier=self.chance.choice(TIERS))
        return op, name, self._fresh(name)

    def _fresh(self, name: str, *, log: bool = False) -> Held:
        if log:
            return Held(b"", {}, "AppendBlob")
        head = json.dumps({"key": name, "turn": self.chance.getrandbits(60)}).encode() + b"\n"
        body = head + self.chance.randbytes(self.chance.choice((0, 100, 2_000, 20_000)))
        tier = self.chance.choice((None, None, *TIERS))
        return Held(body + sha256(body).hexdigest().encode(), {"turn": str(self.chance.getrandbits(30))}, tier=tier)

    # The wire.

    def _blob(self, name: str) -> Any:
        """A client of the account that the route names; waits while it names none that may be written."""
        begun, has_waited = time.monotonic(), False
        while True:
            try:
                with self.routes.write(self.order.region, self.order.area) as lease:
                    break  # given back: the policy takes one for every write
            except (RouteFenced, RouteUnusable) as fault:
                if self.stopping:
                    raise
                if self.held and isinstance(fault, RouteUnusable):
                    self.log.line("unusable", name=name, why=str(fault))
                has_waited = True
                time.sleep(0.1)
        if has_waited:
            self.log.line("pause", seconds=round(time.monotonic() - begun, 3))
        if lease.endpoint != self.endpoint:
            self.endpoint = lease.endpoint
            self.service = client(self.order, lease.endpoint, self.policy)
        assert self.service is not None
        return self.service.get_blob_client(self.order.container, name)

    def _write(self, op: str, name: str, after: Held | None) -> None:
        try:
            blob = self._blob(name)
        except (RouteFenced, RouteUnusable):
            return  # told to stop while there was nowhere to write
        number = self.log.sent(op, name, None if after is None else after.state)
        try:
            self._send(blob, op, self.held.get(name), after)
        except OutcomeUnknown as fault:
            self.abandoned.add(name)
            self.log.line("unknown", number=number, why=str(fault))
        except (RouteFenced, RouteMoved) as fault:
            self.log.line("refused", number=number, why=str(fault))
        except ServiceRequestError as fault:
            self.log.line("refused", number=number, why=str(fault))  # nothing was sent
        except HttpResponseError as fault:
            self.log.line("surprise", name=name, why=f"{op} refused: {fault.status_code} {fault.error_code}")
            self.abandoned.add(name)
        else:
            assert self.policy.last is not None
            self.log.done(number, epoch=self.policy.last.epoch, account=self.policy.last.account)
            self.held.pop(name, None)
            if after is not None:
                self.held[name] = after

    def _send(self, blob: Any, op: str, before: Held | None, after: Held | None) -> None:
        tier = StandardBlobTier(after.tier) if after is not None and after.tier else None
        if after is None:
            blob.delete_blob()
        elif op == "retag":
            blob.set_blob_tags(after.tags)
        elif op == "retier":
            blob.set_standard_blob_tier(after.tier)
        elif op == "append":
            assert before is not None
            blob.append_block(after.body[len(before.body) :])
        elif after.kind == "AppendBlob":
            blob.create_append_blob()
        elif op == "blocks":
            half = len(after.body) // 2
            parts = [("a", after.body[:half]), ("b", after.body[half:])]
            for block_id, part in parts:
                blob.stage_block(block_id, part)
            blob.commit_block_list([BlobBlock(one) for one, _ in parts], tags=after.tags, standard_blob_tier=tier)
        else:
            overwrite = op == "overwrite"
            blob.upload_blob(after.body, overwrite=overwrite, tags=after.tags, standard_blob_tier=tier)

    def _check(self, name: str) -> None:
        """What was acknowledged must be there, for a reader under a lease."""
        held = self.held[name]
        try:
            blob = self._blob(name)
            with self.routes.write(self.order.region, self.order.area) as lease:
                body = blob.download_blob(decompress=False).readall()
                tags = blob.get_blob_tags()
                lease.check()
        except RouteFenced:
            return
        except HttpResponseError as fault:
            self.log.line("surprise", name=name, why=f"read refused: {fault.status_code} {fault.error_code}")
            return
        if lease.endpoint == self.endpoint and state_of(body, tags, "", "") != state_of(held.body, held.tags, "", ""):
            self.log.line("surprise", name=name, why="not as it was written")


def restore(writer: Writer) -> None:
    """Go on where an earlier process of this writer ended, by what lies in the account now."""
    writer._blob("any")
    assert writer.service is not None
    box = writer.service.get_container_client(writer.order.container)
    for kind_of_name in ("hot", "cold"):
        for found in box.list_blobs(name_starts_with=f"{kind_of_name}/{writer.order.number}-", include=["tags"]):
            kind = BlobType(found.blob_type).value
            tier = None if found.blob_tier_inferred or kind != "BlockBlob" else found.blob_tier
            body = box.download_blob(found.name, decompress=False).readall()
            writer.held[found.name] = Held(body, dict(found.tags or {}), kind, tier)


def main() -> int:
    order = Order(**json.loads(sys.argv[1]))
    path = Path(order.log)
    is_again = path.exists()
    with path.open("a", encoding="utf-8") as file:
        log = WriteLog(file)
        log.line("begin", number=order.number)
        with SyncRoutes.from_url(order.routes, credential=order.routes_credential, hosts=order.hosts or None) as routes:
            writer = Writer(order, routes, log, Random(order.seed))
            signal.signal(signal.SIGTERM, lambda *_: setattr(writer, "stopping", True))
            if is_again:
                restore(writer)
            writer.run()
        log.line("end", acknowledged=log.acknowledged)
    return 0


if __name__ == "__main__":
    sys.exit(main())
