"""``migrate status``: waves, moves, what they wait for, and the next safe action."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from migrator.cli.commands.options import AsJson, OptionalPlanPath, Region, Wave
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

if TYPE_CHECKING:
    from migrator.cli.settings import Settings

Watch = Annotated[bool, typer.Option("--watch", metavar="", help="Show it again whenever it changes, until Ctrl-C.")]
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        "--metrics-file",
        metavar="FILE",
        help="Write its series for Prometheus to FILE and show nothing: for cron and node_exporter (docs/metrics.md).",
        show_default=False,
    ),
]


def status(
    context: typer.Context,
    plan: OptionalPlanPath = None,
    as_json: AsJson = False,
    watch: Watch = False,
    wave: Wave = None,
    region: Region = None,
    metrics_file: MetricsFile = None,
) -> int:
    """Show where the rollout stands, what it waits for, and the next safe action."""
    from migrator.cli.commands.status.watch import watch_status
    from migrator.cli.doors import Doors
    from migrator.cli.loading import known_rollout
    from migrator.cli.looking import look
    from migrator.cli.views import whereabouts as where_view
    from migrator.cli.views.documents import write_document
    from migrator.cli.views.status import document, show
    from migrator.cli.whereabouts import strangers_now, whereabouts
    from migrator.model.values import replace
    from migrator.standing.values import within

    settings = settings_of(context)
    if metrics_file is not None:
        return _write_metrics(settings, plan, metrics_file)
    if watch:
        return watch_status(settings, plan, as_json=as_json, wave=wave, region=region)
    with known_rollout(settings, plan) as rollout, Doors(rollout.schedule) as doors:
        standing, action = look(doors, rollout)
        standing = within(standing, wave, region)
        where = whereabouts(settings, rollout.schedule if plan is not None else None, rollout.store)
        if rollout.schedule is not None and not where.knows_plan:
            where = replace(where, strangers=strangers_now(doors, rollout.store))
        if where.strangers:
            action = where_view.WRONG_STORE
        if as_json:
            write_document(document(standing, next_action=action) | {"state_store": where_view.document(where)})
        else:
            show(standing, settings, next_action=action, rates={}, state=where_view.lines(where))
    return ExitCode.DONE


def _write_metrics(settings: Settings, plan: Path | None, path: Path) -> ExitCode:
    from migrator.cli.loading import load_plan
    from migrator.cli.measuring import write_file
    from migrator.errors import UsageError

    if plan is None:
        raise UsageError("cannot write metrics: the plan is not named", hint="name the plan document as well")
    write_file(settings, load_plan(plan), path)
    return ExitCode.DONE
