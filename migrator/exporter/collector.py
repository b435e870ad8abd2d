"""What a scrape gets: every series of the list, read when it is asked for.

Decides that a scrape reads the state store anew and shows whole figures or none: while the store cannot be read there is only
``migrate_store_readable 0``. Serving and writing files are ``prometheus_client``'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from migrator.errors import MigrateError, UsageError
from migrator.exporter.series import SERIES
from migrator.standing.values import Standing

READABLE = "migrate_store_readable"
READABLE_HELP = "1 if the state store could be read for this scrape, 0 otherwise: then there are no other series."
INFO = "migrate_build_info"
INFO_HELP = "Always 1; the program's version is a label."


class RolloutCollector(Collector):
    """``look`` reads the rollout anew; it is called once a scrape, from the thread that serves it."""

    def __init__(self, plan: str, version: str, look: Callable[[], Standing]) -> None:
        self._plan = plan
        self._version = version
        self._look = look

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering asks for names only, and must not read the store."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(INFO, INFO_HELP, labels=["version"])
        info.add_metric([self._version], 1.0)
        yield info
        try:
            standing = self._look()
        except MigrateError:
            yield self._readable(0.0)
            return
        yield self._readable(1.0)
        for series in SERIES:
            family = CounterMetricFamily if series.kind == "counter" else GaugeMetricFamily
            metric = family(series.name, series.help, labels=["plan", *series.labels])
            for labels, found in series.read(standing):
                metric.add_metric([self._plan, *labels], found)
            yield metric

    def _readable(self, found: float) -> Metric:
        metric = GaugeMetricFamily(READABLE, READABLE_HELP, labels=["plan"])
        metric.add_metric([self._plan], found)
        return metric


def registry_of(collector: RolloutCollector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


def serve(address: str, collector: RolloutCollector) -> Callable[[], None]:
    """Answer scrapes of ``HOST:PORT`` until the returned function is called. UsageError if nobody can listen there."""
    host, port = read_address(address)
    try:
        server, thread = start_http_server(port, host, registry_of(collector))
    except OSError as refused:
        raise UsageError(
            f"cannot serve metrics at {address}: {(refused.strerror or str(refused)).lower()}",
            hint="choose a free port of this machine, as in --metrics-listen 127.0.0.1:9464",
        ) from refused

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end


def read_address(address: str) -> tuple[str, int]:
    """``127.0.0.1:9464`` or ``[::1]:9464``. UsageError for anything else."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(
            f"cannot serve metrics at {address}: expected HOST:PORT", hint="as in --metrics-listen 127.0.0.1:9464"
        )
    return host, int(port)


def write(path: Path, collector: RolloutCollector) -> None:
    """Write the series of now to ``path``, whole or not at all. UsageError if that is not possible."""
    try:
        write_to_textfile(str(path), registry_of(collector))
        path.chmod(0o644)  # for node_exporter, which is another user; nothing of it is secret
    except OSError as refused:
        raise UsageError(
            f"cannot write metrics to {path}: {(refused.strerror or str(refused)).lower()}",
            hint="name a file in a directory that this user may write to",
        ) from refused
