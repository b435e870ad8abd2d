"""What the register of followers shows: the doctor finds whether it is there and who has fallen silent, a preview says which
drain to expect of cut-overs, and why.

Pure: judges what was read (``facts``). By the register's own clock, which nothing else is decided by: a run at work counts by its
own, and these names are for people.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migrator.engine.checks.case import Case, of_facts
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.facts import Facts
from migrator.engine.checks.moments import Asks, When
from migrator.model.findings import Finding
from migrator.model.schedule import ROLL_CALL_SECONDS
from migrator.model.units import show_duration
from migrator.standing.followers import first_few, is_silent, living, named


def found_in(facts: Facts) -> Iterator[Finding]:
    """Nothing is said where the document names no register."""
    if facts.roll_error is not None:
        text = f"the register of followers cannot be read: {facts.roll_error.message}; cut-overs take their whole drain"
        yield Finding("warning", "register-unreadable", "routes", text, facts.roll_error.hint)
    there = living(facts.roll or ())
    silent = [named(one) for one in there if is_silent(one)]
    if silent:
        drain = show_duration(facts.schedule.routing.drain_seconds)
        text = (
            f"{len(silent):,} of {len(there):,} followers have stopped to renew their entries ({first_few(silent)}): until they"
            f" are taken for dead a cut-over takes its whole drain of {drain}"
        )
        yield Finding("warning", "followers-silent", "routes", text)


def expected(case: Case) -> Iterator[Finding]:
    """By roll-call, or the whole drain: how long writers wait in the next cut-overs until nothing is under way."""
    routing, seen = case.schedule.routing, case.routes
    by_route = any(case.schedule.wave_of(move.id).cutover.fence == "route" for move in case.moves)
    if routing.protocol < 2 or not by_route or seen.unreadable is not None:
        return
    short, whole = show_duration(ROLL_CALL_SECONDS), show_duration(routing.drain_seconds)
    here = living(seen.roll or ())
    silent = [named(one) for one in here if is_silent(one)]
    if seen.roll_error is not None:
        why = f"the register of followers cannot be read ({seen.roll_error.message})"
    elif silent:
        why = f"{len(silent):,} of {len(here):,} followers are silent ({first_few(silent)})"
    else:
        if seen.roll is None:
            known = "the next apply makes the register, and clients that know version 1 alone get no lease from then on"
        else:
            known = f"{len(here):,} followers have entered the register" if here else "nobody has entered the register"
        text = f"drains are expected to end by roll-call, in about {short}, and after {whole} at the latest: {known}"
        yield Finding("info", "drain-expected", "routes", text)
        return
    yield Finding("info", "drain-expected", "routes", f"a cut-over begun now takes its whole drain of {whole}: {why}")


CHECKS: Final = (
    Check(
        (
            Says(
                "followers-silent",
                ("warning",),
                "routes",
                "followers of the routes have stopped to renew their entries in the register",
                "see whether these applications still run; a run at work takes entries of the dead away",
            ),
            Says(
                "register-unreadable",
                ("warning",),
                "routes",
                "the register of followers cannot be read, so no cut-over ends its drain early",
            ),
        ),
        frozenset({When.DOCTOR}),
        of_facts(found_in),
        frozenset({Asks.ROUTES}),
    ),
    Check(
        (
            Says(
                "drain-expected",
                ("info",),
                "routes",
                "how long cut-overs wait until no write is under way: by roll-call, or the whole drain, and why",
            ),
        ),
        frozenset({When.PLAN}),
        expected,
        frozenset({Asks.ROUTES}),
    ),
)
