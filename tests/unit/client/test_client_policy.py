"""The policies inside real azure-storage-blob clients, against a small server that answers, fails, hangs or hangs up."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from aiohttp import web
from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import BlobServiceClient
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient

from migrator.client import (
    LeasePolicy,
    OutcomeUnknown,
    RestartUpload,
    RouteFenced,
    RouteMoved,
    Routes,
    SyncLeasePolicy,
    SyncRoutes,
)
from migrator.model.routes import READ_ONLY, READ_WRITE, Mode, RouteDocument, RouteRecord

KEY = base64.b64encode(b"k" * 32).decode()
STATUS = {"HEAD": 200, "DELETE": 202}
QUICK = {"increment_base": 0, "random_jitter_range": 0}
"""No pause between tries."""
OK = "ok"


class Service:
    """Answers from a script: a status, ``(status, error code[, headers])``, "cut" (hang up unanswered), or a call made first."""

    def __init__(self) -> None:
        self.script: list[Any] = []
        self.seen: list[web.Request] = []
        self.url = ""

    @property
    def tries(self) -> list[str]:
        return [f"{request.method} {request.query.get('comp', '')}".strip() for request in self.seen]

    @property
    def timeouts(self) -> list[int]:
        return [int(request.query.get("timeout", "-1")) for request in self.seen]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.seen.append(request)
        assert is_signed(request), "the signature does not cover what was sent"
        step = self.script.pop(0) if self.script else OK
        if callable(step):
            step = step()
        if step == "cut":
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if step == OK:
            step = STATUS.get(request.method, 200 if request.query.get("comp") == "metadata" else 201)
        status, code, *more = step if isinstance(step, tuple) else (step, "")
        headers = {"ETag": '"0x8D"', "Last-Modified": "Tue, 24 Nov 2026 00:00:00 GMT", "x-ms-blob-append-offset": "0"}
        headers |= ({"x-ms-error-code": code} if code else {}) | (more[0] if more else {})
        return web.Response(status=status, headers=headers)


def is_signed(request: web.Request) -> bool:
    """Shared Key, as the service checks it: the query counts, ``timeout`` too. Nothing is said of a signature in the query."""
    if "sig" in request.query:
        return True
    plain = ["Content-Encoding", "Content-Language", "Content-Length", "Content-MD5", "Content-Type", "Date"]
    plain += ["If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"]
    values = [request.headers.get(name, "") for name in plain]
    values[2] = "" if values[2] == "0" else values[2]
    if "x-ms-date" in request.headers:
        values[5] = ""
    extra = sorted((name.lower(), value) for name, value in request.headers.items() if name.lower().startswith("x-ms-"))
    resource = f"/account{request.rel_url.raw_path}"
    resource += "".join(f"\n{name.lower()}:{unquote(value)}" for name, value in sorted(request.query.items()))
    text = "\n".join([request.method, *values, *(f"{name}:{value}" for name, value in extra), resource])
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    return request.headers.get("Authorization") == f"SharedKey account:{base64.b64encode(digest).decode()}"


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    double = Service()
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{tail:.*}", double.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    double.url = f"http://127.0.0.1:{runner.addresses[0][1]}/account"
    yield double
    await runner.cleanup()


class Bench:
    """One account, one client of it with the policy, sync or async, and the route that the test changes."""

    def __init__(self, kind: str, service: Service, path: Path) -> None:
        self.kind = kind
        self.service = service
        self.path = path
        self.now = 100.0
        self.credential: Any = {"account_name": "account", "account_key": KEY}
        self.route(READ_WRITE, 7)

    def route(self, mode: Mode, epoch: int, *, url: str = "", max_write: float = 60) -> None:
        record = RouteRecord("account", url or self.service.url, mode, epoch, "lineage", "", "")
        self.path.write_bytes(RouteDocument(30, max_write, {"europe/images": record}).encode())

    async def call(self, name: str, *args: Any, wait: float = 0, **options: Any) -> Any:
        """A method of the blob client, through a fresh client and the routes kept since the first call."""
        if self.kind == "sync":
            return await asyncio.to_thread(self._sync, name, args, wait, options)
        async with AsyncBlobServiceClient(
            self.service.url,
            self.credential,
            retry_policy=LeasePolicy(self._async_routes(), "europe", "images", wait=wait, **QUICK),
        ) as client:
            return await getattr(client.get_blob_client("box", "a b"), name)(*args, **options)

    def _sync(self, name: str, args: tuple[Any, ...], wait: float, options: dict[str, Any]) -> Any:
        with BlobServiceClient(
            self.service.url,
            self.credential,
            retry_policy=SyncLeasePolicy(self._sync_routes(), "europe", "images", wait=wait, **QUICK),
        ) as client:
            return getattr(client.get_blob_client("box", "a b"), name)(*args, **options)

    def _async_routes(self) -> Routes:
        if not hasattr(self, "_routes"):
            self._routes: Any = Routes.from_url(str(self.path))
            self._routes._clock = lambda: self.now
        return self._routes  # type: ignore[no-any-return]

    def _sync_routes(self) -> SyncRoutes:
        if not hasattr(self, "_routes"):
            self._routes = SyncRoutes.from_url(str(self.path))
            self._routes._clock = lambda: self.now
        return self._routes  # type: ignore[no-any-return]

    def later(self, seconds: float, then: Any) -> Callable[[], Any]:
        """A step of the service's script: time passes, then it answers."""

        def step() -> Any:
            self.now += seconds
            return then

        return step


