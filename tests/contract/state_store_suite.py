"""What every state store promises. A subclass says how to make one; nothing here knows which it is."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from migrator.errors import InternalError, LockedError
from migrator.model.moves import (
    Approval,
    Control,
    Direction,
    EvidenceRange,
    ExceptionRow,
    Figures,
    JournalEntry,
    LockRecord,
    MoveRecord,
    MoveState,
    Outstanding,
    PlanRecord,
    RevokedPolicy,
    RouteIntent,
    StoredPolicy,
    WaveRecord,
    WaveState,
)
from migrator.model.names import MoveId
from migrator.model.routes import RouteRecord
from migrator.model.samples import Sample, Verdict
from migrator.ports.state_store import (
    RANGE_PAGE,
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

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
MOVE = MoveId("europe", "web-tracking")
OTHER = MoveId("europe", "email-events")
SMALL_CAP = 3
"""The exception cap of the stores that ``capped_store`` gives."""
STRANGE = ["", "a", "é", "\U0001f600", "tab\tand\nline", "nul\0inside", "\ud800 alone", "[red]x[/red]", "%2F", "'; --"]


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def lock(nonce: str = "aa", seconds: float = 0.0) -> LockRecord:
    return LockRecord(
        nonce=nonce,
        token=0,
        run=f"run-{nonce}",
        owner="ann",
        host="desk",
        pid=4242,
        boot_id="boot",
        since=at(seconds),
        heartbeat=at(seconds),
        bound_seconds=300.5,
    )


def entry(text: str = "something", **more: object) -> JournalEntry:
    return replace(JournalEntry(NOW, "engine", "state-changed", text), **more)  # type: ignore[arg-type]


def record(epoch: int, mode: str = "read-write") -> RouteRecord:
    return RouteRecord("na-web", "https://naweb", mode, epoch, "0" * 16, "2026-03-01T12:00:00Z", "run")  # type: ignore[arg-type]


def piece(upper: bytes | None, records: bytes = b"", *, is_open: bool = False, container: str = "box") -> EvidenceRange:
    return EvidenceRange(container, "in/", upper, records, is_open)


def replaced(above: bytes | None, upper: bytes | None, *ranges: EvidenceRange, move: MoveId = MOVE) -> ReplaceRanges:
    return ReplaceRanges(move, "box", "in/", above, upper, ranges)


def foreign(name: str, kind: str = "foreign", **more: object) -> ExceptionRow:
    return replace(ExceptionRow("box", name, kind, "e1", None), **more)  # type: ignore[arg-type]


def sample(
    gate: str = "settled", seconds: float = 0.0, value: float | None = 1.5, move: MoveId = MOVE, **more: Any
) -> Sample:
    return Sample(move, gate, at(seconds), at(seconds - 600), at(seconds - 300), Verdict.PASSED, value, "well", **more)


class StateStoreSuite:
    """Fixtures ``store`` (bound to plan "p") and ``capped_store`` (the same, exception cap 3) come from the subclass."""

    @pytest.fixture
    def token(self, store: StateStore) -> int:
        return store.acquire(lock()).token

    # Values come back as they were written.

    def test_a_new_store_is_empty_and_has_a_lineage(self, store: StateStore) -> None:
        assert len(bytes.fromhex(store.lineage)) == 8
        assert store.plan_name == "p"
        assert store.plan() is None
        assert store.lock() is None
        assert store.move(MOVE) is None
        assert store.note("x") is None
        assert store.exception(MOVE, "box", "x") is None
        empty = [store.waves(), store.moves(), store.journal(), store.controls(), store.approvals()]
        empty += [store.exceptions(MOVE), store.outstanding(MOVE), store.samples(MOVE)]
        empty += [store.containers_with_ranges(MOVE), list(store.ranges(MOVE, "box", ""))]
        assert [list(rows) for rows in empty] == [[]] * len(empty)
        assert dict(store.exception_counts(MOVE)) == {}
        assert dict(store.requests("a", first_minute=0, last_minute=10**9)) == {}

    def test_records_come_back_equal(self, store: StateStore, token: int) -> None:
        plan = PlanRecord("p", "f1", "version: 1\n# é\n", NOW)
        wave = WaveRecord("w", 1, WaveState.RUNNING, "wf", NOW, None, "why", {"seconds": 5.5, "lines": [1, None, "é"]})
        move = MoveRecord(
            id=MOVE,
            wave="w",
            source="na-core",
            target="na-web",
            state=MoveState.HALTED,
            direction=Direction.REVERSE,
            resume_from=MoveState.CATCHING_UP,
            figures=Figures(objects_copied=2**40, lag_seconds=0.25, fence_seconds=4.5, deletes_accepted=7),
            intent=RouteIntent(record(6), record(7, "read-only"), record(8)),
            epoch=8,
            ever_routed=True,
            reason="it [red]stopped[/red]: \ud800\0",
            since=NOW,
            switched_at=at(-5),
            revoked=(
                RevokedPolicy("na-core", "web", StoredPolicy("writers", "rwd", "", "2027-01-01T00:00:00Z")),
                RevokedPolicy("na-core", "web", StoredPolicy("é <others>")),
            ),
            is_adopted=True,
            dirty="left behind",
        )
        bare = MoveRecord(OTHER, "w", "a", "b")
        store.commit([SavePlan(plan), SaveWave(wave), SaveMove(move), SaveMove(bare)], token=token)
        assert store.plan() == plan
        assert list(store.waves()) == [wave]
        assert store.move(MOVE) == move
        assert list(store.moves()) == [bare, move]
        changed = replace(move, state=MoveState.CATCHING_UP, intent=None, figures=Figures(passes=1))
        store.commit([SaveMove(changed), SavePlan(replace(plan, fingerprint="f2"))], token=token)
        assert store.move(MOVE) == changed
        assert store.plan() == replace(plan, fingerprint="f2")

    def test_waves_come_in_the_order_of_the_plan(self, store: StateStore, token: int) -> None:
        store.commit([SaveWave(WaveRecord(name, n)) for n, name in ((2, "a"), (0, "z"), (1, "m"))], token=token)
        assert [wave.name for wave in store.waves()] == ["z", "m", "a"]

    def test_times_come_back_as_the_same_instant_from_any_zone(self, store: StateStore, token: int) -> None:
        there = NOW.astimezone(timezone(timedelta(hours=-7)))
        store.commit([SaveMove(MoveRecord(MOVE, "w", "a", "b", since=there))], token=token)
        found = store.move(MOVE)
        assert found is not None
        assert found.since == NOW

    @pytest.mark.parametrize("name", STRANGE)
    def test_names_may_hold_anything(self, store: StateStore, token: int, name: str) -> None:
        row = ExceptionRow(f"box{name}", name, "conflict", None, "e2", f"about {name}", "marks", NOW)
        write = Outstanding("target", "box", name, "replace", "e9", NOW, 300.5)
        evidence = EvidenceRange("box", name, None, b"r" * 24, True)
        store.commit(
            [
                PutException(MOVE, row),
                PutOutstanding(MOVE, write),
                ReplaceRanges(MOVE, "box", name, None, None, (evidence,)),
                SetNote(f"note {name}", {"name": name}),
            ],
            token=token,
        )
        assert store.exception(MOVE, f"box{name}", name) == row
        assert list(store.exceptions(MOVE)) == [row]
        assert list(store.outstanding(MOVE)) == [write]
        assert list(store.ranges(MOVE, "box", name)) == [evidence]
        assert list(store.containers_with_ranges(MOVE)) == [("box", name)]
        assert store.note(f"note {name}") == {"name": name}
        drops: list[Change] = [DropException(MOVE, f"box{name}", name), DropOutstanding(MOVE, "target", "box", name)]
        store.commit(drops, token=token)
        assert (list(store.exceptions(MOVE)), list(store.outstanding(MOVE))) == ([], [])

    def test_names_that_look_alike_are_different(self, store: StateStore, token: int) -> None:
        names = ["A", "a", "é", "é", "a ", "a\0", "a\\x00", "\ud800", "\\ud800"]
        store.commit([PutException(MOVE, foreign(name)) for name in names], token=token)
        assert {row.name for row in store.exceptions(MOVE)} == set(names)

    def test_notes_are_json_and_later_changes_to_the_value_do_not_reach_them(
        self, store: StateStore, token: int
    ) -> None:
        value = {"orders": {"box": "utf-8"}, "n": [1, 2.5, None, True]}
        store.commit([SetNote("a", value), SetNote("b", None)], token=token)
        value["n"] = []
        store.note("a")["n"].append("mine")
        assert store.note("a") == {"orders": {"box": "utf-8"}, "n": [1, 2.5, None, True]}
        assert store.note("b") is None
        store.commit([SetNote("a", 3)], token=token)
        assert store.note("a") == 3

    # The journal, samples, controls, approvals, requests.

    def test_the_journal_numbers_its_lines_from_1_and_keeps_their_order(self, store: StateStore, token: int) -> None:
        full = entry("one", wave="w", move=MOVE, run="r", evidence={"etags": ["a"], "n": 1})
        store.commit([AddJournal(full), AddJournal(entry("two"))], token=token)
        store.commit([AddJournal(entry("three", at=at(-100)))], token=None)
        lines = store.journal()
        assert [(line.number, line.text) for line in lines] == [(1, "one"), (2, "two"), (3, "three")]
        assert lines[0] == replace(full, number=1)
        assert [line.text for line in store.journal(after=1, limit=1)] == ["two"]
        assert list(store.journal(after=3)) == []

    def test_samples_come_as_they_were_recorded_by_gate_and_time(self, store: StateStore, token: int) -> None:
        late, early, other = sample(seconds=20), sample(seconds=10.5, value=None), sample("errors", 15, math.inf)
        elsewhere = sample(move=OTHER)
        store.commit([AddSample(each) for each in (late, early, other, elsewhere)], token=token)
        assert list(store.samples(MOVE)) == [late, early, other]
        assert list(store.samples(MOVE, gate="settled")) == [late, early]
        assert list(store.samples(MOVE, after=early.at)) == [late, other]
        assert list(store.samples(MOVE, gate="errors", after=other.at)) == []

    def test_the_last_sample_of_each_gate_is_the_one_recorded_last(self, store: StateStore, token: int) -> None:
        late, early, other = sample(seconds=20, clock="boot", tick=7.5), sample(seconds=10), sample("errors", 15)
        assert store.last_samples(MOVE) == {}
        store.commit([AddSample(each) for each in (late, other, sample(move=OTHER), early)], token=token)
        assert store.last_samples(MOVE) == {"settled": early, "errors": other}
        assert store.samples(MOVE)[0] == late

    def test_a_sample_keeps_a_value_that_is_no_number(self, store: StateStore, token: int) -> None:
        store.commit([AddSample(sample(value=math.nan))], token=token)
        value = store.samples(MOVE)[0].value
        assert value is not None
        assert math.isnan(value)

    def test_a_control_without_value_is_taken_back(self, store: StateStore) -> None:
        hold = Control("hold", "wave:w", {"on": True}, "ann", NOW)
        throttle = Control("throttle", "account:a", {"requests_per_minute": 10.5}, "bob", NOW)
        store.commit([SetControl(throttle), SetControl(hold)], token=None)
        assert list(store.controls()) == [hold, throttle]
        store.commit([SetControl(replace(hold, value={"on": "again"}))], token=None)
        assert [control.value for control in store.controls()] == [{"on": "again"}, throttle.value]
        store.commit([SetControl(replace(hold, value={})), SetControl(replace(hold, scope="", value={}))], token=None)
        assert list(store.controls()) == [throttle]

    def test_an_inventory_is_kept_without_the_lock_and_no_other_note_is(self, store: StateStore) -> None:
        store.commit([SetNote("inventory/eu/web/core", {"objects": 3})], token=None)
        assert store.note("inventory/eu/web/core") == {"objects": 3}
        with pytest.raises(InternalError):
            store.commit([SetNote("order/inventory/", 1)], token=None)

    def test_approvals_stay_in_their_order(self, store: StateStore) -> None:
        given = [
            Approval("w", "f1", "ann", "so", NOW),
            Approval("v", "f2", "bob", "", at(-9)),
            Approval("w", "f1", "c", "", NOW),
        ]
        store.commit([AddApproval(each) for each in given], token=None)
        assert list(store.approvals()) == given

    def test_requests_are_summed_over_minutes_both_ends_included(self, store: StateStore, token: int) -> None:
        counts = [
            ("a", 5, "read", 1),
            ("a", 5, "read", 2),
            ("a", 6, "read", 4),
            ("a", 7, "read", 8),
            ("a", 6, "write", 16),
        ]
        store.commit([CountRequests(*each) for each in counts], token=token)
        store.commit([CountRequests("b", 6, "read", 32)], token=token)
        assert dict(store.requests("a", first_minute=5, last_minute=6)) == {"read": 7, "write": 16}
        assert dict(store.requests("a", first_minute=7, last_minute=9)) == {"read": 8}

    def test_requests_of_each_minute_are_summed_over_operations(self, store: StateStore, token: int) -> None:
        counts = [("a", 6, "write", 16), ("a", 5, "read", 1), ("a", 6, "read", 4), ("a", 9, "read", 8)]
        store.commit([CountRequests(*each) for each in counts], token=token)
        store.commit([CountRequests("b", 6, "read", 32)], token=token)
        assert list(store.requests_by_minute("a", first_minute=5, last_minute=8).items()) == [(5, 1), (6, 20)]
        assert dict(store.requests_by_minute("c", first_minute=0, last_minute=9)) == {}

    # Exceptions and their cap.

    def test_an_exception_is_one_row_a_name(self, store: StateStore, token: int) -> None:
        store.commit([PutException(MOVE, foreign("x")), PutException(OTHER, foreign("x"))], token=token)
        store.commit([PutException(MOVE, foreign("x", "kept", detail="now"))], token=token)
        assert list(store.exceptions(MOVE)) == [foreign("x", "kept", detail="now")]
        assert dict(store.exception_counts(MOVE)) == {"kept": 1}
        assert dict(store.exception_counts(OTHER)) == {"foreign": 1}

    def test_exceptions_come_by_container_and_name_in_bytes(self, store: StateStore, token: int) -> None:
        rows = [foreign(name) for name in ("\U0001f600", "\uffff", "b", "B")]
        rows.append(replace(foreign("z"), container="a"))
        store.commit([PutException(MOVE, row) for row in rows], token=token)
        assert [row.name for row in store.exceptions(MOVE)] == ["z", "B", "b", "\uffff", "\U0001f600"]
        assert [row.name for row in store.exceptions(MOVE, limit=2)] == ["z", "B"]

    def test_beyond_the_cap_exceptions_are_counted_exactly(self, capped_store: StateStore) -> None:
        token = capped_store.acquire(lock()).token

        def put(*rows: ExceptionRow) -> None:
            capped_store.commit([PutException(MOVE, row) for row in rows], token=token)

        def held() -> tuple[int, dict[str, int]]:
            return len(capped_store.exceptions(MOVE)), dict(capped_store.exception_counts(MOVE))

        put(*(foreign(f"n{n}") for n in range(5)), foreign("kept", "kept"))
        assert held() == (SMALL_CAP + 1, {"foreign": 5, "kept": 1})
        put(*(foreign(f"n{n}", detail="again") for n in range(5)))  # the next pass finds the same ones
        assert held() == (SMALL_CAP + 1, {"foreign": 5, "kept": 1})
        found = capped_store.exception(MOVE, "box", "n0")
        assert found is not None
        assert found.detail == "again"
        assert capped_store.exception(MOVE, "box", "n4") is None
        names = [f"n{n}" for n in range(1_200)]
        assert capped_store.beyond(MOVE, "box", names) == {f"n{n}" for n in range(SMALL_CAP, 5)}
        assert not capped_store.beyond(MOVE, "other", names)
        assert not capped_store.beyond(OTHER, "box", names)
        capped_store.commit([DropException(MOVE, "box", "n4"), DropException(MOVE, "box", "n0")], token=token)
        assert held() == (SMALL_CAP, {"foreign": 3, "kept": 1})
        put(foreign("n3"))  # there is room for it now
        assert held() == (SMALL_CAP + 1, {"foreign": 3, "kept": 1})
        put(foreign("kept"))  # and none for this one in its new kind
        assert held() == (SMALL_CAP, {"foreign": 4})

    # Ranges.

    def test_the_first_range_brings_the_rest_with_it(self, store: StateStore, token: int) -> None:
        """Where nothing was, one empty range below and one above fill up, so that ranges tile everything."""
        store.commit([replaced(b"b", b"d", piece(b"c", b"1"), piece(b"d", b"2", is_open=True))], token=token)
        expected = [piece(b"b"), piece(b"c", b"1"), piece(b"d", b"2", is_open=True), piece(None)]
        assert list(store.ranges(MOVE, "box", "in/")) == expected
        assert list(store.ranges(OTHER, "box", "in/")) == []
        assert list(store.ranges(MOVE, "box", "")) == []

    def test_ranges_are_split_joined_and_rewritten_in_place(self, store: StateStore, token: int) -> None:
        def now() -> list[tuple[bytes | None, bytes]]:
            return [(each.upper, each.records) for each in store.ranges(MOVE, "box", "in/")]

        store.commit([replaced(None, None, piece(None, b"all"))], token=token)
        store.commit([replaced(None, None, piece(b"m", b"low"), piece(None, b"high"))], token=token)
        store.commit([replaced(b"m", None, piece(b"t", b"mt"), piece(None, b"t-"))], token=token)
        assert now() == [(b"m", b"low"), (b"t", b"mt"), (None, b"t-")]
        store.commit([replaced(None, b"t", piece(b"t", b"joined"))], token=token)
        assert now() == [(b"t", b"joined"), (None, b"t-")]
        store.commit([replaced(None, b"t", piece(b"t", b"j", is_open=True))], token=token)
        assert [each.is_open for each in store.ranges(MOVE, "box", "in/")] == [True, False]
        store.commit([replaced(None, None, piece(b"a", b"1"), piece(b"b", b"2"), piece(None))], token=token)
        assert now() == [(b"a", b"1"), (b"b", b"2"), (None, b"")]

    def test_uppers_sort_as_bytes_and_none_is_last(self, store: StateStore, token: int) -> None:
        uppers = [b"", b"\x00", b"\x00\xff", b"\x01", b"a", b"a\x00", b"\xff", b"\xff\xff", None]
        store.commit([replaced(None, None, *(piece(upper) for upper in uppers))], token=token)
        assert [each.upper for each in store.ranges(MOVE, "box", "in/")] == uppers
        for begin, above in enumerate(uppers):
            expected = uppers[begin + 1 :] if above is not None else uppers
            assert [each.upper for each in store.ranges(MOVE, "box", "in/", above=above)] == expected
        assert [each.upper for each in store.ranges(MOVE, "box", "in/", above=b"b")] == [b"\xff", b"\xff\xff", None]
        assert [each.upper for each in store.ranges(MOVE, "box", "in/", at_once=1)] == uppers

    def test_the_sizes_of_ranges_are_known_without_their_evidence(self, store: StateStore, token: int) -> None:
        assert store.range_sizes(MOVE, "box", "in/") == []
        store.commit(
            [replaced(None, None, piece(b"a", b"12"), piece(b"\xff", b"\x00\x00\x00"), piece(None))], token=token
        )
        assert store.range_sizes(MOVE, "box", "in/") == [(b"a", 2), (b"\xff", 3), (None, 0)]
        assert store.range_sizes(MOVE, "box", "") == []
        assert store.range_sizes(OTHER, "box", "in/") == []

    @pytest.mark.parametrize(
        "bad",
        [
            replaced(None, b"m"),
            replaced(None, b"m", piece(b"l")),
            replaced(None, b"m", piece(None)),
            replaced(None, b"m", piece(b"m"), piece(b"m")),
            replaced(None, b"m", piece(b"c"), piece(b"b"), piece(b"m")),
            replaced(b"m", b"m", piece(b"m")),
            replaced(b"m", b"f", piece(b"f")),
            replaced(b"m", b"t", piece(b"g"), piece(b"t")),
            replaced(None, b"m", piece(b"m", container="other")),
            replaced(None, b"n", piece(b"n")),
            replaced(b"l", b"m", piece(b"m")),
            replaced(b"g", None, piece(None)),
        ],
    )
    def test_ranges_that_do_not_tile_are_refused(self, store: StateStore, token: int, bad: ReplaceRanges) -> None:
        store.commit([replaced(None, None, piece(b"m", b"1"), piece(b"t", b"2"), piece(None, b"3"))], token=token)
        before = list(store.ranges(MOVE, "box", "in/"))
        with pytest.raises(InternalError, match="internal error"):
            store.commit([AddJournal(entry()), bad], token=token)
        assert list(store.ranges(MOVE, "box", "in/")) == before
        assert list(store.journal()) == []

    def test_a_walk_through_ranges_may_rewrite_what_lies_behind(self, store: StateStore, token: int) -> None:
        uppers = [b"%04d" % n for n in range(3 * RANGE_PAGE)]
        store.commit([replaced(None, None, *(piece(upper) for upper in uppers), piece(None))], token=token)
        above, seen = None, []
        for evidence in store.ranges(MOVE, "box", "in/"):
            seen.append(evidence.upper)
            if evidence.upper is not None:  # split what was just read, now behind the cursor
                halves = (
                    piece(evidence.upper[:2] + b"%02d-" % (int(evidence.upper[2:]) - 1), b"x"),
                    piece(evidence.upper, b"y"),
                )
                store.commit([replaced(above, evidence.upper, *halves)], token=token)
            above = evidence.upper
        assert seen == [*uppers, None]
        assert len(list(store.ranges(MOVE, "box", "in/"))) == 2 * len(uppers) + 1

    def test_a_walk_that_is_given_up_leaves_the_store_free(self, store: StateStore, token: int) -> None:
        store.commit([replaced(None, None, piece(b"a"), piece(b"b"), piece(None))], token=token)
        walk = store.ranges(MOVE, "box", "in/")
        next(walk)
        store.commit([replaced(None, None, piece(None))], token=token)
        assert len(list(store.ranges(MOVE, "box", "in/"))) == 1

    def test_containers_with_ranges_are_named_once(self, store: StateStore, token: int) -> None:
        changes = [
            ReplaceRanges(
                MOVE, box, prefix, None, None, (EvidenceRange(box, prefix, b"m"), EvidenceRange(box, prefix, None))
            )
            for box, prefix in (("b", ""), ("a", "x/"), ("a", ""))
        ]
        store.commit([*changes, replaced(None, None, piece(None), move=OTHER)], token=token)
        assert list(store.containers_with_ranges(MOVE)) == [("a", ""), ("a", "x/"), ("b", "")]

    # All or nothing.

    @pytest.mark.parametrize(
        "bad",
        [
            replaced(None, b"m", piece(b"l")),
            SetNote("bad", object()),
            SetNote("bad", {"when": datetime(2026, 1, 1)}),
            AddJournal(entry(at=datetime(2026, 1, 1))),
            SaveMove(MoveRecord(MOVE, "w", "a", "b", since=datetime(2026, 1, 1))),
            AddSample(replace(sample(), end=datetime(2026, 1, 1))),
        ],
    )
    def test_a_commit_with_one_bad_change_leaves_everything_as_it_was(
        self, store: StateStore, token: int, bad: Change
    ) -> None:
        good = self._one_of_each()
        store.commit(good, token=token)
        before = self._all(store)
        second: list[Change] = [
            SavePlan(PlanRecord("p", "other", "", NOW)),
            SaveWave(WaveRecord("w2", 7)),
            SaveMove(MoveRecord(OTHER, "w", "a", "b")),
            replaced(None, None, piece(b"q", b"1"), piece(None)),
            PutException(MOVE, foreign("x", "kept")),
            PutException(MOVE, foreign("y")),
            DropOutstanding(MOVE, "target", "box", "n"),
            AddSample(sample(seconds=9)),
            AddJournal(entry("second")),
            SetControl(Control("hold", "", {}, "ann", NOW)),
            AddApproval(Approval("w", "f9", "ann", "", NOW)),
            SetNote("k", "other"),
            CountRequests("a", 1, "read", 5),
        ]
        with pytest.raises(InternalError):
            store.commit([*second, bad], token=token)
        assert self._all(store) == before
        store.commit(second, token=token)
        assert self._all(store) != before

    def _one_of_each(self) -> list[Change]:
        return [
            SavePlan(PlanRecord("p", "f", "text", NOW)),
            SaveWave(WaveRecord("w", 0)),
            SaveMove(MoveRecord(MOVE, "w", "a", "b")),
            replaced(None, None, piece(b"m", b"1"), piece(None, b"2")),
            PutException(MOVE, foreign("x")),
            PutOutstanding(MOVE, Outstanding("target", "box", "n", "create", None, NOW, 5.0)),
            AddSample(sample()),
            AddJournal(entry("first")),
            SetControl(Control("hold", "", {"on": True}, "ann", NOW)),
            AddApproval(Approval("w", "f", "ann", "", NOW)),
            SetNote("k", 1),
            CountRequests("a", 1, "read", 1),
        ]

    def _all(self, store: StateStore) -> list[object]:
        return [
            store.plan(),
            list(store.waves()),
            list(store.moves()),
            list(store.ranges(MOVE, "box", "in/")),
            list(store.exceptions(MOVE)),
            dict(store.exception_counts(MOVE)),
            list(store.outstanding(MOVE)),
            list(store.samples(MOVE)),
            list(store.journal()),
            list(store.controls()),
            list(store.approvals()),
            store.note("k"),
            dict(store.requests("a", first_minute=0, last_minute=9)),
        ]

    def test_an_empty_commit_is_fine(self, store: StateStore, token: int) -> None:
        store.commit([], token=token)
        store.commit([], token=None)

    # The lock.

    @pytest.mark.parametrize(
        "change",
        [
            SaveMove(MoveRecord(MOVE, "w", "a", "b")),
            SetNote("k", 1),
            AddSample(sample()),
            CountRequests("a", 1, "read", 1),
        ],
    )
    def test_without_a_token_only_wishes_and_the_journal_may_be_written(
        self, store: StateStore, change: Change
    ) -> None:
        with pytest.raises(InternalError, match="token"):
            store.commit([AddJournal(entry()), change], token=None)
        assert list(store.journal()) == []

    def test_a_commit_needs_the_token_of_the_lock_as_it_is_now(self, store: StateStore) -> None:
        def try_with(token: int) -> None:
            store.commit([SetNote("k", token)], token=token)

        with pytest.raises(LockedError):
            try_with(1)
        first = store.acquire(lock("aa")).token
        try_with(first)
        second = store.acquire(lock("bb"), dead="aa").token
        with pytest.raises(LockedError, match="taken over"):
            try_with(first)
        try_with(second)
        store.give_back(first)  # not ours any more: nothing happens
        try_with(second)
        store.give_back(second)
        with pytest.raises(LockedError, match="removed"):
            try_with(second)
        assert store.note("k") == second

    def test_the_second_is_told_who_holds_the_lock(self, store: StateStore) -> None:
        taken = store.acquire(lock("aa"))
        assert store.lock() == taken == replace(lock("aa"), token=taken.token)
        with pytest.raises(LockedError) as refused:
            store.acquire(lock("bb", 5))
        for word in ("ann", "desk", "4242", "2026-03-01 12:00:00", "aa"):
            assert word in refused.value.message
        assert "migrate unlock aa" in refused.value.hint
        assert store.lock() == taken

    def test_a_lock_that_another_took_meanwhile_is_not_the_dead_one(self, store: StateStore) -> None:
        """Two who wait prove the same process gone; only one of them takes its lock."""
        store.acquire(lock("aa"))
        store.acquire(lock("bb", 5), dead="aa")
        with pytest.raises(LockedError):
            store.acquire(lock("cc", 6), dead="aa", changes=[SetNote("k", 1)])
        assert store.note("k") is None
        assert store.acquire(lock("cc", 7), dead="bb", changes=[SetNote("k", 2)]).nonce == "cc"
        assert store.note("k") == 2

    def test_a_token_is_above_all_before_and_not_below_what_was_wanted(self, store: StateStore) -> None:
        first = store.acquire(replace(lock("aa"), token=1_700_000_000_000))
        assert first.token >= 1_700_000_000_000
        assert store.acquire(lock("bb"), dead="aa").token > first.token

    def test_a_lock_is_free_for_whoever_watched_it_in_silence_and_no_age_makes_it_so(self, store: StateStore) -> None:
        first = store.acquire(lock("aa"))
        store.heartbeat(first.token, at(10))
        for seconds in (-7200, 5, 41, 7200):
            with pytest.raises(LockedError):
                store.acquire(lock("bb", seconds))
        with pytest.raises(LockedError):
            store.acquire(lock("bb", 40), dead="aa", silent=at(0))  # it beat after all
        second = store.acquire(lock("bb", 40), dead="aa", silent=at(10))
        assert second.token > first.token
        assert store.lock() == second
        with pytest.raises(LockedError):
            store.heartbeat(first.token, at(41))
        assert store.lock() == second

    def test_heartbeats_show(self, store: StateStore) -> None:
        taken = store.acquire(lock("aa"))
        store.heartbeat(taken.token, at(7))
        assert store.lock() == replace(taken, heartbeat=at(7))

    def test_tokens_only_grow_whatever_happened_to_the_lock(self, store: StateStore) -> None:
        tokens = [store.acquire(lock("aa")).token]
        store.give_back(tokens[-1])
        assert store.lock() is None
        tokens.append(store.acquire(lock("bb")).token)
        assert store.remove_lock("aa") is False
        assert store.remove_lock("bb") is True
        assert store.remove_lock("bb") is False
        assert store.lock() is None
        tokens.append(store.acquire(lock("cc")).token)
        tokens.append(store.acquire(lock("cc")).token)  # the same run again: an answer may have been lost
        assert tokens == sorted(set(tokens))

    def test_a_run_without_the_lock_has_no_heartbeat(self, store: StateStore) -> None:
        with pytest.raises(LockedError):
            store.heartbeat(1, NOW)
        taken = store.acquire(lock())
        store.remove_lock(taken.nonce)
        with pytest.raises(LockedError):
            store.heartbeat(taken.token, NOW)
