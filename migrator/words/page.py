"""Prints docs/happenings.md, so that the page cannot differ from the list: ``python -m migrator.words.page``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from migrator.model.happenings.happening import VERSION, Happening, Journaled, Shown, event_of, row_of
from migrator.model.happenings.listed import HAPPENINGS

HEAD: Final = f"""# Happenings

Whatever happens in a rollout is one of these. A step says it once; the row of the journal (`migrate history --json`), the
line on the screen and the event of `apply --json` are made of it. The list is `migrator/model/happenings/`, its words are
`migrator/words/happenings.py`, and this page is printed from both: `python -m migrator.words.page > docs/happenings.md`.

An **event** is one line of JSON: `format_version`, `at` (RFC 3339, UTC), `kind`, `happening`, `move` (`region/area`, or null),
`text` (one plain sentence) and `facts`. A **row** of the journal has `number`, `at`, `actor` (`engine`, or a login), `kind`,
`happening`, `version`, `text`, `wave`, `move`, `run` and the facts, which are called `evidence` there. `happening` is a name
from this page; `kind` may be shared by several. `version` says how facts are to be read: it is {VERSION} now. Rows of version 0
were written before there was this list: they have no `happening`, and of their facts all, some or none. Lines of kind `progress`
are figures and no happening: they come often, and may be dropped.

Names and facts are stable: kinds and facts are added, and never change their meaning. A fact with its default, which is
given behind it, is left out.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"\n{part}\n" for part in _parts())


def _parts() -> Iterator[str]:
    for one in HAPPENINGS:
        yield "\n".join([f"## {one.kind}", "", (one.__doc__ or "").strip(), "", _where(one), *_facts(one)])


def _where(one: type[Happening]) -> str:
    event = f"Event of kind `{event_of(one)}`" if issubclass(one, Shown) else "No event"
    row = f"row of kind `{row_of(one)}`" if issubclass(one, Journaled) else "not in the journal"
    return f"{event}; {row}."


def _facts(one: type[Happening]) -> Iterator[str]:
    hints = get_type_hints(one, include_extras=True)
    parts: Any = fields(one)  # type: ignore[arg-type]
    if parts:
        yield from ("", "| fact | | what it says |", "|---|---|---|")
    for part in parts:
        shape, what = get_args(hints[part.name])[:2]
        default = f"; `{_default(part.default)}` if left out" if _has_default(part) else ""
        yield f"| `{part.name}` | {_shape(shape)} | {what}{default} |"


def _has_default(part: Any) -> bool:
    return part.default is not part.default_factory  # both are MISSING without one


def _default(value: object) -> str:
    return {"": '""', "()": "[]", "None": "null"}.get(str(value), str(value))


def _shape(shape: Any) -> str:
    """How JSON calls it."""
    if get_origin(shape) is Annotated:
        return _shape(get_args(shape)[0])
    if get_origin(shape) is tuple:
        return f"list of {_shape(get_args(shape)[0])}s" if get_args(shape) else "list"
    if get_args(shape) and type(None) in get_args(shape):
        return f"{_shape(get_args(shape)[0])} or null"
    names = {str: "text", int: "number", float: "number", bool: "true or false"}
    return names.get(shape, "object")


if __name__ == "__main__":
    print(page(), end="")
