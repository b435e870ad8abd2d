"""Requests and copy sources are signed as Microsoft's own SDK signs them."""

from __future__ import annotations

import asyncio
import base64
import hmac
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob import ContainerSasPermissions, UserDelegationKey, generate_container_sas
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy
from hypothesis import given
from hypothesis import strategies as st

from migrator.adapters.azure.credentials import Credential
from migrator.adapters.azure.sas import (
    DELEGATION_KEY_SECONDS,
    DelegationKey,
    DelegationKeys,
    Signatures,
    signed_by_delegation,
    signed_by_key,
)
from migrator.adapters.azure.signing import Keyed, KeySigner, SasSigner, TokenSigner
from migrator.adapters.azure.tokens import Tokens

KEY = base64.b64encode(b"k" * 64).decode()
NAME = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=12)
VALUE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)
ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
STANDARD = ("Content-Type", "Content-Encoding", "Content-Language", "Content-MD5", "If-Match", "If-None-Match")


class Watching(SharedKeyCredentialPolicy):
    """The SDK's policy, which also keeps what it signed."""

    signed = ""

    def _add_authorization_header(self, request: Any, string_to_sign: str) -> None:
        self.signed = string_to_sign
        super()._add_authorization_header(request, string_to_sign)


@given(
    method=st.sampled_from(["GET", "PUT", "HEAD", "DELETE", "POST"]),
    own=st.dictionaries(NAME.map(lambda name: f"x-ms-meta-{name}"), VALUE.filter(bool), max_size=6),
    more=st.dictionaries(
        st.sampled_from(["x-ms-blob-type", "x-ms-tags", "x-ms-copy-source", "x-ms-source-if-match", "x-ms-date2"]),
        VALUE,
    ),
    standard=st.dictionaries(st.sampled_from(STANDARD), VALUE.filter(bool)),
    query=st.dictionaries(st.sampled_from(["comp", "include", "marker", "prefix", "restype", "blockid"]), ANY),
    length=st.integers(0, 10_000),
)
def test_a_shared_key_signs_what_the_sdks_signs(
    method: str,
    own: dict[str, str],
    more: dict[str, str],
    standard: dict[str, str],
    query: dict[str, str],
    length: int,
) -> None:
    more = {name: value for name, value in more.items() if value}
    headers = [*standard.items(), *more.items(), *own.items(), ("Content-Length", str(length))]
    ours = KeySigner("naweb", KEY, [("x-ms-version", "2024-11-04")])
    target = ours.sign(method, "/naweb/box/a%20b", sorted(query.items()), headers)
    given_headers = dict(headers)
    authorization = given_headers.pop("Authorization")
    request = HttpRequest(method, f"http://127.0.0.1{target}", headers={**given_headers, "x-ms-version": "2024-11-04"})
    theirs = Watching("naweb", KEY)
    theirs.on_request(PipelineRequest(request, PipelineContext(None)))
    assert ours.string_to_sign(method, "/naweb/box/a%20b", sorted(query.items()), headers[:-1]) == theirs.signed
    assert authorization == request.headers["Authorization"]


@pytest.mark.parametrize("version", ["2020-12-06", "2024-11-04"])
def test_a_copy_source_signed_by_key_is_the_sdks(version: str) -> None:
    expires = datetime(2026, 11, 24, 6, 5, tzinfo=UTC)
    signed: list[str] = []
    theirs = generate_container_sas(
        "naweb",
        "$web",
        account_key=KEY,
        permission=ContainerSasPermissions(read=True),
        expiry=expires,
        sts_hook=signed.append,
    )
    sv = parse_qs(theirs)["sv"][0]
    assert parse_qs(signed_by_key("naweb", KEY, "$web", expires, sv)) == parse_qs(theirs)
    ours = parse_qs(signed_by_key("naweb", KEY, "$web", expires, version))
    assert (ours["sv"], ours["sp"], ours["sr"], ours["se"]) == ([version], ["r"], ["c"], ["2026-11-24T06:05:00Z"])


