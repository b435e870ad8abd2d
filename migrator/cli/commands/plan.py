"""``migrate plan``: the preview. Reads only, except with ``--probe``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.commands.options import AsJson, PlanPath, Wave
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Save the plan for `migrate apply FILE`.", show_default=False),
]
Mode = Annotated[
    str,
    typer.Option(
        "--inventory",
        metavar="HOW",
        help="full counts every object, sample extrapolates from random prefixes, cached lists nothing and takes what is "
        "known already.",
    ),
]
Probe = Annotated[
    bool,
    typer.Option(
        "--probe",
        metavar="",
        help="Also write, copy and remove one reserved object between each two accounts, and ask each gate once.",
    ),
]
Detailed = Annotated[
    bool, typer.Option("--detailed-exitcode", metavar="", help="Exit 2 if changes are pending, 0 if not.")
]


def plan(
    context: typer.Context,
    plan: PlanPath,
    out: Out = None,
    as_json: AsJson = False,
    detailed_exitcode: Detailed = False,
    wave: Wave = None,
    inventory: Mode = "full",
    probe: Probe = False,
) -> int:
    """Show what apply would do: findings, inventory, forecast, steps. Nothing of yours is changed."""
    from migrator.cli.doors import Doors
    from migrator.cli.preview import keep, look, mode_of, recorded_state
    from migrator.cli.scope import wave_of
    from migrator.cli.views import preview as view
    from migrator.cli.views import whereabouts as where_view
    from migrator.cli.views.documents import write_document
    from migrator.cli.views.errors import show_note
    from migrator.cli.views.screen import Page
    from migrator.cli.whereabouts import whereabouts
    from migrator.errors import UsageError
    from migrator.plan import load
    from migrator.plan.saved import SavedPlan, summary, write

    if out is not None and wave is not None:
        raise UsageError("cannot save one wave: a saved plan is the whole plan", hint="leave out --wave or --out")
    mode = mode_of(inventory)
    if out is not None and mode != "full":
        raise UsageError("cannot save a plan that was not counted", hint="leave out --inventory or --out")
    settings, loaded = settings_of(context), load(plan)
    schedule = loaded.schedule
    if wave is not None:
        wave_of(schedule, wave)
    with recorded_state(settings, schedule) as store, Doors(schedule) as doors:
        waves = None if wave is None else [wave]
        found = look(doors, store, waves=waves, mode=mode, probe=probe, warnings=loaded.warnings)
        keep(schedule, store, settings, found)
        where = whereabouts(settings, schedule, store)
    if as_json:
        write_document(view.document(schedule, found) | {"state_store": where_view.document(where)})
    else:
        page = Page(settings)
        for line in where_view.lines(where):
            page.line(line)
        view.show(page, schedule, found)
    if out is not None and found.fingerprint is not None:
        write(
            out,
            SavedPlan(schedule.name, str(plan), loaded.text, found.fingerprint, summary(found.preview.findings)),
        )
        show_note(f"saved as {out}: `migrate apply {out}` applies exactly this")
    if found.preview.has_errors:
        return ExitCode.ERROR
    return ExitCode.CHANGES if detailed_exitcode and found.changes_pending else ExitCode.DONE
