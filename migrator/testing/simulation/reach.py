"""What the stories have reached, counted against all there is: a blind spot of the simulated world shows itself.

Decides what is counted: verbs of decisions, rows of the table of transitions, events that engines report, commands and outcomes
of runs, states in which a signal came, refusals that name whose trouble they are, and what goes wrong in the world. Rule:
counting costs next to nothing; most of it is read off the story's notes when it is over.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, get_args, get_type_hints
from unittest import mock

from migrator.engine.world import Outcome
from migrator.errors import CloudError
from migrator.machine.transitions import ROWS
from migrator.model.moves import MoveRecord
from migrator.ports.troubles import TROUBLES
from migrator.testing.simulation.interrupts import STATES
from migrator.transfer import walk
from migrator.transfer.absences import Absences
from migrator.transfer.decide import Decision, NameCase, Verb
from migrator.transfer.lanes import LaneSeen, sealed
from migrator.transfer.listing import LaneBroken
from migrator.transfer.order import OrderBroken
from migrator.transfer.walk import Walk

EVENTS: Final = (
    "account-created",
    "account-creating",
    "adopted",
    "durations",
    "fence",
    "gate-failed",
    "left-target",
    "pass",
    "plan",
    "recovery",
    "retire-begun",
    "retire-ended",
    "retire-watch-restarted",
    "routes",
    "sample",
    "state-changed",
    "throttled",
    "waiting",
    "warning",
    "wave-changed",
    "way-back",
)
"""All that engines report."""
COMMANDS: Final = (
    "apply",
    "apply-no-wait",
    "retire",
    "retry",
    "retry-containers",
    "retry-deletes",
    "rollback",
    "rollback-abandon",
    "rollback-source",
    "rollback-target",
)
EDITS: Final = (
    "account",
    "back",
    "back again",
    "damaged",
    "epoch",
    "promised less",
    "promised much",
    "put right",
    "repaired",
    "tampered",
    "text",
    "there",
)
WISHES: Final = ("hold", "pause", "rollback", "throttle")
NOTED: Final = (
    "container dropped",
    "container lost",
    "container restored",
    "deleted while it is copied",
    "died",
    "encrypted",
    "half an upload",
    "interrupted",
    "leased",
    "paused",
    "plan",
    "restored",
    "second signal",
    "second store",
)
WORLD: Final = (
    "a customer's own key",
    "a date",
    "a freeze",
    "a full store",
    "an account away",
    "an overloaded account",
    "an approval",
    "a busy store",
    "a commit whose answer is lost",
    "a clock that is set",
    "change windows",
    "max_moves",
    "order broken",
    "lanes apart",
    "lanes joined up",
    "ranges as they were",
)
_BY_ENDS: Final = {(row.direction, row.state, row.turn, row.to): row for row in ROWS}
_NOT_PROVISIONED: Final = "every account of the world is there from the beginning"
_RARE: Final = "a route that cannot be explained, found in just that state: rarer than one in 400 stories"
_AFTER_A_HALT: Final = "the operator of the world adopts a route only once a move has halted for it"
_EMPTY_STORE: Final = "nobody in the world starts with an empty state store where another one had begun"
_NO_SUCH: Final = {
    "nobody in the world writes with the id of a lease": (
        "LeaseLost",
        "LeaseIdMismatchWithBlobOperation",
        "LeaseIdMismatchWithLeaseOperation",
        "LeaseNotPresentWithBlobOperation",
        "LeaseAlreadyPresent",
    ),
    "a seal is a new generation, and what we append to is asked for by the one that we made": ("BlobIsSealed",),
    "objects of the world are small": ("BlockCountExceedsLimit", "BlockListTooLong", "RequestBodyTooLarge"),
    "accounts of the world keep no versions or holds, and no customer has a second key": (
        "BlobImmutableDueToPolicy",
        "BlobImmutableDueToLegalHold",
        "SnapshotsPresent",
        "BlobCustomerSpecifiedEncryptionMismatch",
        "BlobDoesNotUseCustomerSpecifiedEncryption",
    ),
    "accounts of the world take every name, header and tag that they hold": (
        "OutOfRangeInput",
        "InvalidResourceName",
        "InvalidUri",
        "RequestUrlFailedToParse",
        "InvalidMetadata",
        "EmptyMetadataKey",
        "MetadataTooLarge",
        "RequestHeaderTooLarge",
        "InvalidTags",
        "TagsTooLarge",
        "CopySourceTooLong",
        "UnsafeName",
        "UnsafeValue",
        "414",
        "431",
        "InvalidMd5",
    ),
}
ARGUED: Final[Mapping[str, str]] = {
    "row forward preflight found-no-account": _NOT_PROVISIONED,
    "row forward provisioning provisioned": _NOT_PROVISIONED,
    "row forward provisioning halted": _NOT_PROVISIONED,
    "row forward provisioning rolled-back": _NOT_PROVISIONED,
    "event account-created": _NOT_PROVISIONED,
    "event account-creating": _NOT_PROVISIONED,
    "row forward pending adopted-source": _EMPTY_STORE,
    "row forward pending adopted-target": _EMPTY_STORE,
    "row forward soaked lost-sight": "a hand on the route of a move that has soaked: one in 600 stories",
    "row forward draining halted": _RARE,
    "row forward verifying halted": _RARE,
    "row forward switching halted": _RARE,
    "row reverse fencing halted": _RARE,
    "row reverse draining halted": _RARE,
    "row reverse verifying halted": _RARE,
    "row reverse switching halted": _RARE,
    "row forward reversed adopted-source": _AFTER_A_HALT,
    "row forward reversed adopted-target": _AFTER_A_HALT,
    "row reverse reversed adopted-source": _AFTER_A_HALT,
    "row reverse reversed adopted-target": _AFTER_A_HALT,
    "row forward pending rolled-back": "a way back leaves alone what has not begun",
    "event plan": "plans of the world have no text that could be edited",
    "refusal InvalidBlockList": "blocks vanish between staging and commit only by another run, and the claim forbids that",
    **{f"refusal {code}": why for why, codes in _NO_SUCH.items() for code in codes},
}
"""What no story reaches, and why it need not."""


def everything() -> list[str]:
    """All that could be reached, in groups."""
    outcomes = get_args(get_type_hints(Outcome)["code"])
    return [
        *(f"verb {verb}" for verb in Verb),
        *(_row(*ends) for ends in _BY_ENDS),
        *(f"event {kind}" for kind in EVENTS),
        *(f"command {command}" for command in COMMANDS),
        *(f"outcome {code}" for code in outcomes),
        *(f"signal in {state}" for state in STATES),
        *(f"refusal {code}" for code in TROUBLES),
        *(f"edit {kind}" for kind in EDITS),
        *(f"wish {kind}" for kind in WISHES),
        *(f"world {what}" for what in (*NOTED, *WORLD)),
    ]


def never(reached: Mapping[str, int]) -> list[str]:
    """What has count 0 in ``reached``."""
    return [one for one in everything() if not reached.get(one)]


def _row(*ends: Any) -> str:
    row = _BY_ENDS[ends]
    return f"row {row.direction} {row.state} {row.event}"


class Steps:
    """Rows of the table, as they are written down."""

    def __init__(self, reached: Counter[str]) -> None:
        self._reached = reached
        self._last: dict[str, MoveRecord] = {}

    def saved(self, record: MoveRecord) -> None:
        before = self._last.get(str(record.id))
        self._last[str(record.id)] = record
        if before is None or (before.direction, before.state) == (record.direction, record.state):
            return
        ends = (before.direction, before.state, record.direction, record.state)
        if ends in _BY_ENDS:
            self._reached[_row(*ends)] += 1

    def forget(self) -> None:
        """Another moment of the state store is there."""
        self._last.clear()


def read_off(notes: Iterable[tuple[float, tuple[Any, ...]]]) -> Counter[str]:
    """What a story's notes show."""
    found: Counter[str] = Counter()
    for _, facts in notes:
        what = facts[0]
        if what == "told":
            found[f"event {facts[1]}"] += 1
        elif what == "start":
            found[f"command {facts[2].split()[0]}"] += 1
        elif what == "ended":
            found[f"outcome {getattr(facts[2], 'code', facts[2])}"] += 1
        elif what == "edited":
            found[f"edit {facts[2]}"] += 1
        elif what == "wish":
            found[f"wish {facts[1]}"] += 1
        elif what in NOTED:
            found[f"world {what}"] += 1
    return found


