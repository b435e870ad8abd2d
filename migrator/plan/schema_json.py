"""The JSON Schema of the plan document, so that an editor can complete and check it.

Decides only its outer form; the keys are the models'. It promises less than ``check``: names that refer to names are plain
words to it.
"""

from __future__ import annotations

from typing import Any, Final

from migrator.plan.schema import document_model

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a plan."""
    schema = document_model().model_json_schema(by_alias=True)
    return {"$schema": DIALECT, **schema, "title": "plan of migrate"}
