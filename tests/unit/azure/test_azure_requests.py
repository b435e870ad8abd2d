"""What the store sends for names and values that mean harm, and what it makes of answers that do: no service needed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import replace

import pytest

from migrator.adapters.azure import open_store
from migrator.adapters.azure.object_store import AzureStore
from migrator.errors import AccessRefused, CloudError, MigrateError, OutcomeUnknown, Unreachable, Unsupported
from migrator.model.objects import CREATE, EMPTY, BlobType, Condition, ContainerInfo, ContentHeaders, Shape
from migrator.model.schedule import Account
from migrator.ports.object_store import Origin
from tests.unit.azure.wire.peers import Peer, answering, peer

KEY = "c2VjcmV0IGtleSB0aGF0IG5vYm9keSBtYXkgc2VlIQ=="
SAS = "sv=2024-11-04&ss=b&srt=sco&sp=rwl&se=2026-11-24T07:00:00Z&sig=hush%2Bhush%3D"
PLAIN = Shape(BlobType.BLOCK, ContentHeaders(), EMPTY, EMPTY, None)
READ = b'HTTP/1.1 200 OK\r\nETag: "0x1"\r\nContent-Length: 1\r\n\r\nx'
CREATED = b'HTTP/1.1 201 Created\r\nContent-Length: 0\r\nETag: "0x1"\r\n\r\n'


def opened(server: Peer, name: str = "na-web", secret: str = KEY) -> AzureStore:
    account = Account(name, "azure", endpoint=f"{server.endpoint}/naweb", credential="env:K")
    return open_store(account, environ={"K": secret})


def put(store: AzureStore, name: str = "n", shape: Shape = PLAIN, condition: Condition = CREATE) -> Awaitable[object]:
    return store.put("box", name, b"x", shape, condition=condition)


HARMFUL: dict[str, Callable[[AzureStore, str], Awaitable[object]]] = {
    "metadata value": lambda store, bad: put(store, shape=replace(PLAIN, metadata={"a": f"b{bad}"})),
    "metadata name": lambda store, bad: put(store, shape=replace(PLAIN, metadata={f"a{bad}b": "c"})),
    "content type": lambda store, bad: put(store, shape=replace(PLAIN, headers=ContentHeaders(f"a{bad}b"))),
    "disposition": lambda store, bad: put(
        store, shape=replace(PLAIN, headers=ContentHeaders(content_disposition=f"a{bad}b"))
    ),
    "condition": lambda store, bad: put(store, condition=Condition(if_match=f"0x1{bad}b")),
    "container metadata": lambda store, bad: store.create_container(ContainerInfo("box", {"a": f"b{bad}c"})),
    "container access": lambda store, bad: store.create_container(ContainerInfo("box", {}, f"blob{bad}c")),
    "source etag": lambda store, bad: store.copy(
        Origin(store, "box", "n", f"0x1{bad}b"), "box", "n", PLAIN, condition=CREATE
    ),
}


@pytest.mark.parametrize("bad", ["\r\nx-ms-delete-snapshots: include", "\n", "\r", "\x00", "\x7f"])
@pytest.mark.parametrize("where", HARMFUL)
@pytest.mark.parametrize("secret", [KEY, SAS])
async def test_no_value_becomes_a_header_of_its_own(where: str, bad: str, secret: str) -> None:
    async with peer(answering(CREATED)) as server:
        store = opened(server, secret=secret)
        if secret == SAS and where == "source etag":
            assert not store.can_copy_from(store)  # nothing of it is ever a copy's source
            await store.close()
            return
        with pytest.raises(CloudError, match=r"cannot .*control characters") as refusal:
            await HARMFUL[where](store, bad)
        assert refusal.value.code == "UnsafeValue"
        assert not isinstance(refusal.value, OutcomeUnknown)
        assert server.requests == []
        await store.close()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a b?c#d%e", "a%20b%3Fc%23d%25e"),
        ("é\U0001f389", "%C3%A9%F0%9F%8E%89"),
        ("a//b/", "a//b/"),
        ("?comp=list", "%3Fcomp%3Dlist"),
        ("\x80.a", "%C2%80.a"),
    ],
)
async def test_a_name_is_only_ever_a_path(name: str, path: str) -> None:
    async with peer(answering(CREATED)) as server:
        store = opened(server)
        await put(store, name)
        await store.set_tags("box", name, {"k&<": '"v\r\n'})
        await store.stage_block("box", name, "id&?", b"x")
        lines = [head.partition("\r\n")[0] for head, _ in server.requests]
        assert lines == [
            f"PUT /naweb/box/{path}?timeout=55 HTTP/1.1",
            f"PUT /naweb/box/{path}?comp=tags&timeout=55 HTTP/1.1",
            f"PUT /naweb/box/{path}?blockid=aWQmPw%3D%3D&comp=block&timeout=55 HTTP/1.1",
        ]
        assert b"<Key>k&amp;&lt;</Key>" in server.requests[1][1]
        await store.close()


@pytest.mark.parametrize(
    "name",
    [*("", "..", "a/../b", "\ud800", "dots...", "a./b", "a/b.", "a\r\nx-ms-b: c", "tab\tbed", "\x00", "delete \x7f")],
)
async def test_a_name_that_no_address_holds_is_refused_before_it_is_sent(name: str) -> None:
    async with peer(answering(CREATED)) as server:
        store = opened(server)
        for request in (put(store, name), store.head("box", name), store.delete("box", name, if_match="0x1")):
            with pytest.raises(CloudError) as refusal:
                await request
            assert refusal.value.code == "UnsafeName"
        assert server.requests == []
        await store.close()


@pytest.mark.parametrize("container", [".", ".."])
async def test_a_container_that_is_a_way_through_the_path_is_refused(container: str) -> None:
    async with peer(answering(CREATED)) as server:
        store = opened(server)
        for request in (store.page(container), store.head(container, "n"), store.container(container)):
            with pytest.raises(CloudError) as refusal:
                await request
            assert refusal.value.code == "UnsafeName"
        with pytest.raises(CloudError):
            await store.page("a/../b?c")
        assert [head.partition(" HTTP")[0] for head, _ in server.requests] == [
            "GET /naweb/a%2F..%2Fb%3Fc?comp=list&include=copy%2Cmetadata%2Ctags&restype=container"
        ]
        await store.close()


async def test_prefix_marker_and_tags_stay_values() -> None:
    listing = b"<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(listing) + listing
    async with peer(answering(answer, CREATED)) as server:
        store = opened(server, secret=SAS)
        await store.page("box", prefix="a&restype=service\r\n", marker="m=&\n", limit=7)
        assert server.requests[0][0].startswith(
            "GET /naweb/box?comp=list&include=copy%2Cmetadata%2Ctags&marker=m%3D%26%0A&maxresults=7"
            f"&prefix=a%26restype%3Dservice%0D%0A&restype=container&{SAS} HTTP/1.1\r\n"
        )
        await put(store, shape=replace(PLAIN, tags={"a&b": "c=d\r\nx"}))
        assert "\r\nx-ms-tags: a%26b=c%3Dd%0D%0Ax\r\n" in server.requests[1][0]
        await store.close()


@pytest.mark.parametrize("bad", ["sv=1&sig=a b", "sv=1&sig=a\r\nHost: x", "sv=1&sig=a\u00e9", "sv=1&sig=a#b"])
async def test_a_signature_that_would_break_its_line_opens_nothing(bad: str) -> None:
    async with peer(answering(CREATED)) as server:
        with pytest.raises(AccessRefused) as refusal:
            opened(server, secret=bad)
        assert "sig=a" not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nETag:\r\n\r\n",
        b'HTTP/1.1 201 Created\r\nContent-Length: 0\r\nETag: "0x1"\r\nETag: "0x2"\r\n\r\n',
        b'HTTP/1.1 201 Created\r\nContent-Length: 0\r\nETag: "\xff"\r\n\r\n',
        b'HTTP/1.1 201 Created\r\nETag: "0x1"\r\n\r\n',
    ],
)
async def test_a_success_without_its_etag_leaves_the_outcome_unknown(said: bytes) -> None:
    async with peer(answering(said)) as server:
        store = opened(server)
        with pytest.raises(OutcomeUnknown, match="cannot be understood"):
            await put(store)
        await store.close()


@pytest.mark.parametrize(
    "headers",
    [
        b"x-ms-blob-type: BlockBlob",
        b'ETag: "0x1"\r\nx-ms-blob-type: Other',
        b'ETag: "0x1"',
    ],
)
async def test_a_head_that_says_too_little_is_no_blob(headers: bytes) -> None:
    async with peer(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n%b\r\n\r\n" % headers)) as server:
        store = opened(server)
        with pytest.raises(Unreachable, match="cannot be understood"):
            await store.head("box", "n")
        await store.close()


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
        b"HTTP/1.1 206 Part\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/10\r\n\r\n01234",
    ],
)
async def test_another_part_than_the_one_that_was_asked_for_is_not_taken(said: bytes) -> None:
    async with peer(answering(said)) as server:
        store = opened(server)
        with pytest.raises(Unreachable, match="cannot be understood"):
            async with store.read("box", "n", if_match="0x1", offset=5, length=5):
                pass
        await store.close()


async def test_a_read_that_breaks_in_the_middle_says_so() -> None:
    async def serve(server: Peer, reader, writer) -> None:
        await server.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")

    async with peer(serve) as server:
        store = opened(server)
        async with store.read("box", "n", if_match="0x1") as chunks:
            with pytest.raises(Unreachable, match="the connection broke"):
                [chunk async for chunk in chunks]
        await store.close()


async def test_a_reader_who_stops_early_costs_a_connection_and_no_more() -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1_000_000)
    async with peer(answering(said)) as server:
        store = opened(server)
        for _ in range(2):
            async with store.read("box", "n", if_match="0x1") as chunks, aclosing(chunks):
                async for _chunk in chunks:
                    break
        assert server.connections == 2
        await store.close()


async def test_of_a_page_too_large_to_hold_a_smaller_one_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrator.adapters.azure.reading.PAGE_BYTES", 100)
    small = b"<EnumerationResults><Blobs/><NextMarker>m</NextMarker></EnumerationResults>"
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + bytes(101)] * 2
    answers.append(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(small) + small)
    async with peer(answering(*answers)) as server:
        store = opened(server)
        assert (await store.page("box")).marker == "m"
        asked = [head.partition("maxresults=")[2].partition("&")[0] for head, _ in server.requests]
        assert asked == ["", "1250", "312"]
        await store.close()


def client_ids(server: Peer) -> list[str]:
    """By which each request can be found in the account's own logs."""
    lines = [line for head, _ in server.requests for line in head.split("\r\n")]
    return [line.partition(": ")[2] for line in lines if line.startswith("x-ms-client-request-id: ")]


