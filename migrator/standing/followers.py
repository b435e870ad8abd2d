"""Who has entered the register of the routes, as one look shows it: who is silent, and who has not answered a fence.

Pure. Leaves reading the register to whoever looks, and what a roll allows to the engine. Rules: ages are by the register's own
clock, so nothing is decided by them, and these names are for people; who has said that it left is nobody any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from migrator.machine.states import is_draining, looks_at_followers
from migrator.model.register import MAX_LIFETIME_SECONDS
from migrator.model.units import show_duration
from migrator.model.values import replace
from migrator.ports.register import Attendant
from migrator.standing.values import Followers, MoveStanding, Standing

MOST_NAMED: Final = 5


def living(roll: Sequence[Attendant]) -> list[Attendant]:
    """All but those who have said that they left."""
    return [one for one in roll if one.entry is None or not one.entry.has_left]


def is_silent(one: Attendant) -> bool:
    """Did it stop to renew its entry, or can nobody read that?"""
    lifetime = one.entry.lifetime_seconds if one.entry is not None else MAX_LIFETIME_SECONDS
    return one.entry is None or (one.age_seconds is not None and one.age_seconds > lifetime)


def named(one: Attendant) -> str:
    """As people call it, and how long ago it was heard of."""
    if one.entry is None:
        return f"{one.id[:8]}, which cannot be read"
    ago = f", {show_duration(round(one.age_seconds))} ago" if one.age_seconds is not None else ""
    return f"{one.entry.label or one.id[:8]}{ago}"


def first_few(names: Sequence[str]) -> str:
    """``a, b, ...``: joined, the first few."""
    return ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")


def wants_roll(standing: Standing) -> bool:
    """Is there a move of which it matters who is in the register?"""
    return any(looks_at_followers(move.record.state) for move in standing.moves)


def with_roll(standing: Standing, roll: Sequence[Attendant]) -> Standing:
    """The same, where the register was read: moves that drain or come to their fence have their followers."""
    waves = tuple(
        replace(wave, moves=tuple(replace(one, followers=_of(one, roll)) for one in wave.moves))
        for wave in standing.waves
    )
    return replace(standing, waves=waves)


def _of(move: MoveStanding, roll: Sequence[Attendant]) -> Followers | None:
    state, intent, awaited = move.record.state, move.record.intent, None
    if not looks_at_followers(state):
        return None
    key = str(move.record.id)
    found = [one for one in living(roll) if one.entry is None or key in one.entry.clear]
    if is_draining(state) and move.is_fenced and intent is not None:
        awaited = tuple(sorted(named(one) for one in found if (one.promise(key) or 0) < intent.fence.epoch))
    return Followers(len(found), tuple(sorted(named(one) for one in found if is_silent(one))), awaited)
