"""Azure Monitor: ``source`` knows what a metric's name means, ``batch`` groups questions and sends them."""

from migrator.adapters.metrics.azure_monitor.source import METRICS, AzureMonitorSource

__all__ = ["METRICS", "AzureMonitorSource"]
