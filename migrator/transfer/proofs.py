"""What an earlier comparison by content proved, so that one that was interrupted need not read it all again.

Pairs are taken in groups that end at names of a certain hash, so a group stays the same whatever is added far from it; a group
whose every pair was proved leaves a digest of its names and generations. A group with the same digest is proved: equal
generations stay equal. Decides nothing else. Memory and state: some 30 bytes for each thousand objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final

from migrator.transfer.evidence import name_hash
from migrator.transfer.joining import Pair

GROUP: Final = 1024
"""Names of a group on average."""
MOST: Final = 8 * GROUP
"""Names of a group at most."""
DIGEST_BYTES: Final = 12


class Proofs:
    """The digests of groups that were proved, and those that this comparison met."""

    def __init__(self, note: Any = None) -> None:
        known = note if isinstance(note, list) else []
        self._known = {digest for digest in known if isinstance(digest, str)}
        self._met: set[str] = set()

    def is_known(self, digest: str) -> bool:
        """Was this very group proved before? It stays on record then."""
        if digest in self._known:
            self._met.add(digest)
            return True
        return False

    def add(self, digest: str) -> None:
        self._met.add(digest)

    def note(self, *, is_complete: bool) -> list[str]:
        """What to keep. After a whole comparison, groups that it did not meet are of the past."""
        return sorted(self._met if is_complete else self._met | self._known)


def ends_group(name: str, length: int) -> bool:
    """Is ``name`` the last of a group that has ``length`` names with it?"""
    return length >= MOST or name_hash(name) % GROUP == 0


def digest_of(container: str, level: str, pairs: Sequence[Pair]) -> str | None:
    """Of a group; None if a side is missing somewhere, for then there is something to tell."""
    if any(pair.origin is None or pair.destination is None for pair in pairs):
        return None
    return blake2b(
        "\x00".join(_parts(container, level, pairs)).encode(errors="surrogatepass"), digest_size=DIGEST_BYTES
    ).hexdigest()


def _parts(container: str, level: str, pairs: Sequence[Pair]) -> Iterable[str]:
    yield level
    yield container
    for pair in pairs:
        if pair.origin is not None and pair.destination is not None:
            yield f"{pair.name}\x00{pair.origin.etag}\x00{pair.destination.etag}"
