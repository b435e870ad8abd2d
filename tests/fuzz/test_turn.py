"""A short turn of every fuzzer; ``make fuzz SECONDS=600`` is a long one. And the fuzzers themselves find what is planted."""

from __future__ import annotations

import time
from random import Random

import pytest

from tests.fuzz.mutation import mutated_json
from tests.fuzz.running import Target, keep, run

pytest.importorskip("h11")
from tests.fuzz.targets import TARGETS

SECONDS = 2.0


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_that_comes_from_outside_is_a_crash(name: str) -> None:
    report = run(TARGETS[name](), SECONDS, seed=1)
    assert report.inputs > 20
    assert report.is_clean, "\n".join([report.line(), *(trace for _, trace in report.crashes.values())])


def _planted(check) -> Target:
    return Target("planted", lambda random: mutated_json(random, {"a": [1]}), check, (ValueError,))


def test_a_crash_is_found_and_kept(tmp_path, monkeypatch) -> None:
    def check(item: bytes) -> None:
        if b"null" in item:
            raise TypeError(item)

    monkeypatch.setattr("tests.fuzz.running.CORPUS", tmp_path)
    report = run(_planted(check), 0.5, seed=1)
    assert [place.split()[0] for place in report.crashes] == ["TypeError"]
    assert not report.is_clean
    (path,) = keep(report)
    again = run(_planted(check), 0.0, seed=1)
    assert again.inputs == 1
    assert not again.is_clean
    assert b"null" in path.read_bytes()


def test_what_is_slow_is_found(monkeypatch) -> None:
    monkeypatch.setattr("tests.fuzz.running.HANG_SECONDS", 0.05)

    def check(item: bytes) -> None:
        end = time.process_time() + 0.06
        while time.process_time() < end:
            pass

    assert run(_planted(check), 0.1, seed=1).slow


def test_what_never_ends_is_ended(monkeypatch) -> None:
    monkeypatch.setattr("tests.fuzz.running.HANG_SECONDS", 0.02)
    report = run(_planted(lambda item: time.sleep(60)), 0.1, seed=1)
    assert [place.split()[0] for place in report.crashes] == ["Hang"]


def test_what_eats_memory_is_found(monkeypatch) -> None:
    held = iter(range(0, 10**9, 600))
    monkeypatch.setattr("tests.fuzz.running._resident_mib", lambda: next(held))
    assert run(_planted(lambda item: None), 0.05, seed=1).large


def test_a_seed_makes_the_same_inputs_again() -> None:
    for make in TARGETS.values():
        target = make()
        assert [target.make(Random(5)) for _ in range(3)] == [target.make(Random(5)) for _ in range(3)]
