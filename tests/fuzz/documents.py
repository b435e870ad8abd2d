"""Targets that are documents: plans, saved plans, route documents, state records, letters, orders, credentials, figures."""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from migrator.adapters.azure.credentials import open_credential, opens_storage
from migrator.adapters.metrics.command import _point
from migrator.adapters.metrics.prometheus import PrometheusSource, _document
from migrator.adapters.state.codec import decode, encode
from migrator.adapters.workers.lane_letters import read_order, read_outcome
from migrator.adapters.workers.letters import answer_letter, batch_letter, stop_letter
from migrator.client.book import Book
from migrator.engine.guardian import _Post
from migrator.errors import CloudError, MigrateError, PlanError, StateError
from migrator.forecast import StartingPoint, look_ahead
from migrator.forecast.inventory import declared
from migrator.model.hosts import KNOWN, LOOPBACK, Hosts
from migrator.model.letters import LENGTH_BYTES
from migrator.model.moves import JournalEntry, LockRecord, MoveRecord
from migrator.model.names import MoveId
from migrator.model.routes import RouteDocument, RouteRecord
from migrator.model.schedule import Account
from migrator.plan import loads, saved
from migrator.ports.executor import BatchAnswer, CopyBatch, CopyUnit, Refusal
from migrator.ports.router import RouteSnapshot
from tests.fuzz.mutation import mutated, mutated_bytes, mutated_json
from tests.fuzz.running import Target

NOW: Final = datetime(2026, 12, 1, tzinfo=UTC)
PLANS: Final = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))
RECORD: Final = {
    "account": "na-core",
    "endpoint": "https://nacore.blob.core.windows.net",
    "mode": "read-write",
    "epoch": 7,
    "lineage": "3f9c",
    "updated": "2026-11-24T10:00:00Z",
    "run": "8d1e",
}
ROUTES: Final = {
    "version": 1,
    "ttl_seconds": 30,
    "max_write_seconds": 60,
    "routes": {"europe/email-events": RECORD, "na/web": {**RECORD, "account": "na-web", "epoch": 3}},
}


def plan() -> Target:
    texts = [path.read_bytes() for path in PLANS]
    kept = [json.loads(_as_json(text.decode())) for text in texts]

    def make(random: Random) -> bytes:
        if random.random() < 0.5:
            return mutated_bytes(random, random.choice(texts))
        return json.dumps(mutated(random, random.choice(kept))).encode()

    def check(item: bytes) -> None:
        loaded = loads(item.decode(errors="replace"), "plan.yaml")
        again = loads(loaded.text, "plan.yaml", is_kept=True)
        assert again.schedule.fingerprint == loaded.schedule.fingerprint, "what is kept is another plan"
        inventories = {move.id: declared(move.declared) for move in loaded.schedule.moves if move.declared}
        look_ahead(loaded.schedule, inventories, StartingPoint(NOW))

    return Target("plan", make, check, (PlanError,))


def _as_json(text: str) -> str:
    """The plan's values; what ``canonical`` writes is JSON but for characters that no example has."""
    return loads(text, "plan.yaml").text


def saved_plan() -> Target:
    text = loads(PLANS[0].read_text(), "plan.yaml").text
    true = asdict(saved.SavedPlan("n", "p.yaml", text, "ab", {"error": 1}))
    body = {"format": saved.MARKER, "format_version": 1, **true}
    path = Path(tempfile.mkdtemp()) / "p.saved"

    def check(item: bytes) -> None:
        path.write_bytes(item)
        found = saved.read(path)
        loads(found.document, found.plan_path, is_kept=True)

    return Target("saved-plan", lambda random: mutated_json(random, body), check, (PlanError,))


def route_document() -> Target:
    hosts = Hosts.of((*KNOWN, *LOOPBACK))

    def check(item: bytes) -> None:
        book = Book("x", hosts)
        follower = book.follower("europe", "email-events")
        book.take(json.dumps(ROUTES).encode(), 1.0)
        book.take(item, 2.0)
        for ask in (book.lease, book.resolve):
            with suppress(MigrateError):
                ask(follower, 3.0)
        document = RouteDocument.decode(item)
        assert RouteDocument.decode(document.encode()) == document, "it comes back as another"

    return Target("route", lambda random: mutated_json(random, ROUTES), check, (ValueError,))


def letters() -> Target:
    batch = CopyBatch("a", "b", "c", (CopyUnit("n", "e"), CopyUnit("m", "f", "g", {"k": "v"}, "Hot")), 12.5)
    answer = BatchAnswer(("etag", Refusal("throttled", "m", "h", "c", "w", 2.0, True)), {1: 2})
    framed = (batch_letter(3, batch), stop_letter(3), answer_letter(3, answer))
    true = [json.loads(one[LENGTH_BYTES:]) for one in framed]

    def check(item: bytes) -> None:
        number, found = read_order(item) if item[:1] != b"a" else read_outcome(item[1:])
        if isinstance(found, CopyBatch):
            assert read_order(batch_letter(number, found)[LENGTH_BYTES:]) == (number, found), "another batch"

    def make(random: Random) -> bytes:
        which = random.randrange(3)
        return (b"a" if which == 2 else b"") + mutated_json(random, true[which])

    return Target("letters", make, check, (ValueError,))