def test_a_user_delegation_signs_the_fields_of_its_version() -> None:
    """The SDK signs for its own newest version, which has four fields more: two delegated users, two lists of what a
    request must carry."""
    key = DelegationKey("oid", "tid", "2026-11-24T06:00:00Z", "2026-11-24T07:00:00Z", "b", "2024-11-04", KEY)
    theirs_key = UserDelegationKey()
    theirs_key.signed_oid, theirs_key.signed_tid, theirs_key.signed_service = key.object_id, key.tenant_id, key.service
    theirs_key.signed_start, theirs_key.signed_expiry = key.start, key.expiry
    theirs_key.signed_version, theirs_key.value = key.version, KEY
    expires = datetime(2026, 11, 24, 6, 5, tzinfo=UTC)
    signed: list[str] = []
    theirs = generate_container_sas(
        "naweb",
        "box",
        user_delegation_key=theirs_key,
        permission=ContainerSasPermissions(read=True),
        expiry=expires,
        sts_hook=signed.append,
    )
    fields = signed[0].split("\n")
    assert len(fields) == 28
    sv = parse_qs(theirs)["sv"][0]
    ours_fields = [*fields[:13], *fields[15:21], *fields[23:]]
    assert ours_fields.count(sv) == 1
    expected = KeySigner("naweb", KEY, []).signature("\n".join(ours_fields).replace(sv, "2020-12-06"))
    ours = parse_qs(signed_by_delegation("naweb", key, "box", expires, "2020-12-06"))
    assert ours["sig"] == [expected]
    told = parse_qs(theirs)
    assert {name: ours[name] for name in ours if name not in ("sig", "sv")} == {
        name: told[name] for name in ours if name not in ("sig", "sv")
    }


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


async def never(begin: datetime, end: datetime) -> DelegationKey:
    raise AssertionError("a key needs no other")


def ends_of(signature: str) -> float:
    return datetime.fromisoformat(parse_qs(signature)["se"][0]).timestamp()


async def test_a_signature_is_kept_for_its_container_and_renewed_well_before_its_end() -> None:
    clock = Hands()
    credential = Credential("key", "naweb", "https://x", key=KEY)
    signatures = Signatures(credential, DelegationKeys(never), version="2024-11-04", now=clock)
    assert signatures.at_hand("box") is None
    first = await signatures.signature("box")
    assert signatures.at_hand("box") == first
    assert signatures.at_hand("other") is None
    assert ends_of(first) == clock.at + 300
    clock.at += 170
    assert signatures.at_hand("box") == first
    clock.at += 15
    assert signatures.at_hand("box") is None


async def test_a_clock_that_turns_out_to_be_behind_makes_the_next_signature_a_new_one() -> None:
    clock = Hands()
    credential = Credential("key", "naweb", "https://x", key=KEY)
    signatures = Signatures(credential, DelegationKeys(never), version="2024-11-04", now=clock)
    first = await signatures.signature("box")
    clock.at += 360  # the account has answered: it is six minutes later there
    assert signatures.at_hand("box") is None
    second = await signatures.signature("box")
    assert second != first
    assert ends_of(second) == clock.at + 300


async def test_a_signature_that_was_not_believed_is_minted_anew_and_not_for_every_refusal() -> None:
    clock, asked = Hands(), []

    async def ask(begin: datetime, end: datetime) -> DelegationKey:
        asked.append((begin.timestamp(), end.timestamp()))
        return DelegationKey("o", "t", "s", "e", "b", "v", KEY)

    signatures = Signatures(
        Credential("entra", "naweb", "https://x"), DelegationKeys(ask), version="2024-11-04", now=clock
    )
    await signatures.signature("box")
    for _ in range(3):
        signatures.forget()
        await signatures.signature("box")
    assert asked == [(clock.at - 900, clock.at + DELEGATION_KEY_SECONDS)] * 2


async def test_many_copies_ask_for_one_delegation_key() -> None:
    asked: list[datetime] = []

    async def ask(begin: datetime, end: datetime) -> DelegationKey:
        asked.append(end)
        await asyncio.sleep(0)
        return DelegationKey("o", "t", "s", "e", "b", "v", KEY)

    signatures = Signatures(
        Credential("entra", "naweb", "https://x"), DelegationKeys(ask), version="2024-11-04", now=time.time
    )
    await asyncio.gather(*(signatures.signature(f"box{number % 3}") for number in range(30)))
    assert len(asked) == 1


