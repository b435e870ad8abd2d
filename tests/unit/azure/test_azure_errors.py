"""What the service says, and what it does not say, becomes the right error: against a server that answers by script."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from azure.identity import CredentialUnavailableError

from migrator.adapters.azure import open_store
from migrator.adapters.azure.credentials import Credential
from migrator.adapters.azure.errors import Target, redacted
from migrator.adapters.azure.errors import refusal as meant
from migrator.adapters.azure.object_store import AzureStore
from migrator.errors import (
    AccessRefused,
    CloudError,
    ConditionFailed,
    NotFound,
    OutcomeUnknown,
    SourceChanged,
    Throttled,
    Unreachable,
    Unsupported,
)
from migrator.model.objects import CREATE, BlobType, ContentHeaders, Shape
from migrator.model.schedule import Account
from migrator.ports.object_store import Origin
from migrator.ports.troubles import Whose, whose

KEY = "c2VjcmV0IGtleSB0aGF0IG5vYm9keSBtYXkgc2VlIQ=="
PLAIN = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)
HANG_UP = b""
DONE = (
    b'HTTP/1.1 201 Created\r\nContent-Length: 0\r\nETag: "0x1"\r\nLast-Modified: Tue, 24 Nov 2026 06:00:00 GMT\r\n\r\n'
)


def answer(status: int, code: str = "", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", "Content-Length: 0", *([f"x-ms-error-code: {code}"] if code else [])]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass
class Scripted:
    """Gives the answers in order, then hangs up; ``seen``: the request lines."""

    port: int = 0
    answers: list[bytes] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                lengths = [int(line.partition(":")[2]) for line in lines if line.lower().startswith("content-length:")]
                await reader.readexactly(lengths[0] if lengths else 0)
                self.seen.append(lines[0].rpartition(" ")[0])
                reply = self.answers.pop(0) if self.answers else HANG_UP
                if reply == HANG_UP:
                    break
                writer.write(reply)
                await writer.drain()
                if not reply.endswith(b"\r\n\r\n"):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    listening = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    scripted.port = listening.sockets[0].getsockname()[1]
    yield scripted
    listening.close()


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., AzureStore]]:
    stores: list[AzureStore] = []

    def make(name: str, endpoint: str) -> AzureStore:
        stores.append(open_store(Account(name, "azure", endpoint=endpoint, credential="env:K"), environ={"K": KEY}))
        return stores[-1]

    yield make
    for store in stores:
        await store.close()


@pytest.fixture
def store(server: Scripted, opened: Callable[..., AzureStore]) -> AzureStore:
    return opened("na-web", f"http://127.0.0.1:{server.port}/naweb")


async def refusal(request: Awaitable[object]) -> CloudError:
    with pytest.raises(CloudError) as caught:
        await request
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert KEY not in text
    assert "sig=" not in text.replace("sig=...", "")
    assert caught.value.message.startswith("cannot ")
    assert "\n" not in caught.value.message
    return caught.value


def put(store: AzureStore) -> Awaitable[object]:
    return store.put("box", "n", b"body", PLAIN, condition=CREATE)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (answer(412, "ConditionNotMet"), ConditionFailed),
        (answer(409, "BlobAlreadyExists"), ConditionFailed),
        (answer(404, "ContainerNotFound"), NotFound),
        (answer(403, "AuthenticationFailed"), AccessRefused),
        (answer(403, "AuthorizationPermissionMismatch"), AccessRefused),
        (answer(403), AccessRefused),
        (answer(503, "ServerBusy"), Throttled),
        (answer(501, "NotImplemented"), Unsupported),
        # May have been applied: the service says so of its own timeouts, and a proxy's failure says nothing.
        (answer(500, "OperationTimedOut"), OutcomeUnknown),
        (answer(500, "InternalError"), OutcomeUnknown),
        (answer(502), OutcomeUnknown),
        (answer(503), OutcomeUnknown),
        (answer(504), OutcomeUnknown),
        (HANG_UP, OutcomeUnknown),
        (b"HTTP/1.1 201 Crea", OutcomeUnknown),
        (b"nonsense\r\n\r\n", OutcomeUnknown),
    ],
)
async def test_a_write_says_whether_it_can_have_been_applied(
    server: Scripted, store: AzureStore, said: bytes, kind: type[CloudError]
) -> None:
    server.answers = [said]
    assert type(await refusal(put(store))) is kind
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (answer(404, "BlobNotFound"), NotFound),
        (answer(500, "OperationTimedOut"), Throttled),
        (answer(503), Throttled),
        (answer(429), Throttled),
        (answer(500, "InternalError"), Unreachable),
        (HANG_UP, Unreachable),
    ],
)
async def test_a_read_that_failed_may_be_sent_again(
    server: Scripted, store: AzureStore, said: bytes, kind: type[CloudError]
) -> None:
    server.answers = [said]
    assert type(await refusal(store.head("box", "n"))) is kind
    assert len(server.seen) == 1


async def test_a_listing_that_is_no_xml_is_not_an_empty_one(server: Scripted, store: AzureStore) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 10\r\n\r\n<a>\x01</b>\r\n"]
    error = await refusal(store.page("box"))
    assert type(error) is Unreachable
    assert error.message.endswith("its answer cannot be understood")


async def test_a_token_that_nobody_gives_is_one_plain_sentence() -> None:
    class NoTokens:
        async def get_token(self, *scopes: str, **options: object) -> None:
            raise CredentialUnavailableError("Many\nlines\nof advice")

        async def close(self) -> None: ...

    endpoint = "https://naweb.blob.invalid"
    credential = Credential("entra", "naweb", endpoint, token_source=NoTokens())
    store = AzureStore(Account("na-web", "azure", endpoint=endpoint), credential, cloud={})
    for request in (store.containers(), put(store), store.late_write_seconds(datetime.now(UTC))):
        error = await refusal(request)
        assert type(error) is AccessRefused
        assert error.message.endswith(": no credential of this machine was accepted")
    await store.close()


async def test_a_write_whose_kept_connection_breaks_is_not_sent_again(server: Scripted, store: AzureStore) -> None:
    """aiohttp would repeat it, and a create that was applied would then look like another's."""
    server.answers = [DONE, HANG_UP, DONE]
    await put(store)
    assert isinstance(await refusal(put(store)), OutcomeUnknown)
    assert len(server.seen) == 2


