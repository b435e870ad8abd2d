"""What a pass found and did: counts for the engine's decisions, some names for people. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from migrator.model.values import value
from migrator.transfer.order import Order

Names = tuple[bytes | None, bytes | None]
"""The names in (above, upto], as keys of the container's order; None: from the first one, to the last one."""
MAX_NAMED = 20
"""Names of troubled objects kept in a result, for people."""


@value(frozen=True, slots=True)
class Touched:
    """A stretch of names in which a pass did anything, or left something to be done. ``names``: it wrote to these alone, and was
    answered; None: whatever it was, the stretch is looked at as a whole."""

    stretch: Names
    names: tuple[str, ...] | None = None


@value(frozen=True, slots=True)
class Acted:
    """Where a pass inside a fence did anything, or left something to be done: the next one need not look anywhere else."""

    containers: Mapping[str, tuple[str | None, str | None]]
    """All that it looked at, or that one before it did in the same fence: ETags at origin and destination."""
    ranges: Mapping[tuple[str, str], tuple[Order, tuple[Touched, ...]]]
    """By container and prefix, where there is any."""
    destination_objects: int
    """How many there are in all: the cap of deletes is a share of these."""


@dataclass(slots=True)
class PassResult:
    """What one pass found and did. Counts are objects unless the name says bytes."""

    scanned: int = 0
    scanned_bytes: int = 0
    destination_objects: int = 0
    copied: int = 0
    copied_bytes: int = 0
    lifted_bytes: int = 0
    """Of these, what the service copied asynchronously: inside a fence it would go through this machine."""
    marked: int = 0
    adopted: int = 0
    proved: int = 0
    """Read on both sides and found equal; not a change."""
    deleted: int = 0
    deletes_reserved: int = 0
    """Counted against the cap before they are sent; negative: given back."""
    superseded: int = 0
    waiting: int = 0
    foreign: int = 0
    conflicts: int = 0
    failed: int = 0
    """Names that cannot be carried over, each for its own sake; they are named."""
    leased: int = 0
    """Of these, the ones that somebody holds a lease of."""
    refused_alone: int = 0
    """Of these, the ones for which a credential was refused that writes others."""
    stragglers_new: int = 0
    unsure: int = 0
    """Of a watch: names at which a write of ours was announced, so that what lies there may be its own. A pass settles them."""
    held: int = 0
    seconds: float = 0.0
    named: list[str] = field(default_factory=list)
    acted: Acted | None = None
    """Of a pass inside a fence; None: the next one looks at everything."""

    @property
    def changes(self) -> int:
        """Differences of this pass that were, or must still be, carried over: the lag it found."""
        return self.carried + self.superseded + self.waiting

    @property
    def carried(self) -> int:
        """Of ``changes``, those that this pass settled."""
        return self.copied + self.marked + self.adopted + self.deleted

    @property
    def is_proof(self) -> bool:
        """Did the pass change nothing and find every name in evidence or in a judged exception?"""
        return not (self.changes or self.foreign or self.conflicts or self.failed or self.stragglers_new)

    @property
    def sure(self) -> PassResult:
        """What holds good of a walk that was broken off: work that was done and rows that were written, nothing concluded."""
        kept = PassResult(named=list(self.named) if self.stragglers_new else [])
        for name in _DONE:
            setattr(kept, name, getattr(self, name))
        return kept

    def name(self, container: str, name: str, why: str) -> None:
        if len(self.named) < MAX_NAMED:
            self.named.append(f"{container}/{name}: {why}")

    def add(self, part: PassResult) -> None:
        """Count ``part`` in."""
        for name, more in zip(_COUNTS, _counts_of(part), strict=True):
            if more:
                setattr(self, name, getattr(self, name) + more)
        if part.named:
            self.named.extend(part.named[: MAX_NAMED - len(self.named)])


_DONE = ("copied", "copied_bytes", "lifted_bytes", "marked", "adopted", "proved", "stragglers_new")
_COUNTS = tuple(name for name in PassResult.__dataclass_fields__ if name not in ("named", "acted"))
_counts_of = attrgetter(*_COUNTS)
