"""What a run costs that finds nothing to do, by the requests that the service saw."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.azurite.server import Azurite
from tests.benchmarks import filling
from tests.benchmarks.contestants import Side
from tests.faults import proxy
from tests.faults.moving import Move
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.slow
OBJECTS = 5_600
"""Two pages a listing."""
PAGES = 2


def fill(move: Move, objects: int) -> None:
    side = Side(move.source, move.azurite.endpoint(move.source), move.azurite.key(move.source))
    filling.fill(side, "web", [index % 7 for index in range(objects)])


def kinds(faulty: Proxy, move: Move) -> Counter[str]:
    """``SIDE METHOD kind`` of everything that was asked; of a container's listing also that."""
    found: Counter[str] = Counter()
    for side, name in (("source", move.source), ("target", move.target)):
        for one in faulty.of(name):
            place = " of web" if one.asked.path.rstrip("/").endswith("/web") else ""
            found[f"{side} {one.asked.kind}{place}"] += 1
    return found


def test_a_second_apply_of_a_soaked_move_asks_nothing(azurite: Azurite, tmp_path: Path) -> None:
    with proxy.running(azurite.ports["Blob"]) as faulty:
        move = Move(tmp_path, azurite, faulty)
        fill(move, 20)
        assert move.apply().code == 0
        assert move.status()["state"] == "soaked"
        faulty.log.clear()
        again = move.apply()
    assert again.code == 0, again
    assert kinds(faulty, move) == Counter()


def test_a_catch_up_without_changes_costs_the_two_listings(azurite: Azurite, tmp_path: Path) -> None:
    with proxy.running(azurite.ports["Blob"]) as faulty:
        move = Move(tmp_path, azurite, faulty, hold=True)
        fill(move, OBJECTS)
        first = move.apply("--no-wait")
        assert first.code == 3, first
        faulty.log.clear()
        again = move.apply("--no-wait")
        assert again.code == 3, again
        asked = kinds(faulty, move)
    assert asked.pop("source GET list of web") == PAGES
    assert asked.pop("target GET list of web") == PAGES
    assert asked.pop("source GET list") <= 2  # of the account's containers
    assert asked.pop("target GET list") <= 2
    assert not asked, asked


@pytest.mark.parametrize("code", ["AuthorizationFailure", "CannotVerifyCopySource", "CopyAcrossAccountsNotSupported"])
def test_copies_that_the_service_may_not_make_go_through_this_machine(
    azurite: Azurite, tmp_path: Path, code: str
) -> None:
    """A firewall, or the scope that the target allows copies from: all is there all the same. Azurite refuses none itself."""
    refused = proxy.Fault("may not copy", applied=False, status=403, code=code)
    with proxy.running(azurite.ports["Blob"]) as faulty:
        move = Move(tmp_path, azurite, faulty, hold=True)
        fill(move, 40)

        def judge(asked: proxy.Asked) -> proxy.Fault | None:
            return refused if f"/{move.target}/" in asked.path and asked.is_copy else None

        faulty.judge = judge
        done = move.apply("--no-wait")
        asked = kinds(faulty, move)
    assert done.code == 3, done
    assert sum(bool(one.fault) for one in faulty.log) >= 1
    assert asked["source GET"] >= 34  # the empty ones need no read
    side = Side(move.target, azurite.endpoint(move.target), azurite.key(move.target))
    assert len(filling.contents(side, "web")) == 40
