"""One move as its steps see it: what they share, write down and claim, its data plane, and the patience that its requests have.

Leaves what a step does to ``steps/`` and what follows it to the law and the runner.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from migrator.engine.claim import Claimant
from migrator.engine.patience import MovePatience
from migrator.machine.events import Event
from migrator.model.moves import Direction
from migrator.model.routes import RouteRecord
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import Change
from migrator.transfer.paced import PacedStore
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer

Do = Callable[["Mover"], Awaitable[Event]]


@dataclass(slots=True)
class Mover(Claimant):
    """What a step is given."""

    patience: MovePatience = field(init=False)
    _transfer: Transfer | None = None
    _stores: dict[str, ObjectStore] = field(default_factory=dict)
    _is_leaving: bool = False
    """The run ends: nothing is waited for any more but a release."""

    def __post_init__(self) -> None:
        self.patience = MovePatience(self)

    def store(self, account: str) -> ObjectStore:
        """The account, written to on this move's claim alone."""
        if account not in self._stores:
            found = self.shared.stores[account]
            if isinstance(found, PacedStore):
                found = found.claimed(self.may_write, self.patience)
            self._stores[account] = found
        return self._stores[account]

    def transfer(self) -> Transfer:
        """The data plane in the move's present direction."""
        if self._transfer is None or self._transfer.direction is not self.record.direction:
            self._transfer = self._made(self.record.direction, self.checkpoint)
            self._transfer.on_conflict = self.on_conflict
        self._transfer.is_adopting = self.record.is_adopted
        return self._transfer

    def warm_transfer(self) -> Transfer:
        """The data plane that keeps the source warm while customers are at the target: the way back's direction, whatever the
        record's is."""
        made = self._made(Direction.REVERSE, self.warm_checkpoint)
        made.keeps_warm = True
        return made

    def _made(self, direction: Direction, checkpoint: Callable[[Sequence[Change], PassResult], None]) -> Transfer:
        figures = self.record.figures
        destination = self.plan.target if direction is Direction.FORWARD else self.plan.source
        return Transfer(
            self.id,
            self.plan.area,
            direction,
            self.store(self.plan.source),
            self.store(self.plan.target),
            self.world.state,
            self.world.clock,
            checkpoint,
            self.admit,
            bound_seconds=self.world.write_bounds[destination],
            inherited_seconds=lambda: self.shared.session.wait_until - self.world.clock.monotonic(),
            max_delete_ratio=self.wave.cutover.max_delete_ratio,
            deletes_counted=figures.deletes_counted,
            deletes_accepted=figures.deletes_accepted,
            prove_share=self.wave.verify.content_share,
            keeps_public_access=self.shared.schedule.public_access == "keep",
            hands=self.shared.hands,
            admit_until=self.admit_until,
            note=self.note,
            waits=self.waits,
            linger=self.shared.session.linger,
            rhythm=self.world.rhythm,
        )

    def forget_transfer(self) -> None:
        """What it knows may not be on record: the next step begins with a new one."""
        self._transfer = None

    async def watch_fence(self, before: RouteRecord, fence: RouteRecord, extra_seconds: float) -> None:
        """Tell the guardian of a fence before it is sent. CloudError: nobody would free the writers, so do not fence.
        ``extra_seconds``: how much longer it may take to close than the route alone."""
        seconds = self.desk.drain_seconds + self.wave.cutover.fence_timeout_seconds + extra_seconds
        margin = self.world.rhythm.guardian_margin_seconds
        self.fence_until = self.world.clock.monotonic() + seconds + margin / 2
        if self.world.guardian is not None:
            await self.world.guardian.watch(str(self.id), before, fence, seconds + margin)

    async def unwatch(self) -> None:
        if self.world.guardian is not None:
            await self.world.guardian.done(str(self.id))

    async def surely(self, act: Callable[[], None], *, within: float = math.inf, full_within: float = math.inf) -> None:
        """``act`` commits; again while the state store is busy. StateError if it is so for longer than ``within`` seconds, or
        full for longer than ``full_within``."""
        await self.patience.surely(act, within=within, full_within=full_within)

    def leave(self) -> None:
        """The run ends: what cannot be written down soon is left to the next one."""
        self._is_leaving = True

    def no_longer_than(self) -> float:
        """How long this run tries to write something down outside a fence."""
        may_wait = self.is_patient and not self._is_leaving
        return math.inf if may_wait else self.world.rhythm.impatient_commit_seconds
