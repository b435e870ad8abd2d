"""What a Prometheus answers, or an Azure Monitor workspace that answers like one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from migrator.model.schedule import Account, Metric
from migrator.ports.kinds import Key, MetricKind, Slip
from migrator.ports.metric_source import MetricSource

OWN_VARIABLES: Final = "MIGRATE_METRICS_"
"""What the names of variables begin with that a source of figures may have without being named twice: a plan may send what
is in them to the server that it names."""


class Prometheus(MetricKind):
    name = "prometheus"
    title = "Prometheus"
    figures = "Prometheus' figures"
    asks = "query"
    account_keys = ()
    keys: Mapping[str, Key] = {
        "url": Key("url", "prometheus: the server, such as https://prometheus.example.org", is_needed=True),
        "credential": Key("credential", "prometheus: env:NAME holds a bearer token"),
        "env": Key(
            "variables",
            f"prometheus: a variable of the credential whose name does not begin with {OWN_VARIABLES}",
            default=(),
        ),
        "timeout": Key("duration", "of one question; default 30s"),
        "ca_file": Key("path", "certificates to trust instead of the system's"),
        "mode": Key("word", "prometheus: how a query is evaluated", one_of=("range", "instant")),
    }

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        """A plan must not send a variable of another purpose to a server of its choice."""
        reference = values["credential"] or ""
        variable = reference.removeprefix("env:")
        is_named = variable.startswith(OWN_VARIABLES) or variable in values["env"]
        if variable != reference and not is_named:
            text = (
                f"a source of figures gets variables whose names begin with {OWN_VARIABLES}: rename {variable}, or name"
                " it once more under the source's `env`"
            )
            yield Slip("credential", text)

    def gate_slips(self, metric: str | None, window_seconds: float) -> Iterator[Slip]:
        yield from ()

    def cannot_tell(self, account_kind: str) -> str | None:
        return None

    def open(
        self, metric: Metric, accounts: Mapping[str, Account], *, environ: Mapping[str, str], cloud: Mapping[str, str]
    ) -> MetricSource:
        from migrator.adapters.metrics import open_prometheus

        return open_prometheus(metric, environ, cloud)
