"""Every target by name: all that comes from outside, and what goes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.fuzz import documents, traffic
from tests.fuzz.running import Target

TARGETS: Final[Mapping[str, Callable[[], Target]]] = {
    "plan": documents.plan,
    "saved-plan": documents.saved_plan,
    "route": documents.route_document,
    "letters": documents.letters,
    "orders": documents.guardian_orders,
    "state": documents.state_records,
    "credentials": documents.credentials,
    "figures": documents.metric_answers,
    "answers": traffic.answers,
    "requests": traffic.requests,
    "listings": traffic.listings,
}
