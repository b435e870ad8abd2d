"""The budgets of a run while it runs: operators' wishes obeyed, the service's refusals told, the present pace written down.

Leaves granting and giving way to ``transfer.limits``. Rules: a wish counts within about a second; being slowed down by a
service is journaled when it begins and when it is over; an idle run writes nothing.
"""

from __future__ import annotations

from datetime import datetime

from migrator.engine.fleet import Fleet
from migrator.errors import StateError
from migrator.model import notes
from migrator.model.happenings.rollouts import FullPaceAgain, SlowedDown
from migrator.model.pace import AccountPace, Pace, from_note, retuned, to_note
from migrator.ports.state_store import SetNote
from migrator.transfer.limits import AccountLimits, Limits


class Throttle:
    """Keeps ``limits`` as the plan and its operators want them."""

    def __init__(self, fleet: Fleet, limits: Limits) -> None:
        self._fleet = fleet
        self._limits = limits
        self._slowed: dict[str, float] = {}
        """Accounts whose service asked for less, and when it was last seen to."""
        self._since: dict[str, datetime] = {}
        """When each of those was first seen to."""
        self._copied: dict[str, tuple[float, int]] = {}
        self._is_noted = False

    def begin(self) -> None:
        """Take up where an earlier run was made to slow down."""
        before = from_note(self._fleet.world.state.note(notes.PACE))
        self._obey()
        if before is None:
            return
        age = (self._fleet.world.clock.now() - before.at).total_seconds()
        for name, one in before.accounts.items():
            if one.brake == "service" and one.pace_per_second is not None:
                self._limits.account(name).remembered(one.pace_per_second, age)

    async def keep(self) -> None:
        """Until cancelled."""
        clock, rhythm = self._fleet.world.clock, self._fleet.world.rhythm
        noted_at = clock.monotonic()
        while True:
            await clock.sleep(rhythm.throttle_wish_seconds)
            try:
                self._obey()
                for name, limits in self._limits:
                    self._tell(name, limits, clock.monotonic())
                if clock.monotonic() - noted_at >= rhythm.pace_note_seconds:
                    noted_at = clock.monotonic()
                    self.write()
            except StateError:
                continue  # the moves say what is wrong with the store

    def write(self) -> None:
        """Write down the present pace, unless nothing goes on and that is known."""
        pace = self._pace()
        if pace.is_idle and not self._is_noted:
            return
        self._is_noted = not pace.is_idle
        self._fleet.commit(SetNote(notes.PACE, to_note(pace)))

    def _obey(self) -> None:
        controls = self._fleet.world.state.controls()
        for name in self._fleet.shared.stores:
            self._limits.set(name, retuned(self._fleet.schedule.budget(name), name, controls))

    def _tell(self, name: str, limits: AccountLimits, now: float) -> None:
        if limits.brake == "service":
            if name not in self._slowed:
                pace = limits.pace_per_second or 0.0
                self._since[name] = self._fleet.world.clock.now()
                self._fleet.say(SlowedDown(name, pace))
            self._slowed[name] = now
        elif name in self._slowed and now - self._slowed[name] >= self._fleet.world.rhythm.calm_seconds:
            del self._slowed[name]
            self._since.pop(name, None)
            self._fleet.say(FullPaceAgain(name))

    def _pace(self) -> Pace:
        now = self._fleet.world.clock.monotonic()
        accounts = {
            name: AccountPace(
                limits.rate_per_second, limits.pace_per_second, limits.brake, self._braked_since(name, limits)
            )
            for name, limits in self._limits
        }
        executor, moves = self._fleet.world.executor, {id: self._rate(id, n, now) for id, n in self._counts()}
        return Pace(self._fleet.world.clock.now(), accounts, moves, executor.window if executor is not None else 0)

    def _braked_since(self, name: str, limits: AccountLimits) -> datetime | None:
        return self._since.get(name) if limits.brake == "service" else None

    def _counts(self) -> list[tuple[str, int]]:
        return [(str(mover.id), mover.record.figures.objects_copied) for mover in self._fleet.movers]

    def _rate(self, id: str, copied: int, now: float) -> float:
        before = self._copied.get(id)
        self._copied[id] = (now, copied)
        if before is None or now <= before[0]:
            return 0.0
        return (copied - before[1]) / (now - before[0])
