"""Breakages of runs, their locks, their halts and their ends."""

import asyncio
from contextlib import nullcontext
from dataclasses import replace

from migrator.engine import (
    committing,
    patience,
    pulse,
    releasing,
    rollback,
    rollout,
    session,
    stays,
    wave_at_work,
    waves,
)
from migrator.errors import StateError, Throttled
from migrator.machine import liveness, transitions
from migrator.machine.states import is_getting_ready
from migrator.model.moves import MoveState
from tests.simulation.planted.patching import all_of, patched


def soak_of_an_earlier_stay():
    """A move that was soaked is so for good, wherever its route has been since."""

    def resume_state(state):
        return MoveState.CATCHING_UP if state in transitions.FENCE_STATES else state

    def learn(mover, epoch, *changes):
        mover.save(replace(mover.record, ever_routed=True, epoch=epoch), *changes)

    return all_of(
        patched(transitions, "resume_state", resume_state),
        patched(stays, "ended", lambda record: {}),
        patched(stays, "is_another", lambda record, epoch: False),
        patched(stays, "learn", learn),
    )


def a_blip_halts():
    """Whatever ends a step needs a person, and a request is given up after eight tries."""

    async def keep_trying(self, account, fault, attempt):
        return False

    return all_of(
        patched(patience.MovePatience, "keep_trying", keep_trying),
        patched(patience.MovePatience, "ends_in_halt", lambda self, fault: True),
    )


def a_busy_target_is_given_up():
    """A way back takes a target that asks for less for one that is gone."""
    keep_trying, ends_in_halt = patience.MovePatience.keep_trying, patience.MovePatience.ends_in_halt

    async def counted(self, account, fault, attempt):
        if isinstance(fault, Throttled) and is_getting_ready(self._mover.record.state) and self._is_given_up(account):
            return attempt < self._mover.world.rhythm.way_back_attempts
        return await keep_trying(self, account, fault, attempt)

    def halts(self, fault):
        return ends_in_halt(self, fault) or (isinstance(fault, Throttled) and self._is_given_up(fault.account))

    return all_of(
        patched(patience.MovePatience, "keep_trying", counted),
        patched(patience.MovePatience, "ends_in_halt", halts),
    )


def a_busy_store_halts():
    """A refused commit needs a person."""
    right = patience.MovePatience.ends_in_halt

    def ends_in_halt(self, fault):
        return isinstance(fault, StateError) or right(self, fault)

    return patched(patience.MovePatience, "ends_in_halt", ends_in_halt)


def a_lost_commit_is_made_again():
    """Whoever made a commit whose answer was lost makes it again as if it were another one."""
    return patched(committing, "made_again", lambda commit: nullcontext())


def a_refused_end_keeps_the_lock():
    """What a run writes down last is written once, and the lock is given back after it."""

    async def end_counting(self):
        self._own_traffic.end()

    async def close(self):
        self._account()
        self._state.give_back(self.token)
        self._beat.cancel()

    return all_of(patched(rollout.Rollout, "_end_counting", end_counting), patched(session.Session, "close", close))


def a_halt_leaves_the_live_alone():
    """A halt ends whatever is at work, and later runs leave a wave that stopped as it is."""
    right = wave_at_work.WaveAtWork.stop_beginning

    def stop_beginning(self):
        right(self)
        for task in self._tasks.values():
            task.cancel()

    return all_of(
        patched(wave_at_work.WaveAtWork, "stop_beginning", stop_beginning),
        patched(waves._Applying, "_watch", lambda self, wave: None),
    )


def one_way_back_at_a_time():
    """A wave has one recorded way back: that of a move that fails later takes the place of one that is still to be made."""
    return patched(rollback, "_scope_name", lambda value: f"wave:{value['wave']}")


def heartbeats_by_their_age():
    """A lock is free once its heartbeat is older than half a minute, by the clocks of two machines."""

    async def silent(state, clock, is_dead, say=None):
        lock = state.lock()
        is_old = lock is not None and (clock.now() - lock.heartbeat).total_seconds() > liveness.SILENT_SECONDS
        return lock if is_old else None

    return patched(pulse, "silent", silent)


def a_signal_cuts_off_the_end():
    """Whoever is stopped while he ends does not get to the end."""

    def stop(self):
        self._stopped = True
        if self._main is not None:
            self._main.cancel()

    return patched(rollout.Rollout, "stop", stop)


def a_signal_leaves_a_release_behind():
    """A run that is stopped while it undoes a fence does not wait for that."""

    async def beside(mover, work):
        await asyncio.shield(asyncio.create_task(work))

    return patched(releasing, "_to_its_end", beside)
