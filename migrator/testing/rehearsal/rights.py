"""What the signatures of a plan let do: it is written in them, so that it is known without asking any account.

Decides which letters each account needs. Leaves roles, of which a credential does not tell, to ``migrate plan --probe``.
Source: Azure "Create an account SAS", "Create a service SAS" (letters of ``sp``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from migrator.model.schedule import Schedule
from migrator.testing.rehearsal.told import Obstacle

READING: Final = "rl"
WRITING: Final = "rlwd"
_REFERENCE: Final = "env:"
_LETTERS: Final = re.compile(r"(?:^|[?&;=])sp=([a-z]+)(?:&|$)")
_WORDS: Final = {"r": "read", "l": "list", "w": "write", "d": "delete"}


def missing_rights(schedule: Schedule, environ: Mapping[str, str]) -> list[Obstacle]:
    """Both sides are written to: the source by canaries and by the way back, unless the plan spares it."""
    spared = {move.source for wave in schedule.waves for move in wave.moves if wave.cutover.canary == "target-only"}
    found = []
    for name in sorted({name for move in schedule.moves for name in (move.source, move.target)}):
        account = schedule.accounts[name]
        signature = _LETTERS.search(environ.get(account.credential.removeprefix(_REFERENCE), ""))
        if not account.credential.startswith(_REFERENCE) or signature is None:
            continue
        lacks = [letter for letter in (READING if name in spared else WRITING) if letter not in signature[1]]
        if lacks:
            found.append(
                Obstacle(
                    "missing-right",
                    name,
                    f"the signature in {account.credential} lets nobody {' or '.join(_WORDS[one] for one in lacks)} there",
                    f"sign it with the letters {READING if name in spared else WRITING} (`t` for tags, `c` to make containers)",
                )
            )
    return found
