"""A visible request ends within ``max_write`` of its beginning, whatever the network and the service do to it.

A raw server plays each kind of slowness. What counts is what arrives there: nothing may begin to arrive when less is left
than the service was given, and nothing may become whole after the end.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient

from migrator.client import LeasePolicy, OutcomeUnknown, Routes, SyncLeasePolicy, SyncRoutes
from migrator.client.ending import ConnectExpired, SyncTry
from migrator.client.lease import TryTimes
from migrator.model.routes import READ_WRITE, RouteDocument, RouteRecord
from tests.certificates import make_certificate

KEY = {"account_name": "account", "account_key": "a2V5"}
MAX_WRITE = 1.6
SLACK = 0.7
"""For a loaded machine: how much later than the end the error may be seen."""
CREATED = (
    b'HTTP/1.1 201 Created\r\nETag: "0x1"\r\nLast-Modified: Tue, 01 Dec 2026 00:00:00 GMT\r\n'
    b"x-ms-request-server-encrypted: true\r\nContent-Length: 0\r\n\r\n"
)
Behaviour = Callable[["Slow", socket.socket], None]


@dataclass
class Slow:
    """A server whose ``behave`` gets each connection, in a thread of its own."""

    behave: Behaviour
    context: ssl.SSLContext | None = None
    seen: list[str] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    """When the headers of each request were here."""

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        scheme = "http" if self.context is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}/account"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self.listener.accept()
                threading.Thread(target=self._meet, args=(peer,), daemon=True).start()

    def _meet(self, peer: socket.socket) -> None:
        with peer, suppress(OSError):
            peer.settimeout(20)
            self.behave(self, peer)

    def headers(self, peer: socket.socket) -> tuple[bytes, bytes]:
        """The next request's headers, and what came of its body with them."""
        got = b""
        while b"\r\n\r\n" not in got:
            more = peer.recv(1024)
            if not more:
                raise OSError("gone")
            got += more
        self.arrived.append(time.monotonic() - self.began)
        self.seen.append(got.split(b"\r\n")[0].decode())
        head, _, body = got.partition(b"\r\n\r\n")
        return head, body


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(tmp_path)


@pytest.fixture
def slow() -> Iterator[Callable[..., Slow]]:
    made: list[Slow] = []

    def make(behave: Behaviour, context: ssl.SSLContext | None = None) -> Slow:
        made.append(Slow(behave, context))
        return made[-1]

    yield make
    for each in made:
        each.listener.close()


class Writer:
    """One client, sync or async, with a short ``max_write``."""

    def __init__(self, kind: str, path: Path) -> None:
        self.kind = kind
        self.path = path / "routes.json"
        self.took = 0.0
        self.options: dict[str, Any] = {}
        self.credential: Any = KEY

    async def write(self, server: Slow, *writes: tuple[str, Any]) -> None:
        """Blob methods with their first argument, one after the other, through one client."""
        url = server.url
        record = RouteRecord("account", url, READ_WRITE, 1, "lineage", "", "")
        self.path.write_bytes(RouteDocument(30, MAX_WRITE, {"europe/images": record}).encode())
        server.began = time.monotonic()
        try:
            if self.kind == "sync":
                await asyncio.to_thread(self._sync, url, writes)
            else:
                await self._async(url, writes)
        finally:
            self.took = time.monotonic() - server.began

    def _sync(self, url: str, writes: tuple[tuple[str, Any], ...]) -> None:
        with SyncRoutes.from_url(str(self.path), hosts=["127.0.0.1", "localhost"]) as routes:
            policy = SyncLeasePolicy(routes, "europe", "images", increment_base=0, random_jitter_range=0)
            with BlobServiceClient(url, self.credential, retry_policy=policy, **self.options) as client:
                for name, given in writes:
                    call = getattr(client.get_blob_client("box", "a"), name)
                    call() if given is None else call(given)

    async def _async(self, url: str, writes: tuple[tuple[str, Any], ...]) -> None:
        async with Routes.from_url(str(self.path), hosts=["127.0.0.1", "localhost"]) as routes:
            policy = LeasePolicy(routes, "europe", "images", increment_base=0, random_jitter_range=0)
            async with AsyncBlobServiceClient(url, self.credential, retry_policy=policy, **self.options) as client:
                for name, given in writes:
                    call = getattr(client.get_blob_client("box", "a"), name)
                    await (call() if given is None else call(given))

    def ended_in_time(self) -> bool:
        return self.took < MAX_WRITE + SLACK


PUT = ("upload_blob", b"body")


@pytest.fixture(params=["async", "sync"])
def writer(request: pytest.FixtureRequest, tmp_path: Path) -> Writer:
    return Writer(request.param, tmp_path)


def silent(server: Slow, peer: socket.socket) -> None:
    """Takes the request and never answers."""
    server.headers(peer)
    time.sleep(10)


