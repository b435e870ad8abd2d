"""What one walk makes of names that a side did not show: nothing, before both listings have ended in the order of the join.

A listing is only known to rise in that order when it has ended: until then a name that one side has not shown may still come.
So deletes, exception rows and tallies that rest on an absence wait here, and records of names that neither side has shown stay
in the evidence; a walk whose order breaks is thrown away with all of it. Leaves what is to be done to ``decide`` and
``actions``. Memory (``Sizes``): cases, names with ETags, hashes, as many as each has room for; what is beyond is counted, so
that the pass is no proof, and found again by the next one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from migrator.model.moves import EvidenceRange
from migrator.model.rhythm import Sizes
from migrator.model.values import value
from migrator.ports.state_store import Change, DropException, ReplaceRanges
from migrator.transfer.decide import Decision, NameCase, Verb
from migrator.transfer.evidence import Evidence
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer

RANGES_AT_ONCE: Final = 20
"""Ranges of one commit: some megabytes."""
_TALLIES: Final = {
    Verb.FOREIGN: "foreign",
    Verb.STRAGGLER: "held",
    Verb.CONFLICT: "conflicts",
    Verb.COMPARE: "superseded",
    Verb.ABSENT: "stragglers_new",
}
_FORGOTTEN: Final = frozenset({"foreign", "conflict", "failed"})
"""Kinds of rows that say nothing any more once their object is on neither side."""


@value(frozen=True, slots=True)
class _Dropped:
    """Records of the range (``above``, ``upper``] whose names neither side has shown."""

    above: bytes | None
    upper: bytes | None
    hashes: frozenset[int]


@dataclass(slots=True)
class Absences:
    """Of one walk over ``container`` and ``prefix``."""

    container: str
    prefix: str
    sizes: Sizes
    candidates: list[tuple[str, str]] = field(default_factory=list)
    """(name, ETag at the destination) of what is to be deleted there."""
    candidate_count: int = 0
    _waiting: list[tuple[NameCase, Decision]] = field(default_factory=list)
    _beyond: Counter[Verb] = field(default_factory=Counter)
    _dropped: list[_Dropped] = field(default_factory=list)
    _room: int = field(init=False)
    _seen: set[str] = field(default_factory=set)
    """Names with an exception row that a side has shown."""

    def __post_init__(self) -> None:
        self._room = self.sizes.most_dropped

    def propose(self, name: str, etag: str) -> None:
        """The origin did not show ``name``, and the generation ``etag`` at the destination is ours."""
        self.candidate_count += 1
        if len(self.candidates) < self.sizes.most_candidates:
            self.candidates.append((name, etag))

    def wait(self, case: NameCase, decision: Decision) -> None:
        if len(self._waiting) < self.sizes.most_waiting:
            self._waiting.append((case, decision))
        else:
            self._beyond[decision.verb] += 1

    def saw(self, t: Transfer, cases: Iterable[NameCase]) -> None:
        if t.exceptions:
            self._seen.update(case.name for case in cases if case.exception is not None)

    def drop(self, above: bytes | None, upper: bytes | None, records: Evidence, *, but: Evidence) -> None:
        """Drop ``records`` of a range at the end, except for those of ``but``."""
        hashes = frozenset(records).difference(but)
        if hashes and len(hashes) <= self._room:
            self._room -= len(hashes)
            self._dropped.append(_Dropped(above, upper, hashes))

    # At the end.

    def take_decided(self) -> list[tuple[NameCase, Decision]]:
        taken, self._waiting = self._waiting, []
        return taken

    def take_cases(self) -> list[NameCase]:
        return [case for case, _ in self.take_decided()]

    def count_rest(self, tally: PassResult) -> None:
        """Count what there was no room for."""
        for verb, number in self._beyond.items():
            name = _TALLIES[verb]
            setattr(tally, name, getattr(tally, name) + number)

    def forgotten_rows(self, t: Transfer) -> list[Change]:
        """Rows of objects that are on neither side any more."""
        gone = [
            place
            for place, row in t.exceptions.items()
            if row.container == self.container
            and row.kind in _FORGOTTEN
            and row.name.startswith(self.prefix)
            and row.name not in self._seen
        ]
        for place in gone:
            del t.exceptions[place]
        return [DropException(t.move, container, name) for container, name in gone]

    def dropped_records(self, t: Transfer) -> Iterator[Sequence[Change]]:
        """Groups of changes that drop what neither side has shown."""
        group: list[Change] = []
        for one in self._dropped:
            found = next(t.state.ranges(t.move, self.container, self.prefix, above=one.above), None)
            if found is None or found.upper != one.upper:
                continue  # somebody else replaced the range: the next pass drops them
            rest = Evidence.unpack(found.records)
            rest.forget(one.hashes)
            new = EvidenceRange(self.container, self.prefix, one.upper, rest.pack(), rest.has_pending)
            group.append(ReplaceRanges(t.move, self.container, self.prefix, one.above, one.upper, (new,)))
            if len(group) == RANGES_AT_ONCE:
                yield group
                group = []
        if group:
            yield group


def waits_for_the_end(case: NameCase, decision: Decision, *, will_copy: bool) -> bool:
    """Does ``decision`` rest on an absence? A create does too, but its condition says so at the destination itself; so does a
    conflict that ``will_copy`` there. Deletes have a list of their own."""
    if case.origin is not None and case.destination is not None:
        return False
    match decision.verb:
        case Verb.FOREIGN | Verb.STRAGGLER | Verb.COMPARE:
            return True
        case Verb.CONFLICT:
            return case.origin is None or not will_copy
        case _:
            return False
