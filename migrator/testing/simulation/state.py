"""One node's hand on the state store: a commit is a step at which the process may die, before or after.

Decides nothing about the contents: they are the inner store's. Rule: the commit of a dead process does not happen, and
reading is refused too, so that no ``finally`` of a killed process goes on as if nothing had been. The answer of a commit may get
lost on its way, as between machines; the next one finds out then what became of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from migrator.adapters.state.lost import LostCommits
from migrator.errors import CommitUnknown
from migrator.model.moves import (
    Approval,
    Control,
    EvidenceRange,
    ExceptionRow,
    JournalEntry,
    LockRecord,
    MoveRecord,
    Outstanding,
    PlanRecord,
    WaveRecord,
)
from migrator.model.names import MoveId
from migrator.model.notes import NoteKey
from migrator.model.samples import Sample
from migrator.ports.state_store import RANGE_PAGE, Change, StateStore
from migrator.testing.simulation.loop import Node, NodeDead

CommitHook = Callable[[Node, Sequence[Change]], None]
LookHook = Callable[[StateStore, Sequence[Change]], None]
LossHook = Callable[[], bool | None]
"""Does the answer to the next commit get lost, and was it written? None: it arrives."""


class NodeState:
    """``inner`` as ``node`` reaches it; implements StateStore. ``committing`` is called before each
    commit, and ``committed`` after it."""

    def __init__(
        self,
        inner: StateStore,
        node: Node,
        committed: CommitHook,
        refuse: Callable[[], None] = lambda: None,
        committing: LookHook = lambda *facts: None,
        losing: LossHook = lambda: None,
    ) -> None:
        """``refuse``: may raise StateError before a write."""
        self._losing = losing
        self._lost = LostCommits()
        self._losses = 0
        self._refuse = refuse
        self._committing = committing
        self._inner = inner
        self._node = node
        self._committed = committed
        self.lineage = inner.lineage
        self.plan_name = inner.plan_name

    @property
    def _live(self) -> StateStore:
        if not self._node.alive:
            raise NodeDead(self._node.name)
        return self._inner

    def commit(self, changes: Sequence[Change], *, token: int | None) -> None:
        self._node.step()
        self._refuse()
        if self._lost.was_made(changes):
            return
        is_kept = self._losing()
        if is_kept is not False:
            self._committing(self._inner, changes)
            self._inner.commit(changes, token=token)
            self._committed(self._node, changes)
        self._node.step()
        if is_kept is not None:
            self._losses += 1
            commit = f"{self._node.name}/{self._losses}"
            self._lost.lose(commit, changes)
            self._lost.found(is_kept=is_kept)
            raise CommitUnknown("cannot tell whether the state store simulated was written", commit=commit)

    def plan(self) -> PlanRecord | None:
        return self._live.plan()

    def waves(self) -> Sequence[WaveRecord]:
        return self._live.waves()

    def moves(self) -> Sequence[MoveRecord]:
        return self._live.moves()

    def move(self, move: MoveId) -> MoveRecord | None:
        return self._live.move(move)

    def ranges(
        self, move: MoveId, container: str, prefix: str, *, above: bytes | None = None, at_once: int = RANGE_PAGE
    ) -> Iterator[EvidenceRange]:
        return self._live.ranges(move, container, prefix, above=above, at_once=at_once)

    def range_sizes(self, move: MoveId, container: str, prefix: str) -> Sequence[tuple[bytes | None, int]]:
        return self._live.range_sizes(move, container, prefix)

    def containers_with_ranges(self, move: MoveId) -> Sequence[tuple[str, str]]:
        return self._live.containers_with_ranges(move)

    def exceptions(self, move: MoveId, *, limit: int = 1000) -> Sequence[ExceptionRow]:
        return self._live.exceptions(move, limit=limit)

    def exception(self, move: MoveId, container: str, name: str) -> ExceptionRow | None:
        return self._live.exception(move, container, name)

    def beyond(self, move: MoveId, container: str, names: Sequence[str]) -> frozenset[str]:
        return self._live.beyond(move, container, names)

    def exception_counts(self, move: MoveId) -> Mapping[str, int]:
        return self._live.exception_counts(move)

    def outstanding(self, move: MoveId) -> Sequence[Outstanding]:
        return self._live.outstanding(move)

    def samples(self, move: MoveId, *, gate: str | None = None, after: datetime | None = None) -> Sequence[Sample]:
        return self._live.samples(move, gate=gate, after=after)

    def last_samples(self, move: MoveId) -> Mapping[str, Sample]:
        return self._live.last_samples(move)

    def journal(self, *, after: int = 0, limit: int = 100_000) -> Sequence[JournalEntry]:
        return self._live.journal(after=after, limit=limit)

    def controls(self) -> Sequence[Control]:
        return self._live.controls()

    def approvals(self) -> Sequence[Approval]:
        return self._live.approvals()

    def note(self, key: NoteKey) -> Any:
        return self._live.note(key)

    def requests(self, account: str, *, first_minute: int, last_minute: int) -> Mapping[str, int]:
        return self._live.requests(account, first_minute=first_minute, last_minute=last_minute)

    def requests_by_minute(self, account: str, *, first_minute: int, last_minute: int) -> Mapping[int, int]:
        return self._live.requests_by_minute(account, first_minute=first_minute, last_minute=last_minute)

    def lock(self) -> LockRecord | None:
        return self._live.lock()

    def acquire(
        self, wanted: LockRecord, *, dead: str = "", silent: datetime | None = None, changes: Sequence[Change] = ()
    ) -> LockRecord:
        self._node.step()
        self._refuse()
        return self._inner.acquire(wanted, dead=dead, silent=silent, changes=changes)

    def heartbeat(self, token: int, at: datetime) -> None:
        live = self._live
        self._refuse()
        live.heartbeat(token, at)

    def give_back(self, token: int) -> None:
        live = self._live
        self._refuse()
        live.give_back(token)

    def remove_lock(self, nonce: str, *, changes: Sequence[Change] = ()) -> bool:
        return self._live.remove_lock(nonce, changes=changes)

    def close(self) -> None:
        """The store outlives the process."""
