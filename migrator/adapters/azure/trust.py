"""Whose certificates are believed: this machine's authorities, or those in the plan's ``cloud.ca_file``."""

from __future__ import annotations

import ssl
from functools import lru_cache

from migrator.errors import CloudError


@lru_cache(maxsize=16)
def _context(ca_file: str | None) -> ssl.SSLContext:
    """One for all accounts: reading this machine's authorities takes a hundredth of a second."""
    return ssl.create_default_context(cafile=ca_file)


def trust(account: str, ca_file: str | None) -> ssl.SSLContext:
    """For ``account`` (its name in the plan). CloudError if the file cannot be read."""
    try:
        return _context(ca_file)
    except OSError as failure:  # ssl.SSLError is one
        raise CloudError(
            f"cannot open account {account}: the certificates in {ca_file} cannot be read",
            hint="correct ca_file in the plan",
        ) from failure
