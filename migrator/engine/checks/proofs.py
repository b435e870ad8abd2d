"""What ``migrate prove`` found out about the accounts of a move, where the plan names its file (``proved``).

Decides only what is said. A promise that everything here is built on and that an account breaks is an error before any data
goes there: what would be lost is lost in silence. Rule: an account is known by its address, not by its name in a plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from migrator.engine.checks.case import Case
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.moments import Asks, When
from migrator.model.findings import Finding
from migrator.model.proved import PromiseKept, ProvedPair

BROKEN: Final = "promise-broken"
UNPROVED: Final = "not-proved"


def broken(case: Case) -> Iterator[Finding]:
    """Once for each promise and place, however many moves go there."""
    told: set[tuple[str, str]] = set()
    for pair in _pairs(case):
        for one in pair.promises:
            if one.is_relied_on and one.word == "broken" and (one.promise, one.place) not in told:
                told.add((one.promise, one.place))
                yield Finding("error", BROKEN, one.place, f"{one.promise} is not so: {_short(one)}")


def unproved(case: Case) -> Iterator[Finding]:
    """Pairs that the file says nothing of, and promises that were not answered."""
    world = case.ports
    if case.schedule.proved is None:
        return
    if world.unproved:
        yield Finding("warning", UNPROVED, "plan", world.unproved)
        return
    known = {pair.endpoints for pair in world.proved}
    wanted = {(move.source, move.target): _endpoints(case, move.source, move.target) for move in case.moves}
    for (source, target), endpoints in wanted.items():
        if endpoints is not None and endpoints not in known:
            text = f"{case.schedule.proved} says nothing of these two accounts"
            yield Finding("warning", UNPROVED, f"{source} -> {target}", text)
    for pair in _pairs(case):
        left = sorted({one.promise for one in pair.promises if one.word == "unasked" and one.is_relied_on})
        if left:
            text = f"nobody answered, of what is relied on: {', '.join(left)}"
            yield Finding("warning", UNPROVED, f"{pair.first.name} -> {pair.second.name}", text)


def _pairs(case: Case) -> Sequence[ProvedPair]:
    """Those of the case's moves, whichever way round."""
    wanted = {_endpoints(case, move.source, move.target) for move in case.moves}
    return [pair for pair in case.ports.proved if pair.endpoints in wanted]


def _endpoints(case: Case, source: str, target: str) -> frozenset[str] | None:
    stores = case.ports.stores
    if source not in stores or target not in stores:
        return None
    return frozenset({stores[source].endpoint, stores[target].endpoint})


def _short(one: PromiseKept) -> str:
    return one.found if len(one.found) <= 200 else f"{one.found[:200]}..."


CHECKS: Final = (
    Check(
        (
            Says(
                BROKEN,
                ("error",),
                "account, two accounts",
                "`migrate prove` found that an account breaks a promise of its service that everything here is built on",
                "move nothing there; send the file of `migrate prove` to the maintainers",
            ),
        ),
        frozenset({When.PLAN, When.PREFLIGHT}),
        broken,
        frozenset({Asks.ACCOUNTS}),
    ),
    Check(
        (
            Says(
                UNPROVED,
                ("warning",),
                "plan, two accounts",
                "the plan names a file of `migrate prove` that does not answer for these accounts",
                "run `migrate prove PLAN`",
            ),
        ),
        frozenset({When.PLAN}),
        unproved,
        frozenset({Asks.ACCOUNTS}),
    ),
)
