"""What the operator wants: YAML text -> a checked, compiled schedule.

The stations are ``source`` (file -> text), ``parse`` (text -> tree with marks), ``shape`` (tree -> document, by ``schema``),
``check`` (what belongs together), ``secrets`` (none is written or repeated), ``not_built`` (what this version cannot apply
yet), ``compile`` (document -> schedule). ``saved`` keeps the file of ``plan --out``. Rule: a syntax error is reported alone,
all other faults together, each as ``file:line:column``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from migrator.errors import FaultLine, PlanError
from migrator.model.schedule import Schedule
from migrator.model.values import value

__all__ = ["Loaded", "json_schema", "load", "loads"]


@value(frozen=True, slots=True)
class Loaded:
    """A valid plan: its schedule, its text as it is kept (without comments), and warnings as ``file:line:column: text``."""

    schedule: Schedule
    text: str
    warnings: tuple[FaultLine, ...] = ()


def load(path: Path) -> Loaded:
    """Read, check and compile the plan at ``path``.

    Raises:
        PlanError: it cannot be read, or has faults (``faults``: one line each).
    """
    from migrator.plan.source import read_plan

    return loads(read_plan(path), str(path))


def loads(text: str, name: str, *, is_kept: bool = False) -> Loaded:
    """Check and compile a plan's text; ``name`` is what faults call the file. Raises PlanError.

    Args:
        is_kept: the text is one that ``Loaded`` gave, which may be longer than what a person may write.
    """
    from migrator.plan.canonical import canonical
    from migrator.plan.check import check
    from migrator.plan.compile import compile_schedule
    from migrator.plan.not_built import not_built
    from migrator.plan.parse import MAX_KEPT_BYTES, MAX_TEXT_BYTES, parse
    from migrator.plan.secrets import hide_secrets, in_comments
    from migrator.plan.shape import shape

    tree, early = parse(text, name, most_bytes=MAX_KEPT_BYTES if is_kept else MAX_TEXT_BYTES)
    shaped = shape(tree)
    found = check(tree, shaped)
    said = hide_secrets(tree, (*early, *shaped.faults, *found.faults))
    faults = sorted(set(said), key=lambda fault: (fault.mark, fault.text))
    if faults:
        many = f"{len(faults)} fault{'' if len(faults) == 1 else 's'}"
        raise PlanError(f"cannot use plan {name}: it has {many}", faults=tuple(fault.line(name) for fault in faults))
    missing = not_built(tree)
    plain = tree.value()
    warned = {*found.warnings, *in_comments(text), *(one.warning() for one in missing)}
    return Loaded(
        schedule=compile_schedule(shaped.document, plain, not_built=tuple(one.key_and_place(name) for one in missing)),
        text=canonical(plain),
        warnings=tuple(fault.line(name) for fault in sorted(warned)),
    )


def json_schema() -> dict[str, Any]:
    """JSON Schema of the plan document, for editors."""
    from migrator.plan.schema_json import json_schema as schema

    return schema()
