"""The simulation is not blind: each deliberate breakage is found, by the invariant that it breaks."""

import pytest

from migrator.testing.simulation import run, themes
from tests.simulation.breakages import BREAKAGES

SEEDS = 500
THEME = {
    "a-busy-target-is-given-up": themes.OVERLOADED,
    "a-lane-dies-unseen": themes.LANES,
    "absences-before-the-end": themes.ORDERS,
    "lanes-are-believed": themes.LANES,
    "blocks-of-others-are-in-the-way": themes.UPLOADS,
    "hand-edits-unseen": themes.HANDS,
    "heartbeats-by-their-age": themes.CLOCKS,
    "lease-age-from-receipt": themes.LATE_ANSWERS,
    "new-containers-are-old-ones": themes.ACCIDENTS,
    "one-way-back-at-a-time": themes.WAYS_BACK,
    "read-instead-of-release": themes.WAYS_BACK,
    "releases-need-a-whole-document": themes.DAMAGE,
    "soak-of-an-earlier-stay": themes.SOAKED,
    "switch-with-a-create-outstanding": themes.UNANSWERED,
    "a-lease-is-a-change-meanwhile": themes.LEASES,
    "an-answer-before-the-write-ended": themes.ROLLS,
    "a-follower-leaves-before-its-writes-ended": themes.ROLLS,
    "an-answer-of-an-older-epoch": themes.ROLLS,
    "a-lost-register-is-an-empty-one": themes.ROLLS,
    "a-follower-enters-after-the-roll": themes.ROLLS,
    "a-lease-without-registration": themes.ROLLS,
    "a-register-counts-at-once": themes.ROLLS,
}
"""What needs a trouble that is rare in an ordinary story is looked for in stories of their own."""
LOST = {"lost-write", "lost-tags", "lost-tier", "resurrected-delete"}
FOUND_BY = {
    "times-instead-of-evidence": LOST,
    "etags-from-different-records": {"evidence-lies"},
    "barrier-before-drain": LOST,
    "no-source-condition": {"mixed-generations", "evidence-lies"},
    "no-destination-condition": {"foreign-destroyed", "tool-write-at-live", *LOST},
    "switch-with-a-create-outstanding": {"tool-write-at-live"},
    "deletes-from-a-truncated-listing": LOST,
    "reverse-delete-without-evidence": {"foreign-destroyed"},
    "switch-without-compare-and-swap": {"epoch", "release-undid-switch", "switch-without-fence", "route-removed"},
    "read-instead-of-release": {
        "tool-write-at-live",
        "epoch",
        "release-undid-switch",
        "switch-without-fence",
        "fence-budget",
    },
    "writing-without-a-claim": {"tool-write-at-live"},
    "hand-edits-unseen": {"lease-alive-at-switch", "two-accounts-accept", *LOST},
    "endpoints-believed": {"wrong-address"},
    "followers-of-any-host": {"credential-given-away"},
    "any-durations-believed": {"long-promise"},
    "policies-past-the-claim": {"policies-without-claim", "policies-left-revoked"},
    "drain-shorter-than-max-write": {"lease-alive-at-switch", "two-accounts-accept"},
    "lease-age-from-receipt": {"lease-alive-at-switch", "two-accounts-accept"},
    "ranges-with-a-gap": LOST,
    "tags-ignored-in-catch-up": {"lost-tags", "lost-tier"},
    "soak-of-an-earlier-stay": {"soak"},
    "another-type-is-written-over": {"halted-for-a-name"},
    "blocks-of-others-are-in-the-way": {"halted-for-a-name"},
    "a-lease-is-a-change-meanwhile": {"halted-for-a-name"},
    "an-ended-copy-is-a-whole-one": {"evidence-lies"},
    "seals-and-sequence-numbers-are-left-behind": {"evidence-lies", *LOST},
    "sources-emptied-whatever-the-target-has": {"retired-without-copy"},
    "sources-emptied-whatever-changed": {"retired-changed"},
    "one-refused-name-ends-the-pass": {"halted-for-a-name"},
    "a-lane-skips-its-last-name": {"own-called-foreign", *LOST},
    "lanes-overlap": {"own-called-foreign"},
    "a-lane-dies-unseen": {"own-called-foreign", "unproved", *LOST},
    "texts-are-known-by-their-length": LOST,
    "lanes-are-believed": {"own-called-foreign", "unproved", *LOST},
    "a-split-is-forgotten-by-its-lane": {"own-called-foreign"},
    "no-second-look": {"unproved", *LOST},
    "names-need-no-proof": {"unproved"},
    "a-look-of-before": {"unproved", *LOST},
    "a-lost-hand-has-seen-nothing": {"unproved", *LOST},
    "lost-containers-are-deletes": {"lost-container"},
    "new-containers-are-old-ones": {"lost-container"},
    "a-blip-halts": {"halted-for-a-blip"},
    "a-busy-target-is-given-up": {"back-gave-up"},
    "one-refusal-ends-a-fence": {"fence-for-a-refusal"},
    "a-lost-commit-is-made-again": {"told-twice"},
    "a-busy-store-halts": {"halted-for-a-blip"},
    "a-refused-end-keeps-the-lock": {"lock-kept"},
    "a-halt-leaves-the-live-alone": {"unwatched"},
    "one-way-back-at-a-time": {"way-back-forgotten"},
    "fences-for-what-is-not-there": {"fence-for-nothing"},
    "only-old-copies-are-put-back": {"halted-for-a-fence"},
    "heartbeats-by-their-age": {"lock-of-the-dead"},
    "a-signal-cuts-off-the-end": {"lock-kept"},
    "a-signal-leaves-a-release-behind": {"after-its-end"},
    "releases-need-a-whole-document": {"fence-budget", "left-read-only"},
    "what-a-store-calls-back-is-back": {"not-back"},
    "own-writes-are-strangers": {"own-called-straggler"},
    "absences-before-the-end": {"own-called-foreign", *LOST},
    "a-sweep-is-not-announced": {"own-called-foreign"},
    "an-answer-before-the-write-ended": {"lease-alive-at-switch", "two-accounts-accept", *LOST},
    "a-follower-leaves-before-its-writes-ended": {"lease-alive-at-switch", "two-accounts-accept", *LOST},
    "an-answer-of-an-older-epoch": {"lease-alive-at-switch", "two-accounts-accept", *LOST},
    "a-lost-register-is-an-empty-one": {"lease-alive-at-switch", "two-accounts-accept", *LOST},
    "a-follower-enters-after-the-roll": {"lease-alive-at-switch", "two-accounts-accept", *LOST},
    "a-lease-without-registration": {"lease-alive-at-switch", "two-accounts-accept", *LOST},
    "a-register-counts-at-once": {"lease-alive-at-switch", "two-accounts-accept", *LOST},
}