@contextlib.contextmanager
def counting(reached: Counter[str]) -> Iterator[None]:
    """Count verbs, refusals and broken orders into ``reached`` meanwhile."""
    right, wait, refused, broken = Walk._decide, Absences.wait, CloudError.__init__, OrderBroken.__init__
    passed, verbs = Walk._is_as_it_was, dict.fromkeys(Verb, 0)

    def counted(self: Walk, case: NameCase) -> Decision:
        decision = right(self, case)
        verbs[decision.verb] += 1
        return decision

    def waited(self: Absences, case: NameCase, decision: Decision) -> None:
        verbs[decision.verb] += decision.verb is Verb.ABSENT  # no listing shows such a name: only a watch misses it
        wait(self, case, decision)

    def refuse(self: CloudError, *facts: Any, code: str = "", **more: Any) -> None:
        if code in TROUBLES:
            reached[f"refusal {code}"] += 1
        refused(self, *facts, code=code, **more)

    def break_(self: OrderBroken, *facts: Any) -> None:
        reached["world order broken"] += 1
        broken(self, *facts)

    def seal(seen: Sequence[LaneSeen]) -> None:
        try:
            sealed(seen)
        except LaneBroken:
            reached["world lanes apart"] += 1
            raise
        reached["world lanes joined up"] += len(seen) > 1

    async def go_past(self: Walk, *facts: Any) -> bool:
        is_passed = await passed(self, *facts)
        reached["world ranges as they were"] += is_passed
        return is_passed

    with (
        mock.patch.object(Walk, "_is_as_it_was", go_past),
        mock.patch.object(Walk, "_decide", counted),
        mock.patch.object(Absences, "wait", waited),
        mock.patch.object(CloudError, "__init__", refuse),
        mock.patch.object(OrderBroken, "__init__", break_),
        mock.patch.object(walk, "sealed", seal),
    ):
        yield
    reached.update({f"verb {verb}": count for verb, count in verbs.items()})
