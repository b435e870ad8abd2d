"""Prints docs/plan.md, so that the page cannot differ from what plans are read by: ``python -m migrator.plan.page``.

Decides how a key is shown. The keys, what is written there and what it means are those of ``schema``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from migrator.plan.schema import Part, document_model

HEAD: Final = """# The plan: every key

A plan is one YAML document. `migrate validate PLAN` reads it alone and names every mistake with its line; `migrate schema --write
plan.schema.json` writes a JSON Schema, with which an editor completes and checks it. Plans to begin from are in `plans/`, and
`migrate init` drafts one from the accounts that there are.

Durations are written as `500ms`, `30s`, `5m`, `96h` or `7d`; sizes as `500MiB` or `2GB`; counts may end in `k` or `M`, which are
decimal. `$region`, `$area` and `$account` are filled in where the meaning says so, and nothing else is. A mapping may not have a
key twice, and unknown keys are errors. A relative path begins at the working directory.

This page is printed from the program: `python -m migrator.plan.page > docs/plan.md`.
"""
_NEEDED: Final = "needed"
_DURATIONS: Final = ("30s", "5m", "96h")


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"\n{part}\n" for part in _parts(document_model()))


def _parts(document: type[BaseModel]) -> Iterator[str]:
    for place, part in _places(document, ""):
        about = (part.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
        rows = [
            f"| `{key}` | {_value(field)} | {_default(field)} | {field.description or ''} |"
            for key, field in _fields(part)
        ]
        yield "\n".join(
            [
                f"## {f'`{place}`' if place else 'The document'}",
                "",
                about,
                "",
                "| key | value | default | meaning |",
                "|---|---|---|---|",
                *rows,
            ]
        )


def _places(part: type[BaseModel], place: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """The part, and the parts under it, each with its path; ``NAME`` stands for a name of the plan's own."""
    yield place, part
    for key, field in _fields(part):
        for under, way in _under(field.annotation):
            yield from _places(under, f"{place}.{key}{way}" if place else f"{key}{way}")


def _under(kind: Any) -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(kind, type) and issubclass(kind, Part):
        yield kind, ""
        return
    origin = get_origin(kind)
    for one in get_args(kind):
        for part, way in _under(one):
            yield part, {dict: f".NAME{way}", list: f"[]{way}"}.get(origin, way)


def _fields(part: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in part.model_fields.items():
        yield field.alias or name, field


def _value(field: FieldInfo) -> str:
    """How it is written."""
    if parts := list(_under(field.annotation)):
        return {"": "a mapping, see below", "[]": "a list of mappings, see below"}.get(
            parts[0][1], "names and mappings, see below"
        )
    kind: Any = field.annotation
    for said in field.metadata:
        kind = Annotated[kind, said]
    return _form(TypeAdapter(kind).json_schema())


def _form(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        forms = [_form(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(form for form in forms if form))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "description" in schema:
        return str(schema["description"])
    if schema.get("type") == "array":
        return f"a list: {_form(schema.get('items', {}))}"
    if schema.get("type") == "object":
        of = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
        return f"names, and for each {_form(of)}" if isinstance(of, Mapping) and of else "a mapping"
    if schema.get("type") in ("integer", "number"):
        least = schema.get("minimum", schema.get("exclusiveMinimum"))
        return (
            "a whole number" + (f", at least {least}" if least is not None else "")
            if schema["type"] == "integer"
            else "a number"
        )
    return {"boolean": "`true` or `false`", "string": "a text"}.get(str(schema.get("type")), "anything")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return _NEEDED
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or isinstance(default, (BaseModel, dict)) or default == []:
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, float):
        form = _value(field)
        return f"`{_written(default)}`" if any(one in form for one in _DURATIONS) else f"`{default:g}`"
    if isinstance(default, (list, tuple)):
        return f"`[{', '.join(map(str, default))}]`"
    return f"`{default}`" if default != "" else ""


def _written(seconds: float) -> str:
    """A duration as a plan has it."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length and not seconds % length:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


if __name__ == "__main__":
    sys.stdout.write(page())
