"""Which rows of the journal are incidents, and what each kind means to somebody who never saw one.

Decides that by the kind of the happening and its facts. Rule: an incident is what a person who answers for the rollout would ask
about; what a rollout does in its ordinary course is in the journal alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from migrator.model.moves import JournalEntry

Grade = Literal["serious", "notable"]
ReportFacts = Mapping[str, Any]


def _failed(facts: ReportFacts) -> bool:
    return facts.get("verdict") == "failed"


def _stopped(facts: ReportFacts) -> bool:
    return facts.get("event") in ("halted", "rolled-back")


def _not_ready(facts: ReportFacts) -> bool:
    return not facts.get("ready", True)


def _always(facts: ReportFacts) -> bool:
    return True


_INCIDENTS: Final[Mapping[str, tuple[Grade, Callable[[ReportFacts], bool], str]]] = {
    "state-changed": ("serious", _stopped, "The move stopped, or went back to its old account."),
    "gate-failed": ("serious", _always, "A health check failed so often that the plan's answer to it followed."),
    "verdict": ("notable", _failed, "One sample of a health check was not healthy: the watch counts its time anew."),
    "soak-restarted": ("notable", _always, "The healthy time so far was lost, and the watch began anew."),
    "sight-lost": ("serious", _always, "The route was changed by somebody else: the watch began anew."),
    "soak-loosened-anew": ("notable", _always, "An edit of the plan made a check weaker, so the watch began anew."),
    "fence-released": (
        "notable",
        _always,
        "A switch was called off: writers went on where they were, nothing is lost.",
    ),
    "old-fence-released": ("notable", _always, "A pause of writers that was over had been put back, and was ended."),
    "unknown-fence-released": ("notable", _always, "A pause of writers that nothing explains was ended."),
    "throttled": ("notable", _always, "A storage account refused some requests: copying was slowed down for it."),
    "waiting": ("notable", _always, "Something did not answer: the move waited, and went on by itself."),
    "late": ("serious", _always, "A wave was not complete at its promised date. Nothing stops for it."),
    "takeover": ("notable", _always, "An earlier run ended without saying so, and another one took over."),
    "abandoned": ("serious", _always, "An operator went back and left behind what was written at the new account."),
    "barrier-skipped": ("serious", _always, "The two accounts were not compared, because one was given up."),
    "left-target-changed": ("serious", _always, "Something was written to an account after customers had left it."),
    "container-accepted": ("notable", _always, "An operator said that a missing container was dropped on purpose."),
    "kept": ("notable", _always, "An object was about to be replaced, and a copy of it was kept first."),
    "recreated": ("notable", _always, "An object was deleted and made again; snapshots of it are gone."),
    "route-adopted": ("notable", _always, "An operator said that the route document is right and the records are not."),
    "rollback-asked": ("notable", _always, "An operator asked for the way back."),
    "unlock": ("notable", _always, "An operator removed the lock of a run."),
    "streams": ("notable", _always, "Copies went through this machine instead of directly between the accounts."),
    "way-back": ("notable", _not_ready, "A quick way back was not ready."),
    "durations": ("notable", _always, "Clients had been promised shorter times, so no switch began for a while."),
}
"""Happening -> how serious it is, when it is one, and what it means."""


def is_incident(row: JournalEntry) -> bool:
    found = _INCIDENTS.get(row.happening)
    return found is not None and found[1](row.evidence)


def grade_of(row: JournalEntry) -> Grade:
    return _INCIDENTS[row.happening][0]


def meaning_of(row: JournalEntry) -> str:
    return _INCIDENTS[row.happening][2]


KINDS: Final = frozenset(_INCIDENTS)
"""For the test that holds them against the list of happenings."""
