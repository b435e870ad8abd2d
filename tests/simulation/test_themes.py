"""Stories of their own: nothing breaks in them, and an ordinary story knows nothing of them."""

from __future__ import annotations

import pytest

from migrator.testing.simulation import run, themes

SEEDS = range(6)


@pytest.mark.parametrize("theme", themes.THEMES)
def test_no_promise_breaks_in_a_story_of_its_own(theme: str) -> None:
    told = [run(seed, theme=theme) for seed in SEEDS]
    for report in told:
        assert not report.violations, (report.seed, report.violations)
        assert not report.is_unfinished, report.seed
    assert any(report.digest != run(report.seed).digest for report in told), f"{theme} changes no story"


def test_a_theme_is_another_story_and_the_same_one_each_time() -> None:
    plain = run(3).digest
    told = {theme: run(3, theme=theme).digest for theme in themes.THEMES}
    assert run(3, theme=themes.CLOCKS).digest == told[themes.CLOCKS]
    assert told[themes.CLOCKS] != plain
    assert run(3).digest == plain