@pytest.mark.parametrize("secret", [KEY, SAS])
async def test_every_request_has_an_id_of_its_own_and_its_failure_tells_it(secret: str) -> None:
    async with peer(answering(CREATED, CREATED, READ)) as server:
        store = opened(server, secret=secret)
        await put(store)
        await store.create_container(ContainerInfo("box"))
        async with store.read("box", "n", if_match="0x1") as chunks:
            async for _ in chunks:
                pass
        assert len(set(client_ids(server))) == len(server.requests) == 3
        await store.close()

    async def silent(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read(reader)

    async with peer(silent) as server:
        store = opened(server, secret=secret)
        with pytest.raises(OutcomeUnknown) as unknown:
            await put(store)
        assert str(unknown.value.__cause__) == f"no answer (client request {client_ids(server)[0]})"
        await store.close()


async def test_an_account_that_allows_no_keys_is_not_said_to_have_a_firewall() -> None:
    said = b"HTTP/1.1 403 No\r\nx-ms-error-code: KeyBasedAuthenticationNotPermitted\r\nContent-Length: 0\r\n\r\n"
    async with peer(answering(said)) as server:
        store = opened(server)
        with pytest.raises(AccessRefused, match="allows no keys") as refusal:
            await put(store)
        assert "Microsoft Entra ID" in refusal.value.hint
        assert "firewall" not in refusal.value.hint
        await store.close()


async def test_the_services_words_are_the_cause_without_signatures() -> None:
    message = b"signature found in the HTTP request 'abc=' ...\nmore"
    text = b"<Error><Code>AuthenticationFailed</Code><Message>%b</Message></Error>" % message
    said = b"HTTP/1.1 403 No\r\nx-ms-request-id: 42\r\nContent-Length: %d\r\n\r\n" % len(text) + text
    async with peer(answering(said)) as server:
        store = opened(server)
        with pytest.raises(AccessRefused) as refusal:
            await put(store)
        assert refusal.value.code == "AuthenticationFailed"
        (asked,) = client_ids(server)
        assert str(refusal.value.__cause__) == (
            "HTTP 403 AuthenticationFailed: signature found in the HTTP request '...' ... "
            f"(request 42, client request {asked})"
        )
        await store.close()


async def test_what_a_server_calls_an_error_commands_no_terminal() -> None:
    """A code is a word; a text loses its escapes. (Control characters of ASCII are no part of a header at all.)"""
    evil = "\x9b31m\u202e".encode()
    text = b"<Error><Code>x</Code><Message>red \x1b[31m %b</Message></Error>" % evil
    for header in (b"x-ms-error-code", b"x-ms-copy-source-error-code"):
        said = b"HTTP/1.1 403 No\r\n%b: Evil%b\r\nx-ms-copy-source-status-code: 503\r\nx-ms-request-id: %b\r\n" % (
            header,
            evil,
            evil,
        )
        said += b"Content-Length: %d\r\n\r\n" % len(text) + text
        async with peer(answering(said)) as server:
            store = opened(server)
            with pytest.raises(CloudError) as refusal:
                await put(store)
            shown = str(refusal.value) + repr(refusal.value.code) + str(refusal.value.__cause__)
            assert shown.isprintable()
            assert "Evil" not in str(refusal.value)
            await store.close()


DATES = [
    (b"Date: Wed, 25 Nov 2026 12:00:59 GMT\r\n", 1795608059.0),
    (b"date: Wed, 25 Nov 2026 12:01:00 GMT\r\n", 1795608060.0),
    (b"Date: Wed, 25 Nov 2026 12:01:00 GMT\r\nX: y\r\n", 1795608060.0),
    (b"Date: yesterday\r\n", 1795608060.0),
    (b"Date: \xff\xfe\r\n", 1795608060.0),
    (b"", 1795608060.0),
]


async def test_the_services_clock_is_what_its_newest_answer_said() -> None:
    """Of a success, a refusal and a stream alike; what is no date changes nothing."""
    for status in (b"201 Created", b"409 Conflict"):
        head = b"HTTP/1.1 " + status + b'\r\nContent-Length: 0\r\nETag: "0x1"\r\n'
        async with peer(answering(*(head + date + b"\r\n" for date, _ in DATES))) as server:
            store = opened(server)
            assert store.answered_at is None
            for _, moment in DATES:
                with suppress(CloudError):
                    await put(store)
                assert store.answered_at == moment
            await store.close()


async def test_a_stream_tells_the_services_clock_when_it_begins() -> None:
    head = b'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: "0x1"\r\n' + DATES[0][0] + b"\r\nx"
    async with peer(answering(head)) as server:
        store = opened(server)
        async with store.read("box", "n", if_match="0x1") as chunks:
            assert [chunk async for chunk in chunks] == [b"x"]
        assert store.answered_at == DATES[0][1]
        await store.close()


async def test_an_error_of_our_own_making_is_not_mistaken_for_the_clouds() -> None:
    async with peer(answering(CREATED)) as server:
        store = opened(server)
        with pytest.raises(MigrateError):
            await put(store, shape=replace(PLAIN, tier="Lukewarm"))
        await store.close()


FRESH = """
import asyncio, sys
from migrator.adapters.azure import open_store
from migrator.model.objects import CREATE, EMPTY, BlobType, ContentHeaders, Shape
from migrator.model.schedule import Account
from migrator.ports.object_store import Origin
async def main():
    store = open_store(Account("a", "azure", endpoint="{endpoint}/naweb", credential="env:K"), environ={{"K": {secret!r}}})
    shape = Shape(BlobType.BLOCK, ContentHeaders(), EMPTY, EMPTY, None)
    source = open_store(Account("b", "azure", endpoint="{endpoint}/nacore", credential="env:S"), environ={{"S": {key!r}}})
    await store.copy(Origin(source, "box", "n", "0x1"), "box", "n", shape, condition=CREATE)
    await source.close()
    await store.close()
asyncio.run(main())
heavy = {{"azure", "aiohttp", "pydantic", "sqlalchemy", "rich", "typer", "http", "email"}}
print(sorted({{name.split(".")[0] for name in sys.modules}} & heavy))
"""


@pytest.mark.parametrize("secret", [KEY, SAS])
async def test_a_process_that_only_copies_loads_no_sdk_and_nothing_of_the_desk(secret: str) -> None:
    async with peer(answering(CREATED)) as server:
        program = FRESH.format(endpoint=server.endpoint, secret=secret, key=KEY)
        shown = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("version", ["2019-02-02", "2019-12-12", "2020-06-12", "2020-08-04"])
def test_a_version_that_cannot_list_what_is_needed_opens_nothing(version: str) -> None:
    account = Account("na-web", "azure", endpoint="http://127.0.0.1:1/naweb", credential="env:K", api_version=version)
    with pytest.raises(Unsupported, match="is too old for what is needed") as refused:
        open_store(account, environ={"K": KEY})
    assert "from 2020-10-02 on" in refused.value.hint


@pytest.mark.parametrize("tier", ["Premium", "Smart"])
async def test_a_tier_that_an_account_gives_is_nobodys(tier: str) -> None:
    """No blob can be put into it: it is no explicit tier, and nothing of a page blob's."""
    head = f'HTTP/1.1 200 OK\r\nETag: "0x1"\r\nx-ms-blob-type: BlockBlob\r\nx-ms-access-tier: {tier}\r\n'
    async with peer(answering(f"{head}Content-Length: 0\r\n\r\n".encode())) as server:
        store = opened(server)
        found = await store.head("box", "n")
        assert (found.tier, found.explicit_tier) == (tier, None)
        with pytest.raises(Unsupported, match="no block blob has it"):
            await store.set_tier("box", "n", tier)
        await store.close()
