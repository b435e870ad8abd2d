"""Credentials go only where the application said they may: whoever can write the document gets none of them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient

from migrator.client import LeasePolicy, Routes, RouteUnusable, SyncLeasePolicy, SyncRoutes
from migrator.client.blob import BlobAddress
from migrator.client.follower import MAX_EPOCH, MAX_TTL_SECONDS, MAX_WRITE_SECONDS, Follower
from migrator.errors import UsageError
from migrator.model.hosts import Hosts
from migrator.model.routes import READ_ONLY, READ_WRITE, Mode, RouteDocument, RouteRecord
from tests.certificates import make_certificate

GOOD = "https://eucore.blob.core.windows.net"
EVIL = "https://evil.example"
SAS = "sv=2022-11-02&ss=b&srt=sco&sp=rwdl&se=2030-01-01&sig=c2VjcmV0"
KEY = {"account_name": "account", "account_key": "a2V5"}


def write(
    path: Path, endpoint: str, epoch: int = 7, *, mode: Mode = READ_WRITE, ttl: float = 30, name: str = "eu-core"
) -> str:
    record = RouteRecord(name, endpoint, mode, epoch, "lineage", "", "")
    path.write_bytes(RouteDocument(ttl, 60, {"europe/images": record}).encode())
    return str(path)


class Listener:
    """A server with TLS that notes whatever it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.seen: list[web.Request] = []
        self.location = ""
        self.url = ""
        self.certificate = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.seen.append(request)
        if self.location:
            return web.Response(status=307 if request.method == "PUT" else 302, headers={"Location": self.location})
        headers = {"ETag": '"0x8D"', "Last-Modified": "Tue, 24 Nov 2026 00:00:00 GMT", "x-ms-blob-type": "BlockBlob"}
        return web.Response(status=200 if request.method in ("GET", "HEAD") else 201, headers=headers)


async def listen(paths: tuple[Path, Path]) -> tuple[Listener, web.AppRunner]:
    found = Listener()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*paths)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    found.url = f"https://127.0.0.1:{runner.addresses[0][1]}/account"
    found.certificate = str(paths[0])
    return found, runner


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[tuple[Listener, Listener]]:
    """Ours and the attacker's."""
    paths = make_certificate(tmp_path)
    both = [await listen(paths), await listen(paths)]
    yield both[0][0], both[1][0]
    for _, runner in both:
        await runner.cleanup()


class Token:
    async def get_token(self, *_: Any, **__: Any) -> AccessToken:
        return AccessToken("ENTRA", 4_000_000_000)

    async def close(self) -> None: ...


class SyncToken:
    def get_token(self, *_: Any, **__: Any) -> AccessToken:
        return AccessToken("ENTRA", 4_000_000_000)


CALLS = [
    ("upload_blob", (b"body",)),
    ("stage_block", ("0001", b"body")),
    ("commit_block_list", ([],)),
    ("get_blob_properties", ()),
    ("delete_blob", ()),
]


async def call(
    kind: str, document: str, server: Listener, url: str, credential: Any, what: Any, **options: Any
) -> None:
    """One method of a stock client that was made for ``url``, under the policy."""
    name, given = what
    hosts = options.pop("hosts", None)
    if kind == "async":
        async with Routes.from_url(document, hosts=hosts) as routes:
            credential = Token() if credential == "token" else credential
            policy = LeasePolicy(routes, "europe", "images", retry_total=0)
            async with AsyncBlobServiceClient(
                url, credential, retry_policy=policy, connection_verify=server.certificate
            ) as client:
                await getattr(client.get_blob_client("box", "a"), name)(*given)
        return

    def work() -> None:
        with SyncRoutes.from_url(document, hosts=hosts) as routes:
            policy = SyncLeasePolicy(routes, "europe", "images", retry_total=0)
            secret = SyncToken() if credential == "token" else credential
            with BlobServiceClient(url, secret, retry_policy=policy, connection_verify=server.certificate) as client:
                getattr(client.get_blob_client("box", "a"), name)(*given)

    await asyncio.to_thread(work)


