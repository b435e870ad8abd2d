"""Whom the client trusts, and how it goes through a proxy, against servers on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migrator.adapters.azure.wire import Client, NotSent, WireLimits
from migrator.adapters.azure.wire.dialling import Proxy, Server, proxy_for
from tests.certificates import make_certificate
from tests.unit.azure.wire.client.asking import put, stream
from tests.unit.azure.wire.peers import OK, Peer, Serve, answering, peer

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


@pytest.fixture
def secure(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1, and what a server needs to show it."""
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


async def serve_securely(context: ssl.SSLContext, serve: Serve) -> tuple[asyncio.Server, Peer]:
    made = Peer(serve)
    listening = await asyncio.start_server(made._connected, "127.0.0.1", 0, ssl=context)
    made.port = listening.sockets[0].getsockname()[1]
    return listening, made


class TestTrust:
    async def test_a_certificate_that_our_file_vouches_for_is_accepted(
        self, secure: tuple[Path, ssl.SSLContext]
    ) -> None:
        listening, server = await serve_securely(secure[1], answering(OK))
        trust = ssl.create_default_context(cafile=str(secure[0]))
        client = Client(f"https://127.0.0.1:{server.port}", trust=trust)
        for body in (b"", bytes(2_000_000)):
            assert (await put(client, body)).body == b"ok"
        assert server.connections == 1
        client.close()
        listening.close()

    async def test_a_slow_reader_stops_the_server_with_tls_too(self, secure: tuple[Path, ssl.SSLContext]) -> None:
        body = bytes(range(256)) * 40_000
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        listening, server = await serve_securely(secure[1], answering(head + body))
        trust = ssl.create_default_context(cafile=str(secure[0]))
        limits = WireLimits(stream_bytes=64 * 1024)
        client = Client(f"https://127.0.0.1:{server.port}", trust=trust, limits=limits)
        for _ in range(2):
            got = b""
            async with await stream(client) as coming:
                async for chunk in coming.chunks():
                    got += chunk
                    await asyncio.sleep(0)
            assert got == body
        assert server.connections == 1
        client.close()
        listening.close()

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    async def test_an_unknown_certificate_and_another_name_are_refused_and_nothing_was_sent(
        self, secure: tuple[Path, ssl.SSLContext], host: str
    ) -> None:
        listening, server = await serve_securely(secure[1], answering(OK))
        trust = ssl.create_default_context(cafile=str(secure[0]) if host == "localhost" else None)
        client = Client(f"https://{host}:{server.port}", trust=trust)
        with pytest.raises(NotSent, match="its certificate or TLS is not accepted"):
            await put(client)
        assert server.requests == []
        client.close()
        listening.close()


