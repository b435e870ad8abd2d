"""How a report is made and kept true: read, render, put in place.

Decides when a page is made again, and that a file is replaced whole. Leaves what is on it to ``migrator.report``. Rule: with
``--watch`` a file is written when the rollout has changed, and now and then without, since it says what is expected from now on.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import stat
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import migrator
from migrator.adapters.clock import SystemClock
from migrator.cli import calls
from migrator.cli.doors import Doors
from migrator.cli.exits import ExitCode
from migrator.cli.loading import known_rollout
from migrator.cli.looking import look
from migrator.cli.settings import Settings
from migrator.cli.views.errors import show_note
from migrator.cli.views.whereabouts import WRONG_STORE
from migrator.cli.whereabouts import strangers_now, whereabouts
from migrator.engine.pulse import Pulse
from migrator.errors import StateError, UsageError

if TYPE_CHECKING:
    from migrator.report.facts import ReportFacts
    from migrator.report.remembered import Remembered
    from migrator.report.serving import PageServer

INTERVAL_SECONDS: Final = 5.0
REFRESH_SECONDS: Final = 5
"""So often a browser asks for the page that is served."""
STALE_SECONDS: Final = 60.0
"""After so long a page is made again although nothing has changed: ages and expected dates have."""
EXTRA: Final = ("jinja2", "vl_convert")


def require_extra() -> None:
    """UsageError where the packages that make the page are not installed."""
    if any(importlib.util.find_spec(name) is None for name in EXTRA):
        raise UsageError(
            "cannot write a report: the packages that make it are not installed",
            hint="pip install 'migrator[report]'",
        )


@dataclass(slots=True)
class Source:
    """One rollout, looked at again and again. ``plan`` None: the only one that the state store holds."""

    settings: Settings
    plan: Path | None
    pulse: Pulse = field(default_factory=lambda: Pulse(SystemClock()))
    looks: int = 0
    remembered: Remembered = field(init=False)

    def __post_init__(self) -> None:
        from migrator.report.remembered import Remembered

        self.remembered = Remembered()

    def facts(self) -> ReportFacts:
        """Everything for one page, read now. The store is opened anew, so that one that is made later is found."""
        from migrator.report.facts import gather

        with known_rollout(self.settings, self.plan) as rollout, Doors(rollout.schedule) as doors:
            standing, action = look(doors, rollout, self.pulse if self.looks else None)
            self.looks += 1
            where = whereabouts(self.settings, rollout.schedule if self.plan is not None else None, rollout.store)
            if rollout.schedule is not None and not where.knows_plan and strangers_now(doors, rollout.store):
                action = WRONG_STORE
            place = f"the state store {where.place} ({where.named_by})."
            return gather(
                standing,
                next_action=action,
                place=place,
                schedule=rollout.schedule,
                store=rollout.store,
                remembered=self.remembered,
            )


def page_of(facts: ReportFacts, *, refresh_seconds: int | None = None) -> str:
    from migrator.report.page import render

    return render(facts, version=migrator.__version__, spelled=calls.spelled, refresh_seconds=refresh_seconds)


def write_report(settings: Settings, plan: Path | None, out: Path) -> None:
    """Write the page of now. UsageError if the file cannot be written."""
    put(out, page_of(Source(settings, plan).facts()))
    show_note(f"wrote {out}: open it in a browser; it needs nothing beside it")


def put(path: Path, text: str) -> None:
    """Replace ``path`` whole; it keeps its mode, a new one is its owner's alone. UsageError if that is not possible."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.chmod(name, mode)
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as refused:
        raise UsageError(
            f"cannot write a report to {path}: {(refused.strerror or str(refused)).lower()}",
            hint="name a file in a directory that this user may write to",
        ) from refused


def follow(settings: Settings, plan: Path | None, *, out: Path | None, serve: str | None) -> ExitCode:
    """Write ``out`` and show the page at ``serve``, as far as they are given, and again when the rollout has changed, until
    Ctrl-C. After the first page a fault that may pass is said and waited out."""
    from migrator.report.serving import PageServer

    source, server = Source(settings, plan), PageServer(serve) if serve is not None else None
    try:
        last: tuple[object, ...] | None = None
        written = 0.0
        while True:
            try:
                facts = source.facts()
                found = fingerprint(facts)
                if found != last or time.monotonic() - written >= STALE_SECONDS:
                    _place(facts, out, server)
                    if last is None:
                        _announce(out, server)
                    last, written = found, time.monotonic()
            except StateError as fault:
                if last is None:
                    raise
                show_note(f"{fault}; trying again")
            time.sleep(INTERVAL_SECONDS)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    finally:
        if server is not None:
            server.close()


def _place(facts: ReportFacts, out: Path | None, server: PageServer | None) -> None:
    if out is not None:
        put(out, page_of(facts))
    if server is not None:
        server.put(page_of(facts, refresh_seconds=REFRESH_SECONDS))


def _announce(out: Path | None, server: PageServer | None) -> None:
    if server is not None:
        show_note(f"the report is at {server.url} until Ctrl-C")
    if out is not None:
        show_note(f"wrote {out}, and write it again as the rollout changes, until Ctrl-C")


def fingerprint(facts: ReportFacts) -> tuple[object, ...]:
    """What changes when the rollout does; the time of day alone changes nothing of it."""
    standing = facts.standing
    return (
        facts.next_action,
        facts.history.total,
        tuple((one.record, one.listed_counts) for one in standing.moves),
        tuple((one.state, one.waits) for one in standing.waves),
        standing.is_at_work,
        sum(one.total for one in facts.requests),
        sum(gate.number for gates in facts.gates.values() for gate in gates),
    )
