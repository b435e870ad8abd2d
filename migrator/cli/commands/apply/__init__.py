"""``migrate apply``: start or resume."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from migrator.cli.commands.options import AsEvents, Wave, Yes
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of
from migrator.cli.workers import MOST_WORKERS

if TYPE_CHECKING:
    from migrator.engine.rollout import Rollout
    from migrator.engine.world import Outcome

PlanOrFile = Annotated[
    Path,
    typer.Argument(
        metavar="PLAN_OR_FILE", help="The plan document, or a plan saved with `plan --out`.", show_default=False
    ),
]
NoWait = Annotated[
    bool, typer.Option("--no-wait", metavar="", help="Exit 3 instead of waiting for a soak or a person.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=0,
        max=MOST_WORKERS,
        help="Processes that send copies; 0 is this one. By default as many as the budget can use and the machine has cores.",
        show_default=False,
    ),
]

MetricsListen = Annotated[
    str | None,
    typer.Option(
        "--metrics-listen",
        metavar="HOST:PORT",
        help="Answer Prometheus there while it runs, as in 127.0.0.1:9464 (docs/metrics.md).",
        show_default=False,
    ),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log-file",
        metavar="FILE",
        help="Append everything that happens to this file, beside what is shown.",
        show_default=False,
    ),
]
LogFormat = Annotated[
    str,
    typer.Option(
        "--log-format", metavar="FORMAT", help="Of --log-file: text, or json (an event a line, docs/happenings.md)."
    ),
]
KeepSoak = Annotated[
    str | None,
    typer.Option(
        "--reason",
        metavar="TEXT",
        help="Why a soak that an edit of the plan loosens keeps what it has; without it, it starts again.",
        show_default=False,
    ),
]


def apply(
    context: typer.Context,
    plan: PlanOrFile,
    yes: Yes = False,
    wave: Wave = None,
    no_wait: NoWait = False,
    workers: Workers = None,
    reason: KeepSoak = None,
    metrics_listen: MetricsListen = None,
    log_file: LogFile = None,
    log_format: LogFormat = "text",
    as_json: AsEvents = False,
) -> int:
    """Start the rollout, or go on where it stopped. Asks first, and refuses plans with error findings."""
    from migrator.cli.commands.apply.log_file import logged
    from migrator.cli.commands.apply.operation import consent_to, request_of, show_what_is_left
    from migrator.cli.doors import Doors
    from migrator.cli.measuring import served
    from migrator.cli.operating import operate
    from migrator.cli.views.lines import show_nothing_to_do
    from migrator.cli.wiring import open_processes
    from migrator.standing.forecasts import ForecastsAtBegin

    settings = settings_of(context)
    request = request_of(plan, wave=wave)
    schedule = request.loaded.schedule
    with (
        Doors(schedule) as doors,
        closing(open_processes(schedule, workers)) as processes,
        served(settings, schedule, metrics_listen),
        logged(log_file, log_format) as log,
    ):
        consent = consent_to(doors, request, settings, yes=yes, as_json=as_json, counted=processes.expect)
        if consent is None:
            text = "Nothing to do: every move has soaked."
            if as_json:
                show_nothing_to_do(text)
            else:
                typer.echo(text)
            return ExitCode.DONE

        async def work(rollout: Rollout) -> Outcome:
            kept = ForecastsAtBegin(schedule, rollout.state, consent.inventories)
            return await rollout.apply(wave=wave, wait=not no_wait, forecasts=kept, notes=consent.notes)

        code = operate(
            doors,
            request.loaded,
            settings,
            work,
            resume=request.call,
            create=True,
            as_json=as_json,
            processes=processes,
            is_apply=True,
            reason=reason or "",
            log=log,
        )
    if wave is not None and code is ExitCode.DONE and not as_json:
        show_what_is_left(schedule, settings)
    return code
