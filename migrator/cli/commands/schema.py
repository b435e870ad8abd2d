"""``migrate schema``: the JSON Schema of the plan, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.exits import ExitCode

Write = Annotated[
    Path | None,
    typer.Option(
        "--write", metavar="FILE", help="Write it to this file; without it, it is printed.", show_default=False
    ),
]


def schema(write: Write = None) -> int:
    """Print the JSON Schema of the plan document, so that an editor can complete it, or write it to a file."""
    import json

    from migrator.errors import UsageError
    from migrator.plan import json_schema

    text = json.dumps(json_schema(), indent=2)
    if write is None:
        print(text)
        return ExitCode.DONE
    try:
        write.write_text(f"{text}\n", encoding="utf-8")
    except OSError as refused:
        raise UsageError(
            f"cannot write the schema to {write}: {(refused.strerror or str(refused)).lower()}",
            hint="name a file in a directory that you may write to",
        ) from refused
    print(f"written: {write}; an editor takes it by the first line of a plan:")
    print(f"# yaml-language-server: $schema={write}")
    return ExitCode.DONE
