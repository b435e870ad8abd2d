"""``migrate prove``: which accounts are asked, and that nothing of it stays, whatever ends the command.

Rules: nobody is asked while a run of the plan is at work, for its passes would see our container come and go; the file is
written after each pair, so that a later failure loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from migrator import __version__
from migrator.adapters.clock import SystemClock
from migrator.cli import wiring
from migrator.cli.doors import Doors
from migrator.cli.identity import is_proven_dead
from migrator.cli.proofs import read_file, write_file
from migrator.cli.settings import Settings
from migrator.cli.views.errors import show_note
from migrator.engine.proving.prove import Examiner
from migrator.engine.pulse import is_beating
from migrator.errors import LockedError, UsageError
from migrator.model.proved import PromiseKept, ProvedPair, with_pair
from migrator.model.schedule import Schedule

Told = Callable[[PromiseKept], None]
Pair = tuple[str, str]


def pairs_of(schedule: Schedule, asked: str | None) -> list[Pair]:
    """Every two accounts that a move goes between, or the two that were asked for. Raises UsageError."""
    if asked is None:
        return sorted({(move.source, move.target) for move in schedule.moves})
    names = [name.strip() for name in asked.split(",")]
    if len(names) != 2 or names[0] == names[1]:
        raise UsageError(f"cannot prove {asked!r}: expected two accounts, as --accounts A,B")
    if unknown := [name for name in names if name not in schedule.accounts]:
        raise UsageError(f"cannot prove {unknown[0]}: the plan has no such account")
    return [(names[0], names[1])]


def place_of(schedule: Schedule, plan: Path, out: Path | None) -> Path:
    if out is not None:
        return out
    return Path(schedule.proved) if schedule.proved is not None else plan.with_suffix(".proved.json")


def prove_pairs(
    doors: Doors, settings: Settings, pairs: Sequence[Pair], file: Path, *, told: Told | None
) -> list[ProvedPair]:
    """Each pair's answers; all that is known is in ``file`` afterwards."""
    kept: tuple[ProvedPair, ...] = ()
    if file.exists():
        try:
            kept = read_file(file)
        except (OSError, ValueError) as wrong:
            raise UsageError(
                f"cannot write {file}: what is there {wrong}", hint="name another file with --out"
            ) from wrong
    doors.run(_refuse_at_work(settings, doors.schedule))
    found = []
    for pair in pairs:
        proved = doors.run(_prove(doors, pair, told or (lambda one: None)))
        kept = with_pair(kept, proved)
        write_file(file, kept)
        found.append(proved)
    return found


async def _refuse_at_work(settings: Settings, schedule: Schedule) -> None:
    url = wiring.state_url(settings, schedule)
    if not wiring.is_there(url):
        return
    with contextlib.closing(wiring.open_state_of(url, schedule.name)) as store:
        if await is_beating(store, SystemClock(), is_proven_dead):
            raise LockedError(
                "cannot prove accounts while a run is at work: it would see a container come and go",
                hint="wait until it has ended, or prove two accounts that no plan moves",
            )


async def _prove(doors: Doors, pair: Pair, told: Told) -> ProvedPair:
    """SIGTERM ends it as SIGINT does: what was made is removed first."""
    first, second = (doors.account(name) for name in pair)
    examiner = Examiner(first, second, clock=SystemClock(), told=told)
    kinds = {name: doors.schedule.accounts[name].kind for name in pair}
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    with contextlib.suppress(NotImplementedError, ValueError):
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await examiner.run(kinds, f"migrate {__version__}")
    finally:
        with contextlib.suppress(NotImplementedError, ValueError):
            loop.remove_signal_handler(signal.SIGTERM)
        for place in examiner.left:
            show_note(f"cannot remove {place}, which is ours: delete it by hand; a later `migrate prove` does it too")
