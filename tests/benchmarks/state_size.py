"""How large the state store gets, and how many commits it takes: ``python -m tests.benchmarks.state_size [OBJECTS]``.

Fills the ranges of one move as a first pass does: each range is marked open, then rewritten with its evidence and its
checkpoint. Prints bytes for each object on the disk, and commits a second with their syncs.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from migrator.adapters.state import SqlStateStore, open_store
from migrator.model.moves import EvidenceRange, JournalEntry, LockRecord, MoveRecord, MoveState
from migrator.model.names import MoveId
from migrator.ports.state_store import AddJournal, ReplaceRanges, SaveMove, StateStore
from migrator.testing.memory_state import MemoryStateStore

MOVE = MoveId("north-america", "web-tracking")
RANGE = 10_000
RECORD_BYTES = 24


def fill(store: StateStore, token: int, objects: int) -> int:
    """Ranges of ``RANGE`` names each; how many commits it took."""
    above, commits = None, 0
    store.commit([ReplaceRanges(MOVE, "events", "", None, None, (EvidenceRange("events", "", None),))], token=token)
    for done in range(RANGE, objects + RANGE, RANGE):
        upper = f"visits/2026/{done:012}-{'x' * 24}".encode("utf-16-be")
        last = (EvidenceRange("events", "", None),)
        marked = EvidenceRange("events", "", upper, b"", True)
        store.commit([ReplaceRanges(MOVE, "events", "", above, None, (marked, *last))], token=token)
        checkpoint = EvidenceRange("events", "", upper, os.urandom(RECORD_BYTES * RANGE))
        move = MoveRecord(MOVE, "w", "na-core", "na-web", MoveState.COPYING, epoch=done)
        store.commit([ReplaceRanges(MOVE, "events", "", above, upper, (checkpoint,)), SaveMove(move)], token=token)
        above, commits = upper, commits + 2
    return commits


def rewrite(store: StateStore, token: int, ranges: int) -> None:
    """As a later pass: mark open, then rewrite with one record changed."""
    above = None
    for number, evidence in enumerate(store.ranges(MOVE, "events", "")):
        if number == ranges or evidence.upper is None:
            return
        changed = b"x" * RECORD_BYTES + evidence.records[RECORD_BYTES:]
        for new in (
            EvidenceRange("events", "", evidence.upper, evidence.records, True),
            EvidenceRange("events", "", evidence.upper, changed),
        ):
            store.commit([ReplaceRanges(MOVE, "events", "", above, evidence.upper, (new,))], token=token)
        above = evidence.upper


def small_commits(store: StateStore, token: int, count: int) -> float:
    """Commits a second of a move's record and a journal line."""
    begun = time.perf_counter()
    for n in range(count):
        move = MoveRecord(MOVE, "w", "na-core", "na-web", MoveState.COPYING, epoch=n)
        line = JournalEntry(datetime.now(UTC), "engine", "checkpoint", "a range was written", move=MOVE)
        store.commit([SaveMove(move), AddJournal(line)], token=token)
    return count / (time.perf_counter() - begun)


def _lock() -> LockRecord:
    now = datetime.now(UTC)
    return LockRecord("aa", 0, "run", "ann", "desk", 1, "boot", now, now, 300.0)


def main(objects: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "migrator.db"
        store: SqlStateStore = open_store(f"sqlite:///{path}", "benchmark")
        token = store.acquire(_lock()).token
        empty = path.stat().st_size
        begun = time.perf_counter()
        commits = fill(store, token, objects)
        seconds = time.perf_counter() - begun
        size = path.stat().st_size - empty
        print(f"{objects:,} objects in ranges of {RANGE:,}: {size:,} bytes, {size / objects:.2f} bytes an object")
        print(f"filled in {seconds:.1f} s: {commits / seconds:,.0f} commits/s, {objects / seconds:,.0f} records/s")
        begun = time.perf_counter()
        rewrite(store, token, 50)
        print(f"a range marked open and rewritten: {(time.perf_counter() - begun) / 50 * 1000:.1f} ms")
        begun = time.perf_counter()
        read = sum(len(each.records) for each in store.ranges(MOVE, "events", ""))
        print(f"read again: {read / (time.perf_counter() - begun) / 1e6:,.0f} MB/s")
        print(f"small commits: {small_commits(store, token, 300):,.0f}/s on disk")
        size = path.stat().st_size - empty
        print(f"after all that: {size / objects:.2f} bytes an object")
        store.close()
    memory = MemoryStateStore("benchmark")
    token = memory.acquire(_lock()).token
    print(f"small commits: {small_commits(memory, token, 20_000):,.0f}/s in memory")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
