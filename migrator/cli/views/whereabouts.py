"""Which state store it is, for people and for programs."""

from __future__ import annotations

from typing import Any, Final

from migrator.standing.whereabouts import Whereabouts

WRONG_STORE: Final = (
    "find the state store that moved them: it is in the folder where the plan was first applied, or what --state or MIGRATE_STATE"
    " named there. Only if it is lost: `migrate retry PLAN --adopt-route --reason TEXT`"
)


def lines(where: Whereabouts) -> list[str]:
    """For people, the most important first."""
    found = [f"State: {where.place} ({where.named_by})."]
    if where.strangers:
        some = ", ".join(where.strangers[:3]) + (" ..." if len(where.strangers) > 3 else "")
        return [f"The wrong state store? Another one has written the routes of {some}.", *found]
    if not where.knows_plan:
        found.append("This store has never seen this plan.")
    return found


def is_it_right(where: Whereabouts) -> str:
    """What to ask oneself first where a store and the routes disagree."""
    return f"first make sure that {where.place} ({where.named_by}) is the state store of this rollout"


def document(where: Whereabouts) -> dict[str, Any]:
    """For programs."""
    return {
        "store": where.place,
        "named_by": where.named_by,
        "knows_plan": where.knows_plan,
        "strangers": list(where.strangers),
    }
