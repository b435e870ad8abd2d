"""The law of sources that are emptied: nothing goes that is not at the target at that moment, nothing that changed since, and
what was surely equal on both sides does not stay.

Decides about single deletes, and about what is left at the end. Leaves emptying them to ``retiring``.
"""

from __future__ import annotations

from typing import Final

from migrator.machine.states import has_lost_source
from migrator.model.moves import MoveRecord, MoveState
from migrator.model.names import RESERVED_PREFIX
from migrator.testing.simulation.blobs import Blob, Sender
from migrator.testing.simulation.cases import Case, Scene
from migrator.testing.simulation.comparing import comparable
from migrator.transfer.evidence import generation_hash

ASKED_SECONDS: Final = 30.0
"""Between the question whether the target has it and the delete that follows."""


class RetireJudge:
    """Judges deletes at sources that are let go, in one world."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._changed_at: dict[tuple[str, str, str], float] = {}
        self.deleted = 0

    def wrote(self, account: str, sender: Sender, container: str, name: str) -> None:
        """Somebody else than the tool changed it."""
        if not sender.is_tool:
            self._changed_at[account, container, name] = self._scene.loop.time()

    def is_let_go(self, case: Case, account: str) -> bool:
        """Is this the source of a move whose data may go?"""
        return case.record is not None and account == case.plan.source and has_lost_source(case.record.state)

    def judge(self, case: Case, container: str, name: str, before: Blob, sent_at: float, what: str) -> None:
        """The tool deleted ``before`` at the source."""
        self.deleted += 1
        here = generation_hash(name, before.listed.etag)
        there = self._scene.accounts[case.plan.target].peek(container, name)
        changed_at = self._changed_at.get((case.plan.target, container, name), -1e9)
        if before.stray or here not in case.carried:
            self._scene.break_(
                "retired-changed", f"{what}: it changed after the switch, or was never known to be equal"
            )
        if changed_at >= sent_at - ASKED_SECONDS:
            return  # customers may do there what they like, and nobody can see that between question and delete
        if there is None or comparable(there) != comparable(before):
            self._scene.break_("retired-without-copy", f"{what}: {case.plan.target} does not have it")
        elif (here, generation_hash(name, there.listed.etag)) not in case.seen_records:
            self._scene.break_("retired-without-copy", f"{what}: no evidence says that {case.plan.target} has it")

    def finish(self, case: Case, record: MoveRecord) -> None:
        """Everything came to rest."""
        if record.state is not MoveState.RETIRED:
            return
        source, target = (self._scene.accounts[name] for name in (case.plan.source, case.plan.target))
        for container, name in self._scene.places(case, source.name):
            here, there = source.peek(container, name), target.peek(container, name)
            if here is None or there is None or name.startswith(RESERVED_PREFIX):
                continue
            pair = (generation_hash(name, here.listed.etag), generation_hash(name, there.listed.etag))
            is_plain = pair in case.seen_records and here.listed.tags == there.listed.tags and not here.stray
            in_the_way = (container, name) in source.leases or (container, name) in case.exceptions
            was_touched = (source.name, container, name) in case.late
            if is_plain and not (in_the_way or was_touched or here.listed.rehydrating or there.listed.rehydrating):
                self._scene.break_("retire-left", f"{record.id} is retired, and {container}/{name!r} is still there")