@pytest.fixture(params=["async", "sync"])
def bench(request: pytest.FixtureRequest, service: Service, tmp_path: Path) -> Bench:
    return Bench(request.param, service, tmp_path / "routes.json")


async def put(bench: Bench, **options: Any) -> Any:
    return await bench.call("upload_blob", b"body", **options)


async def test_every_write_carries_the_services_timeout_and_stays_signed(bench: Bench) -> None:
    bench.route(READ_WRITE, 7, max_write=20)
    await put(bench)
    await bench.call("set_blob_metadata", {"a": "b"})
    await bench.call("delete_blob")
    assert bench.service.timeouts == [15, 15, 15], "what is left when it arrives, the connection taken out"


async def test_a_shorter_timeout_of_the_application_wins(bench: Bench) -> None:
    await put(bench, timeout=3)
    assert bench.service.timeouts == [3]


async def test_a_fenced_write_is_not_sent(bench: Bench) -> None:
    bench.route(READ_ONLY, 8)
    with pytest.raises(RouteFenced):
        await put(bench)
    assert bench.service.seen == []


async def test_staged_blocks_and_reads_pass_a_fence_and_the_commit_does_not(bench: Bench) -> None:
    bench.route(READ_ONLY, 8)
    await bench.call("stage_block", "0001", b"body")
    await bench.call("get_blob_properties")
    with pytest.raises(RouteFenced):
        await bench.call("commit_block_list", ["0001"])
    assert bench.service.tries == ["PUT block", "HEAD"]


async def test_after_a_switch_a_commit_begins_again_and_other_writes_move(bench: Bench) -> None:
    bench.route(READ_WRITE, 9, url="https://new.blob.core.windows.net")
    with pytest.raises(RestartUpload) as restart:
        await bench.call("commit_block_list", ["0001"])
    with pytest.raises(RouteMoved) as moved:
        await put(bench)
    assert (restart.value.endpoint, moved.value.endpoint) == ("https://new.blob.core.windows.net",) * 2
    assert bench.service.seen == []


async def test_an_account_whose_name_begins_alike_is_another_account(bench: Bench) -> None:
    bench.route(READ_WRITE, 9, url=bench.service.url[:-1])
    with pytest.raises(RouteMoved):
        await put(bench)


