"""A page is shown to this machine alone, and a request changes nothing."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest

from migrator.errors import UsageError
from migrator.report.serving import PageServer, read_address


@pytest.fixture
def server() -> Iterator[PageServer]:
    made = PageServer("127.0.0.1:0")
    made.put("<p>é</p>")
    yield made
    made.close()


def ask(server: PageServer, method: str = "GET", path: str = "/", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rstrip("/").rpartition(":")[2]), timeout=10)
    try:
        connection.request(method, path, headers=headers, body=b"x" if method == "POST" else None)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def test_the_page_is_answered_with_what_keeps_it_apart(server: PageServer) -> None:
    status, body, headers = ask(server)
    assert (status, body.decode()) == (200, "<p>é</p>")
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert ask(server, "HEAD")[:2] == (200, b"")
    server.put("new")
    assert ask(server, path="/?again")[1] == b"new"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(server: PageServer, method: str) -> None:
    assert ask(server, method)[0] == 405
    assert ask(server)[0] == 200


def test_another_path_or_another_name_is_refused(server: PageServer) -> None:
    assert ask(server, path="/etc/passwd")[0] == 404
    assert ask(server, Host="rebound.example.com")[0] == 403
    assert ask(server, Host="localhost:" + server.url.rstrip("/").rpartition(":")[2])[0] == 200


def test_a_page_that_is_not_made_yet_is_said_to_be_made() -> None:
    server = PageServer("localhost:0")
    try:
        assert ask(server)[0] == 503
    finally:
        server.close()


def test_a_port_in_use_is_said(server: PageServer) -> None:
    with pytest.raises(UsageError, match="cannot serve a report at"):
        PageServer(server.url.removeprefix("http://").rstrip("/"))


@pytest.mark.parametrize(
    "address", ["0.0.0.0:80", "10.0.0.1:80", "[::]:80", "example.com:80", "127.0.0.1", ":80", "127.0.0.1:x"]
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(UsageError, match="cannot serve a report at"):
        read_address(address)


def test_addresses_of_this_machine_alone_are_taken() -> None:
    assert read_address("127.0.0.1:8080") == ("127.0.0.1", 8080)
    assert read_address("127.8.9.1:1") == ("127.8.9.1", 1)
    assert read_address("[::1]:8080") == ("::1", 8080)
    assert read_address("localhost:8080") == ("127.0.0.1", 8080)
