"""The law of epochs: each that the tool writes is above every one that was said of the record before, as far as it can know.

Decides what epochs of one record say, and whether a record may follow another. Leaves who can know of them to ``excuses``, and
what else a record may not say to ``oracle``. Rule: what a hand wrote and no process of the tool has read is known to nobody.
"""

from __future__ import annotations

from migrator.model.routes import READ_WRITE, RouteRecord
from migrator.testing.simulation.excuses import Excuses

MOST_EPOCHS = 2
"""A tool's step of the epoch, above all that were ever said or meant: one more where somebody else may have written unseen."""


class Epochs:
    """Of one record."""

    def __init__(self, move: str, excuses: Excuses) -> None:
        self._move = move
        self._excuses = excuses
        self._intended = 0
        """The highest that some store was going to write, whether or not it came to that."""
        self._said: dict[int, tuple[str, str, str]] = {}
        """What each epoch said, whoever wrote it."""
        self._unread: dict[int, tuple[str, str, str]] = {}
        """What a hand wrote and no process of the tool has read: none can know that its epoch is used."""
        self.highest = 0

    def intend(self, epoch: int) -> None:
        """Some store is going to write it."""
        self._intended = max(self._intended, epoch)

    def wrote(self, process: str, route: RouteRecord) -> None:
        """The document says so from now on: a process of the tool wrote it."""
        self._say(route)
        self._excuses.heard(process, self._move, route.epoch)

    def wrote_by_hand(self, route: RouteRecord) -> None:
        if route.epoch not in self._said:
            self._unread[route.epoch] = _authority(route)

    def read(self, process: str, route: RouteRecord) -> None:
        """A process of the tool has read this."""
        self._excuses.heard(process, self._move, route.epoch)
        if self._unread and self._unread.pop(route.epoch, None) is not None:
            self._say(route)

    def _say(self, route: RouteRecord) -> None:
        self.highest = max(self.highest, route.epoch)
        self._said.setdefault(route.epoch, _authority(route))

    def fault(self, process: str, before: RouteRecord, after: RouteRecord) -> str | None:
        """What is wrong with the epoch of ``after``, which a process of the tool wrote in place of ``before``: a clause that may
        be empty; None if nothing is."""
        if process.startswith("guardian") and before.epoch < self.highest:
            return None  # a hand put an old fence back, and its guardian was never told of what came after: writers go first
        if after.epoch <= before.epoch:
            return ""
        if self._is_said_otherwise(after):
            if after.epoch <= self._excuses.highest_known(process, self._move):
                return ""
            self._excuses.used["an epoch that a store cannot know"] += 1
            return None
        most = max(self.highest, self._intended) + MOST_EPOCHS
        return (
            f": the highest before was {self.highest}"
            if after.epoch > most and not _is_adoption(before, after)
            else None
        )

    def _is_said_otherwise(self, after: RouteRecord) -> bool:
        """Clients obey one account, address and mode within an epoch, and none that is lower than one they saw. What came and
        went by hand nobody else may have seen: to say just that again is no harm. What no process of the tool has read it cannot
        know; a client that did waits for the epoch after."""
        return after.epoch <= self.highest and self._said.get(after.epoch) != _authority(after)


def _is_adoption(before: RouteRecord, after: RouteRecord) -> bool:
    """Writable at the same account before and after: its epoch steps over every one that the store or the document knew."""
    return before.mode == after.mode == READ_WRITE and before.account == after.account


def _authority(record: RouteRecord) -> tuple[str, str, str]:
    return record.account, record.endpoint, record.mode
