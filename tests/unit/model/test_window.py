"""A window goes to what pays at a service, whatever it is like, and back when the service is another one."""

from __future__ import annotations

from random import Random

import pytest

from migrator.model.window import Window

BATCH = 64


class Service:
    """Answers after ``latency`` seconds, at most ``most_per_second``; each measurement is off by up to 5 %."""

    def __init__(self, latency: float, most_per_second: float, seed: int = 1) -> None:
        self.latency, self.most_per_second, self.now = latency, most_per_second, 0.0
        self._random = Random(seed)

    def work(self, window: Window, seconds: float, *, is_full: bool = True) -> float:
        """Requests a second over this time."""
        begun, answered = self.now, 0
        while self.now < begun + seconds:
            pace = min(window.limit / self.latency, self.most_per_second) * self._random.uniform(0.95, 1.05)
            self.now += BATCH / pace
            answered += BATCH
            for _ in range(BATCH):
                window.answered()
            window.look(self.now, was_full=is_full)
        return answered / (self.now - begun)


def made(start: int = 64, least: int = 16, most: int = 1024) -> Window:
    return Window(start=start, least=least, most=most)


@pytest.mark.parametrize("seed", range(5))
def test_it_grows_to_what_a_distant_service_takes(seed):
    window, service = made(), Service(0.02, 15_000, seed)
    service.work(window, 3.0)
    assert service.work(window, 5.0) > 0.85 * 15_000
    assert window.limit < 1.6 * 15_000 * 0.02  # and not far beyond it


@pytest.mark.parametrize("seed", range(5))
def test_it_does_not_grow_where_nothing_more_is_answered(seed):
    window, service = made(), Service(0.02, 2_000, seed)
    service.work(window, 60.0)
    assert window.limit <= 64


def test_it_falls_to_what_brings_as_much():
    window, service = made(start=512), Service(0.02, 3_000)
    service.work(window, 120.0)
    assert window.limit <= 128
    assert service.work(window, 5.0) > 0.9 * 3_000


def test_it_follows_a_service_that_becomes_another_one():
    window, service = made(), Service(0.02, 2_000)
    service.work(window, 30.0)
    assert window.limit <= 64
    service.latency, service.most_per_second = 0.2, 2_000
    service.work(window, 240.0)
    assert service.work(window, 10.0) > 0.8 * 2_000


def test_what_is_answered_with_too_little_to_do_says_nothing():
    window, service = made(), Service(0.02, 15_000)
    service.work(window, 10.0, is_full=False)
    assert window.limit == 64


def test_a_try_of_which_nothing_can_be_learned_is_taken_back():
    window, service = made(), Service(0.02, 15_000)
    while window.limit == 64:
        service.work(window, 0.05)
    service.work(window, 2.0, is_full=False)
    assert window.limit == 64


def test_a_refusal_halves_it_and_it_is_not_tried_wider_for_a_while():
    window, service = made(), Service(0.02, 15_000)
    service.work(window, 3.0)
    before = window.limit
    window.refused()
    assert window.limit == before // 2
    service.work(window, 3.0)
    assert window.limit <= before // 2
    window.refused()
    window.refused()
    assert window.limit == before // 4, "what was under way together is one sign"
    for _ in range(20):
        window.refused()
        service.work(window, 0.5)
    assert window.limit == 16


def test_it_keeps_its_bounds():
    window, service = made(most=100), Service(0.2, 1e6)
    service.work(window, 10.0)
    assert window.limit == 100
    fixed = made(start=64, least=64, most=64)
    Service(0.02, 15_000).work(fixed, 10.0)
    fixed.refused()
    assert fixed.limit == 64
