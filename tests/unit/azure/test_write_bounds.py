"""How long a write may still be applied that nobody answered: what signs it, and what a service of another clock makes of it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.credentials import AccessToken

from migrator.adapters.azure import requests
from migrator.adapters.azure.credentials import Credential
from migrator.adapters.azure.object_store import AzureStore
from migrator.adapters.azure.requests import AGAIN_SECONDS, MOST_WRITE_SECONDS
from migrator.adapters.azure.sas import SAS_SECONDS, WRITE_SECONDS, utc
from migrator.adapters.azure.wire import Answer
from migrator.errors import AccessRefused
from migrator.model.objects import CREATE, EMPTY, BlobType, ContainerInfo, ContentHeaders, Shape
from migrator.model.schedule import Account
from migrator.ports.object_store import Origin

ENDPOINT = "https://naweb.blob.core.windows.net"
PLAIN = Shape(BlobType.BLOCK, ContentHeaders(), EMPTY, EMPTY, None)
APPEND = Shape(BlobType.APPEND, ContentHeaders(), EMPTY, EMPTY, None)
DAY = 24 * 3600


@dataclass
class Tokens:
    """Gives tokens that live for ``seconds``; ``asked``: with which claims."""

    seconds: float = DAY
    asked: list[str] = field(default_factory=list)

    async def get_token(self, *scopes: str, claims: str = "", **options: Any) -> AccessToken:
        self.asked.append(claims)
        return AccessToken(f"token-{len(self.asked)}", int(time.time() + self.seconds))

    async def close(self) -> None: ...


@dataclass
class Service:
    """An account that looks at signatures by its own clock, ``ahead`` of this machine's."""

    ahead: float = 0.0
    revoked: set[str] = field(default_factory=set)
    """Tokens, and values of delegation keys, that are not accepted any more."""
    challenge: str = ""
    keys: int = 0
    sent: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    async def exchange(self, method: str, target: str, headers: Any, body: bytes = b"", **options: Any) -> Answer:
        given = {name.lower(): text for name, text in headers}
        self.sent.append((method, target, given))
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        token = given.get("authorization", "").removeprefix("Bearer ")
        if token:
            is_good = token not in self.revoked
            return (
                self._answer(method, target, 201, body) if is_good else self._refuse(401, "InvalidAuthenticationInfo")
            )
        is_live = datetime.fromisoformat(query["se"]).timestamp() > self.now
        if not is_live or f"key-{query['skt']}" in self.revoked:
            return self._refuse(403, "AuthenticationFailed")
        return self._answer(method, target, 201, body)

    @property
    def now(self) -> float:
        return time.time() + self.ahead

    def _answer(self, method: str, target: str, status: int, body: bytes) -> Answer:
        said = b""
        if "userdelegationkey" in target:
            self.keys += 1
            start = utc(datetime.fromtimestamp(self.now - self.keys, UTC))
            parts = {"SignedOid": "o", "SignedTid": "t", "SignedStart": start, "SignedExpiry": "e"}
            parts |= {"SignedService": "b", "SignedVersion": "v", "Value": base64.b64encode(b"k").decode()}
            inner = "".join(f"<{name}>{text}</{name}>" for name, text in parts.items())
            said = f"<UserDelegationKey>{inner}</UserDelegationKey>".encode()
        return self._made(status, {b"etag": b'"0x1"'}, said)

    def _refuse(self, status: int, code: str) -> Answer:
        more = {b"www-authenticate": self.challenge.encode()} if self.challenge else {}
        return self._made(status, {b"x-ms-error-code": code.encode(), **more}, b"")

    def _made(self, status: int, headers: dict[bytes, bytes], body: bytes) -> Answer:
        date = datetime.fromtimestamp(self.now, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return Answer(status, {b"date": date.encode(), **headers}, [], body)

    def close(self) -> None: ...


def opened(service: Service, tokens: Tokens) -> AzureStore:
    credential = Credential("entra", "naweb", ENDPOINT, token_source=tokens)
    store = AzureStore(Account("na-web", "azure", endpoint=ENDPOINT), credential, cloud={})
    store._requests._client = service  # type: ignore[assignment]
    return store


WRITES: dict[str, tuple[str, Callable[[AzureStore], Awaitable[object]]]] = {
    "put": ("c", lambda s: s.put("box", "n", b"x", PLAIN, condition=CREATE)),
    "stage": ("c", lambda s: s.stage_block("box", "n", "1", b"x")),
    "commit": ("c", lambda s: s.commit_blocks("box", "n", ["1"], PLAIN, condition=CREATE)),
    "create": ("c", lambda s: s.create_empty("box", "n", 0, APPEND, condition=CREATE)),
    "append": ("a", lambda s: s.append("box", "n", b"x", offset=0, if_match="0x1")),
    "pages": ("w", lambda s: s.put_pages("box", "n", bytes(512), offset=0, if_match="0x1")),
    "tags": ("t", lambda s: s.set_tags("box", "n", {"a": "b"})),
    "tier": ("w", lambda s: s.set_tier("box", "n", "Cool")),
    "delete": ("d", lambda s: s.delete("box", "n", if_match="0x1")),
    "copy": ("c", lambda s: s.copy(Origin(s, "box", "o", "0x1"), "box", "n", PLAIN, condition=CREATE)),
    "start": ("c", lambda s: s.start_copy(Origin(s, "box", "o", "0x1"), "box", "n", APPEND, condition=CREATE)),
    "blocks": ("c", lambda s: s.stage_block_from(Origin(s, "box", "o", "0x1"), "box", "n", "1", offset=0, length=1)),
    "abort": ("w", lambda s: s.abort_copy("box", "n", "id")),
}


@pytest.mark.parametrize("write", WRITES)
async def test_under_entra_a_blob_is_written_with_a_signature_of_minutes(write: str) -> None:
    service = Service()
    right, send = WRITES[write]
    await send(opened(service, Tokens()))
    method, target, headers = service.sent[-1]
    said = parse_qs(urlsplit(target).query)
    assert "authorization" not in headers
    assert right in said["sp"][0]
    assert 0 < datetime.fromisoformat(said["se"][0]).timestamp() - time.time() <= WRITE_SECONDS
    assert int(said["timeout"][0]) <= MOST_WRITE_SECONDS
    assert method in ("PUT", "DELETE")


def test_a_signature_and_what_the_service_may_take_are_within_the_bound() -> None:
    assert WRITE_SECONDS + MOST_WRITE_SECONDS + 5 <= SAS_SECONDS == 300


@pytest.mark.parametrize("seconds", [360.0, 3600.0, DAY])
async def test_the_bound_does_not_know_the_life_of_a_token(seconds: float) -> None:
    assert await opened(Service(), Tokens(seconds)).late_write_seconds(datetime.now(UTC)) == SAS_SECONDS


@pytest.mark.parametrize("seconds", [360.0, DAY])
async def test_a_container_itself_is_written_with_a_token_and_counts_as_long(seconds: float) -> None:
    late = await opened(Service(), Tokens(seconds)).late_container_write_seconds()
    assert seconds - 2 < late <= seconds + MOST_WRITE_SECONDS


async def test_a_write_that_comes_after_the_bound_is_refused_by_the_service() -> None:
    service = Service()
    store = opened(service, Tokens())
    await WRITES["put"][1](store)
    late = service.sent[-1]
    service.ahead += SAS_SECONDS - MOST_WRITE_SECONDS
    assert (await service.exchange(late[0], late[1], list(late[2].items()))).status == 403
    await WRITES["put"][1](store)  # and this one is signed anew


async def test_containers_and_reads_go_with_the_token() -> None:
    service = Service()
    store = opened(service, Tokens())
    await store.create_container(ContainerInfo("box"))
    await store.set_container_metadata("box", {"a": "b"})
    assert all("authorization" in headers and "timeout=55" in target for _, target, headers in service.sent)
    assert service.keys == 0


async def test_one_delegation_key_signs_many_writes_and_copies() -> None:
    service = Service()
    store = opened(service, Tokens())
    for _, send in WRITES.values():
        await send(store)
    assert service.keys == 1


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits before further tries, which are not slept."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(requests.asyncio, "sleep", sleep)
    return waited


async def test_a_revoked_delegation_key_is_renewed_once(no_waits: list[float]) -> None:
    service = Service()
    store = opened(service, Tokens())
    await WRITES["put"][1](store)
    service.revoked = {f"key-{parse_qs(urlsplit(service.sent[-1][1]).query)['skt'][0]}"}
    await WRITES["put"][1](store)
    assert service.keys == 2
    assert no_waits == [0.0]
    service._answer = lambda *said: service._refuse(403, "AuthenticationFailed")  # type: ignore[method-assign]
    before = len(service.sent)
    with pytest.raises(AccessRefused):
        await WRITES["put"][1](store)
    assert len(service.sent) == before + 1 + len(AGAIN_SECONDS)
    assert tuple(no_waits[1:]) == AGAIN_SECONDS
    assert service.keys == 2  # that key was minted only just


@pytest.mark.parametrize("times", [1, 2, 3, len(AGAIN_SECONDS)])
async def test_tokens_that_are_revoked_again_while_they_are_renewed_are_waited_out(
    no_waits: list[float], times: int
) -> None:
    """Each new one is refused too, for some seconds."""
    service, tokens = Service(challenge="Bearer"), Tokens()
    store = opened(service, tokens)
    await store.create_container(ContainerInfo("box"))
    service.revoked = {f"token-{number}" for number in range(times + 1)}
    await store.create_container(ContainerInfo("box"))
    assert tuple(no_waits) == AGAIN_SECONDS[:times]
    assert len(tokens.asked) == times + 1


async def test_what_is_refused_at_first_is_not_waited_for(no_waits: list[float]) -> None:
    """A credential that was never accepted is a wrong one."""
    service, tokens = Service(challenge="Bearer"), Tokens()
    service.revoked = {f"token-{number}" for number in range(9)}
    with pytest.raises(AccessRefused):
        await opened(service, tokens).create_container(ContainerInfo("box"))
    assert no_waits == [0.0]
    assert len(tokens.asked) == 2


async def test_a_token_that_is_refused_in_the_middle_is_renewed_once_with_the_claims_that_are_wanted(
    no_waits: list[float],
) -> None:
    claims = json.dumps({"access_token": {"nbf": {"value": "1"}}})
    coded = base64.urlsafe_b64encode(claims.encode()).decode()
    service = Service(challenge=f'Bearer error="insufficient_claims", claims="{coded}"')
    tokens = Tokens()
    store = opened(service, tokens)
    await store.create_container(ContainerInfo("box"))
    service.revoked = {"token-1"}
    await store.create_container(ContainerInfo("box"))
    assert tokens.asked == ["", claims]
    assert service.sent[-1][2]["authorization"] == "Bearer token-2"
    service.revoked = {f"token-{n}" for n in range(9)}
    with pytest.raises(AccessRefused):
        await store.create_container(ContainerInfo("box"))
    assert len(tokens.asked) == 2 + len(AGAIN_SECONDS)
    assert sum(no_waits) == sum(AGAIN_SECONDS) < 10


@pytest.mark.parametrize("size", [0, 1, 8 * 1024 * 1024])
async def test_the_service_is_given_time_for_a_large_body_but_never_beyond_the_bound(size: int) -> None:
    service = Service()
    store = opened(service, Tokens())
    await store.put("box", "n", bytes(size), PLAIN, condition=CREATE)
    seconds = int(parse_qs(urlsplit(service.sent[-1][1]).query)["timeout"][0])
    assert 55 + size // (1024 * 1024) <= seconds <= MOST_WRITE_SECONDS
