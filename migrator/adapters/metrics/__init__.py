"""Where gates' figures come from: one module per kind of source. Importing this package imports none of them.

Decides what of a plan's ``metrics`` entry and of the environment a source gets (``migrator.kinds`` says which entry is which
kind). Rule: a source that is opened here closes what was opened for it, its credential included.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from migrator.adapters.operators_commands import refuse_storage, small_environment
from migrator.errors import AccessRefused
from migrator.model.schedule import Account, Metric

if TYPE_CHECKING:
    from datetime import datetime

    from migrator.adapters.metrics.azure_monitor import AzureMonitorSource
    from migrator.model.discovered import Holding
    from migrator.model.samples import Question, Reading
    from migrator.ports.metric_source import AccountMeter, MetricSource

PROMETHEUS_AUDIENCE: Final = "https://prometheus.monitor.azure.com"
"""Of tokens for an Azure Monitor workspace, which answers as a Prometheus does. Source: Azure "Query Prometheus metrics"."""


def open_command(metric: Metric, environ: Mapping[str, str]) -> MetricSource:
    from migrator.adapters.metrics.command import CommandSource

    return CommandSource(
        metric.options["argv"],
        environ=small_environment(environ, metric.options.get("env") or (), doing=_asking(metric)),
        **_given(metric, "timeout"),
    )


def open_local(accounts: Mapping[str, Account]) -> MetricSource:
    from migrator.adapters.metrics.local import LocalMetrics

    return LocalMetrics({name: Path(one.path) for name, one in accounts.items() if one.kind == "local" and one.path})


def open_prometheus(metric: Metric, environ: Mapping[str, str], cloud: Mapping[str, str]) -> MetricSource:
    """Its credential is a token in a variable, or Microsoft Entra ID for an Azure Monitor workspace."""
    from migrator.adapters.metrics.prometheus import PrometheusSource

    options = _given(metric, "timeout", "ca_file", "mode")
    if "ca_file" in cloud:
        options.setdefault("ca_file", cloud["ca_file"])
    reference = str(metric.options.get("credential") or "")
    if not reference:
        return PrometheusSource(metric.options["url"], **options)
    if reference.startswith("env:"):
        token = _variable(metric, reference.removeprefix("env:"), environ)
        return PrometheusSource(metric.options["url"], token=token, **options)
    from migrator.adapters.azure.credentials import bearer_token, open_token_source

    what = f"metric source {metric.name}"
    credential = open_token_source(reference, what=what, cloud=cloud)

    async def token_of_now() -> str:
        return await bearer_token(credential, PROMETHEUS_AUDIENCE, what=what)

    return _Owning(PrometheusSource(metric.options["url"], token=token_of_now, **options), credential)


def open_azure_monitor(metric: Metric, accounts: Mapping[str, Account], cloud: Mapping[str, str]) -> AccountMeter:
    from migrator.adapters.azure.credentials import open_token_source
    from migrator.adapters.metrics.azure_monitor import AzureMonitorSource

    reference, what = str(metric.options.get("credential") or "default"), f"metric source {metric.name}"
    named = {one.tenant for one in accounts.values() if one.tenant is not None}
    credential = open_token_source(reference, what=what, cloud=cloud)
    tenants = {one: open_token_source(reference, what=what, cloud=cloud, tenant=one) for one in sorted(named)}
    source = AzureMonitorSource(accounts, credential, cloud=cloud, tenants=tenants, **_given(metric, "timeout"))
    return _OwningMeter(source, credential, *tenants.values())


def _asking(metric: Metric) -> str:
    return f"ask metric source {metric.name}"


def _given(metric: Metric, *keys: str) -> dict[str, Any]:
    return {key: metric.options[key] for key in keys if metric.options.get(key) is not None}


def _variable(metric: Metric, name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name, "").strip()
    if not value or not value.isprintable():
        raise AccessRefused(
            f"cannot ask metric source {metric.name}: the environment variable {name} is not set to a token",
            hint="set it to the bearer token that this server wants",
        )
    refuse_storage(name, value, doing=_asking(metric))
    return value


class _Owning:
    """A source and the credentials that were opened for it alone."""

    def __init__(self, source: MetricSource, *credentials: Any) -> None:
        self._source = source
        self._credentials = credentials

    async def ask(self, question: Question, *, begin: datetime, end: datetime) -> Reading:
        return await self._source.ask(question, begin=begin, end=end)

    async def close(self) -> None:
        try:
            await self._source.close()
        finally:
            for one in self._credentials:
                await one.close()


class _OwningMeter(_Owning):
    """One that also says what an account holds."""

    def __init__(self, source: AzureMonitorSource, *credentials: Any) -> None:
        super().__init__(source, *credentials)
        self._meter = source

    async def holds(self, account: str, now: datetime) -> Holding | None:
        return await self._meter.holds(account, now)
