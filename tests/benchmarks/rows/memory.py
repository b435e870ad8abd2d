"""Rows 4 and 9: what a million objects cost in memory and in the state store, beside fifty thousand.

Ours alone, the same run as row 1: memory must not grow with the number of objects, and state only by their evidence.
"""

from __future__ import annotations

import shutil
import sqlite3
from functools import partial
from pathlib import Path

from tests.benchmarks import contestants, ideal
from tests.benchmarks.contestants import Ended, Job
from tests.benchmarks.measure import MIB, Claim, Figures, Row, Sample, take_turns
from tests.benchmarks.rows import Bench
from tests.benchmarks.rows.copying import one_run

FEW, MANY = 50_000, 1_000_000
RUNS = 1
LIMIT_SECONDS = 5400.0
MOST_MIB = 200.0
EVIDENCE_TABLE = "ranges"


def flat(bench: Bench) -> list[Row]:
    many = bench.count(MANY)
    few = max(1, many * FEW // MANY)
    last: list[Ended] = []
    contests = {f"migrate {objects:,}": partial(_run, bench, objects, last) for objects in (few, many)}
    figures = take_turns(contests, bench.turns(RUNS), row="memory")
    small, large = figures.values()
    growth = Claim(f"peak of all processes for {few:,} objects", "at most", 1.2, large.peak_mib / small.peak_mib)
    most = Claim("the largest process", "at most", MOST_MIB, large.largest_mib, unit=" MiB")
    rows = [Row("4", f"memory for {many:,} objects", many, (small, large), (growth, most))]
    return [*rows, _state_row(last[-1].folder / "state" / "migrator.db", many, large)]


def _run(bench: Bench, objects: int, last: list[Ended]) -> Sample:
    folder = bench.room(f"ideal-{objects}")
    ideal.prepare(folder, objects)

    def contest(job: Job) -> Ended:
        last.append(contestants.migrate_copy(job))
        return last[-1]

    return one_run(bench, folder, objects, None, contest, is_ours=True, limit_seconds=LIMIT_SECONDS)


def _state_row(database: Path, objects: int, figures: Figures) -> Row:
    whole, rest = sizes(database)
    claims = (
        Claim("evidence an object", "at most", 26.0, (whole - rest) / objects, unit=" bytes"),
        Claim("everything else", "at most", 5.0, rest / MIB, unit=" MiB"),
    )
    return Row("9", "state store", objects, (figures,), claims)


def sizes(database: Path) -> tuple[int, int]:
    """Bytes of the state store as it lies there, and of a copy of it without its evidence."""
    if not database.exists():
        return 0, 0
    bare = database.with_name("without-evidence.db")
    shutil.copy(database, bare)
    with sqlite3.connect(bare, isolation_level=None) as connection:
        connection.execute(f"DELETE FROM {EVIDENCE_TABLE}")
        connection.execute("VACUUM")
    connection.close()
    return database.stat().st_size, bare.stat().st_size
