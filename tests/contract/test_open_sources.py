"""From a ``metrics`` entry of a plan to the source that answers: what is opened, with which credential, and what is refused."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from migrator.adapters.azure import credentials
from migrator.errors import AccessRefused, CloudError
from migrator.kinds import METRICS
from migrator.model.names import MoveId
from migrator.model.samples import Point, Question
from migrator.model.schedule import Account, Metric
from migrator.testing.estate.monitor import AzureMonitor, every_minute
from tests.contract.prometheus_server import serving

BEGIN = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
END = BEGIN + timedelta(minutes=10)
MOVE = MoveId("north-america", "web")
WEB = Account(
    "na-web",
    "azure",
    endpoint="https://naweb.blob.core.windows.net",
    subscription="s1",
    resource_group="rg",
    location="eastus2",
)


def open_source(metric: Metric, accounts: Any, **doors: Any) -> Any:
    return METRICS[metric.kind].open(metric, accounts, **doors)


class Tokens:
    """A credential of azure-identity, as far as anybody asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_closed = False
        self.fault: Exception | None = None

    async def get_token(self, *scopes: str, **options: Any) -> Any:
        if self.fault:
            raise self.fault
        self.asked += scopes
        return credentials_token(f"token-{len(self.asked)}")

    async def close(self) -> None:
        self.is_closed = True


def credentials_token(text: str) -> Any:
    from azure.core.credentials import AccessToken

    return AccessToken(text, int(END.timestamp()))


async def ask(source: Any, metric: str | None, query: str | None) -> tuple[Point, ...]:
    return (await source.ask(Question(MOVE, "na-web", metric, query), begin=BEGIN, end=END)).points


def answering(authorities: list[str | None]) -> Any:
    async def answer(request: web.Request) -> web.Response:
        authorities.append(request.headers.get("Authorization"))
        values = [[END.timestamp(), "0.5"]]
        return web.json_response(
            {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}}
        )

    return answer


async def test_prometheus_is_asked_without_a_credential_with_a_variable_s_or_with_entra_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authorities: list[str | None] = []
    tokens = Tokens()
    monkeypatch.setattr(credentials, "open_token_source", lambda reference, **_: tokens)
    async with serving({"/api/v1/query_range": answering(authorities)}) as url:
        for options in ({}, {"credential": "env:PROM"}, {"credential": "managed-identity"}):
            metric = Metric("prom", "prometheus", {"url": url, **options})
            source = open_source(metric, {}, environ={"PROM": " shh "}, cloud={})
            assert [one.value for one in await ask(source, None, "up")] == [0.5]
            await ask(source, None, "up")
            await source.close()
    assert authorities == [None, None, "Bearer shh", "Bearer shh", "Bearer token-1", "Bearer token-2"]
    assert set(tokens.asked) == {"https://prometheus.monitor.azure.com/.default"}
    assert tokens.is_closed


async def test_no_token_of_entra_is_an_errored_sample_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.core.exceptions import ClientAuthenticationError

    tokens = Tokens()
    tokens.fault = ClientAuthenticationError("secret words")
    monkeypatch.setattr(credentials, "open_token_source", lambda reference, **_: tokens)
    metric = Metric("prom", "prometheus", {"url": "http://127.0.0.1:9", "credential": "default"})
    source = open_source(metric, {}, environ={}, cloud={})
    with pytest.raises(AccessRefused, match="cannot open metric source prom: Microsoft Entra ID gave no token"):
        await ask(source, None, "up")
    await source.close()


@pytest.mark.parametrize("value", [None, "", "two\nlines"])
def test_a_token_that_is_not_there_is_named_by_its_variable(value: str | None) -> None:
    metric = Metric("prom", "prometheus", {"url": "http://127.0.0.1:9", "credential": "env:PROM"})
    environ = {} if value is None else {"PROM": value}
    with pytest.raises(AccessRefused, match="the environment variable PROM is not set to a token"):
        open_source(metric, {}, environ=environ, cloud={})


STORAGE_SECRETS = [
    "DefaultEndpointsProtocol=https;AccountName=naemail;AccountKey=" + "B" * 86 + "==;EndpointSuffix=core.windows.net",
    "BlobEndpoint=https://a.blob.core.windows.net;SharedAccessSignature=sv=2024&sig=abc",
    "?sv=2024-01-01&ss=b&sig=abc",
    "sp=r&sig=abc",
    "https://a.blob.core.windows.net/?sv=1&sig=abc",
    "https://[?sig=abc",
    "B" * 86 + "==",
]


