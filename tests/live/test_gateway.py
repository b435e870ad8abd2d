"""The gateway of the live test: an account that is away, that is silent, and that is a source of copies."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.storage.blob import BlobServiceClient, generate_account_sas

from tests.azurite.server import Azurite
from tests.live.gateway import Gateway, as_from_its_source, as_the_last
from tests.live.writer import API


@pytest.fixture
def gateway(azurite: Azurite) -> Iterator[Gateway]:
    gateway = Gateway(azurite.ports["Blob"])
    yield gateway
    gateway.end()


def service(azurite: Azurite, account: str, gateway: Gateway) -> BlobServiceClient:
    text = azurite.connection_string(account).replace(f":{azurite.ports['Blob']}/", f":{gateway.port}/")
    return BlobServiceClient.from_connection_string(text, api_version=API, retry_total=0)


def test_an_account_that_is_away_refuses_and_comes_back_at_the_same_port(azurite: Azurite, gateway: Gateway) -> None:
    blob = service(azurite, azurite.take(), gateway)
    blob.create_container("box")
    gateway.away()
    with pytest.raises(ServiceRequestError):
        blob.create_container("other")
    gateway.back()
    assert [one.name for one in blob.list_containers()] == ["box"]


def test_what_was_sent_to_a_silent_account_arrives_when_it_speaks_again(azurite: Azurite, gateway: Gateway) -> None:
    blob = service(azurite, azurite.take(), gateway)
    blob.create_container("box")
    gateway.silent()
    with ThreadPoolExecutor(1) as other:
        late = other.submit(blob.create_container, "late")
        with pytest.raises(TimeoutError):
            late.result(timeout=1.0)
        gateway.back()
        late.result(timeout=30)
    assert [one.name for one in blob.list_containers()] == ["box", "late"]


def test_the_service_copies_between_two_gateways(azurite: Azurite, gateway: Gateway) -> None:
    second = Gateway(azurite.ports["Blob"])
    try:
        account = azurite.take()
        source, target = service(azurite, account, gateway), service(azurite, azurite.take(), second)
        source.create_container("box").upload_blob("name", b"body")
        until = datetime.now(UTC) + timedelta(hours=1)
        sas = generate_account_sas(account, azurite.key(account), "o", "r", until)
        copy = target.create_container("box").get_blob_client("name")
        copy.start_copy_from_url(
            f"http://127.0.0.1:{gateway.port}/{account}/box/name?{sas}", requires_sync=True, metadata={}
        )
        assert copy.download_blob().readall() == b"body"
    finally:
        second.end()


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(b"GET /a/b HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", id="no copy"),
        pytest.param(b"Host: 127.0.0.1:1\r\nx-ms-copy-source: http://127.0.0.1:2/a\r\n\r\n", id="a body"),
        pytest.param(
            b"PUT /a/b HTTP/1.1\r\nHost: 127.0.0.1:1\r\nx-ms-copy-source: http://127.0.0.1:2/a\r\n", id="part"
        ),
    ],
)
def test_only_a_whole_request_for_a_copy_is_changed(piece: bytes) -> None:
    assert as_from_its_source(piece) == piece


def test_the_last_answer_of_a_connection_says_so() -> None:
    answer = b"HTTP/1.1 201 Created\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nETag: 1\r\n\r\nbody"
    assert as_the_last(answer) == b"HTTP/1.1 201 Created\r\nConnection: close\r\nETag: 1\r\n\r\nbody"
    assert as_the_last(b"more of the body") == b"more of the body"
