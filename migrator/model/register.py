"""The register of the followers that may write: its entries, and where they lie. Shared by the engine and by clients; no storage.

Decides the form of an entry and of a generation, and the names of places (``migrator/client/PROTOCOL.md``, section 9). Leaves to
the engine when a drain may end, to clients when to write an entry. Rules:

- a promise holds for ever, so whoever reads an older entry learns less, and never something wrong;
- the keys of an entry never change, and the id of one that was removed is not used again;
- what cannot be read promises nothing.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import field
from hashlib import sha256
from typing import Any, Final

from migrator.model.routes import MAX_EPOCH
from migrator.model.values import value

MAX_ENTRY_BYTES = 4096
"""A longer entry is not read. A follower of more keys makes several."""
MAX_ENTRIES = 20_000
"""A longer roll is no roll."""
MAX_LABEL = 64
MAX_LIFETIME_SECONDS = 3600.0
"""An entry that nobody can read may have this lifetime."""
LEFT: Final = MAX_EPOCH
"""The promise of a follower that will never write again."""
HEAD: Final = ".head"
"""Lies beside the entries from before the document names their generation; whoever empties the place takes it along.
It sorts first."""
ENTRY_METADATA: Final = "entry"
"""The metadata of a blob that holds an entry: so one listing is the whole roll."""

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9])+", re.ASCII)
_SUFFIX = "-register"
_MOST_OF_A_CONTAINER = 63


def new_id() -> str:
    """The name of an entry that nobody wrote yet."""
    return secrets.token_hex(16)


def is_id(text: str) -> bool:
    """Anything else that lies in a register is no entry, but what nobody can read."""
    return _ID.fullmatch(text) is not None


def register_container(container: str) -> str:
    """The container of the register of a document in ``container``: another one, so that an application may write its entry and
    not the document.

    >>> register_container("routing")
    'routing-register'

    Raises:
        ValueError: such a container cannot be.
    """
    found = container + _SUFFIX
    if _CONTAINER.fullmatch(found) is None or len(found) > _MOST_OF_A_CONTAINER:
        raise ValueError(f"a document in the container {container} has no register: {found} is not a container's name")
    return found


def register_path(document: str, generation: str) -> str:
    """Where the entries of ``generation`` lie, for the document's name in its container; they follow it after a slash."""
    return f"{document}/{generation}"


@value(frozen=True, slots=True)
class RollEntry:
    """What one follower says.

    Args:
        label: the application, for people.
        lifetime_seconds: no lease of it lasts longer than this after its newest acknowledged renewal was sent.
        clear: for each ``region/area`` that it may write, a promise: no write that it began there under an epoch lower than this
            is under way, and none will begin. 0 promises nothing.

    >>> RollEntry.decode(RollEntry("images", 60, {"europe/images": 7}).encode()).clear
    {'europe/images': 7}
    """

    label: str
    lifetime_seconds: float
    clear: Mapping[str, int] = field(default_factory=dict)

    def encode(self) -> str:
        """ASCII, one line.

        Raises:
            ValueError: it would be longer than ``MAX_ENTRY_BYTES``, or nobody could read it.
        """
        life = self.lifetime_seconds
        body = {
            "version": 2,
            "label": self.label[:MAX_LABEL],
            "lifetime_seconds": int(life) if life == int(life) else life,
            "clear": dict(sorted(self.clear.items())),
        }
        text = json.dumps(body, separators=(",", ":"))
        if len(text) > MAX_ENTRY_BYTES:
            raise ValueError(f"the entry would have {len(text)} bytes, more than {MAX_ENTRY_BYTES}")
        RollEntry.decode(text)
        return text

    @property
    def has_left(self) -> bool:
        """Does it say that its follower will never write again?"""
        return all(epoch == LEFT for epoch in self.clear.values())

    @classmethod
    def decode(cls, raw: str | bytes) -> RollEntry:
        """Read an entry.

        Raises:
            ValueError: not this format; the text says why, in one clause without a full stop.
        """
        if len(raw) > MAX_ENTRY_BYTES:
            raise ValueError(f"the entry is longer than {MAX_ENTRY_BYTES} bytes")
        try:
            body = _READER.decode(raw) if isinstance(raw, str) else json.loads(raw, object_pairs_hook=_once)
        except (ValueError, RecursionError) as fault:
            raise ValueError("the entry is not JSON, or has a name twice") from fault
        if not isinstance(body, dict) or body.get("version") != 2:
            raise ValueError("the entry is not of version 2")
        life, clear, label = body.get("lifetime_seconds"), body.get("clear"), body.get("label", "")
        if not isinstance(life, (int, float)) or isinstance(life, bool) or not 0 < life <= MAX_LIFETIME_SECONDS:
            raise ValueError(f"the entry has no lifetime_seconds between 0 and {MAX_LIFETIME_SECONDS:g}")
        if not isinstance(clear, dict) or not all(map(_is_promise, clear.values())):
            raise ValueError(f"the entry promises something that is not an epoch from 0 to {MAX_EPOCH}")
        if not isinstance(label, str):
            raise ValueError("the entry has a label that is not a text")
        return cls(label[:MAX_LABEL], float(life), clear)


def _is_promise(said: object) -> bool:
    return isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= MAX_EPOCH


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


_READER = json.JSONDecoder(object_pairs_hook=_once)


def sealed(text: str) -> bytes:
    """An entry as the content of a file, which is written in place: so that its name never leaves the directory, and a reader of
    half of it knows."""
    line = text.encode("ascii") + b"\n"
    return line + sha256(line).hexdigest().encode() + b"\n"


def unsealed(raw: bytes) -> str:
    """The entry of a file; what stands behind the seal is left of a longer one.

    Raises:
        ValueError: it is being written, or was never whole.
    """
    text, _, rest = raw.partition(b"\n")
    seal = sha256(text + b"\n").hexdigest().encode() + b"\n"
    if not rest.startswith(seal):
        raise ValueError("the entry is not whole")
    return text.decode("ascii")


SEALED_BYTES: Final = MAX_ENTRY_BYTES + 66
"""No sealed entry is longer."""
