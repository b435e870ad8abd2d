"""Breakages of listings in lanes, and the second look in a fence."""

from dataclasses import replace

from migrator.engine.steps import cut
from migrator.errors import MigrateError
from migrator.transfer import (
    handed,
    hands,
    lanes,
    listing,
    sights,
    walk,
)
from migrator.transfer.listing import LaneBroken, SeenSide
from tests.simulation.planted.patching import all_of, patched


def a_lane_skips_its_last_name():
    """Each lane ends before its upper bound, and the next one begins after it."""
    right = listing.ReadAhead._checked

    def checked(self, entries, ends):
        batch = right(self, entries, ends)
        return batch[:-1] if batch and batch[-1][0] == self.bounds.upto else batch

    return patched(listing.ReadAhead, "_checked", checked)


def lanes_overlap():
    """A lane has the name of its lower bound too, whose evidence is in the range before."""
    right = lanes.Lane.bounds.fget

    def bounds(self):
        found = right(self)
        if not found.above:
            return found
        return replace(found, above=found.above[:-1] + bytes([max(0, found.above[-1] - 1)]))

    return patched(lanes.Lane, "bounds", property(bounds))


def a_lane_dies_unseen():
    """Whoever waits for the lanes does not learn that one of them has failed."""
    right = walk.Walk._along

    async def along(self, lane):
        try:
            return await right(self, lane)
        except (MigrateError, LaneBroken):
            if lane.is_whole:
                raise
            return lanes.LaneSeen(lane, SeenSide(), SeenSide())

    return all_of(patched(walk.Walk, "_along", along), lanes_are_believed())


def lanes_are_believed():
    """That nothing lies between two lanes is taken from the service's word, not from what both have shown."""
    return patched(walk, "sealed", lambda seen: None)


def a_split_is_forgotten_by_its_lane():
    """What lies after a piece that was split off is written as if the range still began where it did."""
    right = walk.Walk._begin_piece

    async def begin_piece(self, above, upper, pairs, evidence):
        await right(self, above, upper, pairs, evidence)
        return above

    return patched(walk.Walk, "_begin_piece", begin_piece)


def names_need_no_proof():
    """Names that the first scan of a fence wrote to are asked for again, whose contents the plan wants to be read."""
    right = walk.touched
    return patched(walk, "touched", lambda *of, proves, **more: right(*of, proves=False, **more))


def no_second_look():
    """What the first scan of a fence did is believed: nothing of it is looked at again."""
    right = cut.one_pass

    async def one_pass(mover, *, in_fence=False, after=None):
        return await right(mover, in_fence=in_fence, after=replace(after, ranges={}) if after else None)

    return patched(cut, "one_pass", one_pass)


def texts_are_known_by_their_length():
    """A range looks as it did when both listings say as much of it as they did."""

    class NoDigest:
        def update(self, text):
            pass

        def digest(self):
            return b""

    return all_of(patched(listing, "sha256", NoDigest), patched(sights, "sha256", NoDigest))


def a_look_of_before():
    """What an earlier look at the same lane has seen is taken for an answer of this one."""
    return patched(hands, "is_answer_to", lambda number, answer: True)


def a_lost_hand_has_seen_nothing():
    """Of a lane whose hand was lost it is believed that nothing is there to be said."""
    right = walk.Walk._by_hand

    async def by_hand(self, lane):
        found = await right(self, lane)
        t = self.transfer
        if found is not None or t.hands is None or t.is_adopting or not handed.is_worth_it(lane, t.rhythm.sizes):
            return found
        return lanes.LaneSeen(lane, SeenSide(), SeenSide())

    return all_of(patched(walk.Walk, "_by_hand", by_hand), lanes_are_believed())