async def test_a_foreign_host_in_the_document_gives_neither_a_lease_nor_a_place_to_read(tmp_path: Path) -> None:
    path = write(tmp_path / "routes.json", EVIL)
    async with Routes.from_url(path) as routes:
        with pytest.raises(RouteUnusable, match=r"evil\.example"):
            await routes.write("europe", "images")
        with pytest.raises(RouteUnusable, match=r"evil\.example"):
            await routes.writable("europe", "images", timeout=5)
        with pytest.raises(RouteUnusable, match=r"evil\.example"):
            await routes.resolve("europe", "images")
    with SyncRoutes.from_url(path) as sync:
        for ask in (sync.write, sync.writable, sync.resolve):
            with pytest.raises(RouteUnusable, match=r"evil\.example"):
                ask("europe", "images")


def test_a_record_that_turns_foreign_ends_leases_while_readers_stay_and_its_epoch_is_not_remembered() -> None:
    follower = Follower("europe/images", Hosts.of())

    def seen(endpoint: str, epoch: int, at: float, mode: Mode = READ_WRITE) -> bool:
        record = RouteRecord("eu-core", endpoint, mode, epoch, "lineage", "", "")
        return follower.observe(RouteDocument(30, 60, {"europe/images": record}), at)

    assert seen(GOOD, 7, 100)
    assert not seen(EVIL, 900, 101)
    with pytest.raises(RouteUnusable):
        follower.lease(102)
    assert follower.resolve(102).endpoint == GOOD
    assert follower.resolve(102).stale
    assert seen(GOOD, 8, 103, READ_ONLY), "the epoch of the foreign record binds nobody"
    assert seen(GOOD, 9, 104)
    assert follower.lease(105).epoch == 9


def test_hosts_and_accounts_say_what_is_trusted(tmp_path: Path) -> None:
    path = write(tmp_path / "routes.json", "https://eucore.blob.contoso.example")
    with SyncRoutes.from_url(path, hosts=["*.blob.contoso.example"]) as routes:
        assert routes.write("europe", "images").account == "eu-core"
    with SyncRoutes.from_url(path, accounts={"eu-core": "https://eucore.blob.contoso.example/"}) as routes:
        assert routes.write("europe", "images").account == "eu-core"
    write(tmp_path / "routes.json", "https://euweb.blob.contoso.example", name="eu-web")
    with SyncRoutes.from_url(path, accounts={"eu-core": "https://eucore.blob.contoso.example/"}) as routes:
        with pytest.raises(RouteUnusable, match="eu-web is not one that was named"):
            routes.write("europe", "images")


@pytest.mark.parametrize(
    "options",
    [
        {"hosts": ["*.net"]},
        {"hosts": ["*"]},
        {"hosts": ["a b"]},
        {"hosts": ["user@host.example"]},
        {"hosts": ["http://host.example"]},
        {"hosts": "host.example"},
        {"hosts": ["*.blob.example"], "accounts": {"a": GOOD}},
        {"accounts": {"a": "http://host.example"}},
        {"accounts": {"a": "https://x@host.example"}},
    ],
)
def test_what_cannot_be_trusted_is_refused_at_once(tmp_path: Path, options: Any) -> None:
    with pytest.raises(UsageError):
        SyncRoutes.from_url(str(tmp_path / "routes.json"), **options)
    with pytest.raises(UsageError):
        Routes.from_url(str(tmp_path / "routes.json"), **options)


@pytest.mark.parametrize("url", ["https://control.blob.core.windows.net/routing/routes.json?sv=1&sig=x"])
def test_a_document_elsewhere_does_not_send_anybody_to_this_machine(url: str) -> None:
    """A development service on loopback is trusted only where the document lies on this machine as well."""
    with SyncRoutes.from_url(url) as routes:
        assert routes.hosts.objection("a", "http://127.0.0.1:10000/a")
        assert routes.hosts.objection("a", "local:/srv/a.db")
    with SyncRoutes.from_url("http://127.0.0.1:10000/control/routing/routes.json", credential="a2V5") as routes:
        assert not routes.hosts.objection("a", "http://127.0.0.1:10000/a")


