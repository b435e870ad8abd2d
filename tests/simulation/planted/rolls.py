"""Breakages of followers, their entries in the register, and roll-calls."""

from migrator.client import presence, work
from migrator.engine import (
    attendance,
    rollcall,
)
from migrator.engine.routes import RouteDesk
from migrator.ports.register import RollUnknown
from migrator.testing.register import MemoryRegister
from tests.simulation.planted.patching import all_of, patched


def an_answer_before_the_write_ended():
    """A follower promises that nothing is under way while its writes are."""
    return patched(work.Work, "clear_at", lambda self, key, now: None)


def a_follower_leaves_before_its_writes_ended():
    """Whoever ends says that it has left, with writes of its own under way or not."""
    return patched(presence, "_is_clear", lambda line, view: True)


def an_answer_of_an_older_epoch():
    """A follower that ever promised anything has answered."""
    right = attendance.Attendance.awaited

    def awaited(self, key, epoch, *, now, write_seconds):
        return right(self, key, min(epoch, 1), now=now, write_seconds=write_seconds)

    return patched(attendance.Attendance, "awaited", awaited)


def a_lost_register_is_an_empty_one():
    """Nobody looks whether the head of a register is there."""
    right = MemoryRegister.roll

    async def roll(self, generation):
        try:
            return await right(self, generation)
        except RollUnknown:
            return ()

    return patched(MemoryRegister, "roll", roll)


def a_follower_enters_after_the_roll():
    """A roll counts whenever it was asked for, before the fence too: who has entered since is not on it."""
    right = rollcall.RollCall.roll

    def roll(self, move, epoch=0, *, asked_after=0.0):
        return right(self, move, epoch)

    async def until_answered(self, move, epoch, *, after):
        while True:
            found = self.roll(move, epoch)
            if not found.why_not and not found.missing:
                return found
            await self.look()
            await self.clock.sleep(self.rhythm.roll_look_seconds)

    return all_of(
        patched(rollcall.RollCall, "roll", roll), patched(rollcall.RollCall, "until_answered", until_answered)
    )


def a_lease_without_registration():
    """A follower writes whether it has entered the register or not."""
    return patched(presence.Presence, "entered", lambda self, key, generation, now: (float("-inf"), float("inf")))


def a_register_counts_at_once():
    """A roll ends a drain as soon as the document names its register, whatever clients went by a moment before."""
    return patched(RouteDesk, "all_entered_at", property(lambda self: self._register_since))
