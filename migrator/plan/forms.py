"""The keys of kinds as the plan's own models have them: which type reads each form of value.

Decides nothing of a kind; ``migrator.kinds`` says which keys there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from migrator.plan import fields
from migrator.ports.kinds import Form, Key

Words = Annotated[list[fields.Text], Field(min_length=1)]

FORMS: Final[Mapping[Form, Any]] = {
    "text": fields.Text,
    "name": fields.Name,
    "path": fields.Text,
    "url": fields.Url,
    "container": fields.Container,
    "credential": fields.Credential,
    "secret": fields.Webhook,
    "variables": list[fields.Variable],
    "words": Words,
    "flag": fields.Flag,
    "whole": fields.Whole,
    "count": fields.Count,
    "rate": fields.Rate,
    "size": fields.Size,
    "ratio": fields.Ratio,
    "duration": fields.LongDuration,
    "mapping": dict[fields.Name, Any],
}


def field_of(key: Key) -> tuple[Any, Any]:
    """A key as a field of a pydantic model: its type, and its default and description."""
    kind = Literal[key.one_of] if key.form == "word" else FORMS[key.form]
    about = key.about or None
    if key.default is None:
        return kind | None, Field(default=None, description=about)
    if isinstance(key.default, tuple):
        items = list(key.default)
        return kind, Field(default_factory=lambda: list(items), description=about)
    return kind, Field(default=key.default, description=about)


def fields_of(keys: Mapping[str, Key]) -> dict[str, Any]:
    """The fields of all these keys."""
    return {name: field_of(key) for name, key in keys.items()}