@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.parametrize("credential", ["token", SAS, KEY], ids=["entra", "sas", "key"])
@pytest.mark.parametrize("what", CALLS, ids=[name for name, _ in CALLS])
async def test_a_client_that_was_made_for_a_foreign_host_sends_it_nothing(
    servers: tuple[Listener, Listener], tmp_path: Path, kind: str, credential: Any, what: Any
) -> None:
    """However it came to be made: by an older document, by hand, by a lease of somebody else's client."""
    _, evil = servers
    path = write(tmp_path / "routes.json", evil.url)
    with pytest.raises(RouteUnusable):
        await call(kind, path, evil, evil.url, credential, what)
    assert evil.seen == []


@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.parametrize("what", CALLS, ids=[name for name, _ in CALLS])
async def test_a_redirect_takes_no_credential_along(
    servers: tuple[Listener, Listener], tmp_path: Path, kind: str, what: Any
) -> None:
    """Not even to another host that is trusted."""
    ours, evil = servers
    hosts = [server.url.removesuffix("/account") for server in servers]
    path = write(tmp_path / "routes.json", ours.url)
    ours.location = f"{evil.url}/box/a"
    with pytest.raises((RouteUnusable, AzureError)):
        await call(kind, path, ours, ours.url, "token", what, hosts=hosts)
    assert len(ours.seen) == 1
    assert evil.seen == []


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_named_host_is_served_as_ever(servers: tuple[Listener, Listener], tmp_path: Path, kind: str) -> None:
    """The tests above would pass if nothing were ever sent."""
    ours, _ = servers
    path = write(tmp_path / "routes.json", ours.url)
    for what in CALLS[:4]:
        await call(kind, path, ours, ours.url, "token", what, hosts=["127.0.0.1"])
    assert [request.headers["Authorization"] for request in ours.seen] == ["Bearer ENTRA"] * 4


def test_durations_and_epochs_are_believed_within_bounds() -> None:
    follower = Follower("europe/images")

    def seen(epoch: int, ttl: float, max_write: float) -> bool:
        record = RouteRecord("eu-core", GOOD, READ_WRITE, epoch, "lineage", "", "")
        return follower.observe(RouteDocument(ttl, max_write, {"europe/images": record}), 100.0)

    assert seen(7, 86_399, 86_399)
    lease = follower.lease(100.0)
    assert (lease.expires, lease.max_write_seconds) == (100.0 + MAX_TTL_SECONDS, MAX_WRITE_SECONDS)
    assert not seen(MAX_EPOCH + 1, 30, 60)
    assert follower.epoch == 7
    assert seen(MAX_EPOCH, 30, 60)


def test_addresses_are_shown_without_their_secrets() -> None:
    address = BlobAddress.parse(f"https://control.blob.core.windows.net/routing/routes.json?{SAS}", "a2V5c2VjcmV0")
    assert "sig" not in repr(address)
    assert "a2V5c2VjcmV0" not in repr(address)


def test_of_several_services_those_are_used_that_the_application_trusts() -> None:
    """By default only blob services; one that is not trusted is no reason to refuse the blob service's."""
    services = {"table": "https://old.table.core.windows.net", "queue": "https://old.queue.evil.example"}
    record = RouteRecord("old", "https://old.blob.core.windows.net", "read-write", 1, "l", "", "", services=services)
    document = RouteDocument(30, 60, {"europe/images": record}, version=2, register="g1")
    trusts = {None: {}, ("*.blob.core.windows.net", "*.table.core.windows.net"): {"table": services["table"]}}
    for hosts, expected in trusts.items():
        follower = Follower("europe/images", Hosts.of(hosts), lambda *_: (0.0, 1000.0))
        follower.observe(document, 1.0)
        assert follower.lease(2.0).services == follower.resolve(2.0).services == expected
