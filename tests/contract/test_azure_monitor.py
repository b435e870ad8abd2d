"""Azure Monitor through the real SDK, against a local server that speaks its wire protocol."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from migrator.adapters.metrics.azure_monitor import METRICS, AzureMonitorSource
from migrator.adapters.metrics.azure_monitor.batch import RegionClients
from migrator.errors import AccessRefused, CloudError, Throttled, Unreachable
from migrator.gates.judge import Judgement, judge
from migrator.gates.units import UNITS
from migrator.model.discovered import Holding
from migrator.model.names import MoveId
from migrator.model.samples import Point, Question, Reading, Verdict
from migrator.model.schedule import Account, Gate
from migrator.testing.estate.monitor import AzureMonitor, Minute, every_minute
from tests.contract.prometheus_server import serving

MOVE = MoveId("north-america", "web-tracking")
BEGIN = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
END = BEGIN + timedelta(minutes=10)
PATH = "/subscriptions/{subscription}/metrics:getBatch"


def account(name: str, *, subscription: str = "s1", location: str | None = "East US 2", **given: Any) -> Account:
    endpoint = f"https://{name.replace('-', '')}.blob.core.windows.net"
    return Account(
        name, "azure", endpoint=endpoint, subscription=subscription, resource_group="rg", location=location, **given
    )


def resource_id(name: str, subscription: str = "s1") -> str:
    provider = "providers/Microsoft.Storage/storageAccounts"
    return f"/subscriptions/{subscription}/resourceGroups/rg/{provider}/{name.replace('-', '')}"


WEB = resource_id("na-web")


@pytest.fixture
async def monitor() -> AsyncIterator[tuple[AzureMonitor, str]]:
    server = AzureMonitor()
    async with serving({PATH: server.batch}) as url:
        yield server, url


def question(metric: str | None, account: str = "na-web", query: str | None = None) -> Question:
    return Question(MOVE, account, metric, query)


async def ask(url: str, *questions: Question, accounts: Mapping[str, Account] | None = None, **options: Any) -> Any:
    """The readings of questions asked at the same time; of one question its only reading."""
    known = accounts if accounts is not None else {"na-web": account("na-web")}
    source = AzureMonitorSource(known, None, cloud={"metrics": url}, **options)
    try:
        readings = await asyncio.gather(*(source.ask(one, begin=BEGIN, end=END) for one in questions))
    finally:
        await source.close()
    return readings[0] if len(readings) == 1 else readings


def verdict(gate: Gate, reading: Reading, own: float | None = 0.0) -> Judgement:
    return judge(gate, reading, baseline=None, own_requests=own, begin=BEGIN, end=END, now=END)


SETTLED = Gate("settled", "azure", "fail", metric="requests_per_minute", near=2e6, within_ratio=0.15)


# -- what the figures are --


FIGURES = [
    ("requests_per_minute", 1000.0),
    ("throttled_ratio", 0.1),
    ("error_ratio", 0.05),
    ("e2e_latency_ms", 12.5),
    ("server_latency_ms", 7.5),
    ("availability_percent", 99.5),
    ("ingress", 1e9),
    ("egress", 2e9),
]


@pytest.mark.parametrize(("metric", "value"), FIGURES)
async def test_every_metric_by_name(monitor: tuple[AzureMonitor, str], metric: str, value: float) -> None:
    """Its value in its unit, and the account's transactions behind it."""
    server, url = monitor
    responses = {
        "Success": 700,
        "ClientOtherError": 150,
        "ServerBusyError": 40,
        "ClientThrottlingError": 20,
        "ClientAccountRequestThrottlingError": 15,
        "ClientAccountBandwidthThrottlingError": 15,
        "SuccessWithThrottling": 10,
        "ServerOtherError": 20,
        "ServerTimeoutError": 10,
        "ClientTimeoutError": 5,
        "NetworkError": 5,
        "AuthorizationError": 5,
        "AuthenticationError": 5,
    }
    figures = {
        "SuccessE2ELatency": 12.5,
        "SuccessServerLatency": 7.5,
        "Availability": 99.5,
        "Ingress": 1e9,
        "Egress": 2e9,
    }
    server.minutes[WEB] = every_minute(BEGIN, 10, responses=responses, figures=figures)
    reading = await ask(url, question(metric))
    assert len(responses) > 10, "more response types than the service gives by default"
    assert [one.at for one in reading.points] == [BEGIN + timedelta(minutes=number) for number in range(10)]
    assert [one.value for one in reading.points] == pytest.approx([value] * 10)
    assert {one.volume for one in reading.points} == {1000.0}


