"""What a check is: what it may say, what it has to ask for that, when it runs, and the function that looks.

Decides how checks of a list are run. Leaves what there is to ask to ``case``, the list itself to ``registry``. Rules: a check
sees only what it said that it asks; it says only what it declared; of one list those run first that ask for least, so that
nothing is written before everything that reads has had its word; findings come in the order of the list. A finding that was
not declared is a fault of ours and no reason to lose it: it is told like any other, and noted for our own tests to fail on.

A new check is one ``Check`` with its function beside it, in the module whose subject it is, and that module's ``CHECKS``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from inspect import isawaitable
from logging import getLogger
from typing import Final

from migrator.engine.checks.case import Case
from migrator.engine.checks.moments import Asks, When
from migrator.errors import InternalError
from migrator.model.findings import Finding, Severity
from migrator.model.values import replace, value

_STOPS: Final[Mapping[When, tuple[Severity, ...]]] = {
    When.PREFLIGHT: ("error",),
    When.FENCE: ("error", "warning"),
}
UNDECLARED: Final = getLogger("migrator.checks.undeclared")
"""Hears of every finding that its check never declared. Below what is shown by default: an operator in trouble has the finding
itself, and can do nothing about its declaration."""
_COST: Final = {asks: cost for cost, asks in enumerate(Asks, start=1)}


@value(frozen=True, slots=True)
class Says:
    """One code that a check may say, as programs and the page of findings know it.

    ``severities``: the usual one first; ``about``: the kind of its subject; ``remedy``: what to do about it, given to every
    finding of this code that has none of its own (``""``: each has its own, or there is nothing to do).
    """

    code: str
    severities: tuple[Severity, ...]
    about: str
    text: str
    remedy: str = ""


Found = Iterable[Finding]
Look = Callable[[Case], Found | Awaitable[Found]]


@value(frozen=True, slots=True)
class Check:
    """``run`` returns what it found, or awaits it where it has to ask somebody."""

    says: tuple[Says, ...]
    at: frozenset[When]
    run: Look
    asks: frozenset[Asks] = frozenset()

    @property
    def cost(self) -> int:
        return max((_COST[one] for one in self.asks), default=0)


def judged(checks: Sequence[Check], case: Case) -> tuple[Finding, ...]:
    """What the checks of ``case.when`` say of facts that were read before: all of them, without asking anybody."""
    found = []
    for check in _due(checks, case):
        told = check.run(case.opened(check.asks))
        if isawaitable(told):
            raise InternalError(f"a check of {check.says[0].code} asks somebody, where everything has been read")
        found += _declared(check, told)
    return tuple(found)


async def look(checks: Sequence[Check], case: Case) -> tuple[Finding, ...]:
    """What the checks of ``case.when`` say that need no more than ``case.may_ask``.

    In a run they end with the first that finds what stops it (an error; before a fence also a warning): what a gate has to say
    comes before a canary is sent.

    Raises:
        MigrateError: only in a run: an account did not answer, and who acts next is the run's to know.
    """
    found: dict[int, list[Finding]] = {}
    places = {id(check): place for place, check in enumerate(checks)}
    for check in sorted(_due(checks, case), key=lambda one: one.cost):
        told = check.run(case.opened(check.asks))
        said = _declared(check, await told if isawaitable(told) else told)
        found[places[id(check)]] = said
        if any(one.severity in _STOPS.get(case.when, ()) for one in said):
            break
    return tuple(finding for place in sorted(found) for finding in found[place])


def _due(checks: Sequence[Check], case: Case) -> list[Check]:
    return [check for check in checks if case.when in check.at and check.asks <= case.may_ask]


def _declared(check: Check, told: Found) -> list[Finding]:
    """The findings, with the remedies that go without saying; of one that the check never declared ``UNDECLARED`` hears."""
    known = {one.code: one for one in check.says}
    found = []
    for finding in told:
        says = known.get(finding.code)
        if says is None or finding.severity not in says.severities:
            UNDECLARED.info(
                "the check of %s says %s %s, undeclared", check.says[0].code, finding.severity, finding.code
            )
        remedy = finding.remedy or (says.remedy if says is not None else "")
        found.append(replace(finding, remedy=remedy))
    return found
