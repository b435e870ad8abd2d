"""The doctor: state against routes against accounts, clocks and locks; what is wrong, and which comes first.

Pure. Leaves reading to ``cli``, each finding to the checks (``checks.registry``), laws to ``machine``, words on the screen to the
views. Nothing is written, and what a run at work is just changing is not called wrong.
"""

from __future__ import annotations

from typing import Final

from migrator.engine.checks.case import Case
from migrator.engine.checks.check import judged
from migrator.engine.checks.facts import Facts
from migrator.engine.checks.moments import Asks, When
from migrator.engine.checks.registry import CHECKS
from migrator.engine.checks.routes import of_route, route_of
from migrator.model.findings import Finding
from migrator.model.moves import MoveRecord
from migrator.model.routes import RouteRecord
from migrator.model.schedule import PlannedMove
from migrator.model.values import value


@value(frozen=True, slots=True)
class MoveDiagnosis:
    move: PlannedMove
    record: MoveRecord
    route: RouteRecord | None
    verdict: str
    """``agrees``, or a word for what is wrong."""


@value(frozen=True, slots=True)
class Diagnosis:
    """``findings``: the most urgent first."""

    findings: tuple[Finding, ...]
    moves: tuple[MoveDiagnosis, ...]

    @property
    def is_healthy(self) -> bool:
        return not any(finding.severity == "error" for finding in self.findings)


_URGENCY: Final = (
    "writers-blocked",
    "two-engines",
    "route-disagrees",
    "routes-unreadable",
    "wrong-address",
    "two-lineages",
)
_SEVERITIES: Final = ("error", "warning", "info")


def diagnose(facts: Facts) -> Diagnosis:
    """Judge the facts."""
    case = Case(
        schedule=facts.schedule,
        when=When.DOCTOR,
        may_ask=frozenset({Asks.STATE, Asks.ROUTES, Asks.ACCOUNTS}),
        read_facts=facts,
    )
    urgency = {code: place for place, code in enumerate(_URGENCY)}
    findings = sorted(
        judged(CHECKS, case),
        key=lambda one: (_SEVERITIES.index(one.severity), urgency.get(one.code, len(urgency)), one.subject),
    )
    return Diagnosis(tuple(findings), tuple(_of_move(facts, move) for move in facts.schedule.moves))


def _of_move(facts: Facts, move: PlannedMove) -> MoveDiagnosis:
    record = facts.record_of(move)
    if facts.routes_error is not None:
        return MoveDiagnosis(move, record, None, "unknown")
    route, later = route_of(facts, move), next((one for one in facts.moves_after if one.id == move.id), record)
    wrong = next(iter(of_route(facts, move)), None)
    return MoveDiagnosis(
        move, later, route, wrong.code if wrong else "agrees" if route is not None else "no record yet"
    )
