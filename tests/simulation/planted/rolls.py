"""Breakages of followers, their entries in the register, and roll-calls."""

from migrator.client import presence, work
from migrator.engine import (
    attendance,
    rollcall,
)
from migrator.engine.routes import RouteDesk
from migrator.ports.register import RollUnknown
from migrator.testing.register import MemoryRegister
from tests.simulation.planted.patching import patched


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
    """Those are asked who were on the newest roll when the fence came; who has entered since then is not waited for."""

    async def until_answered(self, move, epoch, *, after):
        write_seconds = self._write_seconds
        asked = set(self._attendance.of(str(move), now=self.clock.monotonic(), write_seconds=write_seconds))
        while True:
            await self.look()
            roll, now = self.roll(move, epoch, asked_after=after), self.clock.monotonic()
            awaited = self._attendance.awaited(str(move), epoch, now=now, write_seconds=write_seconds)
            if not roll.why_not and not asked & set(awaited):
                return roll
            await self.clock.sleep(self.rhythm.roll_look_seconds)

    return patched(rollcall.RollCall, "until_answered", until_answered)


def a_lease_without_registration():
    """A follower writes whether it has entered the register or not."""
    return patched(presence.Presence, "entered", lambda self, key, generation, now: (float("-inf"), float("inf")))


def a_register_counts_at_once():
    """A roll ends a drain as soon as the document names its register, whatever clients went by a moment before."""
    return patched(RouteDesk, "all_entered_at", property(lambda self: self._register_since))