class _NoRouter:
    async def read(self, region: str) -> RouteSnapshot:
        return RouteSnapshot(None, None)

    async def swap(self, *_: object, **__: object) -> str:
        return "etag"


class _Stopped:
    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(3600)

    def random(self) -> float:
        return 0.5


def guardian_orders() -> Target:
    before = RouteRecord("a", "https://a", "read-write", 3, "l", "u", "r")
    fence = RouteRecord("a", "https://a", "read-only", 4, "l", "u", "r")
    policy = {"id": "x", "permissions": "rw", "start": "", "expiry": ""}
    true: list[Any] = [
        {
            "cmd": "watch",
            "id": 1,
            "key": "a/b",
            "before": asdict(before),
            "fence": asdict(fence),
            "deadline_seconds": 9.5,
        },
        {"cmd": "done", "id": 2, "key": "a/b"},
        {"cmd": "keep", "id": 3, "key": "a/b", "revoked": [{"account": "a", "container": "c", "policy": policy}]},
    ]
    loop = asyncio.new_event_loop()

    async def obey(item: bytes) -> None:
        post: Any = _Post(_NoRouter(), _Stopped(), lambda text: None, lambda accounts: None)  # type: ignore[arg-type]
        json.dumps(await post.obey(item))
        for watch in post._watches.values():
            watch.cancel()
        await asyncio.gather(*post._watches.values(), return_exceptions=True)

    return Target(
        "orders",
        lambda random: mutated_json(random, random.choice(true)),
        lambda item: loop.run_until_complete(obey(item)),
    )


def state_records() -> Target:
    kinds: dict[bytes, type] = {b"m": MoveRecord, b"l": LockRecord, b"j": JournalEntry}
    true = {
        b"m": MoveRecord(MoveId("r", "a"), "w", "s", "t"),
        b"l": LockRecord("n", 1, "r", "o", "h", 3, "b", NOW, NOW, 0.0),
        b"j": JournalEntry(NOW, "a", "k", "t", wave="w", move=MoveId("r", "a"), run="r", evidence={"x": 1}),
    }
    plain = {letter: json.loads(encode(record)) for letter, record in true.items()}

    def make(random: Random) -> bytes:
        letter = random.choice(list(plain))
        return letter + mutated_json(random, plain[letter])

    def check(item: bytes) -> None:
        decode(kinds.get(item[:1], MoveRecord), item[1:].decode(errors="replace"))

    return Target("state", make, check, (StateError,))


def credentials() -> Target:
    key = base64.b64encode(bytes(64)).decode()
    true = [
        f"DefaultEndpointsProtocol=https;AccountName=naweb;AccountKey={key};EndpointSuffix=core.windows.net",
        f"BlobEndpoint=http://127.0.0.1:10000/dev;AccountName=dev;AccountKey={key}",
        "BlobEndpoint=https://naweb.blob.core.windows.net;SharedAccessSignature=sv=1&se=2026-12-01T00:00:00Z&sig=a%3D",
        "?sv=2024-01-01&se=2026-12-01T00:00:00Z&sp=r&sig=abc%3D",
        "https://naweb.blob.core.windows.net/box?sv=1&se=2026-12-01&sig=abc",
        key,
    ]
    words = (
        b";",
        b"=",
        b"&",
        b"?",
        b"https://[",
        b":99999",
        b":x",
        b"se=garbage",
        b"\xef\xbc\x8f",
        b"\xe2\x84\x80",
        b"@",
        b"%",
    )
    loop = asyncio.new_event_loop()

    def check(item: bytes) -> None:
        value = item.decode(errors="replace").replace("\0", "")
        opens_storage(value)
        for endpoint in ("https://naweb.blob.core.windows.net", None):
            account = Account("na-web", "azure", endpoint=endpoint, credential="env:V")
            try:
                found = open_credential(account, environ={"V": value}, cloud={})
                loop.run_until_complete(found.bound_seconds(NOW))
            except MigrateError as fault:
                said = str(fault)
            else:
                said = repr(found)
                for spelled in (found.endpoint, found.account_name):  # an address may spell any text
                    said = said.replace(repr(spelled), "")
            assert key[:40] not in said, "the key is repeated"

    return Target(
        "credentials", lambda random: mutated_bytes(random, random.choice(true).encode(), words), check, (CloudError,)
    )


def metric_answers() -> Target:
    begin = NOW - timedelta(minutes=10)
    source = PrometheusSource("https://prom.example")
    at = NOW.timestamp()
    true: list[Any] = [
        {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[at, "0.5"]]}]}},
        {"status": "success", "data": {"resultType": "vector", "result": [{"value": [at, "1"]}]}, "warnings": ["w"]},
        {"status": "success", "data": {"resultType": "scalar", "result": [at, "NaN"]}},
        {"at": "2026-12-01T00:00:00Z", "value": 0.2, "volume": 1200},
    ]

    def check(item: bytes) -> None:
        document = _document(item)
        with suppress(CloudError):
            reading = source._reading(document, begin, step=60.0)
            assert all(point.at.tzinfo is not None for point in reading.points)
            assert reading.note.isprintable(), "a note that a terminal would obey"
        with suppress(ValueError, TypeError, OverflowError, OSError, RecursionError):
            _point(json.loads(item))

    return Target("figures", lambda random: mutated_json(random, random.choice(true)), check, (CloudError,))
