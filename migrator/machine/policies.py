"""What an enforced fence makes of a stored access policy: reading goes on, writing does not. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from migrator.model.moves import StoredPolicy
from migrator.model.values import replace

READING = frozenset("rlfi")
"""Read, list, find by tags; and the immutability letter, which lets nobody write. All others change something."""
LONG_AGO = "2000-01-01T00:00:00.0000000Z"


def can_write(policy: StoredPolicy) -> bool:
    """Does a signature of this policy take its right to write from the policy?"""
    return bool(set(policy.permissions) - READING)


def same_policy(one: StoredPolicy, other: StoredPolicy) -> bool:
    """Equal in what they say: the service may order letters and write times in its own way."""
    if (one.id, set(one.permissions)) != (other.id, set(other.permissions)):
        return False
    return (_at(one.start), _at(one.expiry)) == (_at(other.start), _at(other.expiry))


def _at(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text


def without_writing(policy: StoredPolicy) -> StoredPolicy:
    """The policy as it is while the fence is closed. One that could only write expires instead: a policy without permissions
    would leave them to the signature."""
    kept = "".join(letter for letter in policy.permissions if letter in READING)
    return replace(policy, permissions=kept) if kept else replace(policy, expiry=LONG_AGO)
