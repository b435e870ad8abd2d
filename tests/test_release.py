"""What a release check finds in the change log, and how it pins an environment; the check itself is ``make release-check``."""

from __future__ import annotations

import pytest

from tests.release import pins, problems

GOOD = "## [1.2.0] - 2026-01-02\n\nWhat the first version does, in some words that are enough for a reader.\n\n## [1.1.0] - x\n"


@pytest.mark.parametrize(
    ("changelog", "said"),
    [
        (GOOD, None),
        (GOOD.replace("1.2.0", "1.2.1"), "has no section [1.2.0]"),
        (GOOD.replace(" - 2026-01-02", ""), "has no date"),
        (
            GOOD.replace("What the first version does, in some words that are enough for a reader.", "Words."),
            "says nothing",
        ),
    ],
)
def test_a_version_that_the_change_log_does_not_tell_is_not_ready(changelog: str, said: str | None) -> None:
    found = problems(changelog, "1.2.0")
    assert found == [] if said is None else said in found[0]


def test_an_environment_is_pinned_by_versions_alone() -> None:
    assert pins("# words\na-b==1.2 \\\n    --hash=sha256:00\n    # via c\nd==3\n") == "a-b==1.2\nd==3\n"
