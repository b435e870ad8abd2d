"""A whole ``migrate apply`` through a service that refuses, stays silent and breaks off: the end is identical."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from migrator.model.names import RESERVED_PREFIX
from tests.azurite.server import Azurite
from tests.faults import proxy
from tests.faults.moving import Move
from tests.faults.proxy import Asked, Fault, Judge
from tests.scenario.test_azurite_rollout import everything, fill

OBJECTS = 300
"""So many that each way in which a write may fail is met by some of them: by chance, one run in ten thousand lacks one."""
REFUSED = [proxy.BUSY, proxy.BUSY, proxy.BUSY_FOR_A_SECOND]
UNANSWERED = [
    proxy.LOST,
    proxy.LOST,
    proxy.TIMED_OUT_APPLIED,
    proxy.TIMED_OUT_APPLIED,
    proxy.TIMED_OUT,
    proxy.BROKEN_BEFORE,
]
"""Of a write: nobody can tell whether it was applied."""
READS = [proxy.BUSY, proxy.BROKEN_BODY, proxy.TIMED_OUT, proxy.BUSY_FOR_A_SECOND, proxy.BROKEN_BEFORE]


def sometimes(seed: str, *, unanswered_writes: bool) -> Judge:
    """Fails one write in nine, and every other read of the same: each in a way that it can fail. There are few reads, most of
    them listings, so these fail in one way after the other."""

    def judge(asked: Asked) -> Fault | None:
        chance = asked.chance(seed)
        if asked.is_write:
            if chance.random() > 1 / 9:
                return None
            return chance.choice(REFUSED + (UNANSWERED if unanswered_writes else []))
        return None if asked.times % 2 else READS[asked.times // 2 % len(READS)]

    return judge


def failed(faulty: proxy.Proxy, move: Move) -> Counter[str]:
    return Counter(one.fault for one in faulty.of(move.source) + faulty.of(move.target) if one.fault)


def troubles(move: Move) -> list[str]:
    """What the journal says of conflicts and halts; there was no reason for any."""
    return [line for line in move.history() if "conflict" in line or "halted" in line or "foreign" in line]


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["first", "second"])
def test_refusals_and_reads_that_break_off_delay_a_move_and_nothing_else(
    azurite: Azurite, tmp_path: Path, seed: str
) -> None:
    with proxy.running(azurite.ports["Blob"]) as faulty:
        move = Move(tmp_path, azurite, faulty)
        fill(move.client(move.source), OBJECTS)
        faulty.judge = sometimes(seed, unanswered_writes=False)
        done = move.apply()
    assert done.code == 0, done
    assert move.status()["state"] == "soaked"
    assert everything(move.client(move.target)) == everything(move.client(move.source))
    assert not troubles(move)
    assert {one.name for one in (*REFUSED, *READS)} <= set(failed(faulty, move))


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["third", "fourth"])
def test_after_lost_answers_nothing_is_doubled_or_torn_and_the_cut_over_waits(
    azurite: Azurite, tmp_path: Path, seed: str
) -> None:
    """What was not answered may still be applied as long as its signature holds: a quarter of an hour. Until then it may be
    missing, or a page blob unfinished, if the last pass lost it too."""
    with proxy.running(azurite.ports["Blob"]) as faulty:
        move = Move(tmp_path, azurite, faulty)
        fill(move.client(move.source), OBJECTS)
        faulty.judge = sometimes(seed, unanswered_writes=True)
        done = move.apply("--no-wait")
    assert done.code == 3, done
    assert "unanswered writes may still be applied" in done.out
    here, there = everything(move.client(move.source)), everything(move.client(move.target))
    # The first part of a page blob, whose answer was lost, is saved before it is replaced: it could be a stranger's.
    there = {name: one for name, one in there.items() if not name.startswith(RESERVED_PREFIX)}
    unfinished = {name for name, one in there.items() if one != here[name]}
    assert len(here) - len(there) + len(unfinished) <= 10
    assert all(here[name][1] == "PageBlob" for name in unfinished), unfinished  # others are there whole or not at all
    assert not troubles(move)
    assert {one.name for one in (*REFUSED, *UNANSWERED, *READS)} <= set(failed(faulty, move))


@pytest.mark.live
def test_after_lost_answers_the_cut_over_goes_on_when_their_signature_has_ended(
    azurite: Azurite, tmp_path: Path
) -> None:
    """Some five minutes, the least for which an unanswered write is waited for."""
    with proxy.running(azurite.ports["Blob"]) as faulty:
        move = Move(tmp_path, azurite, faulty)
        fill(move.client(move.source), OBJECTS)
        move.use_signatures(150)
        faulty.judge = sometimes("fifth", unanswered_writes=True)
        first = move.apply("--no-wait")
        assert first.code == 3, first
        move.use_signatures(1200)
        second = move.apply()
    assert second.code == 0, second
    assert move.status()["state"] == "soaked"
    assert everything(move.client(move.target)) == everything(move.client(move.source))
    assert not troubles(move)
