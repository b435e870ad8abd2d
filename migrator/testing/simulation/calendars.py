"""What a plan may say of when: approvals, dates, freezes, change windows, how many moves at once - and who approves.

Decides which of them a story's waves have. Leaves what the engine makes of them to the engine. Rules: all of it is over, and
everything approved, when everything must come to rest; chance is drawn from a stream of its own, so that the stories without
them stay as they are.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from migrator.model.moves import Approval
from migrator.model.schedule import ChangeWindow, Freeze, PlannedWave, Schedule
from migrator.model.values import replace
from migrator.ports.state_store import AddApproval
from migrator.testing.simulation.loop import WORLD_BEGINS
from migrator.testing.simulation.stage import Stage

CHANCE = 0.08
"""In so many stories, of each."""
NO_WAIT_CHANCE = 0.15
NO_WAIT_SECONDS = 20.0
"""Whoever starts runs that do not wait comes back later."""
LAST_MINUTE = 24 * 60


class Calendar:
    """Of one story."""

    def __init__(self, world: Stage) -> None:
        self._world = world
        self._random = Random(f"{world.seed}/calendar")
        self._no_wait = Random(f"{world.seed}/no wait")
        self.is_impatient = self._no_wait.random() < NO_WAIT_CHANCE
        """Some of the runs do not wait for anything."""

    def _has(self, what: str) -> bool:
        found = self._random.random() < CHANCE
        if found:
            self._world.reached[f"world {what}"] += 1
        return found

    def enter(self, schedule: Schedule) -> Schedule:
        """``schedule`` with what its plan says of when."""
        if self._has("a freeze"):
            begin = self._random.uniform(0.0, self._world.busy_seconds)
            end = self._random.uniform(begin, self._world.busy_seconds)
            freeze = Freeze(WORLD_BEGINS + timedelta(seconds=begin), WORLD_BEGINS + timedelta(seconds=end))
            schedule = replace(schedule, freeze=(freeze,))
        needs_approval, has_window, has_date = map(self._has, ("an approval", "change windows", "a date"))
        is_single = any(len(wave.moves) > 1 for wave in schedule.waves) and self._has("max_moves")
        waves = []
        for wave in schedule.waves:
            one = replace(wave, approval_required=needs_approval)
            one = replace(one, change_windows=self._windows()) if has_window else one
            one = replace(one, not_before=self._moment(), complete_by=self._moment()) if has_date else one
            waves.append(replace(one, max_moves=1) if is_single else one)
        if needs_approval:
            at = self._random.uniform(0.0, self._world.busy_seconds)
            self._world.loop.happen(at, self.approve)
        return replace(schedule, waves=tuple(waves))

    def _moment(self) -> datetime:
        return WORLD_BEGINS + timedelta(seconds=self._random.uniform(0.0, self._world.busy_seconds))

    def _windows(self) -> tuple[ChangeWindow, ...]:
        """An early one, that may end in the middle of something, and one that opens before all is calm."""
        minutes = int(self._world.busy_seconds / 60)
        first, second, third = sorted(self._random.randint(0, minutes) for _ in range(3))
        days = frozenset(range(7))
        windows = (ChangeWindow(days, first, second, "UTC"), ChangeWindow(days, third, LAST_MINUTE - 1, "UTC"))
        return windows if first < second < third else windows[1:]

    def approve(self) -> None:
        """Every wave that asks for it, in every store that knows of no approval."""
        world = self._world
        for state in (world.state, *world.copies):
            known = {one.wave for one in state.approvals()}
            for wave in world.schedule.waves:
                if wave.approval_required and wave.name not in known:
                    state.commit([AddApproval(_approval(wave, world.loop.time()))], token=None)

    def impatient(self, command: str) -> str:
        """``command``, or the same without waiting."""
        return "apply-no-wait" if command == "apply" and self.is_impatient and self._no_wait.random() < 0.5 else command


def _approval(wave: PlannedWave, now: float) -> Approval:
    return Approval(wave.name, wave.fingerprint, "operator", "simulated", WORLD_BEGINS + timedelta(seconds=now))
