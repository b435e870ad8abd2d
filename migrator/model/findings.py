"""What a preview found: remarks for the operator, each with its remedy. Values only; who finds what is not decided here."""

from __future__ import annotations

from typing import Literal

from migrator.model.values import value

Severity = Literal["error", "warning", "info"]


@value(frozen=True, slots=True)
class Finding:
    """``apply`` refuses findings of severity error.

    ``code`` is a stable word for programs (``account-overloaded``); ``subject`` is what it is about (an account,
    ``region/area``, a container); ``text`` is one plain sentence without a full stop; ``remedy`` is what to do about it,
    and may be empty. None of them ever holds a secret.
    """

    severity: Severity
    code: str
    subject: str
    text: str
    remedy: str = ""
