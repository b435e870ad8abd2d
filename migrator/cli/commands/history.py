"""``migrate history``: who, when, what, and on which evidence."""

from __future__ import annotations

import typer

from migrator.cli.commands.options import AsJson, OptionalPlanPath
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of


def history(context: typer.Context, plan: OptionalPlanPath = None, as_json: AsJson = False) -> int:
    """Print the append-only journal: who, when, what, evidence."""
    from migrator.cli.loading import known_rollout
    from migrator.cli.views import history as view
    from migrator.cli.views.documents import write_document
    from migrator.cli.views.whereabouts import lines
    from migrator.cli.whereabouts import whereabouts

    settings = settings_of(context)
    with known_rollout(settings, plan) as rollout:
        entries = rollout.store.journal() if rollout.store is not None else ()
        if as_json:
            write_document(view.document(rollout.name, entries))
        else:
            where = whereabouts(settings, rollout.schedule if plan is not None else None, rollout.store)
            view.show(rollout.name, entries, settings, lines(where) if not entries else ())
    return ExitCode.DONE