async def test_hours_are_means_of_their_minutes(monitor: tuple[AzureMonitor, str]) -> None:
    server, url = monitor
    first = BEGIN.replace(minute=0) - timedelta(hours=2)
    server.minutes[WEB] = every_minute(first, 60, responses={"Success": 600}) | {
        first + timedelta(minutes=75): Minute({"Success": 60})
    }
    source = AzureMonitorSource({"na-web": account("na-web")}, None, cloud={"metrics": url})
    asked = Question(MOVE, "na-web", "requests_per_minute", None, is_hourly=True)
    reading = await source.ask(asked, begin=first, end=first + timedelta(hours=2))
    await source.close()
    assert [(one.at, one.value) for one in reading.points] == [(first, 600.0), (first + timedelta(hours=1), 1.0)]
    assert (reading.minutes, server.asked[-1]["interval"]) == (60, "PT1H")


async def test_what_an_account_holds_is_the_sum_of_its_types_and_tiers(monitor: tuple[AzureMonitor, str]) -> None:
    """The service would give their mean; its newest hour may have no figure yet."""
    server, url = monitor
    server.held["naweb"] = {
        ("BlockBlob", "Hot"): (70, 7000),
        ("BlockBlob", "Cool"): (20, 2000),
        ("PageBlob", "Hot"): (1, 512),
    }
    source = AzureMonitorSource({name: account(name) for name in ("na-web", "na-mail")}, None, cloud={"metrics": url})
    found = await source.holds("na-web", BEGIN)
    none = await source.holds("na-mail", BEGIN)
    await source.close()
    hour = BEGIN.replace(minute=0) - timedelta(hours=2)
    assert found == Holding(91, 9512, hour)
    assert none is None
    assert server.asked[0]["ids"] == [f"{WEB}/blobServices/default"]
    assert server.asked[0]["metricnamespace"].endswith("/blobServices")
    assert (server.asked[0]["top"], server.asked[0]["aggregation"]) == ("1000", "Average")


def test_all_metrics_of_the_plan_are_known() -> None:
    assert {metric for metric, _ in FIGURES} == set(METRICS) == set(UNITS)


async def test_no_data_is_no_points_and_never_settled(monitor: tuple[AzureMonitor, str]) -> None:
    _, url = monitor
    for metric in METRICS:
        assert (await ask(url, question(metric))).points == ()
    assert verdict(SETTLED, await ask(url, question("requests_per_minute"))).verdict is Verdict.FAILED


async def test_missing_minutes_are_no_points(monitor: tuple[AzureMonitor, str]) -> None:
    """They come as points without a total."""
    server, url = monitor
    server.minutes[WEB] = every_minute(BEGIN, 10, responses={"Success": 2e6}, figures={"Availability": 100})
    server.minutes[WEB][BEGIN + timedelta(minutes=3)] = Minute(is_hole=True)
    for metric in ("requests_per_minute", "throttled_ratio", "availability_percent"):
        reading = await ask(url, question(metric))
        assert len(reading.points) == 9, metric
        assert all(one.at != BEGIN + timedelta(minutes=3) for one in reading.points)
    assert verdict(SETTLED, await ask(url, question("requests_per_minute"))).verdict is Verdict.PASSED


async def test_late_data_can_not_be_told_from_silence_and_so_is_inconclusive(monitor: tuple[AzureMonitor, str]) -> None:
    """Half of the window has not arrived yet."""
    server, url = monitor
    server.minutes[WEB] = every_minute(BEGIN, 5, responses={"Success": 2e6})
    assert verdict(SETTLED, await ask(url, question("requests_per_minute"))).verdict is Verdict.INCONCLUSIVE


