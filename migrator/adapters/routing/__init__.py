"""Routers: where the route document lives. ``FileRouter`` keeps it in a file, ``StoreRouter`` in a blob of an account. The
register of its followers lies beside it: ``FileRegister``, ``StoreRegister``."""

from migrator.adapters.routing.file import FileRouter
from migrator.adapters.routing.file_register import FileRegister
from migrator.adapters.routing.store import StoreRouter
from migrator.adapters.routing.store_register import StoreRegister

__all__ = ["FileRegister", "FileRouter", "StoreRegister", "StoreRouter"]