async def test_the_wait_that_a_busy_service_asks_for_is_passed_on(server: Scripted, store: AzureStore) -> None:
    server.answers = [answer(503, "ServerBusy", Retry_After="7"), answer(503, "ServerBusy", Retry_After="soon")]
    first, second = await refusal(put(store)), await refusal(put(store))
    assert isinstance(first, Throttled)
    assert isinstance(second, Throttled)
    assert (first.retry_after_seconds, first.account_side, first.code) == (7.0, "self", "ServerBusy")
    assert second.retry_after_seconds is None


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"x_ms_copy_source_status_code": "503", "x_ms_copy_source_error_code": "ServerBusy"}, Throttled),
        ({"x_ms_copy_source_status_code": "500", "x_ms_copy_source_error_code": "InternalError"}, Throttled),
        ({"x_ms_copy_source_status_code": "429"}, Throttled),
        ({"x_ms_copy_source_status_code": "412", "x_ms_copy_source_error_code": "ConditionNotMet"}, SourceChanged),
        ({"x_ms_copy_source_status_code": "404", "x_ms_copy_source_error_code": "BlobNotFound"}, NotFound),
        ({"x_ms_copy_source_status_code": "403", "x_ms_copy_source_error_code": "AuthorizationFailure"}, Unsupported),
        ({}, Unsupported),
    ],
)
async def test_a_copy_repeats_what_its_source_said(
    server: Scripted,
    store: AzureStore,
    opened: Callable[..., AzureStore],
    headers: dict[str, str],
    kind: type[CloudError],
) -> None:
    source = opened("na-core", f"http://127.0.0.1:{server.port}/nacore")
    same = answer(200, ETag='"0x1"', x_ms_blob_type="BlockBlob")
    gone = answer(404, "BlobNotFound")
    server.answers = [answer(403, "CannotVerifyCopySource", **headers), gone if kind is NotFound else same]
    error = await refusal(store.copy(Origin(source, "box", "n", "0x1"), "box", "n", PLAIN, condition=CREATE))
    assert type(error) is kind
    if isinstance(error, Throttled):
        assert error.account_side == "origin"
    if kind is Unsupported:
        assert error.code == "CannotVerifyCopySource"


@pytest.mark.parametrize("code", ["AuthenticationFailed", "InvalidAuthenticationInfo"])
async def test_a_copy_whose_source_does_not_believe_the_signature_is_signed_anew_once(
    server: Scripted, store: AzureStore, opened: Callable[..., AzureStore], code: str
) -> None:
    source = opened("na-core", f"http://127.0.0.1:{server.port}/nacore")
    source._requests.dates.ahead = -1.0
    headers = {"x_ms_copy_source_status_code": "401", "x_ms_copy_source_error_code": code}
    unbelieved = answer(401, "CannotVerifyCopySource", **headers)
    server.answers = [unbelieved, answer(202, ETag='"0x2"')]
    origin = Origin(source, "box", "n", "0x1")
    assert (await store.copy(origin, "box", "n", PLAIN, condition=CREATE)).etag == "0x2"
    server.answers, before = [unbelieved, answer(200, ETag='"0x1"', x_ms_blob_type="BlockBlob")], len(server.seen)
    error = await refusal(store.copy(origin, "box", "n", PLAIN, condition=CREATE))
    assert type(error) is Unsupported
    assert len(server.seen) == before + 2  # and one look at the source


@pytest.mark.parametrize(
    ("look", "kind"),
    [
        (answer(200, ETag='"0x2"', x_ms_blob_type="BlockBlob"), SourceChanged),
        (answer(200, ETag='"0x1"', x_ms_blob_type="BlockBlob"), ConditionFailed),
        (answer(404, "BlobNotFound"), NotFound),
        (answer(404, "ContainerNotFound"), NotFound),
        (HANG_UP, ConditionFailed),
    ],
)
async def test_a_copy_whose_refused_condition_names_no_side_looks_at_the_source(
    server: Scripted, store: AzureStore, opened: Callable[..., AzureStore], look: bytes, kind: type[CloudError]
) -> None:
    source = opened("na-core", f"http://127.0.0.1:{server.port}/nacore")
    server.answers = [answer(412, "ConditionNotMet"), look]
    error = await refusal(store.copy(Origin(source, "box", "n", "0x1"), "box", "n", PLAIN, condition=CREATE))
    assert type(error) is kind