FOUND_AT = {
    "a-look-of-before": 10,
    "no-destination-condition": 38,
    "read-instead-of-release": 179,
    "reverse-delete-without-evidence": 73,
    "writing-without-a-claim": 79,
    "hand-edits-unseen": 35,
    "endpoints-believed": 126,
    "any-durations-believed": 454,
    "policies-past-the-claim": 119,
    "drain-shorter-than-max-write": 16,
    "tags-ignored-in-catch-up": 32,
    "another-type-is-written-over": 28,
    "blocks-of-others-are-in-the-way": 76,
    "a-follower-leaves-before-its-writes-ended": 274,
    "one-refused-name-ends-the-pass": 25,
    "no-second-look": 32,
    "lost-containers-are-deletes": 141,
    "new-containers-are-old-ones": 50,
    "followers-of-any-host": 126,
    "a-busy-target-is-given-up": 32,
    "one-refusal-ends-a-fence": 294,
    "a-busy-store-halts": 19,
    "a-lost-commit-is-made-again": 49,
    "a-refused-end-keeps-the-lock": 54,
    "a-halt-leaves-the-live-alone": 174,
    "only-old-copies-are-put-back": 95,
    "heartbeats-by-their-age": 56,
    "a-signal-cuts-off-the-end": 126,
    "a-signal-leaves-a-release-behind": 119,
    "releases-need-a-whole-document": 17,
    "what-a-store-calls-back-is-back": 103,
}
"""Where one was found when somebody looked last: there the search begins, and goes on through all the others. Histories shift
with the engine, so this saves time and proves nothing; ``python -m tests.simulation.test_breakages`` prints what it is now."""


@pytest.mark.slow
@pytest.mark.parametrize("name", BREAKAGES)
def test_a_breakage_is_found_and_named(name):
    assert found_at(name, FOUND_AT.get(name, 0)) is not None, f"{name} was not found in {SEEDS} seeds"


def found_at(name, first=0):
    """The seed of the story that shows it, from ``first`` on and then before that; None: no story does."""
    for seed in (*range(first, SEEDS), *range(first)):
        report = run(seed, breakage=BREAKAGES[name], theme=THEME.get(name, ""))
        if FOUND_BY[name] & {violation.invariant for violation in report.violations}:
            return seed
    return None


if __name__ == "__main__":
    for breakage in BREAKAGES:
        print(f'    "{breakage}": {found_at(breakage)},', flush=True)
