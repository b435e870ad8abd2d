"""``migrate schema``: the JSON Schema of the plan, for editors."""

from __future__ import annotations

from migrator.cli.exits import ExitCode


def schema() -> int:
    """Print the JSON Schema of the plan document, so that an editor can complete it."""
    import json

    from migrator.plan import json_schema

    print(json.dumps(json_schema(), indent=2))
    return ExitCode.DONE
