"""Storage accounts as resources of Azure's resource manager. Importing this package imports no SDK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrator.ports.estate import Estate


def open_estate(cloud: Mapping[str, str]) -> Estate:
    """Nothing is sent. ``cloud``: the plan's ``cloud``: ``authority``, ``resource_manager``, ``ca_file``."""
    from migrator.adapters.estate.manager import ResourceManager

    return ResourceManager(cloud)


__all__ = ["open_estate"]
