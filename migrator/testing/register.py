"""A register in memory, for worlds that need no files: the engine's port, and the followers' pen.

Decides nothing: entries are what was put. ``lose`` is what a script does that empties a container.
"""

from __future__ import annotations

from collections.abc import Set

from migrator.model.register import MAX_ENTRIES, RollEntry
from migrator.ports.register import Attendant, RollUnknown


class MemoryRegister:
    """A ``Register``. Followers ``put`` and ``take_back``."""

    place = "memory"

    def __init__(self) -> None:
        self._heads: set[str] = set()
        self._entries: dict[str, dict[str, Attendant]] = {}
        self._writings = 0

    async def open(self, generation: str) -> None:
        self._heads.add(generation)
        self._entries.setdefault(generation, {})

    async def roll(self, generation: str) -> tuple[Attendant, ...]:
        if generation not in self._heads:
            raise RollUnknown("cannot read the register: its head is gone", hint="it is made anew between fences")
        found = self._entries[generation]
        if len(found) > MAX_ENTRIES:
            raise RollUnknown(f"cannot read the register: it has more than {MAX_ENTRIES:,} entries")
        return tuple([found[id] for id in sorted(found)])

    async def remove(self, generation: str, attendant: Attendant) -> None:
        found = self._entries.get(generation, {})
        if attendant.id in found and found[attendant.id].token == attendant.token:
            del found[attendant.id]

    async def close(self) -> None:
        """Nothing stays open."""

    def put(self, generation: str, id: str, text: str) -> None:
        """A follower writes its entry. LookupError where nobody made the register."""
        self._writings += 1
        self._entries[generation][id] = Attendant(id, str(self._writings), _read(text))

    def ids(self, generation: str) -> Set[str]:
        """Of all entries. LookupError where nobody made the register."""
        return self._entries[generation].keys()

    def take_back(self, generation: str, id: str) -> None:
        """A follower leaves."""
        self._entries.get(generation, {}).pop(id, None)

    def lose(self, generation: str) -> None:
        """Everything of it is gone; the place is still there to be written to."""
        self._heads.discard(generation)
        self._entries[generation] = {}


def _read(text: str) -> RollEntry | None:
    try:
        return RollEntry.decode(text)
    except ValueError:
        return None
