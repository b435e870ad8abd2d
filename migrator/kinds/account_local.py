"""Embedded accounts: one SQLite file each, for demos, rehearsals and tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from os.path import realpath
from pathlib import Path
from typing import Any

from migrator.model.schedule import Account
from migrator.ports.kinds import AccountKind, AccountStore, Key, Slip


class LocalAccount(AccountKind):
    name = "local"
    is_embedded = True
    has_unique_etags = False
    """Each file counts its own from the same number on."""

    keys: Mapping[str, Key] = {
        "path": Key("path", "local: the SQLite file, from the working directory", is_needed=True),
    }

    def slips(self, name: str, values: Mapping[str, Any]) -> Iterator[Slip]:
        yield from ()

    def spot(self, values: Mapping[str, Any]) -> tuple[str, str] | None:
        return ("path", realpath(values["path"])) if values["path"] is not None else None

    def address(self, account: Account) -> str:
        return account.path or ""

    def will_be_made(self, account: Account) -> bool:
        return True

    def entra_credential(self, account: Account) -> str | None:
        return None

    def open(
        self, account: Account, *, environ: Mapping[str, str], cloud: Mapping[str, str], may_make: Callable[[], bool]
    ) -> AccountStore:
        from migrator.adapters.local import LocalStore

        return LocalStore(account.name, Path(account.path or ""), create=may_make, caller="engine")
