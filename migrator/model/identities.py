"""What a plan calls the identities that open accounts, and the variables of the environment that each needs.

Decides the spellings. Leaves what is made of one to the adapter of Microsoft Entra ID. Rule: a reference names a
secret, and holds none.
"""

from __future__ import annotations

import re
from typing import Final

STANDARD_PREFIX: Final = "AZURE"
"""Of the variables that Microsoft's identity library reads by itself."""
OF_SECRET: Final = ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET")
OF_CERTIFICATE: Final = ("TENANT_ID", "CLIENT_ID", "CLIENT_CERTIFICATE_PATH", "CLIENT_CERTIFICATE_PASSWORD")
"""The password only where the certificate has one."""
REFERENCE: Final = re.compile(
    r"default|cli|(?:managed|workload)-identity(?::[A-Za-z0-9-]{1,64})?"
    r"|client-(?:secret|certificate)(?::[A-Za-z][A-Za-z0-9_]{0,63})?|env:[A-Za-z_][A-Za-z0-9_]{0,127}"
)
FORMS: Final = (
    "default, cli, managed-identity[:client-id], workload-identity[:client-id], client-secret[:PREFIX],"
    " client-certificate[:PREFIX]"
)
"""For people; beside them ``env:NAME``."""


def variables_of(reference: str) -> frozenset[str]:
    """The variables that ``reference`` is read from, beside those of the machine that begin with ``AZURE_``.

    >>> sorted(variables_of("client-secret:NA"))
    ['NA_CLIENT_ID', 'NA_CLIENT_SECRET', 'NA_TENANT_ID']
    """
    kind, _, rest = reference.partition(":")
    if kind == "env":
        return frozenset({rest})
    names = {"client-secret": OF_SECRET, "client-certificate": OF_CERTIFICATE}.get(kind, ())
    return frozenset(f"{rest or STANDARD_PREFIX}_{name}" for name in names)