def test_the_parts_of_a_try_never_exceed_what_is_left() -> None:
    for tenth in range(9, 3000):
        times = TryTimes.of(tenth / 10)
        if times is None:
            assert tenth < 10
        else:
            assert times.timeout_seconds >= 1
            assert times.connect_seconds + times.timeout_seconds <= times.end_seconds + 0.0501


async def test_a_slow_connection_leaves_the_service_nothing_late(
    writer: Writer, slow: Callable[..., Slow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is found only after half of the time: the request does not leave, and nobody is in doubt about it."""
    server = slow(silent)
    server.url = server.url.replace("127.0.0.1", "localhost")
    really = socket.getaddrinfo

    def late(*args: Any, **options: Any) -> Any:
        time.sleep(0.9)
        return really(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", late)
    with pytest.raises(AzureError) as caught:
        await writer.write(server, PUT)
    assert not isinstance(caught.value, OutcomeUnknown)
    assert server.seen == []
    assert writer.ended_in_time()


async def test_a_full_backlog_is_given_up_before_the_service_would_be_late(
    writer: Writer, slow: Callable[..., Slow]
) -> None:
    """The first SYN is dropped and sent again after a second, which is too late for a request with a second at the service."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    crowd = [socket.socket() for _ in range(4)]
    for each in crowd:
        each.setblocking(False)
        with suppress(BlockingIOError):
            each.connect(full.getsockname())
    server = slow(silent)
    server.url = f"http://127.0.0.1:{full.getsockname()[1]}/account"
    try:
        with pytest.raises(AzureError) as caught:
            await writer.write(server, PUT)
    finally:
        for each in (*crowd, full):
            each.close()
    assert not isinstance(caught.value, OutcomeUnknown)
    assert writer.ended_in_time()


@pytest.mark.parametrize("trickles", [False, True])
async def test_a_slow_handshake_is_given_up(
    writer: Writer, slow: Callable[..., Slow], certificate: tuple[Path, Path], trickles: bool
) -> None:
    """TLS that never answers, and TLS that answers a byte at a time: each read has time enough, all together have not."""

    def shake(server: Slow, peer: socket.socket) -> None:
        peer.recv(4096)
        server.seen.append("hello")
        for byte in b"\x16\x03\x03\x00\x7a\x02" * 20:
            time.sleep(0.1)
            if trickles:
                peer.send(bytes([byte]))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = slow(shake, context)
    writer.options = {"connection_verify": str(certificate[0])}
    with pytest.raises(AzureError) as caught:
        await writer.write(server, PUT)
    assert not isinstance(caught.value, OutcomeUnknown)
    assert server.seen, "it was tried"
    assert writer.ended_in_time()


def test_a_handshake_that_times_out_by_itself_sent_nothing_either() -> None:
    """Its own timeout and the end of the time for connecting are the same moment: either may come first."""

    def shake() -> None:
        raise TimeoutError("_ssl.c:989: The handshake operation timed out")

    times = TryTimes.of(60)
    assert times is not None
    with pytest.raises(ConnectExpired):
        SyncTry(times).connect(object(), shake)


async def test_a_slow_token_does_not_let_a_request_leave_late(
    writer: Writer, slow: Callable[..., Slow], certificate: tuple[Path, Path]
) -> None:
    """The first try waits for the token and is not sent; the token is at hand for the next, if there is time for one."""

    def answer(server: Slow, peer: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        with context.wrap_socket(peer, server_side=True) as safe:
            server.headers(safe)
            safe.sendall(CREATED)

    class Slowly:
        async def get_token(self, *_: Any, **__: Any) -> AccessToken:
            await asyncio.sleep(0.7)
            return AccessToken("token", 4_000_000_000)

        async def close(self) -> None: ...

    class SlowlySync(Slowly):
        def get_token(self, *_: Any, **__: Any) -> Any:
            time.sleep(0.7)
            return AccessToken("token", 4_000_000_000)

    server = slow(answer, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    writer.credential = Slowly() if writer.kind == "async" else SlowlySync()
    writer.options = {"connection_verify": str(certificate[0])}
    with pytest.raises(AzureError):
        await writer.write(server, PUT)
    assert server.seen == []
    assert writer.ended_in_time()


async def test_a_body_that_trickles_is_ended_and_the_rest_of_it_never_arrives(
    writer: Writer, slow: Callable[..., Slow]
) -> None:
    """The service reads slowly, then, after the end, all that is there: what lay in buffers must be gone with the connection."""
    body, got = b"x" * 8_000_000, []
    whole = threading.Event()

    def sip(server: Slow, peer: socket.socket) -> None:
        _, had = server.headers(peer)
        count = len(had)
        try:
            while time.monotonic() - server.began < MAX_WRITE + 0.5:
                time.sleep(0.05)
                count += len(peer.recv(1000))
            while more := peer.recv(65536):
                count += len(more)
                if count >= len(body):
                    whole.set()
                    peer.sendall(CREATED)
        finally:
            got.append(count)

    server = slow(sip)
    with pytest.raises((OutcomeUnknown, AzureError)):
        await writer.write(server, ("upload_blob", body))
    assert writer.ended_in_time()
    await asyncio.sleep(1.5)
    assert got
    assert got[0] < len(body)
    assert not whole.is_set()


async def test_a_body_that_the_application_gives_slowly_is_ended(writer: Writer, slow: Callable[..., Slow]) -> None:
    """An upload from a file or pipe that stalls; the service sees the connection end in time."""
    ends: list[float] = []

    def watch(server: Slow, peer: socket.socket) -> None:
        server.headers(peer)
        try:
            while peer.recv(65536):
                pass
        finally:
            ends.append(time.monotonic() - server.began)

    class Stalling:
        """Four megabytes, the second half of which takes long."""

        sent = 0

        def __len__(self) -> int:
            return 4_000_000

        def read(self, size: int = -1) -> bytes:
            if self.sent >= 4_000_000:
                return b""
            if self.sent >= 2_000_000:
                time.sleep(2.5)
            self.sent += 1_000_000
            return b"x" * 1_000_000

    if writer.kind == "async":
        pytest.skip("a body that blocks the event loop stops its timers too")
    server = slow(watch)
    with pytest.raises((OutcomeUnknown, AzureError)):
        await writer.write(server, ("append_block", Stalling()))
    assert ends
    assert ends[0] < MAX_WRITE + SLACK


@pytest.mark.parametrize("piece", [CREATED, b"HTTP/1.1 100 Continue\r\n\r\n" * 50], ids=["answer", "100-continue"])
@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
async def test_an_answer_that_trickles_is_ended(
    writer: Writer, slow: Callable[..., Slow], piece: bytes, is_tls: bool, certificate: tuple[Path, Path]
) -> None:
    """A byte at a time, or one interim answer after the other: each starts the transport's own timeout anew."""

    def trickle(server: Slow, peer: socket.socket) -> None:
        if is_tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            peer = context.wrap_socket(peer, server_side=True)
        server.headers(peer)
        width = 1 if piece is CREATED else 25
        for at in range(0, len(piece), width):
            time.sleep(0.1)
            peer.sendall(piece[at : at + width])

    server = slow(trickle, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if is_tls else None)
    writer.options = {"connection_verify": str(certificate[0])} if is_tls else {}
    with pytest.raises(OutcomeUnknown):
        await writer.write(server, PUT)
    assert writer.ended_in_time()


async def test_what_arrives_has_its_time_left(writer: Writer, slow: Callable[..., Slow]) -> None:
    """Arrival plus what the service was given is never beyond the end, also for the tries after the first."""
    answers = iter((0.3, 0.2, 0.2))

    def busy(server: Slow, peer: socket.socket) -> None:
        for seconds in answers:
            server.headers(peer)
            time.sleep(seconds)
            peer.sendall(
                b"HTTP/1.1 503 Busy\r\nx-ms-error-code: ServerBusy\r\nContent-Length: 0\r\nx-ms-version: 1\r\n\r\n"
            )

    server = slow(busy)
    with pytest.raises(AzureError):
        await writer.write(server, PUT)
    assert server.seen
    for line, at in zip(server.seen, server.arrived, strict=True):
        given = int(line.split("timeout=")[1].split()[0].split("&")[0])
        assert at + given <= MAX_WRITE + 0.1
    assert writer.ended_in_time()


async def test_a_connection_that_went_back_to_its_pool_is_not_ended_for_its_last_writer(
    writer: Writer, slow: Callable[..., Slow]
) -> None:
    """A write, then a read over the same connection that lasts beyond the write's end."""

    def keep(server: Slow, peer: socket.socket) -> None:
        _, body = server.headers(peer)
        while len(body) < 4:
            body += peer.recv(100)
        peer.sendall(CREATED)
        server.headers(peer)
        time.sleep(MAX_WRITE + 0.3)
        peer.sendall(b'HTTP/1.1 200 OK\r\nETag: "0x1"\r\nContent-Length: 0\r\nx-ms-blob-type: BlockBlob\r\n\r\n')

    server = slow(keep)
    await writer.write(server, PUT, ("get_blob_properties", None))
    assert [line.split()[0] for line in server.seen] == ["PUT", "HEAD"]


async def test_the_second_write_over_a_connection_is_ended_as_well(writer: Writer, slow: Callable[..., Slow]) -> None:
    def once(server: Slow, peer: socket.socket) -> None:
        _, body = server.headers(peer)
        while len(body) < 4:
            body += peer.recv(100)
        peer.sendall(CREATED)
        silent(server, peer)

    server = slow(once)
    with pytest.raises(OutcomeUnknown):
        await writer.write(server, PUT, PUT)
    assert len(server.seen) == 2
    assert writer.took < MAX_WRITE + SLACK + 0.3
