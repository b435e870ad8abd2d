"""``migrate rehearse``: the whole plan on embedded accounts, under an accelerated clock, there and back."""

from __future__ import annotations

from typing import Annotated

import typer

from migrator.cli.commands.options import AsJson, PlanPath
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

Scale = Annotated[
    float | None,
    typer.Option(
        "--scale",
        metavar="S",
        min=0.0,
        max=1.0,
        help="Rehearsed objects for each real one, such as 0.0001; without it, some 1,200 objects in all.",
        show_default=False,
    ),
]
Faults = Annotated[
    bool,
    typer.Option(
        "--faults", help="Services answer late, refuse and fall silent, and the engine is killed three times."
    ),
]
Changes = Annotated[
    float | None,
    typer.Option(
        "--changes-per-minute",
        metavar="N",
        min=0.0,
        help="Objects that customers change in each area: can the copy keep up with them?",
        show_default=False,
    ),
]
Deletes = Annotated[
    str | None,
    typer.Option(
        "--deletes",
        metavar="RATIO",
        help="Of each area's objects, such as 2%, that customers delete while it is copied.",
        show_default=False,
    ),
]


def rehearse(
    context: typer.Context,
    plan: PlanPath,
    scale: Scale = None,
    faults: Faults = False,
    changes_per_minute: Changes = None,
    deletes: Deletes = None,
    as_json: AsJson = False,
) -> int:
    """Carry the plan out in memory, weeks in minutes: cut-overs, soaks, gates, dates, and the way back. Nothing is asked of any
    account, and no credential is needed; exit 4 if something would stop the real rollout."""
    import gc
    import os
    from datetime import UTC, datetime

    from migrator.cli import wiring
    from migrator.cli.loading import state_of
    from migrator.cli.views import rehearse as view
    from migrator.cli.views.documents import write_document
    from migrator.cli.views.screen import Page
    from migrator.forecast.measured import with_traffic
    from migrator.plan import load
    from migrator.standing.inventory_notes import known_inventories
    from migrator.standing.traffic_notes import known_traffic
    from migrator.testing.rehearsal import Manner, rehearse

    settings, loaded = settings_of(context), load(plan)
    schedule, inventories = loaded.schedule, known_inventories(loaded.schedule, None)
    if wiring.is_there(wiring.state_url(settings, loaded.schedule)):
        with state_of(settings, loaded.schedule, create=False) as store:
            inventories = known_inventories(loaded.schedule, store)
            schedule = with_traffic(schedule, known_traffic(schedule, store))
    manner = Manner(
        begins=datetime.now(UTC).replace(second=0, microsecond=0),
        scale=scale,
        with_faults=faults,
        changes_per_minute=changes_per_minute,
        deleted_ratio=_ratio(deletes),
    )
    gc.enable()  # a world of its own comes to be, and goes
    told = rehearse(schedule, inventories, manner, loaded.warnings, os.environ)
    if as_json:
        write_document(view.document(told))
    else:
        view.show(Page(settings), told)
    return ExitCode.STOPPED if told.obstacles else ExitCode.DONE


def _ratio(text: str | None) -> float | None:
    from migrator.errors import UsageError
    from migrator.model.units import parse_ratio

    if text is None:
        return None
    try:
        ratio = parse_ratio(text)
    except ValueError as fault:
        raise UsageError(f"cannot use --deletes {text}: {fault}", hint="write a share, such as 2%") from fault
    if ratio > 1:
        raise UsageError(
            f"cannot use --deletes {text}: more than all objects", hint="write a share up to 100%, such as 2%"
        )
    return ratio
