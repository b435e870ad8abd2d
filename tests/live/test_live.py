"""Nothing is lost while customers write, the orchestrator is killed, and everything comes back: ``make live ROUNDS=5``.
``TROUBLES=backup,ctrl-z`` says what else happens, instead of the seed (``troubles.py``); with ``ROUNDS=0`` in a short round."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest

from tests.azurite.server import Azurite
from tests.live.rounds import Kill, Leg, Round
from tests.live.troubles import OF_ACCOUNTS, Trouble, chosen

ROUNDS = int(os.environ.get("ROUNDS", "0"))
"""0: one short round, as continuous integration wants it."""
FORWARD = ("copying", "catching-up", "ready", "draining", "verifying", "switching", "soaking")
REVERSE = ("catching-up", "ready", "draining", "verifying", "switching")


def pauses_of(legs: Sequence[Leg]) -> str:
    """What writers waited in fences that ended in a switch."""
    drains = [drain for leg in legs for drain in leg.drains]
    beside = [seconds for leg in legs for seconds in leg.beside_drains]
    if not beside:
        return "no fence ended in a switch"
    called = sum(is_called for _, is_called in drains)
    return (
        f"{len(beside)} fences: {median(beside):.1f} s beside the drain in the median, {max(beside):.1f} s at most;"
        f" drains of {median(seconds for seconds, _ in drains):.1f} s, {called} ended by roll-call"
    )


def check(leg: Leg, minimum: int) -> None:
    print(f"\n{leg.told()}")
    assert leg.lost == []
    assert leg.split == []
    assert leg.unusable == []
    assert leg.failed_reads == []
    assert leg.needed == []
    assert leg.reads > minimum
    assert all(count >= minimum for count in leg.phases.values()), leg.phases


@pytest.mark.live
@pytest.mark.timeout(1800 * max(1, ROUNDS))
def test_no_acknowledged_write_is_lost_through_apply_and_rollback(azurite: Azurite, tmp_path: Path) -> None:
    total, all_legs = 0, list[Leg]()
    for number in range(max(1, ROUNDS)):
        seed = int(os.environ.get("SEED", "7")) + number
        is_short = ROUNDS == 0
        wanted = os.environ.get("TROUBLES", "")
        troubles = [[] if is_short and not wanted else chosen(seed, leg, wanted) for leg in (0, 1)]
        has_gateways = any(trouble.kind in OF_ACCOUNTS for leg in troubles for trouble in leg)
        objects = 300 if is_short else 1500
        folder = tmp_path / str(number)
        one = Round(azurite, folder, seed=seed, objects=objects, short=is_short, behind=has_gateways, protocol=2)
        legs = play(one, troubles, short=is_short)
        total += sum(leg.acknowledged for leg in legs)
        all_legs += legs
        for leg in legs:
            check(leg, 10 if is_short else 50)
    print(f"\n{total} writes acknowledged in {max(1, ROUNDS)} rounds, 0 lost; {pauses_of(all_legs)}")
    assert total >= 4_000 * ROUNDS


def play(one: Round, troubles: list[list[Trouble]], *, short: bool) -> list[Leg]:
    """Apply, then take back. The run that makes the route, so that writers can begin, ends in its copy. In a short round it is
    interrupted, for every kill costs the 30 s in which the killed run's requests may still be under way; the fence kills one run
    on either way."""
    chance = one.chance
    if short:
        kills = [Kill("draining", chance.uniform(0, 2), False)]
        back = [Kill("draining", chance.uniform(0, 2), True)]
    else:
        states = [chance.choice(FORWARD[:3]), chance.choice(FORWARD[3:6]), chance.choice(FORWARD)]
        kills = [Kill(state, chance.uniform(0, 1.5), chance.random() < 0.5) for state in states]
        back = [Kill(chance.choice(REVERSE), chance.uniform(0, 1.5), chance.random() < 0.5) for _ in range(2)]
    there, home = troubles
    if there:  # what comes after it would find the work done, and what comes before would take its state away
        is_early = there[0].state in ("copying", "catching-up")
        kills = [] if short or is_early else [Kill("catching-up", 0.5, False)]
        back = []
    apply, rollback = ("apply", "p.yaml", "--yes"), ("rollback", "p.yaml", "--yes")
    assert one.run_until(Kill("copying", 0, True, gently=short), apply)
    forth = one.leg("apply", apply, kills, live="split", before=0 if short else 5, troubles=there)
    return [forth, one.leg("rollback", rollback, back, live="core", before=2 if short else 5, troubles=home)]
