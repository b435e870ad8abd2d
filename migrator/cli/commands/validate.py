"""``migrate validate``: the document only, no cloud.

What the document alone proves impossible (an account over its limit) is an error here too. Promised dates are not: they depend on
the day and on what is done already, which only ``plan`` knows. Nor is what may still be written into it.
"""

from __future__ import annotations

import typer

from migrator.cli.commands.options import AsJson, PlanPath
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of


def validate(context: typer.Context, plan: PlanPath, as_json: AsJson = False) -> int:
    """Check the plan document alone; nothing is asked of any account."""
    from migrator.cli.preview import forecast_of_document
    from migrator.cli.views.documents import write_document
    from migrator.cli.views.validate import document, show_valid
    from migrator.plan import load

    loaded = load(plan)
    outlook, findings = forecast_of_document(loaded.schedule, loaded.warnings)
    if as_json:
        write_document(document(loaded, findings))
        return ExitCode.ERROR if any(finding.severity == "error" for finding in findings) else ExitCode.DONE
    show_valid(loaded.schedule, outlook, findings, settings_of(context))
    return ExitCode.ERROR if any(finding.severity == "error" for finding in findings) else ExitCode.DONE