async def test_a_busy_service_is_tried_again_with_less_time(bench: Bench) -> None:
    bench.service.script = [bench.later(5, (503, "ServerBusy")), OK]
    await put(bench)
    assert bench.service.timeouts == [50, 45]


@pytest.mark.parametrize("wish", ["\u00b2", "9" * 5000, "-1", "soon", "1e9", ""])
async def test_a_wish_that_is_no_number_of_seconds_is_no_wish(bench: Bench, wish: str) -> None:
    bench.service.script = [(503, "ServerBusy", {"Retry-After": wish}), OK]
    await put(bench)
    assert len(bench.service.seen) == 2


async def test_tries_end_with_max_write(bench: Bench) -> None:
    """No try begins when less than a second is left, and what was refused stays refused."""
    bench.route(READ_WRITE, 7, max_write=20)
    bench.service.script = [bench.later(19.5, (503, "ServerBusy")), OK]
    with pytest.raises(HttpResponseError):
        await put(bench)
    assert len(bench.service.seen) == 1


async def test_a_lost_answer_is_settled_by_trying_again_under_the_same_lease(bench: Bench) -> None:
    bench.service.script = ["cut", OK]
    await put(bench)
    assert len(bench.service.seen) == 2


async def test_a_lost_answer_and_a_lease_that_ended_is_unknown(bench: Bench) -> None:
    """The route is read-only by then: the try may be applied, and nobody may repeat it."""

    def fence() -> str:
        bench.route(READ_ONLY, 8)
        bench.now += 31
        return "cut"

    bench.service.script = [fence, OK]
    with pytest.raises(OutcomeUnknown):
        await put(bench)
    assert len(bench.service.seen) == 1


async def test_a_lost_answer_is_never_repeated_in_another_epoch(bench: Bench) -> None:
    """Not even at the same account, released in between."""

    def release() -> str:
        bench.route(READ_WRITE, 9)
        bench.now += 31
        return "cut"

    bench.service.script = [release, OK]
    with pytest.raises(OutcomeUnknown):
        await put(bench)
    assert len(bench.service.seen) == 1


async def test_our_own_success_is_not_called_a_conflict(bench: Bench) -> None:
    """Create if absent, answer lost, repeated: "exists already" may be our own blob."""
    bench.service.script = ["cut", (409, "BlobAlreadyExists")]
    with pytest.raises(OutcomeUnknown):
        await put(bench)
    bench.service.script = [(409, "BlobAlreadyExists")]
    with pytest.raises(HttpResponseError):
        await put(bench)


async def test_an_append_without_a_position_is_never_repeated(bench: Bench) -> None:
    bench.service.script = ["cut", OK]
    with pytest.raises(OutcomeUnknown):
        await bench.call("append_block", b"line")
    assert bench.service.tries == ["PUT appendblock"]


async def test_an_append_at_a_position_is_repeated(bench: Bench) -> None:
    bench.service.script = ["cut", OK]
    await bench.call("append_block", b"line", appendpos_condition=0)
    assert len(bench.service.seen) == 2


async def test_a_busy_service_did_not_append(bench: Bench) -> None:
    bench.service.script = [(503, "ServerBusy"), OK]
    await bench.call("append_block", b"line")
    assert len(bench.service.seen) == 2


async def test_answers_that_never_come_end_as_unknown(bench: Bench) -> None:
    bench.service.script = ["cut"] * 9
    with pytest.raises(OutcomeUnknown):
        await put(bench)
    assert len(bench.service.seen) == 4


async def test_a_service_that_is_not_there_got_nothing(bench: Bench, unused_tcp_port: int) -> None:
    """A refused connection proves that nothing was sent, unlike one that was cut."""
    bench.service.url = f"http://127.0.0.1:{unused_tcp_port}/account"
    bench.route(READ_WRITE, 7)
    with pytest.raises(AzureError) as caught:
        await put(bench, retry_total=0)
    assert not isinstance(caught.value, OutcomeUnknown)


