"""No secret in a plan, and none in a fault about it.

Decides what looks like a secret: connection strings, SAS, account keys. Rule: where one is written, that is the only fault
of its place, and its text is never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from migrator.plan.tree import Fault, Path, Tree

SECRET: Final = re.compile(
    r"(?:Account|SharedAccess|Access)Key=|SharedAccessSignature|(?:^|[?&;'\"\s])sig=|;Secret=|(?:^|[?&;])password="
    r"|[A-Za-z0-9+/]{86}==",
    re.IGNORECASE,
)
"""Connection strings, SAS, and the 88 characters of an account key."""
_TEXT: Final = "a secret is written here: put it into an environment variable and name that, credential: env:NAME"


def hide_secrets(tree: Tree, faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """``faults`` without those that could repeat a secret, and one for each place where a secret is written."""
    keys = {path for path, _, _ in tree.walk() if path and SECRET.search(str(path[-1]))}
    values: set[Path] = {path for path, text in tree.texts() if SECRET.search(text)}
    kept = [fault for fault in faults if fault.path not in values and not SECRET.search(fault.text)]
    return (
        *kept,
        *(tree.at_key(path, _TEXT) for path in keys),
        *(tree.at_value(path, _TEXT) for path in values),
    )
