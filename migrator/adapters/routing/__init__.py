"""Routers: where the route document lives. ``FileRouter`` keeps it in a file, ``StoreRouter`` in a blob of an account,
``CommandRouter`` behind an executable of the operator's. The
register of its followers lies beside it: ``FileRegister``, ``StoreRegister``."""

from migrator.adapters.routing.command import CommandRouter
from migrator.adapters.routing.file import FileRouter
from migrator.adapters.routing.file_register import FileRegister
from migrator.adapters.routing.store import StoreRouter
from migrator.adapters.routing.store_register import StoreRegister

__all__ = ["CommandRouter", "FileRegister", "FileRouter", "StoreRegister", "StoreRouter"]
