"""Stored access policies of a simulated account: what is on record, and what its front ends go by, which may be older.

Decides whether a signature under a policy is accepted at an instant. Who signs is the clients' business, who revokes the
engine's. Rule: every request meets a front end of its own, which learned of a change at some time within the propagation.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from random import Random

from migrator.machine.policies import can_write, same_policy
from migrator.model.moves import StoredPolicy
from migrator.model.schedule import POLICY_PROPAGATION_SECONDS

WRITERS = StoredPolicy("writers", "racwdl", "", "2030-01-01T00:00:00Z")
READERS = StoredPolicy("readers", "rl", "", "2030-01-01T00:00:00Z")


class Policies:
    """Of all containers of one account; ``seed`` makes the chance of which front end answers."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)
        self._changes: dict[str, tuple[list[float], list[tuple[StoredPolicy, ...]]]] = {}

    def of(self, container: str) -> tuple[StoredPolicy, ...]:
        """As the service has them on record now."""
        times, said = self._changes.get(container, ([], [()]))
        return said[-1] if times else ()

    def put(self, container: str, policies: Sequence[StoredPolicy], at: float) -> None:
        times, said = self._changes.setdefault(container, ([], []))
        times.append(at)
        said.append(tuple(policies))

    def changed_at(self, container: str) -> int:
        """The second of its last change: all that the service shows, and all that a condition can name."""
        times, _ = self._changes.get(container, ([], [()]))
        return int(times[-1]) if times else 0

    def accepts(self, container: str, policy: StoredPolicy, now: float) -> bool:
        """Does the front end that happens to answer at ``now`` let this policy's signatures write?"""
        times, said = self._changes.get(container, ([], []))
        known = bisect_right(times, now - self._random.uniform(0.0, POLICY_PROPAGATION_SECONDS))
        found = next((one for one in said[known - 1] if one.id == policy.id), None) if known else None
        return found is not None and can_write(found)

    def lets_write(self, container: str) -> bool:
        """Is every policy that let somebody write in the beginning as it was then?"""
        _, said = self._changes.get(container, ([], [()]))
        return all(any(same_policy(one, now) for now in said[-1]) for one in said[0] if can_write(one))