async def test_customers_at_zero_and_our_scans_at_5000_a_minute_are_no_data(monitor: tuple[AzureMonitor, str]) -> None:
    server, url = monitor
    server.minutes[WEB] = every_minute(BEGIN, 10, responses={"Success": 5000})
    gate = Gate("settled", "azure", "inconclusive", metric="requests_per_minute", near=5000, within_ratio=0.15)
    reading = await ask(url, question("requests_per_minute"))
    judged = verdict(gate, reading, own=50_000)
    assert (judged.verdict, judged.value) == (Verdict.INCONCLUSIVE, None)
    assert "migration's own" in judged.reason
    assert verdict(gate, reading, own=0).verdict is Verdict.PASSED, "which our counters prevent"


async def test_only_minutes_of_the_window_are_points(monitor: tuple[AzureMonitor, str]) -> None:
    server, url = monitor
    server.minutes[WEB] = every_minute(BEGIN - timedelta(minutes=20), 60, responses={"Success": 1})
    reading = await ask(url, question("requests_per_minute"))
    assert (reading.points[0], len(reading.points)) == (Point(BEGIN, 1.0, 1.0), 10)


async def test_an_answer_that_may_be_cut_short_is_an_error(monitor: tuple[AzureMonitor, str]) -> None:
    server, url = monitor
    server.minutes[WEB] = every_minute(BEGIN, 1, responses={f"Type{number}": 1 for number in range(1000)})
    with pytest.raises(CloudError, match="it may have left out response types"):
        await ask(url, question("throttled_ratio"))
    server.minutes[WEB] = every_minute(BEGIN, 1, responses={f"Type{number}": 1 for number in range(999)})
    assert (await ask(url, question("throttled_ratio"))).points[0].volume == 999


# -- how it is asked --


async def test_questions_are_grouped_by_subscription_and_region(monitor: tuple[AzureMonitor, str]) -> None:
    """Answers come in another order than asked, and still reach their accounts."""
    server, url = monitor
    accounts = {
        "na-web": account("na-web"),
        "na-email": account("na-email", location="eastus2"),
        "na-img": account("na-img", subscription="s2"),
        "eu-web": account("eu-web", location="westeurope"),
    }
    for number, (name, one) in enumerate(accounts.items(), 1):
        id = resource_id(name, str(one.subscription))
        server.minutes[id] = every_minute(BEGIN, 10, responses={"Success": number})
    readings = await ask(url, *(question("requests_per_minute", name) for name in accounts), accounts=accounts)
    assert [reading.points[0].value for reading in readings] == [1, 2, 3, 4]
    assert sorted((one["path"].split("/")[2], len(one["ids"])) for one in server.asked) == [
        ("s1", 1),
        ("s1", 2),
        ("s2", 1),
    ]


async def test_metrics_of_one_account_share_requests(monitor: tuple[AzureMonitor, str]) -> None:
    """Eight gates on one account are three requests: totals, averages, totals by response type."""
    server, url = monitor
    server.minutes[WEB] = every_minute(BEGIN, 10, responses={"Success": 1})
    await ask(url, *(question(metric) for metric in sorted(METRICS)))
    assert len(server.asked) == 3
    assert {(one["aggregation"], one.get("top")) for one in server.asked} == {
        ("Total", None),
        ("Average", None),
        ("Total", "1000"),
    }
    assert all((one["top"] == "1000") == ("filter" in one) for one in server.asked if "top" in one or "filter" in one)
    assert {one["interval"] for one in server.asked} == {"PT1M"}


async def test_no_request_has_more_than_fifty_accounts(monitor: tuple[AzureMonitor, str]) -> None:
    server, url = monitor
    accounts = {f"na-{number}": account(f"na-{number}") for number in range(120)}
    server.minutes[resource_id("na-119")] = every_minute(BEGIN, 10, responses={"Success": 7})
    readings = await ask(url, *(question("requests_per_minute", name) for name in accounts), accounts=accounts)
    assert [len(one["ids"]) for one in server.asked] == [50, 50, 20]
    assert readings[119].points[0].value == 7
    assert readings[0].points == ()


