"""Azure Monitor's figures of Azure accounts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from migrator.model.schedule import Account, Metric
from migrator.ports.kinds import Key, MetricKind, Slip
from migrator.ports.metric_source import MetricSource

SHORTEST_WINDOW_SECONDS: Final = 60.0
"""Its points are minutes."""


class AzureMonitor(MetricKind):
    name = "azure-monitor"
    title = "Azure Monitor"
    figures = "Azure Monitor's figures"
    asks = "metric"
    account_keys = ("subscription", "resource_group", "location")
    keys: Mapping[str, Key] = {
        "credential": Key("credential", "azure-monitor: an identity, as an account's; default: the account's own"),
        "timeout": Key("duration", "of one question; default 30s"),
    }

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        if (values["credential"] or "").startswith("env:"):
            text = "Azure Monitor takes no key or signature: name an identity: default, cli, managed-identity, ..."
            yield Slip("credential", text)

    def gate_slips(self, metric: str | None, window_seconds: float) -> Iterator[Slip]:
        if window_seconds < SHORTEST_WINDOW_SECONDS:
            yield Slip("window", "Azure Monitor tells whole minutes: the window must be 1m or longer")

    def cannot_tell(self, account_kind: str) -> str | None:
        if account_kind == "azure":
            return None
        return "which is an embedded account" if account_kind == "local" else "which is not an Azure account"

    def open(
        self, metric: Metric, accounts: Mapping[str, Account], *, environ: Mapping[str, str], cloud: Mapping[str, str]
    ) -> MetricSource:
        from migrator.adapters.metrics import open_azure_monitor

        return open_azure_monitor(metric, accounts, cloud)
