"""What a state means: every question of the house about one, each asked in one place.

Rules of this file: a question has a name and says what it decides; a new state, or one that nothing leads to yet, is thought of
here once, for all who ask. No other room of the product makes a set of states, a test sees to that. Which state follows which
is the table's (``transitions``), what a wave is that of ``waves``.

A move on its way back is in the same states; where the direction matters, the question is about the record.
"""

from __future__ import annotations

from migrator.machine.transitions import AT_REST, FENCE_STATES
from migrator.model.moves import Direction, MoveRecord, WaveState
from migrator.model.moves import MoveState as S

# Where a move is.


def is_before_copy(state: S) -> bool:
    """Has nothing been written at its target yet? True of a move that waits for its new account to be made, too: what lies in
    that account was not copied there. A move that went back and begins again is here once more, with its data at the target."""
    return state in (S.PENDING, S.PREFLIGHT, S.PROVISIONING)


def is_before_catching_up(state: S) -> bool:
    """Is the first copy not complete? A halted move does not say, and counts as one that is."""
    return is_before_copy(state) or state is S.COPYING


def is_copying(state: S) -> bool:
    """Do passes carry objects over, outside a fence? That is the time a copy takes, and a rate is worth showing."""
    return state in (S.COPYING, S.CATCHING_UP)


def is_getting_ready(state: S) -> bool:
    """Is it at work, with no fence yet? Requests are tried until they are answered, and holds, windows and approvals keep it."""
    return state in (S.PREFLIGHT, S.PROVISIONING, S.COPYING, S.CATCHING_UP, S.READY)


def is_in_fence(state: S) -> bool:
    """Does its route say read-only, or may it say so? An intent is on record then, and any failure is undone by a release."""
    return state in FENCE_STATES


def looks_at_followers(state: S) -> bool:
    """Is its fence near, or do its writers wait until all followers have answered it?"""
    return state is S.READY or is_draining(state)


def is_draining(state: S) -> bool:
    """Does its route say read-only, or may it say so, while writes of before may still be under way?"""
    return state in (S.FENCING, S.DRAINING)


def is_hurried(state: S) -> bool:
    """Do writers wait for the next step? Not in ``switching``: a switch that was made stays made, whoever writes it down late."""
    return state in (S.FENCING, S.DRAINING, S.VERIFYING)


def has_cut_over_ahead(state: S) -> bool:
    """Is a switch still to come in this direction, with nobody needed for it?"""
    return state is S.PENDING or is_on_its_way(state)


def is_on_its_way(state: S) -> bool:
    """Has it begun, and not switched? Somebody must go on with it."""
    return is_getting_ready(state) or is_in_fence(state)


def is_past_switch(state: S) -> bool:
    """Are its customers at the target, as far as the state alone says? A halted move does not say: ``live_side``."""
    return state is S.SOAKING or has_soaked(state)


def has_stay(state: S) -> bool:
    """Has it a stay at the target whose soak counts, under way or complete?"""
    return state in (S.SOAKING, S.SOAKED)


def has_soaked(state: S) -> bool:
    """Is there nothing left that an apply would do? Deleting the source's data afterwards is asked for by itself."""
    return state is S.SOAKED or has_lost_source(state)


def has_lost_source(state: S) -> bool:
    """May data be gone at the source already? There is no way back then, and no route to adopt that names the source."""
    return state in (S.RETIRING, S.RETIRED)


# What it needs.


def is_at_rest(state: S) -> bool:
    """Is there nothing to do until somebody asks? It has arrived, is back, or needs a person."""
    return state in AT_REST


def is_over(state: S) -> bool:
    """Does it rest without needing anybody: no request of its own is sent, and none is waited for?"""
    return state in (S.SOAKED, S.REVERSED, S.RETIRED)


def is_quiet(state: S) -> bool:
    """Is it not worth a row of its own among moves at work: not begun, or over?"""
    return state is S.PENDING or is_over(state)


def has_stopped(state: S) -> bool:
    """Does it go on by `retry` alone? A move that is back at its source keeps later waves from beginning like a halted one."""
    return state in (S.HALTED, S.REVERSED)


def has_arrived(state: S) -> bool:
    """Is the cut-over of its direction behind it? Nothing is caught up with any more, so there is no lag."""
    return state is S.REVERSED or is_past_switch(state)


def can_be_paused(state: S) -> bool:
    """Does an operator's pause hold back what it sends? A move in its fence is finished first, one at rest sends nothing, but
    where its source is emptied somebody is at it."""
    return state is S.RETIRING or not (is_in_fence(state) or is_at_rest(state))


def holds_claim(state: S) -> bool:
    """Is the route record to be this run's own while it is so? Nothing is written for a move that has not begun, or that
    stopped; it is claimed when it begins or goes on."""
    return state is not S.PENDING and not has_stopped(state)


def is_to_be_taken_back(state: S) -> bool:
    """Has a rollback anything to do: it has begun, is not back, and its source has its data?"""
    return state not in (S.PENDING, S.REVERSED) and not has_lost_source(state)


# Questions about a record: the direction, or where a halted move stopped.


def is_going_back(move: MoveRecord) -> bool:
    """Is it on its way back, halted there or not?"""
    return move.direction is Direction.REVERSE and move.state is not S.REVERSED


def keeps_wave(move: MoveRecord) -> bool:
    """Does it keep its wave and the later ones from beginning anything, until somebody decides?"""
    return has_stopped(move.state) or is_going_back(move)


def is_in_soak(move: MoveRecord) -> bool:
    """Is it in a soak, or halted in one?"""
    return S.SOAKING in (move.state, move.resume_from)


def had_stay(move: MoveRecord) -> bool:
    """As ``has_stay``, also of a move that is halted there."""
    return has_stay(move.resume_from or move.state)


def writers_may_wait(move: MoveRecord) -> bool:
    """Is its fence open, or was it when it halted? The intent is on record until a release or the switch is."""
    return move.intent is not None and (is_in_fence(move.state) or move.state is S.HALTED)


# Waves.


def is_complete(state: WaveState) -> bool:
    """May what comes after it begin?"""
    return state in (WaveState.SOAKED, WaveState.RETIRED)


def has_failed(state: WaveState) -> bool:
    """Does it stop every later wave until somebody decides?"""
    return state in (WaveState.HALTED, WaveState.REVERSED)


def has_ended(state: WaveState) -> bool:
    """Can its outcome be held against its forecast: it arrived, or went back?"""
    return state in (WaveState.SOAKED, WaveState.REVERSED)


def is_to_begin(state: WaveState) -> bool:
    """Has no move of it begun, whatever it waits for?"""
    return state in (WaveState.PENDING, WaveState.WAITING)


def is_quiet_wave(state: WaveState) -> bool:
    """As ``is_quiet``, of a wave."""
    return state in (WaveState.PENDING, WaveState.SOAKED, WaveState.REVERSED, WaveState.RETIRED)
