"""Routers: where the route document lives. ``FileRouter`` keeps it in a file, ``StoreRouter`` in a blob of an account."""

from migrator.adapters.routing.file import FileRouter
from migrator.adapters.routing.store import StoreRouter

__all__ = ["FileRouter", "StoreRouter"]