async def test_an_endpoint_where_nothing_listens_was_sent_nothing(opened: Callable[..., AzureStore]) -> None:
    closed = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = closed.sockets[0].getsockname()[1]
    closed.close()
    await closed.wait_closed()
    store = opened("na-web", f"http://127.0.0.1:{port}/naweb")
    for request in (store.containers(), put(store)):
        error = await refusal(request)
        assert type(error) is Unreachable
        assert error.message == f"cannot reach account na-web at http://127.0.0.1:{port}/naweb: nothing listens there"


async def test_a_name_that_is_not_known_was_sent_nothing(opened: Callable[..., AzureStore]) -> None:
    store = opened("na-web", "https://naweb.blob.invalid")
    for request in (store.containers(), put(store)):
        error = await refusal(request)
        assert type(error) is Unreachable
        assert error.message == "cannot reach account na-web at https://naweb.blob.invalid: its name is not known"


async def test_a_service_without_tls_is_said(opened: Callable[..., AzureStore]) -> None:
    async def talk_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer(400))
        writer.close()

    listening = await asyncio.start_server(talk_plainly, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    error = await refusal(opened("na-web", f"https://127.0.0.1:{port}/naweb").containers())
    listening.close()
    assert type(error) is Unreachable
    assert error.message.endswith("its certificate or TLS is not accepted")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("https://a/b?sv=2024&sig=abc%2Fdef&se=1", "abc%2Fdef"),
        ("The MAC signature found in the HTTP request 'abc=' is not the same", "abc="),
        ("AccountName=a;AccountKey=abc==;EndpointSuffix=x", "abc=="),
        ("Authorization: SharedKey naweb:abcdef=", "abcdef"),
        ("Authorization: Bearer eyJ0eXAi.x.y", "eyJ0eXAi"),
    ],
)
def test_a_signature_in_a_services_text_is_left_out(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in redacted(text)


@pytest.mark.parametrize(
    ("look", "kind"),
    [(answer(200, ETag='"0x1"', x_ms_blob_type="BlockBlob"), Throttled), (answer(404, "BlobNotFound"), NotFound)],
)
async def test_a_block_whose_source_was_slow_may_be_staged_again(
    server: Scripted, store: AzureStore, opened: Callable[..., AzureStore], look: bytes, kind: type[CloudError]
) -> None:
    source = opened("na-core", f"http://127.0.0.1:{server.port}/nacore")
    origin = Origin(source, "box", "n", "0x1")
    server.answers = [answer(500, "CannotVerifyCopySource"), look]
    error = await refusal(store.stage_block_from(origin, "box", "n", "b1", offset=0, length=1))
    assert type(error) is kind
    if isinstance(error, Throttled):
        assert error.account_side == "origin"


async def test_of_a_whole_copy_whose_source_was_slow_nobody_knows_the_outcome(
    server: Scripted, store: AzureStore, opened: Callable[..., AzureStore]
) -> None:
    source = opened("na-core", f"http://127.0.0.1:{server.port}/nacore")
    server.answers = [answer(500, "CannotVerifyCopySource")]
    error = await refusal(store.copy(Origin(source, "box", "n", "0x1"), "box", "n", PLAIN, condition=CREATE))
    assert type(error) is OutcomeUnknown


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (412, "LeaseIdMissing"),
        (412, "LeaseLost"),
        (412, "LeaseIdMismatchWithBlobOperation"),
        (409, "InvalidBlobType"),
        (409, "BlobArchived"),
        (400, "InvalidBlobOrBlock"),
        (409, "BlockCountExceedsLimit"),
        (409, "BlobImmutableDueToPolicy"),
        (400, "OutOfRangeInput"),
        (414, ""),
    ],
)
def test_what_one_name_is_refused_for_is_no_change_and_nobody_elses_trouble(status: int, code: str) -> None:
    target = Target("dst", "https://dst", "write", "write", "box", "one")
    fault = meant(status, code, lambda name: "", target)
    assert type(fault) is CloudError
    assert whose(fault) is Whose.NAME
    assert "dst/box/one" in fault.message


@pytest.mark.parametrize("code", ["BlobUsesCustomerSpecifiedEncryption", "BlobArchived"])
def test_what_a_copys_source_is_refused_for_says_nothing_of_the_two_accounts(code: str) -> None:
    said = {"x-ms-copy-source-error-code": code, "x-ms-copy-source-status-code": "409"}
    target = Target("dst", "https://dst", "copy into", "write", "box", "one")
    fault = meant(409, "CannotVerifyCopySource", lambda name: said.get(name, ""), target)
    assert whose(fault) is Whose.NAME  # type: ignore[arg-type]
