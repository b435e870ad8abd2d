"""What the doctor finds of the register: whether it is there, and who of the followers in it has fallen silent.

Pure: judges what was read (``facts``). By the register's own clock, which nothing else is decided by: a run at work counts by its
own, and these names are for people.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migrator.engine.checks.case import of_facts
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.facts import Facts
from migrator.engine.checks.moments import Asks, When
from migrator.model.findings import Finding
from migrator.model.register import MAX_LIFETIME_SECONDS
from migrator.model.units import show_duration
from migrator.ports.register import Attendant

MOST_NAMED: Final = 5


def found_in(facts: Facts) -> Iterator[Finding]:
    """Nothing is said where the document names no register."""
    if facts.roll_error is not None:
        text = f"the register of followers cannot be read: {facts.roll_error.message}; cut-overs take their whole drain"
        yield Finding("warning", "register-unreadable", "routes", text, facts.roll_error.hint)
    living = [one for one in facts.roll or () if one.entry is None or not one.entry.has_left]
    silent = [one for one in living if _is_silent(one)]
    if silent:
        drain = show_duration(facts.schedule.routing.drain_seconds)
        named = ", ".join(_named(one) for one in silent[:MOST_NAMED]) + (", ..." if len(silent) > MOST_NAMED else "")
        text = (
            f"{len(silent):,} of {len(living):,} followers have stopped to renew their entries ({named}): until they"
            f" are taken for dead a cut-over takes its whole drain of {drain}"
        )
        yield Finding("warning", "followers-silent", "routes", text)


def _is_silent(one: Attendant) -> bool:
    lifetime = one.entry.lifetime_seconds if one.entry is not None else MAX_LIFETIME_SECONDS
    return one.entry is None or (one.age_seconds is not None and one.age_seconds > lifetime)


def _named(one: Attendant) -> str:
    if one.entry is None:
        return f"{one.id[:8]}, which cannot be read"
    ago = f", {show_duration(round(one.age_seconds))} ago" if one.age_seconds is not None else ""
    return f"{one.entry.label or one.id[:8]}{ago}"


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
)
