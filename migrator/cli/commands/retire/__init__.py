"""``migrate retire``: delete what a wave has left at its sources, and with it the way back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from migrator.cli.commands.options import AsEvents, PlanPath
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

if TYPE_CHECKING:
    from migrator.engine.rollout import Rollout
    from migrator.engine.world import Outcome

Wave = Annotated[str, typer.Option("--wave", metavar="WAVE", help="The wave; all of it has soaked.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", metavar="", help="Only count what would go and what would stay; nothing is written."),
]
ReadsUnproved = Annotated[
    bool,
    typer.Option(
        "--reads-unproved",
        metavar="",
        help="Where the plan names no gate under retire.gates: go on although nothing shows that reads have ended.",
    ),
]
MaxDelete = Annotated[
    int | None,
    typer.Option(
        "--max-delete",
        metavar="N",
        min=0,
        help="Refuse if more objects than that would go. Never more go than were counted.",
        show_default=False,
    ),
]


def retire(
    context: typer.Context,
    plan: PlanPath,
    wave: Wave,
    dry_run: DryRun = False,
    reads_unproved: ReadsUnproved = False,
    max_delete: MaxDelete = None,
    as_json: AsEvents = False,
) -> int:
    """Delete a wave's data at its sources, where the target surely has it. There is no way back after that."""
    from migrator.cli.commands.retire import question as before
    from migrator.cli.consent import require_typed
    from migrator.cli.doors import Doors
    from migrator.cli.identity import user
    from migrator.cli.loading import state_of
    from migrator.cli.operating import operate
    from migrator.cli.views.documents import write_document
    from migrator.cli.views.screen import Page
    from migrator.plan import load

    settings, loaded = settings_of(context), load(plan)
    planned = before.planned(loaded.schedule, wave)
    doors = context.with_resource(Doors(loaded.schedule))
    with state_of(settings, loaded.schedule, create=False) as store:
        records = before.require_allowed(loaded.schedule, planned, store)
        if not dry_run:
            before.require_gates(loaded.schedule, wave, reads_unproved=reads_unproved)
        found = before.look(doors, store, records)
    if dry_run and as_json:
        write_document(before.document(loaded.schedule, wave, found))
        return ExitCode.DONE
    before.show(Page(settings, None if dry_run else sys.stderr), loaded.schedule, wave, found)
    before.require_few(wave, found, max_delete)
    if dry_run or before.is_over(found):
        return ExitCode.DONE
    sentence = before.sentence(wave, found)
    require_typed(
        sentence,
        f"cannot retire wave {wave} without asking: {before.GONE}",
        f"{before.GONE[:1].upper()}{before.GONE[1:]}.",
    )
    most = {one.record.id: one.tally.objects for one in found}

    async def work(rollout: Rollout) -> Outcome:
        return await rollout.retire(wave, most=most, reads_unproved=reads_unproved, who=user())

    resume = f"migrate retire PLAN --wave {wave}" + (" --reads-unproved" if reads_unproved else "")
    return operate(doors, loaded, settings, work, resume=resume, create=False, as_json=as_json)