async def test_a_window_between_minutes_is_asked_from_the_minute_before(monitor: tuple[AzureMonitor, str]) -> None:
    server, url = monitor
    server.minutes[WEB] = every_minute(BEGIN, 20, responses={"Success": 1})
    source = AzureMonitorSource({"na-web": account("na-web")}, None, cloud={"metrics": url})
    half = timedelta(seconds=30)
    reading = await source.ask(question("requests_per_minute"), begin=BEGIN + half, end=END + half)
    await source.close()
    assert reading.points[0].at == BEGIN + timedelta(minutes=1)
    assert server.asked[0]["starttime"].startswith("2026-12-01T12:00:00")


def test_regions_have_endpoints_of_their_own() -> None:
    assert RegionClients(None, {}, 1).endpoint("eastus2") == "https://eastus2.metrics.monitor.azure.com"
    government = RegionClients(None, {"metrics": "https://metrics.monitor.azure.us"}, 1)
    assert government.endpoint("usgovvirginia") == "https://usgovvirginia.metrics.monitor.azure.us"
    assert RegionClients(None, {"metrics": "https://proxy.example/"}, 1).endpoint("eastus2") == "https://proxy.example"


# -- what may go wrong --


def refusal(status: int, code: str = "", **headers: str) -> web.Response:
    body = {"error": {"code": code, "message": "no"}} if code else {}
    return web.json_response(body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})


FAULTS = [
    (refusal(401, "InvalidAuthenticationToken"), AccessRefused, "refused our credential .InvalidAuthenticationToken"),
    (refusal(403, "AuthorizationFailed"), AccessRefused, "Monitoring Reader"),
    (refusal(400, "BadRequest"), CloudError, "refused the question .BadRequest"),
    (refusal(404), CloudError, "refused the question .HTTP 404"),
    (refusal(500, "InternalServerError"), Unreachable, "Azure Monitor failed"),
    (refusal(503), Unreachable, "Azure Monitor failed"),
    (refusal(429, "TooManyRequests"), Throttled, "fewer requests"),
    (web.Response(text="<html>", content_type="text/html"), CloudError, "na-web"),
    (web.Response(text='{"values": [{"value": [{"id": 5}]}]}', content_type="application/json"), CloudError, "na-web"),
    (web.Response(text='{"values": 5}', content_type="application/json"), CloudError, "na-web"),
    (web.Response(text="{}", content_type="application/json"), CloudError, "na-web"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), FAULTS, ids=[f"{n}-{one[2]}" for n, one in enumerate(FAULTS)])
async def test_refusals_and_odd_answers(
    monitor: tuple[AzureMonitor, str], answer: web.Response, kind: type, words: str
) -> None:
    """Sent once, whatever comes: the next sample is the retry."""
    server, url = monitor
    server.instead = answer
    with pytest.raises(CloudError, match=words) as raised:
        await ask(url, question("requests_per_minute"))
    assert type(raised.value) is kind
    assert len(server.asked) == 1


async def test_the_wish_of_a_busy_service_is_kept(monitor: tuple[AzureMonitor, str]) -> None:
    server, url = monitor
    server.instead = refusal(429, "TooManyRequests", Retry_After="17")
    with pytest.raises(Throttled) as raised:
        await ask(url, question("throttled_ratio"))
    assert raised.value.retry_after_seconds == 17


async def test_a_metric_that_the_service_could_not_tell_is_not_silence(monitor: tuple[AzureMonitor, str]) -> None:
    """Its own error code is in the answer, and the SDK drops it."""
    server, url = monitor
    server.error_codes[WEB] = "InternalError"
    with pytest.raises(Unreachable, match=r"could not tell all of them \(InternalError\)"):
        await ask(url, question("requests_per_minute"))