async def test_a_write_may_wait_for_the_fence_to_end(bench: Bench) -> None:
    bench.route(READ_ONLY, 8)
    writing = asyncio.create_task(put(bench, wait=30))
    for _ in range(200):
        bench.now += 0.05
        await asyncio.sleep(0.005)
        if bench.now > 101:
            bench.route(READ_WRITE, 9)
    await writing
    assert bench.service.tries == ["PUT"]


POLICY = ["sv=2025-11-05&sr=c&si=writers&sig=abc", AzureSasCredential("sv=2025-11-05&sr=c&si=writers&sig=abc")]
"""A signature that names a stored access policy: in the address from the beginning, and put there by the client."""
REFUSED = (403, "AuthorizationPermissionMismatch")


@pytest.mark.parametrize("credential", POLICY)
async def test_a_refusal_under_a_stored_policy_is_a_fence_where_the_route_says_so(
    bench: Bench, credential: Any
) -> None:
    """The lease is good for some time yet, but an enforced fence has closed already."""
    bench.credential = credential

    def closed() -> Any:
        bench.route(READ_ONLY, 8)
        return REFUSED

    bench.service.script = [closed]
    with pytest.raises(RouteFenced) as caught:
        await put(bench)
    assert caught.value.reason == "read-only"
    assert bench.service.tries == ["PUT"]


async def test_such_a_write_waits_for_the_fence_to_end_and_is_sent_anew(bench: Bench) -> None:
    """An append too: a refusal says that it was not applied."""
    bench.credential = POLICY[0]

    def closed() -> Any:
        bench.route(READ_ONLY, 8)
        return REFUSED

    bench.service.script = [closed, REFUSED, OK]
    writing = asyncio.create_task(bench.call("append_block", b"line", wait=30))
    for _ in range(300):
        bench.now += 0.05
        await asyncio.sleep(0.005)
        if bench.now > 101:
            bench.route(READ_WRITE, 9)
        if writing.done():
            break
    await writing
    assert len(bench.service.seen) == 3, "the policy is back a little after the route"


async def test_after_a_switch_such_a_write_is_told_where_to_go(bench: Bench) -> None:
    bench.credential = POLICY[0]

    def closed() -> Any:
        bench.route(READ_WRITE, 9, url="https://new.blob.core.windows.net")
        return REFUSED

    bench.service.script = [closed]
    with pytest.raises(RouteMoved) as caught:
        await put(bench)
    assert caught.value.endpoint == "https://new.blob.core.windows.net"


async def test_a_refusal_that_stays_is_the_services_answer(bench: Bench) -> None:
    bench.credential = POLICY[0]
    bench.service.script = [REFUSED] * 9
    with pytest.raises(HttpResponseError) as caught:
        await put(bench)
    assert caught.value.status_code == 403
    assert len(bench.service.seen) == 4


async def test_a_refusal_after_a_lost_answer_leaves_the_outcome_unknown(bench: Bench) -> None:
    bench.credential = POLICY[0]
    bench.service.script = ["cut", REFUSED]
    with pytest.raises(OutcomeUnknown):
        await put(bench)


async def test_a_refusal_of_any_other_credential_is_the_services_answer_at_once(bench: Bench) -> None:
    bench.service.script = [REFUSED]
    with pytest.raises(HttpResponseError):
        await put(bench)
    assert len(bench.service.seen) == 1


async def test_a_long_upload_commits_under_its_own_lease(bench: Bench) -> None:
    """The SDK's upload of many blocks: each goes unhindered, the commit is checked."""

    def during() -> str:
        bench.route(READ_WRITE, 9, url="https://new.blob.core.windows.net")
        bench.now += 40
        return OK

    bench.service.script = [OK, during]
    with pytest.raises(RestartUpload):
        await bench.call("upload_blob", b"x" * 70_000_000, overwrite=True)
    assert set(bench.service.tries) == {"PUT block"}
