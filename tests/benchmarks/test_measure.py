"""The yardstick itself: what counts, what is a promise kept, and what a process cost."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.benchmarks import report, timed
from tests.benchmarks.install import Tools
from tests.benchmarks.listing import etag_of, index_of, name_of, write_pages
from tests.benchmarks.measure import Claim, Figures, Row, Sample, best, cpu, rate, take_turns


def sample(seconds: float, *, cpu_seconds: float = 1.0, fault: str = "") -> Sample:
    return Sample(1000, seconds, cpu_seconds, 10, 10, 1, fault)


def test_a_figure_is_the_median_of_the_runs_that_count() -> None:
    figures = Figures.of("ours", [sample(1), sample(100, fault="half of it is missing"), sample(2), sample(4)])
    assert (figures.objects_per_second, figures.counted, figures.runs) == (500, 3, 4)
    assert figures.faults == ("half of it is missing",)


def test_what_was_not_measured_is_null_and_no_number(tmp_path: Path) -> None:
    nobody = Figures.of("ours", [sample(1, fault="no")])
    row = Row("1", "t", 1, (nobody,), (Claim("x", "at least", 1.0, rate(nobody)),))
    report.write(tmp_path / "r.json", [row], Tools(*["true"] * 5), begun=0.0, load=0.5)
    written = json.loads((tmp_path / "r.json").read_text(), parse_constant=lambda word: pytest.fail(word))
    assert written["rows"][0]["claims"][0]["measured"] is None
    assert written["rows"][0]["claims"][0]["verdict"] == "open"
    assert " - " in report.table([row])


def test_a_row_with_a_run_that_does_not_count_has_faults() -> None:
    whole, torn = Figures.of("a", [sample(1)]), Figures.of("b", [sample(1), sample(1, fault="no")])
    assert not Row("1", "t", 1, (whole,), ()).has_faults
    assert Row("1", "t", 1, (whole, torn), ()).has_faults


def test_a_promise_without_a_run_that_counts_is_open() -> None:
    nobody = Figures.of("ours", [sample(1, fault="no")])
    assert Claim("x", "at least", 1.0, rate(nobody) / 5).verdict == "open"


def test_a_promise_is_met_at_its_bound_and_missed_beyond() -> None:
    assert [Claim("x", "at least", 3.0, value).verdict for value in (3.0, 2.99)] == ["met", "MISSED"]
    assert [Claim("x", "at most", 0.4, value).verdict for value in (0.4, 0.41)] == ["met", "MISSED"]


def test_the_best_peer_is_one_that_counted() -> None:
    figures = {
        "peer 32": Figures.of("peer 32", [sample(2, cpu_seconds=5)]),
        "peer 64": Figures.of("peer 64", [sample(1, fault="it skipped half")]),
        "peer 128": Figures.of("peer 128", [sample(3, cpu_seconds=1)]),
    }
    assert best(figures, "peer", rate, least=False).name == "peer 32"
    assert best(figures, "peer", cpu, least=True).name == "peer 128"


def test_contestants_take_turns() -> None:
    turns: list[str] = []

    def contest(name: str) -> Sample:
        turns.append(name)
        return sample(1)

    take_turns({name: partial(contest, name) for name in ("a", "b")}, 2, row="t")
    assert turns == ["a", "b", "a", "b"]


def test_what_children_and_orphans_spend_is_counted(tmp_path: Path) -> None:
    """The child burns CPU after its parent has ended without waiting for it."""
    burn = "import time; end = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn!r}])"
    timing = timed.run([sys.executable, "-c", parent], tmp_path, environ=os.environ, limit_seconds=60)
    assert timing.code == 0
    assert timing.cpu_seconds >= 0.4


def test_memory_is_what_all_processes_hold_together(tmp_path: Path) -> None:
    """Not what this process holds: the kernel's own maximum begins with that."""
    ballast = bytearray(300 * 1024 * 1024)
    hold = "import time; held = b'x' * (64 << 20); time.sleep(1)"
    parent = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {hold!r}]); {hold}; p.wait()"
    timing = timed.run([sys.executable, "-c", parent], tmp_path, environ=os.environ, limit_seconds=60)
    assert 128 << 20 <= timing.peak_bytes < len(ballast)
    assert 64 << 20 <= timing.largest_bytes < 128 << 20


def test_a_run_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    timing = timed.run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, environ={}, limit_seconds=0.3)
    assert timing.code != 0


def test_made_up_names_rise_and_tell_their_generation(tmp_path: Path) -> None:
    names = [name_of(index) for index in (0, 9, 10, 4_999, 5_000, 999_999)]
    assert names == sorted(names)
    assert index_of(names[-1]) == 999_999
    write_pages(tmp_path, 5_001, side="source", container="data")
    last = (tmp_path / "p1.xml").read_text()
    assert name_of(5_000) in last
    assert etag_of(5_000) in last
    assert "<NextMarker />" in last
    assert "<NextMarker>p1</NextMarker>" in (tmp_path / "p0.xml").read_text()
