"""Embedded accounts: one SQLite file each, for demos, rehearsals and tests. See ``store`` for the promises."""

from migrator.adapters.local.file import AccountFile
from migrator.adapters.local.store import LocalStore, path_of

__all__ = ["AccountFile", "LocalStore", "path_of"]
