"""The kinds of accounts, of routing, of sources of figures and of channels for notices that a plan may name: one descriptor each,
one file each.

Decides which kinds there are. Leaves what is promised of one to ``migrator.ports.kinds``. Rule: the four registries are the only
lists of kinds; a new one is its adapter, its descriptor here, a line below, and its contract test.
"""

from __future__ import annotations

from typing import Final

from migrator.kinds.account_azure import AzureAccount
from migrator.kinds.account_local import LocalAccount
from migrator.kinds.metric_azure_monitor import AzureMonitor
from migrator.kinds.metric_command import Command
from migrator.kinds.metric_local import LocalFigures
from migrator.kinds.metric_prometheus import Prometheus
from migrator.kinds.notice_apprise import NoticeApprise
from migrator.kinds.notice_command import NoticeCommand
from migrator.kinds.notice_email import NoticeEmail
from migrator.kinds.notice_webhook import NoticeWebhook
from migrator.kinds.registry import Registry
from migrator.kinds.routing_blob import RoutesInBlob
from migrator.kinds.routing_command import RoutesOfCommand
from migrator.kinds.routing_configuration import RoutesInAppConfiguration
from migrator.kinds.routing_file import RoutesInFile
from migrator.ports.kinds import AccountKind, MetricKind, NoticeKind, RoutingKind

ACCOUNTS: Final[Registry[AccountKind]] = Registry("account", AzureAccount(), LocalAccount())
ROUTING: Final[Registry[RoutingKind]] = Registry(
    "routing", RoutesInFile(), RoutesInBlob(), RoutesInAppConfiguration(), RoutesOfCommand()
)
NOTICES: Final[Registry[NoticeKind]] = Registry(
    "notify", NoticeWebhook(), NoticeCommand(), NoticeEmail(), NoticeApprise()
)
METRICS: Final[Registry[MetricKind]] = Registry("metric", AzureMonitor(), Prometheus(), LocalFigures(), Command())

__all__ = ["ACCOUNTS", "METRICS", "NOTICES", "ROUTING"]
