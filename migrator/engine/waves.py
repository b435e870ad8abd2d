"""Applying: every wave that may begin, side by side with the others.

Leaves one wave's moves to ``wave_at_work``, and what a wave waits for to the law (``machine.waiting``). Rules: a halt, a failed
gate or a way back stops what *begins*, in this run and in later ones, until a person has seen to it; what is live at its target
is sampled on by every run, with its own automatic way back, and the last lines name what is left. A failed gate's way back is on
record before its first step, so that a run which dies in it is followed by one that goes on with it; an automatic rollback is
never followed by an automatic retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from migrator.engine import left_target, rollback
from migrator.engine.committing import surely
from migrator.engine.fleet import Fleet, end
from migrator.engine.mover import Mover
from migrator.engine.wave_at_work import WaveAtWork, is_live
from migrator.engine.world import Outcome
from migrator.machine.states import has_stopped, is_complete, is_on_its_way, is_past_switch, keeps_wave
from migrator.machine.waiting import Wait, lateness, waits_to_begin, words
from migrator.model import notes
from migrator.model.happenings.rollouts import DeadlineMissed
from migrator.model.happenings.waits import NothingBegins, WaveKept
from migrator.model.moves import Control, MoveState
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedMove, PlannedWave
from migrator.ports.state_store import SetNote
from migrator.words.happenings import in_words


async def apply(fleet: Fleet, only: str | None, *, wait: bool) -> Outcome:
    """Start or resume all waves, or the one named ``only``. ``wait`` False: stop where only time or a person goes on.

    A wave that stopped before needs a person, so the run does not wait either: the others take what is due, and the outcome
    is halted.
    """
    return await _Applying(fleet, only, wait).work()


class _Applying:
    """One apply: the waves at work, those that wait, and what came of those that ended."""

    def __init__(self, fleet: Fleet, only: str | None, wait: bool) -> None:
        self.fleet = fleet
        self.waves = [one for one in fleet.schedule.waves if only in (None, one.name)]
        self.is_alone = only is not None
        self.stuck = {wave.name: text for wave in self.waves if (text := self._stuck(wave)) is not None}
        self.may_wait = wait
        self.wait = wait and not self.stuck
        self.at_work: dict[asyncio.Task[Outcome], WaveAtWork] = {}
        self.ways_back: dict[asyncio.Task[Outcome], Control] = {}
        """Recorded ways back that are being carried out: no two have a move in common."""
        self.begun: set[str] = set()
        self.given: set[MoveId] = set()
        """Moves that were given to a wave at work."""
        self.going_back: set[MoveId] = set()
        self.back: list[PlannedMove] = []
        """Whose way back is over, and what they left is still to be seen to."""
        self.seeing: asyncio.Task[None] | None = None
        self.waits: dict[str, tuple[Wait, ...]] = {}
        self.reasons: list[str] = []
        self.waiting: list[str] = []
        self.halted: list[str] = []
        self.stalled: list[str] = []
        self.is_stopped = False
        """A move halted, a gate failed or somebody asked for a way back: nothing begins any more, what is live is watched."""
        self._alarm = asyncio.Event()

    async def work(self) -> Outcome:
        look = asyncio.create_task(left_target.look_where_due(self.fleet))
        looks = asyncio.create_task(left_target.keep_looking(self.fleet, look))
        try:
            outcome = await self._work()
            await look
            said = left_target.changed(self.fleet, self.fleet.schedule.moves)
            said = [text for text in said if text not in outcome.reasons]
            return Outcome("halted", (*outcome.reasons, *said)) if said else outcome
        finally:
            await end([*self.at_work, *self.ways_back, *([self.seeing] if self.seeing else []), look, looks])

    async def _work(self) -> Outcome:
        watch: asyncio.Task[None] | None = None
        try:
            while True:
                await self._go_back_if_wanted()
                self._see_to_what_was_left()
                self._begin()
                await self.fleet.surely(self._say_late)
                date = self._seconds_to_a_date() if self.wait and not self.is_stopped else None
                if not self.at_work and not self.ways_back and self.seeing is None and date is None:
                    return self._outcome()
                if watch is None:
                    watch = asyncio.create_task(rollback.wished(self.fleet, self._may_begin))
                self._alarm.clear()
                longest = self.fleet.world.rhythm.longest_look_seconds
                look = asyncio.create_task(self.fleet.world.clock.sleep(date or longest))
                alarm = asyncio.create_task(self._alarm.wait())
                waited = {
                    *self.at_work,
                    *self.ways_back,
                    look,
                    alarm,
                    *([watch] if watch else []),
                    *([self.seeing] if self.seeing else []),
                }
                done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                await end([look, alarm])
                if watch in done:
                    watch = None
                if self.seeing is not None and self.seeing in done:
                    self.seeing.result()
                    self.seeing, self.back = None, []
                for task in [one for one in self.at_work if one in done]:
                    self._ended(task.result(), self.at_work.pop(task))
                for task in [one for one in self.ways_back if one in done]:
                    scope = self._scope(self.ways_back.pop(task))
                    self.back += [move for move in self.fleet.schedule.moves if move.id in scope]
                    self.going_back -= scope  # one that needs a person is watched, if it is still live
                    self._ended(task.result(), None)
        finally:
            if watch is not None:
                await end([watch])

    def _ended(self, outcome: Outcome, wave: WaveAtWork | None) -> None:
        if outcome.code == "halted":
            self._stop(wave)
        into = {"waiting": self.waiting, "halted": self.halted, "error": self.stalled}.get(outcome.code, self.reasons)
        into.extend(text for text in outcome.reasons if text not in into)

    def _stop(self, by: WaveAtWork | None) -> None:
        """Nothing begins any more in this run. What is live is watched on, and named."""
        self._alarm.set()
        if self.is_stopped:
            return
        self.is_stopped = True
        for wave in self.at_work.values():
            if wave is not by:
                wave.stop_beginning()
        live = [str(mover.id) for mover in self._live()]
        if live and self.may_wait:
            self.fleet.tell(NothingBegins(tuple(live)))

    async def _go_back_if_wanted(self) -> None:
        """Carry out the recorded ways back - an operator's, a failed gate's, or of a run that died in it - beside each other, and
        beside the moves that are live and in none of their scopes. One that has a move in common with another waits for it."""
        while True:
            clock, rhythm = self.fleet.world.clock, self.fleet.world.rhythm
            found = await surely(clock, rhythm, lambda: rollback.recorded(self.fleet))
            control = next((one for one in found if self._may_begin(one)), None)
            if control is None:
                return
            await self._go_back(control)

    def _may_begin(self, control: Control) -> bool:
        """Is it not being carried out, and none of its moves on the way back by another?"""
        return control not in self.ways_back.values() and not self.going_back & self._scope(control)

    def _scope(self, control: Control) -> frozenset[MoveId]:
        return frozenset(move.id for move in rollback.scope_of(self.fleet, control))

    async def _go_back(self, control: Control) -> None:
        if self.seeing is not None:  # customers first; and nothing of a move is seen to while it is taken back
            await end([self.seeing])
            self.seeing = None
        scope = self._scope(control)
        self.going_back |= scope
        self._stop(None)
        for id in scope:
            self.stuck.pop(self.fleet.schedule.wave_of(id).name, None)
        for wave in self.at_work.values():
            await wave.leave(scope)
        self.given -= scope
        self.ways_back[asyncio.create_task(rollback.steered(self.fleet, control))] = control

    def _see_to_what_was_left(self) -> None:
        """Once nobody is on the way back; those of whom another way back cut it short are among them."""
        if self.back and self.seeing is None and not self.ways_back:
            self.seeing = asyncio.create_task(rollback.see_to(self.fleet, self.back))

    def _live(self) -> list[Mover]:
        movers = [self.fleet.mover(move) for wave in self.waves for move in wave.moves]
        return [one for one in movers if is_live(one) and one.id not in self.going_back]

    # Which waves.

    def _begin(self) -> None:
        """Set every wave to work that may be; say of the others what they wait for."""
        states, now = self.fleet.wave_states(), self.fleet.world.clock.now()
        for wave in self.waves:
            if is_complete(states[wave.name]):
                continue
            if self.is_stopped or wave.name in self.begun or self._stuck(wave) is not None:
                self._watch(wave)
                continue
            waits = waits_to_begin(self.fleet.schedule, wave, states, now)
            if self.is_alone:  # named by the operator: earlier waves that it does not come after are no obstacle
                waits = tuple(one for one in waits if one.kind != "failed")
            if waits and not self._has_switched(wave):
                self._say(wave, waits)
                self._watch(wave)
                continue
            self._start(wave, only_live=False)

    def _watch(self, wave: PlannedWave) -> None:
        """Whatever keeps the wave from going on: those of its moves that are live are sampled."""
        taken = self.given | self.going_back
        if any(is_live(self.fleet.mover(move)) and move.id not in taken for move in wave.moves):
            self._start(wave, only_live=True)

    def _start(self, wave: PlannedWave, *, only_live: bool) -> None:
        without = self.given | self.going_back
        if not only_live:
            self.begun.add(wave.name)
            self.waits.pop(wave.name, None)
        is_live_already = any(is_live(self.fleet.mover(move)) for move in wave.moves)
        wait = self.may_wait if only_live or is_live_already else self.wait
        at_work: WaveAtWork

        def stopped() -> None:
            self._stop(at_work)

        at_work = WaveAtWork(
            self.fleet, wave, wait=wait, watch=self.may_wait, only_live=only_live, without=without, stopped=stopped
        )
        self.given |= at_work.moves
        self.at_work[asyncio.create_task(at_work.work())] = at_work

    def _has_switched(self, wave: PlannedWave) -> bool:
        """Whatever stopped other waves, moves that have switched are watched on: their soak is their customers'."""
        return all(is_past_switch(self.fleet.mover(move).record.state) for move in wave.moves)

    def _say(self, wave: PlannedWave, waits: tuple[Wait, ...]) -> None:
        if self.waits.get(wave.name) != waits:
            self.fleet.tell(_kept(wave, waits))
        self.waits[wave.name] = waits

    def _seconds_to_a_date(self) -> float | None:
        """Until the first wave may begin that waits for nothing but a date; None if none does."""
        now = self.fleet.world.clock.now()
        dates = [one.until for waits in self.waits.values() for one in waits if one.until and len(waits) == 1]
        if not dates:
            return None
        left = max(0.0, (min(dates) - now).total_seconds()) + 0.001
        return min(self.fleet.world.rhythm.longest_look_seconds, left)

    def _stuck(self, wave: PlannedWave) -> str | None:
        records = [self.fleet.mover(move).record for move in wave.moves]
        kept, unlike = [one for one in records if keeps_wave(one)], self.fleet.disagreements
        one = next((one for one in kept if one.id in unlike), next(iter(kept), None))
        if one is None:
            return None
        why = one.reason or self.fleet.reason_of(wave)
        text = f"{one.id} is {one.state}" + (f": {why}" if why else "")
        if one.id in unlike and unlike[one.id] not in why:
            return f"{text}; and now {unlike[one.id]}"  # a retry would be refused
        if not has_stopped(one.state):
            return f"{text}; next: migrate rollback goes on with the way back"
        first = "to start it again" if one.state is MoveState.REVERSED else "once that is mended"
        return f"{text}; {first}: migrate retry --reason TEXT"

    def _say_late(self) -> None:
        """A date that was missed is said once, and stops nothing."""
        states, now = self.fleet.wave_states(), self.fleet.world.clock.now()
        for wave in self.fleet.schedule.waves:
            text = lateness(wave, states[wave.name], now)
            key = notes.late(wave.name)
            promised = wave.complete_by.isoformat() if wave.complete_by else ""
            if text is None or self.fleet.world.state.note(key) == promised:
                continue
            self.fleet.say(DeadlineMissed(wave.name, promised, text), SetNote(key, promised), wave=wave.name)

    def _outcome(self) -> Outcome:
        self.waiting += [in_words(_kept(self.fleet.schedule.wave(name), waits)) for name, waits in self.waits.items()]
        if self.stalled:
            return Outcome("error", (*self.stalled, *self.stuck.values(), *self.halted, *self.waiting, *self._left()))
        if self.stuck or self.halted or self.is_stopped:
            code: Literal["halted", "done"] = "halted" if self.stuck or self.halted else "done"
            return Outcome(code, (*self.stuck.values(), *self.halted, *self.reasons, *self.waiting, *self._left()))
        return Outcome("waiting", tuple(self.waiting)) if self.waiting else Outcome("done", tuple(self.reasons))

    def _left(self) -> list[str]:
        """What a run that stopped leaves behind, one sentence each: live moves first."""
        movers = [self.fleet.mover(move) for wave in self.waves for move in wave.moves]
        live = [
            f"{one.id} is live at {one.plan.target} and nobody watches it now: migrate apply goes on with its soak"
            for one in movers
            if is_live(one)
        ]
        begun = [
            f"{one.id} was left in {one.record.state}: the next apply goes on with it"
            for one in movers
            if is_on_its_way(one.record.state)
        ]
        return live + begun


def _kept(wave: PlannedWave, waits: Sequence[Wait]) -> WaveKept:
    return WaveKept(wave.name, tuple(words(one) for one in waits))


__all__ = ["apply"]
