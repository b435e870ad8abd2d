"""What embedded accounts count themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from migrator.model.schedule import Account, Metric
from migrator.ports.kinds import Key, MetricKind, Slip
from migrator.ports.metric_source import MetricSource

COUNTED: Final = frozenset(
    {
        "requests_per_minute",
        "throttled_ratio",
        "error_ratio",
        "e2e_latency_ms",
        "availability_percent",
        "ingress",
        "egress",
    }
)
"""What an embedded account counts."""


class LocalFigures(MetricKind):
    name = "local"
    title = "embedded accounts"
    figures = "local figures"
    asks = "metric"
    account_keys = ()
    keys: Mapping[str, Key] = {}

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        yield from ()

    def gate_slips(self, metric: str | None, window_seconds: float) -> Iterator[Slip]:
        if metric is not None and metric not in COUNTED:
            yield Slip("metric", f"embedded accounts do not count {metric}")

    def cannot_tell(self, account_kind: str) -> str | None:
        return None if account_kind == "local" else "which is not an embedded account"

    def open(
        self, metric: Metric, accounts: Mapping[str, Account], *, environ: Mapping[str, str], cloud: Mapping[str, str]
    ) -> MetricSource:
        from migrator.adapters.metrics import open_local

        return open_local(accounts)
