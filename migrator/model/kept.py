"""Why an object stays at a source whose data is deleted."""

from __future__ import annotations

from enum import StrEnum


class Kept(StrEnum):
    CHANGED = "changed"
    """After the switch, by its content, its tags or its tier."""
    UNKNOWN = "unknown"
    """Nothing shows that it was ever at the target."""
    MISSING = "missing"
    """The target does not have it by now."""
    DIFFERENT = "different"
    """The target has another generation of it by now."""
    LISTED = "listed"
    """It is an exception that a person was told of."""
    UNSETTLED = "unsettled"
    """A copy, or a write of ours, is under way."""
    LEASED = "leased"
    PROTECTED = "protected"
    """By a retention policy or a legal hold."""
    SNAPSHOTS = "snapshots"
    """It has some, which a move does not carry."""
    REFUSED = "refused"
    """By the service, for its own sake."""
