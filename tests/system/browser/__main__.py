"""``python -m tests.system.browser``: install what finds barriers (npm's axe-core), from the lock file beside this one."""

from __future__ import annotations

from tests.azurite.install import install
from tests.system.browser.chromium import HERE

install(HERE)
