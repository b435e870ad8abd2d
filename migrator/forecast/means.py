"""With what the work is done: this machine, its processes, and how far away the accounts are.

Decides what each is taken to be where nobody measured it. Leaves measuring to the commands, and what comes of it to ``passing``.
Pure. Rule: what was measured counts before what is assumed, and ``assumed`` says what was not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, field
from datetime import UTC, datetime
from typing import Any, Final

from migrator.model.schedule import Account, PlannedMove
from migrator.model.values import value

COPY_SECONDS: Final = 0.016
"""Of a copy that nobody tried, where its target answers sooner. Source: seen of real accounts, 5 to 30 ms."""
EMBEDDED_COPY_SECONDS: Final = 300e-6
"""Of one core for a small object between embedded accounts. Source: ``python -m tests.forecasts``, quiet."""
COMMIT_SECONDS: Final = 0.004
"""Of the state store: until a disk has it. Source: the same."""
PROCESSES: Final = 2
"""That copy and list, where nobody said how many."""


@value(frozen=True, slots=True)
class Means:
    """``slowness``: how many times as long this machine takes for the same work as the one that the figures of this room were
    measured on, as it was when ``measured_at``; ``processes``: workers, 0 is this process alone; ``cores``: of this machine;
    ``looks``: listings that each worker has under way at once, 0 where they only copy; ``commit_seconds``: until the state store
    has something for good.

    ``answers``: seconds by account until a small request is answered; ``containers``: until its containers are listed;
    ``copies``: until a copy is done, by source and target (``pair``). What is not in them nobody measured.
    """

    slowness: float = 1.0
    processes: int = PROCESSES
    cores: int = PROCESSES
    embedded_copy_seconds: float = 0.0
    commit_seconds: float = COMMIT_SECONDS
    looks: int = 0
    answers: Mapping[str, float] = field(default_factory=dict)
    containers: Mapping[str, float] = field(default_factory=dict)
    copies: Mapping[str, float] = field(default_factory=dict)
    measured_at: datetime | None = None

    def copy_seconds(self, move: PlannedMove) -> float:
        """Until one small object is copied: tried, else as long as its target takes to answer, and ``COPY_SECONDS`` at least."""
        tried = self.copies.get(pair(move.source, move.target))
        return tried or max(COPY_SECONDS, self.answers.get(move.target, 0.0), self.answers.get(move.source, 0.0))

    @property
    def embedded_seconds(self) -> float:
        return self.embedded_copy_seconds or EMBEDDED_COPY_SECONDS * self.slowness

    def knows(self, move: PlannedMove, accounts: Mapping[str, Account]) -> bool:
        """Was all measured that the copies of ``move`` depend on?"""
        if self.measured_at is None:
            return False
        return is_embedded(move, accounts) or pair(move.source, move.target) in self.copies

    def assumed(self, move: PlannedMove, accounts: Mapping[str, Account], page_seconds: float) -> Iterator[str]:
        """What nobody measured, a clause each."""
        if self.measured_at is None:
            yield "this machine is as quick as the one that the figures were measured on"
        if is_embedded(move, accounts):
            return
        if not page_seconds:
            yield "a page of a listing takes 200 ms"
        if pair(move.source, move.target) not in self.copies:
            yield f"a copy takes {self.copy_seconds(move) * 1000:,.0f} ms (--probe tries one)"


UNMEASURED: Final = Means()


def pair(source: str, target: str) -> str:
    return f"{source} {target}"


def is_embedded(move: PlannedMove, accounts: Mapping[str, Account]) -> bool:
    """Is one of both a file of this machine? Then this process does all the work."""
    return any(accounts[name].path is not None for name in (move.source, move.target))


def means_to_note(means: Means) -> dict[str, Any]:
    """JSON values for the state store."""
    at = means.measured_at
    return {**asdict(means), "measured_at": None if at is None else at.astimezone(UTC).isoformat()}


def means_from_note(note: Any) -> Means:
    """What ``means_to_note`` wrote; what is assumed for anything else."""
    if not isinstance(note, Mapping):
        return UNMEASURED
    try:
        said = note["measured_at"]
        return Means(
            slowness=float(note["slowness"]),
            processes=int(note["processes"]),
            cores=int(note["cores"]),
            embedded_copy_seconds=float(note["embedded_copy_seconds"]),
            commit_seconds=float(note["commit_seconds"]),
            looks=int(note.get("looks", 0)),
            **{key: _seconds(note[key]) for key in ("answers", "containers", "copies")},
            measured_at=None if said is None else datetime.fromisoformat(said),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return UNMEASURED


def _seconds(said: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(seconds) for name, seconds in said.items()}
