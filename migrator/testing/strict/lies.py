"""Promises of the service that are broken on request, each by one small change of a request or an answer.

They are planted to see that a tool that examines a service finds them. Rule: one lie breaks one promise and no other.
"""

from __future__ import annotations

from migrator.testing.strict.call import Answer, Call
from migrator.testing.strict.operations import Operation


class Lies:
    """The lies of one account, with what they must remember."""

    def before(self, call: Call, operation: Operation, told: frozenset[str]) -> None:
        """Change a request before Azurite sees it."""

    def after(self, call: Call, operation: Operation, told: frozenset[str], answer: Answer) -> None:
        """Change an answer before the client sees it."""


LIES: dict[str, str] = {}
"""Lie -> the promise that it breaks."""

__all__ = ["LIES", "Lies"]
