"""What customers do, written down: one act for each request of a customer, and the leases they hold."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.client.follower import Grant


@dataclass(eq=False, slots=True)
class Act:
    """One write of a customer. ``must_end``: until then the effect is covered by the lease (virtual seconds)."""

    number: int
    writer: str
    kind: str
    key: str
    account: str
    container: str
    name: str
    has_lease: bool
    checked_at: float
    must_end: float
    is_bound: bool = False
    """Signed under a stored access policy: without a lease, but an enforced fence stops it."""
    applied_at: float | None = None
    acknowledged_at: float | None = None
    failed: str = ""

    def __str__(self) -> str:
        lease = f"lease until {self.must_end:.3f}" if self.has_lease else "a policy" if self.is_bound else "no lease"
        seen = "acknowledged" if self.acknowledged_at is not None else "unanswered"
        place = f"{self.account}/{self.container}/{self.name!r}"
        return (
            f"#{self.number} {self.kind} of {place} by {self.writer} ({lease}, checked {self.checked_at:.3f}, {seen})"
        )


class Writers:
    """All customers: their acts in order, and until when each could still write under a lease."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self._leases: dict[tuple[str, str], tuple[Grant, float]] = {}
        self.given_away: list[tuple[str, str]] = []
        """Who sent a credential to an address that is none of ours, and where to."""

    def holds(self, writer: str, grant: Grant, last_effect: float) -> None:
        """``writer`` used ``grant`` now; the last effect under it can come at ``last_effect`` (virtual seconds)."""
        self._leases[(writer, grant.key)] = (grant, last_effect)

    def ended(self, writer: str, grant: Grant, at: float) -> None:
        """What ``writer`` did under ``grant`` is over, as it knows. It may hold the lease still: for that it has to be asked."""
        self._leases[(writer, grant.key)] = (grant, at)

    def leases_for(self, account: str, key: str) -> list[tuple[str, float]]:
        return [
            (writer, until)
            for (writer, of), (grant, until) in self._leases.items()
            if of == key and grant.account == account
        ]
