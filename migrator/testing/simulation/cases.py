"""What the judge remembers: the scene it looks at, one case for each move, and every broken promise in order.

Decides nothing. Leaves the laws to ``oracle`` (single effects), ``switching`` (a switch), ``staying`` (a soak) and
``losing`` (whole containers), and what may be let pass to ``excuses``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from migrator.model.moves import ExceptionRow, MoveRecord
from migrator.model.rhythm import Rhythm
from migrator.model.routes import RouteRecord
from migrator.model.schedule import PlannedMove, Schedule
from migrator.model.values import value
from migrator.testing.simulation.acts import Writers
from migrator.testing.simulation.blobs import Account, Blob
from migrator.testing.simulation.loop import SimLoop
from migrator.testing.simulation.watched_soak import WatchedSoak

Place = tuple[str, str]


@value(frozen=True, slots=True)
class Violation:
    """``invariant`` is a stable word; ``at`` virtual seconds; ``text`` says what was seen."""

    invariant: str
    at: float
    text: str

    def __str__(self) -> str:
        return f"{self.at:10.3f} {self.invariant}: {self.text}"


@dataclass(slots=True)
class Late:
    """An effect without a lease at an account that was not, or not for long, the truth."""

    at: float
    text: str
    listed: bool = False
    is_whole: bool = False
    """It went or came with its container. A look at that which began later has seen it, and then it is no excuse any more."""


NameStretch = tuple[str, str | None]
"""Names from the first on, up to the second; None: to the end."""
Seen = tuple[float, bytes, bytes | None]
"""When, and which names, by their order keys."""
MOST_SEEN = 200


class Case:
    """What the oracle remembers of one move."""

    def __init__(self, plan: PlannedMove) -> None:
        self.plan = plan
        self.record: MoveRecord | None = None
        self.exceptions: dict[Place, ExceptionRow] = {}
        self.was_kept: set[tuple[str, str, str | None, str | None]] = set()
        """Container, name and both generations of what some store's list said is kept as it is."""
        self.late: dict[tuple[str, str, str], Late] = {}
        self.left: dict[tuple[str, str, str], Blob | None] = {}
        """What the old account held at the switch."""
        self.switched_at: float | None = None
        self.switched_from = ""
        self.fenced_at: float | None = None
        self.fence_excused = False
        self.compared_from = inf
        """When its newest barrier began: of what lies elsewhere than where that acted, nothing is looked at twice."""
        self.changed_unseen_at = -1e9
        """When its route record was changed last by somebody of whom the state store cannot know: a hand, another store's engine,
        or what this store's engines did after the moment that it was put back to."""
        self._rests: list[tuple[float, float]] = [(0.0, 0.0)]
        """From each time on: since when its record says what state it is in."""
        self.stood: list[tuple[float, RouteRecord]] = []
        """Each record, with the time from which it stood."""
        self.hand_at = -1e9
        self.soak = WatchedSoak()
        self.bodies: dict[tuple[str, str, str], set[Any]] = {}
        self._scans: dict[tuple[str, str], list[Seen]] = {}
        """By account and container: which names were seen when."""
        self.seen_records: set[tuple[bytes, bytes]] = set()
        self.carried: set[bytes] = set()
        """Generations of either side that committed evidence says were on both."""
        self.swept: set[tuple[str, str, str]] = set()
        """What the tool deleted, and nobody has touched since: account, container and name."""
        self.proved: set[tuple[bytes, bytes]] = set()
        """Pairs of generations that evidence says were read on both sides."""

    def saw(self, where: tuple[str, str], seen: Seen) -> None:
        """A page of this account's container showed these names."""
        kept = self._scans.setdefault(where, [])
        kept.append(seen)
        del kept[:-MOST_SEEN]

    def seen_at(self, account: Account, container: str, name: str) -> float:
        """When the newest listing began that went over this name; below zero: none did."""
        key, seen = account.key(name), self._scans.get((account.name, container), ())
        return max((at for at, first, end in seen if first <= key and (end is None or key < end)), default=-1.0)

    @property
    def rested_at(self) -> float:
        """Since when its record says what state it is in."""
        return self._rests[-1][1]

    def rests_from(self, now: float) -> None:
        """Its record says another state from now on."""
        self._rests.append((now, now))

    def rests_again(self, now: float, since: float) -> None:
        """The store was put back to what it was at ``since``: it learnt nothing by that, and its record rests as long as it had
        rested then, whatever became of it later."""
        self._rests.append((now, next(rested for at, rested in reversed(self._rests) if at <= since)))

    def since(self, begin: float, end: float) -> list[RouteRecord]:
        """What the route said at some time from ``begin`` to ``end``, the newest last."""
        later = [one for at, one in self.stood if begin <= at <= end]
        earlier = [one for at, one in self.stood if at < begin][-1:]
        return [*earlier, *later]


@dataclass(slots=True)
class Scene:
    """The world as the judges see it, and what they found."""

    loop: SimLoop
    schedule: Schedule
    accounts: Mapping[str, Account]
    writers: Writers
    rhythm: Rhythm
    violations: list[Violation] = field(default_factory=list)

    def break_(self, invariant: str, text: str) -> None:
        self.violations.append(Violation(invariant, round(self.loop.time(), 3), text))

    def places(self, case: Case, *accounts: str) -> list[Place]:
        """All names of the move on these accounts, ascending."""
        return sorted(
            {
                (container, name)
                for account in accounts
                for container, held in self.accounts[account].containers.items()
                for name in held.blobs
                if case.plan.area.takes(container, name)
            }
        )

    def settle_in(self, case: Case, account: str) -> None:
        """``account`` is the truth from now on, with all that strangers did to it before."""
        for container, name in self.places(case, account):
            self.accounts[account].containers[container].blobs[name].stray = False


def show(record: RouteRecord | None) -> str:
    return f"{record.account} {record.mode} {record.epoch} run {record.run}" if record else "no record"