async def test_an_account_that_is_left_out_of_the_answer_is_not_silent(monitor: tuple[AzureMonitor, str]) -> None:
    server, url = monitor
    accounts = {name: account(name) for name in ("na-web", "na-email")}
    server.left_out.add(WEB)
    server.minutes[resource_id("na-email")] = every_minute(BEGIN, 10, responses={"Success": 3})
    source = AzureMonitorSource(accounts, None, cloud={"metrics": url})
    left_out, told = await asyncio.gather(
        *(source.ask(question("requests_per_minute", name), begin=BEGIN, end=END) for name in accounts),
        return_exceptions=True,
    )
    await source.close()
    assert isinstance(left_out, CloudError)
    assert "its answer leaves it out" in str(left_out)
    assert isinstance(told, Reading)
    assert told.points[0].value == 3


async def test_nobody_there() -> None:
    async with serving({}) as url:
        pass
    with pytest.raises(
        Unreachable, match=r"cannot reach Azure Monitor at http://127\.0\.0\.1:.*: nothing listens there"
    ):
        await ask(url, question("requests_per_minute"))


async def test_a_service_that_never_answers_is_given_up() -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async with serving({PATH: handler}) as url:
        with pytest.raises(Unreachable, match="no answer within the time allowed"):
            await ask(url, question("requests_per_minute"), timeout=0.2)


@pytest.mark.parametrize("ticks", range(4))
async def test_a_source_that_is_closed_leaves_no_question_waiting(
    monitor: tuple[AzureMonitor, str], ticks: int
) -> None:
    """Whether the question has not begun, waits for others to go with it, or for the answer."""
    _, url = monitor
    source = AzureMonitorSource({"na-web": account("na-web")}, None, cloud={"metrics": url})
    asking = asyncio.create_task(source.ask(question("requests_per_minute"), begin=BEGIN, end=END))
    for _ in range(ticks):
        await asyncio.sleep(0)
    await source.close()
    with pytest.raises(CloudError, match="it was closed meanwhile"):
        await asking


UNKNOWN = [
    (question("requests"), {}, "it is not among the known metrics"),
    (question(None, query="q"), {}, "for a query"),
    (question("ingress", "na-none"), {}, "na-none: it is not an Azure account"),
    (question("ingress"), {"location": None}, "the plan does not say its location"),
    (question("ingress"), {"subscription": ""}, "the plan does not say its subscription"),
]


@pytest.mark.parametrize(("asked", "given", "words"), UNKNOWN, ids=[one[2] for one in UNKNOWN])
async def test_what_cannot_be_asked_is_said(asked: Question, given: dict[str, Any], words: str) -> None:
    with pytest.raises(CloudError, match=words):
        await ask("http://127.0.0.1:9", asked, accounts={"na-web": account("na-web", **given)})


async def test_tokens_are_never_sent_over_http() -> None:
    with pytest.raises(AccessRefused, match="only sent over https"):
        await ask("http://monitor.example", question("ingress"))


# -- over TLS, with a token --


class Tokens:
    """Hands out one token and remembers for what it was asked."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.scopes += scopes
        return AccessToken("geheim-token", int(datetime.now(UTC).timestamp()) + 3600)

    async def close(self) -> None: ...


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed one for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    formats = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_file.write_bytes(key.private_bytes(*formats))
    return cert_file, key_file


async def test_over_tls_with_a_token_of_the_service_s_own_audience(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(cert, key)
    server = AzureMonitor()
    server.minutes[WEB] = every_minute(BEGIN, 10, responses={"Success": 7})
    async with serving({PATH: server.batch}, tls=trust) as url:
        for cloud, known in (({"metrics": url, "ca_file": str(cert)}, True), ({"metrics": url}, False)):
            tokens = Tokens()
            source = AzureMonitorSource({"na-web": account("na-web")}, tokens, cloud=cloud)
            try:
                if known:
                    reading = await source.ask(question("requests_per_minute"), begin=BEGIN, end=END)
                    assert reading.points[0].value == 7
                    assert tokens.scopes == ["https://metrics.monitor.azure.com/.default"]
                else:
                    with pytest.raises(Unreachable, match="its certificate or TLS is not accepted") as raised:
                        await source.ask(question("requests_per_minute"), begin=BEGIN, end=END)
                    assert "geheim" not in str(raised.value)
            finally:
                await source.close()
    assert [one["token"] for one in server.asked] == ["Bearer geheim-token"]