def test_an_operators_signature_is_appended_as_it_is() -> None:
    signer = SasSigner("sv=1&sig=a%2Bb")
    assert signer.sign("GET", "/box/n", [], []) == "/box/n?sv=1&sig=a%2Bb"
    assert signer.sign("GET", "/box", [("comp", "list"), ("prefix", "a/ &b")], []) == (
        "/box?comp=list&prefix=a%2F%20%26b&sv=1&sig=a%2Bb"
    )


def test_a_token_goes_into_its_header() -> None:
    signer = TokenSigner()
    signer.use("abc")
    headers: list[tuple[str, str]] = []
    assert signer.sign("GET", "/box", [], headers) == "/box"
    assert headers == [("Authorization", "Bearer abc")]


class Source:
    """Gives a new token each time, of the lives in ``lives``; an exception is raised instead."""

    def __init__(self, *lives: float | Exception) -> None:
        self.lives = list(lives)
        self.asked = 0

    async def get_token(self, scope: str) -> Any:
        self.asked += 1
        life = self.lives.pop(0)
        await asyncio.sleep(0)
        if isinstance(life, Exception):
            raise life
        token = type("Token", (), {})()
        token.token, token.expires_on = f"token{self.asked}", datetime.now(UTC).timestamp() + life
        return token


class TestTokens:
    async def test_one_token_serves_many(self) -> None:
        source = Source(3600)
        tokens = Tokens(source, "scope")
        assert tokens.at_hand() is None
        assert await asyncio.gather(*(tokens.token() for _ in range(20))) == ["token1"] * 20
        assert (tokens.at_hand(), source.asked) == ("token1", 1)

    async def test_a_token_near_its_end_is_renewed_while_it_still_serves_others(self) -> None:
        source = Source(200, 3600)
        tokens = Tokens(source, "scope")
        await tokens.token()
        tokens._asks_from = 0  # half a minute has gone by
        assert tokens.at_hand() is None
        assert await asyncio.gather(tokens.token(), tokens.token()) == ["token2", "token1"]
        assert tokens.at_hand() == "token2"

    async def test_a_failed_renewal_leaves_the_living_token(self) -> None:
        source = Source(200, OSError("down"))
        tokens = Tokens(source, "scope")
        await tokens.token()
        tokens._asks_from = 0
        assert await tokens.token() == "token1"
        assert tokens.at_hand() == "token1"  # not asked again at once

    async def test_a_dead_token_is_never_used(self) -> None:
        tokens = Tokens(Source(10, OSError("down"), 3600), "scope")
        await tokens.token()
        with pytest.raises(OSError, match="down"):
            await tokens.token()
        assert await tokens.token() == "token3"


@pytest.mark.parametrize("length", [0, 1, 32, 63, 64, 65, 200])
def test_a_keyed_digest_is_the_standard_library_s(length: int) -> None:
    key, keyed = bytes(range(length)), Keyed(bytes(range(length)))
    for text in (b"", b"PUT\n\n/account/box", b"x" * 1000, b"PUT\n\n/account/box"):
        assert keyed.digest(text) == hmac.digest(key, text, "sha256")


@pytest.mark.parametrize("length", ["0", "7"])
def test_a_percent_sign_and_an_empty_body_are_signed_as_the_service_reads_them(length: str) -> None:
    signer = KeySigner("naweb", base64.b64encode(b"k" * 64).decode(), [("x-ms-version", "1%s")])
    headers = [("x-ms-meta-a%", " 50% %s "), ("Content-Length", length), ("x-ms-b", "\xe9")]
    text = signer.string_to_sign("PUT", "/naweb/box/a", (("timeout", "55"),), headers)
    lines = text.split("\n")
    assert lines[3] == ("" if length == "0" else length)
    assert lines[12:] == [
        "x-ms-b:\xc3\xa9",
        "x-ms-meta-a%:50% %s",
        "x-ms-version:1%s",
        "/naweb/naweb/box/a",
        "timeout:55",
    ]
    assert text == signer.string_to_sign("PUT", "/naweb/box/a", [("timeout", "55")], headers)
