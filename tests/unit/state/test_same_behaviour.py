"""Random commits, good and bad: the store in a database and the one in memory answer the same, always."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from migrator.adapters.state import open_store
from migrator.errors import MigrateError
from migrator.model.moves import (
    Approval,
    Control,
    EvidenceRange,
    ExceptionRow,
    Figures,
    JournalEntry,
    LockRecord,
    MoveRecord,
    MoveState,
    Outstanding,
    PlanRecord,
    WaveRecord,
)
from migrator.model.names import MoveId
from migrator.model.samples import Sample, Verdict
from migrator.ports.state_store import (
    AddApproval,
    AddJournal,
    AddSample,
    Change,
    CountRequests,
    DropException,
    DropOutstanding,
    PutException,
    PutOutstanding,
    ReplaceRanges,
    SaveMove,
    SavePlan,
    SaveWave,
    SetControl,
    SetNote,
    StateStore,
)
from migrator.testing.memory_state import MemoryStateStore

START = datetime(2026, 3, 1, tzinfo=UTC)
MOVES = [MoveId("europe", "web"), MoveId("europe", "mail"), MoveId("asia", "web")]
CAP = 2

moves = st.sampled_from(MOVES)
times = st.integers(0, 90).map(lambda seconds: START + timedelta(seconds=seconds))
boxes = st.sampled_from(["a", "b"])
names = st.sampled_from(["x", "é", "\ud800", "\0", "Z"])
words = st.sampled_from(["", "w", "v"])
uppers = st.one_of(st.none(), st.sampled_from([b"", b"c", b"f", b"m", b"t"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)
objects = st.dictionaries(st.text(max_size=2), json_values, max_size=2)


@st.composite
def replacements(draw: st.DrawFn) -> ReplaceRanges:
    """Often a tiling, often not; of a container with ranges or without."""
    box, above, upper = draw(boxes), draw(uppers), draw(uppers)
    inner = draw(st.lists(uppers, max_size=3))
    ends = sorted(end for end in inner if end is not None) if draw(st.booleans()) else inner
    ranges = tuple(
        EvidenceRange(box, "", end, draw(st.binary(max_size=3)), draw(st.booleans())) for end in [*ends, upper]
    )
    return ReplaceRanges(draw(moves), box, "", above, upper, ranges)


exceptions = st.builds(
    ExceptionRow,
    boxes,
    names,
    st.sampled_from(["foreign", "kept", "straggler"]),
    st.none() | st.just("e1"),
    st.none(),
    words,
    words,
    st.none() | times,
)
writes = st.builds(
    Outstanding, st.sampled_from(["source", "target"]), boxes, names, st.just("create"), st.none(), times, st.just(5.5)
)
operator_changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(
        AddJournal, st.builds(JournalEntry, times, words, words, names, st.none(), st.none() | moves, words, objects)
    ),
    st.builds(SetControl, st.builds(Control, words, words, objects, words, times)),
    st.builds(AddApproval, st.builds(Approval, words, words, words, words, times)),
)
changes: st.SearchStrategy[Change] = st.one_of(
    operator_changes,
    st.builds(SavePlan, st.builds(PlanRecord, st.just("p"), words, names, times)),
    st.builds(SaveWave, st.builds(WaveRecord, words, st.integers(0, 2), forecast=objects)),
    st.builds(
        SaveMove,
        st.builds(
            MoveRecord,
            moves,
            words,
            words,
            words,
            st.sampled_from(MoveState),
            figures=st.builds(Figures, st.integers(0, 3)),
            since=st.none() | times,
        ),
    ),
    replacements(),
    st.builds(PutException, moves, exceptions),
    st.builds(DropException, moves, boxes, names),
    st.builds(PutOutstanding, moves, writes),
    st.builds(DropOutstanding, moves, st.sampled_from(["source", "target"]), boxes, names),
    st.builds(
        AddSample,
        st.builds(
            Sample, moves, words, times, times, times, st.sampled_from(Verdict), st.none() | st.floats(-1, 1), words
        ),
    ),
    st.builds(SetNote, words, json_values),
    st.builds(CountRequests, words, st.integers(0, 2), words, st.integers(0, 9)),
)


class SameBehaviour(RuleBasedStateMachine):
    @initialize()
    def make(self) -> None:
        self.database = open_store("sqlite://", "p", exception_cap=CAP)
        self.memory = MemoryStateStore("p", lineage=self.database.lineage, exception_cap=CAP)
        self.stores: tuple[StateStore, StateStore] = (self.database, self.memory)
        self.saved: object = None

    def both(self, act: str, *arguments: object, **options: object) -> None:
        """Do the same to both; they answer, or refuse, in the same words."""
        answers = []
        for store in self.stores:
            try:
                answers.append(("gave", getattr(store, act)(*arguments, **options)))
            except MigrateError as refused:
                answers.append((type(refused).__name__, str(refused)))
        assert answers[0] == answers[1]

    @rule(chosen=st.lists(changes, min_size=1, max_size=5), token=st.sampled_from([1, 1, 1, 2, 3]))
    def commit(self, chosen: Sequence[Change], token: int) -> None:
        self.both("commit", chosen, token=token)

    @rule(chosen=st.lists(operator_changes, max_size=2), other=st.none() | changes)
    def commit_without_token(self, chosen: list[Change], other: Change | None) -> None:
        self.both("commit", chosen + ([] if other is None else [other]), token=None)

    @rule(
        nonce=st.sampled_from(["aa", "bb"]),
        at=times,
        dead=st.sampled_from(["", "aa", "bb"]),
        silent=st.none() | times,
        chosen=st.lists(changes, max_size=2),
    )
    def acquire(self, nonce: str, at: datetime, dead: str, silent: datetime | None, chosen: Sequence[Change]) -> None:
        wanted = LockRecord(nonce, 0, "r", "ann", "desk", 1, "b", at, at, 1.5)
        self.both("acquire", wanted, dead=dead, silent=silent, changes=chosen)

    @rule(token=st.integers(1, 3), at=times)
    def heartbeat(self, token: int, at: datetime) -> None:
        self.both("heartbeat", token, at)

    @rule(token=st.integers(1, 3))
    def give_back(self, token: int) -> None:
        self.both("give_back", token)

    @rule(nonce=st.sampled_from(["aa", "bb"]))
    def unlock(self, nonce: str) -> None:
        self.both("remove_lock", nonce)

    @rule(after=times, gate=st.none() | words, move=moves, number=st.integers(0, 3), limit=st.integers(1, 3))
    def read_a_part(self, after: datetime, gate: str | None, move: MoveId, number: int, limit: int) -> None:
        self.both("samples", move, gate=gate, after=after)
        self.both("journal", after=number, limit=limit)
        self.both("exceptions", move, limit=limit)
        self.both("requests", "w", first_minute=number, last_minute=number + 1)

    @invariant()
    def they_know_the_same(self) -> None:
        if hasattr(self, "stores"):
            assert _known(self.database) == _known(self.memory)

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()


def _known(store: StateStore) -> dict[str, object]:
    known: dict[str, object] = {
        name: getattr(store, name)() for name in ("plan", "waves", "moves", "journal", "controls", "approvals", "lock")
    }
    known["notes"] = [store.note(word) for word in ("", "w", "v")]
    for move in MOVES:
        known[f"ranges {move}"] = [list(store.ranges(move, box, "")) for box in ("a", "b")]
        known[f"containers {move}"] = store.containers_with_ranges(move)
        known[f"exceptions {move}"] = store.exceptions(move)
        known[f"counts {move}"] = dict(store.exception_counts(move))
        known[f"outstanding {move}"] = store.outstanding(move)
        known[f"samples {move}"] = store.samples(move)
    return known


TestSameBehaviour = SameBehaviour.TestCase
TestSameBehaviour.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)


class ForgetfulStore(MemoryStateStore):
    """Gives the lock back to whoever asks."""

    def give_back(self, token: int) -> None:
        held = self.lock()
        super().give_back(held.token if held is not None else token)


def test_a_store_that_behaves_differently_is_found() -> None:
    class Differs(SameBehaviour):
        @initialize()
        def make(self) -> None:
            super().make()
            self.stores = (self.database, ForgetfulStore("p", lineage=self.database.lineage, exception_cap=CAP))
            self.memory = self.stores[1]

    quick = settings(max_examples=200, stateful_step_count=20, deadline=None, database=None, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Differs, settings=quick)
