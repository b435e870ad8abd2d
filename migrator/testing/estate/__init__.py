"""A test double of Azure's control plane: what the real SDKs ask beside the blobs themselves, over http or https.

    from migrator.testing.estate import Estate, Subscription, running

    with running(Estate([Subscription("s1", "tenant", groups={"data": "eastus2"})])) as estate:
        estate.add("nacore", "s1", "data", "eastus2")
        estate.set_faults(create_seconds=5)
        ...  # clients at estate.public

It plays the resource manager with storage accounts and what hangs on them (``manager``, ``parts``), Azure Monitor's metrics
(``monitor``), Microsoft Entra ID (``identity``) and Azure App Configuration (``configuration``, at ``public``/appconfig/NAME).
Over https every request needs a token or a signature, and rights; over http nobody is asked who they are, but for App
Configuration. ``StrictAccounts`` makes the strict storage service its data plane: an account that is created here has its
blobs there.
It keeps everything in memory, and what a policy would do to blobs it does not do.
"""

from migrator.testing.estate.configuration import Configuration
from migrator.testing.estate.monitor import AzureMonitor, Minute, every_minute
from migrator.testing.estate.on_strict import StrictAccounts
from migrator.testing.estate.running import running
from migrator.testing.estate.service import Asked, Estate
from migrator.testing.estate.settings import Application, Faults, Right, StorageAccount, Subscription

__all__ = [
    "Application",
    "Asked",
    "AzureMonitor",
    "Configuration",
    "Estate",
    "Faults",
    "Minute",
    "Right",
    "StorageAccount",
    "StrictAccounts",
    "Subscription",
    "every_minute",
    "running",
]
