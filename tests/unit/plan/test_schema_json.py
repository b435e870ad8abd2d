"""Editors get a schema that knows every key, and no more."""

from __future__ import annotations

import json
from typing import Any

from migrator.plan import json_schema
from migrator.plan.not_built import ANY, NOT_BUILT


def _part(schema: dict[str, Any], key: str) -> Any:
    """The schema of a dotted key; ``*`` is any name or item."""
    part: Any = schema
    for step in key.split("."):
        part = _plain(schema, part)
        part = _any(part) if step == "*" else part["properties"][step]
    return _plain(schema, part)


def _any(part: dict[str, Any]) -> Any:
    """What stands under every name of a mapping, or every item of a list."""
    if "patternProperties" in part:
        return next(iter(part["patternProperties"].values()))
    return part.get("additionalProperties") or part["items"]


def _plain(schema: dict[str, Any], part: Any) -> Any:
    part = next((one for one in part.get("anyOf", ()) if one.get("type") != "null"), part)
    return schema["$defs"][part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part


def test_it_is_a_json_schema_of_json_values() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema)) == schema


def test_the_required_keys_are_few() -> None:
    assert json_schema()["required"] == ["version", "name", "accounts", "areas", "regions", "routing", "waves"]


def test_no_mapping_takes_unknown_keys() -> None:
    schema = json_schema()
    parts = [schema, *schema["$defs"].values()]
    assert [part.get("title") for part in parts if part.get("type") == "object" and part["additionalProperties"]] == []


def test_keys_are_spelled_as_in_the_document() -> None:
    schema = json_schema()
    assert {"from", "to", "timezone", "days"} == set(_part(schema, "waves.*.change_windows.*")["properties"])
    assert _part(schema, "regions.*.pair")["type"] == "string"
    assert _part(schema, "areas.*.containers")["items"]["anyOf"][0] == {"type": "string"}


def test_every_key_that_is_not_built_is_a_key() -> None:
    """A slip in the table would let such a key through unnoticed."""
    schema = json_schema()
    for key, values in NOT_BUILT.items():
        part = _part(schema, key)
        known = part.get("enum") or [part.get("const")]
        assert values == ANY or values <= set(known), key
