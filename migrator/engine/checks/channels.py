"""Can the channels of ``notify`` be told? Opened and asked nothing: a notice that nobody needs is not sent.

Decides that it is never more than a warning: a rollout that cannot tell of itself goes on, and so does a way back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migrator.engine.checks.case import Case
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.moments import When
from migrator.model.findings import Finding


def unopened(case: Case) -> Iterator[Finding]:
    for name, fault in case.world.untold.items() if case.world is not None else ():
        yield Finding("warning", "channel-cannot-be-told", name, fault.message, remedy=fault.hint)


CHECKS: Final = (
    Check(
        (Says("channel-cannot-be-told", ("warning",), "channel", "a channel of `notify` cannot be opened"),),
        frozenset({When.PLAN}),
        unopened,
    ),
)
