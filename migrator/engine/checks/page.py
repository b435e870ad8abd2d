"""Every code that a finding may have, and what it says: the one list that programs can rely on.

Decides nothing. A test finds each place that makes a finding and holds its code against this list, and each entry of this list
against a test that produces it: a check that is lost on the way is noticed. ``docs/findings.md`` is printed from it by
``python -m migrator.engine.checks.page``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

CODES: Final[Mapping[str, str]] = {
    # What stands in the way of a plan.
    "account-limit-unknown": "an account has no limit in the plan, so nobody can say whether it carries its load",
    "containers-differ": "a container has other metadata at the target, and why it is not brought over",
    "account-near-limit": "an account would come near the limit that the plan gives it",
    "account-overloaded": "an account would come over the limit that the plan gives it",
    "archived": "archived blobs cannot be read, so they cannot be copied",
    "deadline-missed": "a wave will not be complete at its `complete_by`",
    "deadline-without-reserve": "a wave will be complete in time only if nothing goes wrong",
    "edit-refused": "the plan was edited where it may not be: under a move that has begun, or a duration made shorter",
    "empty-area": "a source holds nothing of an area; an error where its containers hold objects that are in no area",
    "fence-too-long": "a cut-over would pause writers for longer than its `fence_timeout` or `max_pause`",
    "gate-asked": "a gate was asked once, and what it said",
    "gate-cannot-be-asked": "a gate can never answer as it is written: its query or its rights must be mended first",
    "gate-no-answer": "a gate's source does not answer now; no cut-over begins before it does",
    "gate-not-asked": "a gate was not asked, because its account is not there yet",
    "held": "an operator holds cut-overs",
    "in-no-area": "a source holds objects that no area of the plan names; they stay where they are",
    "inventory-declared": "a forecast rests on the plan's own `inventory`, which nobody has counted",
    "inventory-unknown": "the size of a move is unknown, so its dates are lower bounds",
    "missing-container": "a container that an area names, or any that its glob means, is not at the source",
    "not-built": "a key of the plan is valid, but this version cannot apply it",
    "not-looked-for": "objects were not counted, so what a move cannot keep was not looked for",
    "long-drain": "the drain alone pauses writers for more than two minutes in each cut-over",
    "paused": "an operator paused the rollout",
    "plan-document": "the reader of the plan document warns, at a line and column",
    "plan-edited": "the plan was edited since it was applied last, and what of it",
    "policies-not-read": "the stored access policies of a container cannot be read",
    "public-access": "a container may be read by everybody, and whether it can be at the target",
    "routes-not-writable": "the route document may not be written, and everything hangs on it",
    "soak-loosened": "an edit loosens a soak that is under way, which starts again",
    "streamed": "copies between two accounts go through this machine, and why",
    "same-account": "the source and the target of a move are one account under two addresses",
    "streamed-in-fence": "append and page blobs that keep changing go through this machine while writers wait",
    "target-not-empty": "a target already holds objects where a move would write",
    "traffic-unknown": "the plan says nothing of an area's traffic, so the load of its account is too low",
    "wave-stopped": "a wave is halted, or went back to its source",
    "unreadable": "an account cannot be read",
    "window-never-opens": "no change window has room for a cut-over",
    # What a move does not keep, by kind.
    "not-kept-encryption_scoped": "an object's encryption scope is not kept",
    "not-kept-immutable": "an object's immutability policy or legal hold is not kept",
    "not-kept-leased": "an object's lease is not kept",
    "not-kept-policies": "stored access policies of a container are not kept",
    "not-kept-sealed": "that an append blob is sealed is not kept",
    "not-kept-sequence_numbers": "the sequence number of a page blob is not kept",
    "not-kept-snapshots": "snapshots are not kept",
    "not-kept-versions": "earlier versions are not kept",
    # Enforced fences.
    "fence-binds": "whose writes an enforced fence will stop",
    "fence-not-enforceable": "an account cannot be fenced by its access policies",
    "fence-shared-container": "a container of more than one area cannot be fenced by its access policies",
    "fence-unbound": "writers whom an enforced fence does not bind",
    "fence-unreadable": "the access policies of a container cannot be read",
    # Probes.
    "not-probed": "a way between two accounts was not probed, and why",
    "probe-failed": "a probe between two accounts was refused",
    "probed": "a probe went there and back, and how",
    # What the doctor finds.
    "clock": "two clocks disagree",
    "dirty-target": "a target holds writes that the way back left behind",
    "durations": "the route document and the plan do not say the same durations",
    "exceptions": "objects of a move are listed for a person",
    "halted": "a move is halted",
    "late-requests": "requests of a run that did not end in order may still be applied",
    "live-data-missing": "the account that customers use lacks a container of its area",
    "long-credential": "a credential ends late or never, and a takeover waits for that",
    "not-made-yet": "a target that apply makes is not there yet",
    "route-disagrees": "route document and state store contradict each other",
    "route-went-on": "a route has a higher epoch than the state store knows",
    "routes-unreadable": "the route document cannot be read, or is gone",
    "soak-stands": "a soak has not come on for longer than a few intervals, and why",
    "sqlite": "this version of SQLite has a fault that this store avoids",
    "stale-lock": "a run ended without giving back its lock",
    "two-engines": "another run, or another state store's engine, changes this move's route",
    "two-lineages": "the route document holds records of two state stores",
    "unfinished-cut-over": "a cut-over is on record that was released or switched; the next run writes that down",
    "unreachable": "an account cannot be reached",
    "writers-blocked": "writers may be blocked now",
    "wrong-address": "a route sends customers to an address that is not its account's",
}
"""By code, in the words of the page."""


def page() -> str:
    """``docs/findings.md``."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Findings"
    yield ""
    yield "`migrate plan`, `apply` and `doctor` give each finding a severity (error, warning, info), a code, a subject, a text"
    yield "and a remedy. `apply` refuses errors. Codes are stable, and programs may rely on them: `--json` prints them,"
    yield "the page for people prints the text and the remedy alone."
    yield ""
    yield "| code | what it says |"
    yield "|---|---|"
    for code, text in sorted(CODES.items()):
        yield f"| `{code}` | {text} |"


if __name__ == "__main__":
    print(page(), end="")