class TestProxies:
    @pytest.fixture
    def environ(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        def put(**variables: str) -> None:
            for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "no_proxy", "NO_PROXY"):
                monkeypatch.delenv(name, raising=False)
            for name, value in variables.items():
                monkeypatch.setenv(name, value)

        return put

    async def _proxy(self, port: int, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> Serve:
        async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read(reader)
            writer.write(answer)
            if b" 200 " not in answer:
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)

            async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                while piece := await source.read(65536):
                    sink.write(piece)
                sink.close()

            await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

        return serve

    async def test_a_server_with_tls_is_reached_through_the_proxy_that_the_environment_names(
        self, secure: tuple[Path, ssl.SSLContext], environ: Callable[..., None]
    ) -> None:
        listening, server = await serve_securely(secure[1], answering(OK))
        trust = ssl.create_default_context(cafile=str(secure[0]))
        async with peer(await self._proxy(server.port)) as proxy:
            environ(https_proxy=f"http://user:p%40ss@127.0.0.1:{proxy.port}")
            client = Client(f"https://127.0.0.1:{server.port}", trust=trust)
            assert (await put(client, b"body")).body == b"ok"
            assert proxy.requests[0][0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n")
            assert "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n" in proxy.requests[0][0]
            assert "Proxy-Authorization" not in server.requests[0][0]
            environ(https_proxy=f"http://127.0.0.1:{proxy.port}", no_proxy="127.0.0.1")
            around = Client(f"https://127.0.0.1:{server.port}", trust=trust)
            await put(around)
            assert proxy.connections == 1
            client.close()
            around.close()
        listening.close()

    async def test_a_proxy_that_refuses_was_sent_nothing_of_the_request(self, environ: Callable[..., None]) -> None:
        async with peer(await self._proxy(1, b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")) as proxy:
            environ(https_proxy=f"http://127.0.0.1:{proxy.port}")
            client = Client("https://127.0.0.1:1", trust=ssl.create_default_context())
            with pytest.raises(
                NotSent, match=r"of the proxy 127.0.0.1:\d+ that the environment names: it wants a name and a password"
            ):
                await put(client)
            client.close()

    async def test_a_proxy_that_cannot_reach_the_server_is_named_with_what_it_said(
        self, environ: Callable[..., None]
    ) -> None:
        async with peer(await self._proxy(1, b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")) as proxy:
            environ(https_proxy=f"http://127.0.0.1:{proxy.port}")
            client = Client("https://127.0.0.1:1", trust=ssl.create_default_context())
            with pytest.raises(NotSent, match=r"of the proxy .*: it does not connect to the server \(HTTP 502\)"):
                await put(client)
            client.close()

    async def test_a_proxy_that_is_down_is_the_one_that_is_named(self, environ: Callable[..., None]) -> None:
        environ(https_proxy="http://user:secret@127.0.0.1:1")
        client = Client("https://127.0.0.1:2", trust=ssl.create_default_context())
        with pytest.raises(NotSent, match=r"of the proxy 127.0.0.1:1 .*: nothing listens there") as failure:
            await put(client)
        assert "secret" not in str(failure.value)
        client.close()

    async def test_each_address_of_a_proxys_name_is_tried(
        self, environ: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``localhost`` is ::1 first on many machines, and the proxy listens on 127.0.0.1."""
        loop = asyncio.get_running_loop()
        async with peer(await self._proxy(1, b"HTTP/1.1 403 No\r\n\r\n")) as proxy:
            found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (1, proxy.port)]

            right = loop.getaddrinfo

            async def both(host: str, port: int, **options: Any) -> object:
                return found if host == "proxy.corp" else await right(host, port, **options)

            monkeypatch.setattr(loop, "getaddrinfo", both)
            environ(https_proxy=f"http://proxy.corp:{proxy.port}")
            client = Client("https://127.0.0.1:2", trust=ssl.create_default_context())
            with pytest.raises(NotSent, match="HTTP 403"):
                await put(client)
            assert proxy.connections == 1
            client.close()

    @pytest.mark.parametrize(
        "address", ["http://proxy:port", "http://proxy:99999", "http://[", "https://proxy:1", "http://"]
    )
    def test_a_proxy_that_is_no_address_is_a_sentence(self, environ: Callable[..., None], address: str) -> None:
        environ(https_proxy=address)
        with pytest.raises(NotSent, match="the environment names a proxy whose address is none"):
            proxy_for(Server("10.1.2.3", 443, ssl.create_default_context()))

    @pytest.mark.parametrize(
        ("exceptions", "host", "is_around"),
        [
            ("10.0.0.0/8", "10.1.2.3", True),
            ("192.168.0.0/16, 10.1.2.0/24", "10.1.2.3", True),
            ("10.1.2.9/24", "10.1.2.3", True),
            ("fd00::/8", "fd12::1", True),
            ("10.0.0.0/8", "11.1.2.3", False),
            ("10.0.0.0/8", "10.example.com", False),
            ("10.0.0.0/99,x/y", "10.1.2.3", False),
        ],
    )
    def test_networks_are_left_out_of_the_proxy(
        self, environ: Callable[..., None], exceptions: str, host: str, is_around: bool
    ) -> None:
        environ(https_proxy="http://127.0.0.1:1", no_proxy=exceptions)
        assert (proxy_for(Server(host, 443, ssl.create_default_context())) is None) == is_around


def test_https_without_a_context_is_refused_instead_of_plain_text() -> None:
    with pytest.raises(ValueError, match="plain text"):
        Client("https://127.0.0.1:1", trust=None)


def test_a_proxy_is_shown_without_its_password() -> None:
    assert "c2VjcmV0" not in repr(Proxy("proxy", 3128, "Basic c2VjcmV0"))