@pytest.mark.parametrize("value", STORAGE_SECRETS)
def test_a_storage_secret_goes_to_no_source_of_figures(value: str) -> None:
    """Neither as a bearer token nor into a command's environment, however the variable is called."""
    prom = Metric("prom", "prometheus", {"url": "https://prom.example", "credential": "env:MIGRATE_METRICS_TOKEN"})
    own = Metric("own", "command", {"argv": ["true"], "env": ["MIGRATE_METRICS_TOKEN"]})
    for metric in (prom, own):
        with pytest.raises(AccessRefused, match="MIGRATE_METRICS_TOKEN holds a key") as caught:
            open_source(metric, {}, environ={"MIGRATE_METRICS_TOKEN": value}, cloud={})
        assert value not in str(caught.value)


@pytest.mark.parametrize("value", ["shh", "eyJhbGciOi.J9.x", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="])
def test_a_token_is_no_storage_secret(value: str) -> None:
    prom = Metric("prom", "prometheus", {"url": "https://prom.example", "credential": "env:MIGRATE_METRICS_TOKEN"})
    open_source(prom, {}, environ={"MIGRATE_METRICS_TOKEN": value}, cloud={})


async def test_a_command_gets_a_small_environment_and_what_the_plan_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NA_EMAIL_CONNECTION", "AccountKey=abc")
    code = "import os; open(os.environ['HOME'] + '/seen', 'w').write(' '.join(sorted(os.environ)))"
    home = tempfile.mkdtemp()
    environ = {**os.environ, "HOME": home, "TZ": "UTC", "MIGRATE_METRICS_USER": "me", "OTHER": "x"}
    metric = Metric("own", "command", {"argv": [sys.executable, "-c", code], "env": ["MIGRATE_METRICS_USER", "ABSENT"]})
    source = open_source(metric, {}, environ=environ, cloud={})
    await ask(source, None, "anything")
    await source.close()
    seen = set((Path(home) / "seen").read_text().split())
    assert seen <= {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "MIGRATE_METRICS_USER"}
    assert {"PATH", "HOME", "TZ", "MIGRATE_METRICS_USER"} <= seen


ODD = [
    {"warnings": 5},
    {"warnings": {"a": 1}},
    {"warnings": "said"},
    {"warnings": [["x"] * 10] * 100_000},
    {"data": None},
    {"data": []},
    {"data": {"resultType": "matrix", "result": 5}},
    {"data": {"resultType": "matrix", "result": [None]}},
    {"data": {"resultType": "matrix", "result": [{"values": 5}]}},
    {"data": {"resultType": "matrix", "result": [{"values": [[1e400, "1"]]}]}},
    {"data": {"resultType": "matrix", "result": [{"values": [[True, {}]]}]}},
    {"data": {"resultType": "matrix", "result": [{"values": [[-1e18, "1"]]}]}},
    {"data": {"resultType": "vector", "result": {"0": 1}}},
    {"data": {"resultType": ["vector"], "result": []}},
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: str(odd)[:60])
async def test_odd_answers_of_prometheus_are_readings_or_refusals(odd: dict[str, Any]) -> None:
    async def answer(request: web.Request) -> web.Response:
        plain = {"status": "success", "data": {"resultType": "matrix", "result": []}}
        return web.Response(text=json.dumps({**plain, **odd}), content_type="application/json")

    async with serving({"/api/v1/query_range": answer}) as url:
        source = open_source(Metric("prom", "prometheus", {"url": url}), {}, environ={}, cloud={})
        try:
            await ask(source, None, "up")
        except CloudError:
            pass
        finally:
            await source.close()


async def test_azure_monitor_is_opened_at_the_plan_s_endpoint_and_closes_its_credential(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, tokens = AzureMonitor(), Tokens()
    monkeypatch.setattr(credentials, "open_token_source", lambda reference, **_: tokens)
    id = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/naweb"
    server.minutes[id] = every_minute(BEGIN, 10, responses={"Success": 100.0})
    async with serving({"/subscriptions/{subscription}/metrics:getBatch": server.batch}) as url:
        metric = Metric("azure", "azure-monitor", {"timeout": 5.0})
        source = open_source(metric, {"na-web": WEB}, environ={}, cloud={"metrics": url})
        assert len(await ask(source, "requests_per_minute", None)) == 10
        await source.close()
    assert tokens.is_closed


async def test_a_command_and_a_local_account_need_no_credential() -> None:
    text = f'{{"at": {BEGIN.timestamp()}, "value": 7}}'
    metric = Metric("own", "command", {"argv": [sys.executable, "-c", f"print('{text}')"]})
    source = open_source(metric, {}, environ={}, cloud={})
    assert await ask(source, None, "anything") == (Point(BEGIN, 7.0),)
    await source.close()
    await open_source(Metric("counters", "local"), {"na-web": WEB}, environ={}, cloud={}).close()
