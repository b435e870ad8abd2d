"""What belongs together in a plan: every rule that looks at more than one value.

Decides which rules are asked, and keeps the faults that say something new. The rules live with their subject:
``check_accounts`` (accounts, routing, budget), ``check_areas`` (areas and regions), ``check_waves`` (waves and their moves),
``check_gates`` (gates and their sources), ``check_notify`` (who is told). Rule: a rule reports and goes on; it never raises, and
it keeps quiet about parts that the shape of the document left out.
"""

from __future__ import annotations

from migrator.model.values import value
from migrator.plan.check_accounts import check_accounts
from migrator.plan.check_areas import check_areas
from migrator.plan.check_gates import check_gates
from migrator.plan.check_notify import check_notify
from migrator.plan.check_waves import check_waves
from migrator.plan.report import Report
from migrator.plan.shape import Shaped
from migrator.plan.tree import Fault, Tree


@value(frozen=True, slots=True)
class Found:
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


def check(tree: Tree, shaped: Shaped) -> Found:
    """Ask every rule. Faults and warnings in the order of the rules; the caller sorts them."""
    report = Report(tree, shaped)
    for rules in (check_accounts, check_areas, check_waves, check_gates, check_notify):
        rules(report)
    return Found(tuple(dict.fromkeys(report.faults)), tuple(dict.fromkeys(report.warnings)))
