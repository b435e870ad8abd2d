"""What a command of the operator's prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from migrator.model.schedule import Account, Metric
from migrator.ports.kinds import Key, MetricKind, Slip
from migrator.ports.metric_source import MetricSource


class Command(MetricKind):
    name = "command"
    title = "a command"
    figures = "a command's figures"
    asks = "query"
    account_keys = ()
    keys: Mapping[str, Key] = {
        "argv": Key(
            "words",
            "command: the executable and its arguments; $region, $area and $account are filled in",
            is_needed=True,
        ),
        "env": Key("variables", "command: variables that it gets beside PATH, HOME, LANG and TZ", default=()),
        "timeout": Key("duration", "of one question; default 30s"),
    }

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        yield from ()

    def gate_slips(self, metric: str | None, window_seconds: float) -> Iterator[Slip]:
        yield from ()

    def cannot_tell(self, account_kind: str) -> str | None:
        return None

    def open(
        self, metric: Metric, accounts: Mapping[str, Account], *, environ: Mapping[str, str], cloud: Mapping[str, str]
    ) -> MetricSource:
        from migrator.adapters.metrics import open_command

        return open_command(metric, environ)
