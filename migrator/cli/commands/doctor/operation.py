"""``migrate doctor``: read everything once - state, routes, accounts, state again - and ask the engine's doctor.

Rule: what cannot be read is a fact like any other; nothing is made, nothing is written, no lock is taken.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from platform import python_version

from migrator import __version__
from migrator.adapters.clock import SystemClock
from migrator.cli import wiring
from migrator.cli.doors import Doors
from migrator.cli.identity import boot_id, is_proven_dead
from migrator.cli.settings import Settings
from migrator.cli.views.next_step import next_action
from migrator.cli.whereabouts import whereabouts
from migrator.engine.checks.facts import AccountFacts, Facts
from migrator.engine.checks.routes import WENT_ON
from migrator.engine.doctor import Diagnosis, diagnose
from migrator.engine.edits import edit_findings
from migrator.engine.lingering import Moment, lingering
from migrator.engine.pulse import is_beating
from migrator.errors import MigrateError, StateError
from migrator.model.findings import Finding
from migrator.model.schedule import Schedule
from migrator.model.values import replace, value
from migrator.ports.state_store import StateStore
from migrator.standing.assess import assess, with_routes
from migrator.standing.next_step import next_step
from migrator.standing.whereabouts import Whereabouts


@value(frozen=True, slots=True)
class Examined:
    """``action``: the next safe thing to do, one sentence; ``versions``: of what runs here, by name."""

    facts: Facts
    diagnosis: Diagnosis
    action: str
    versions: dict[str, str]
    trouble: str
    """Why the state store cannot be read; mostly empty."""
    where: Whereabouts
    """Which state store it is."""


def examine(doors: Doors, settings: Settings, path: Path) -> Examined:
    """Everything about the rollout of a plan; ``path`` is how the plan is called on the command line."""
    schedule = doors.schedule
    url = wiring.state_url(settings, schedule)
    with ExitStack() as stack:
        store, trouble = _open(url, schedule)
        if store is not None:
            stack.enter_context(closing(store))
        where = whereabouts(settings, schedule, store)
        facts = doors.run(_read(doors, store))
        facts = replace(facts, sqlite=sqlite3.sqlite_version_info if url.startswith("sqlite") else None)
        diagnosis = diagnose(facts)
        situation = assess(
            schedule.name,
            schedule=schedule,
            store=store,
            now=facts.now,
            is_dead=is_proven_dead,
            is_beating=facts.is_at_work,
        )
        if facts.routes_error is None and not situation.is_at_work:
            situation = with_routes(situation, facts.document, lineage=facts.lineage)
        action = next_action(next_step(situation), str(path))
    urgent = next((one for one in diagnosis.findings if one.remedy and _is_urgent(one, facts)), None)
    if urgent is not None:
        action = f"{urgent.subject}: {urgent.remedy}"
    elif trouble is not None:
        action = trouble.hint or trouble.message
    versions = {"migrate": __version__, "Python": python_version(), "SQLite": sqlite3.sqlite_version}
    return Examined(facts, diagnosis, action, versions, "" if trouble is None else str(trouble), where)


def _is_urgent(finding: Finding, facts: Facts) -> bool:
    """An error; or what only another run can find out, where none is at work."""
    return finding.severity == "error" or (finding.code == WENT_ON and not facts.is_at_work)


def _open(url: str, schedule: Schedule) -> tuple[StateStore | None, StateError | None]:
    try:
        if not wiring.is_there(url):
            return None, None
        return wiring.open_state_of(url, schedule.name), None
    except StateError as fault:
        return None, fault


async def _read(doors: Doors, store: StateStore | None) -> Facts:
    schedule = doors.schedule
    facts = Facts(schedule, datetime.now(UTC))
    if store is not None:
        lock = store.lock()
        beats = await is_beating(store, SystemClock(), is_proven_dead)
        situation = assess(
            schedule.name, schedule=schedule, store=store, now=facts.now, is_dead=is_proven_dead, is_beating=beats
        )
        moves = tuple(store.moves())
        facts = replace(
            facts,
            lineage=store.lineage,
            moves=moves,
            exceptions={str(one.id): store.exception_counts(one.id) for one in moves},
            soaks={str(one.record.id): one.soak_waits for one in situation.moves if one.soak_waits is not None},
            silent={str(one.record.id): one.silent for one in situation.moves if one.silent},
            edits=edit_findings(schedule, store),
            lock=lock,
            is_at_work=situation.is_at_work,
            is_proven_dead=lock is not None and is_proven_dead(lock),
            lingering=lingering(store, Moment.of(boot_id(), SystemClock().monotonic())),
        )
    try:
        facts = replace(facts, document=await doors.routes())
    except MigrateError as fault:
        facts = replace(facts, routes_error=fault)
    facts = await _with_roll(doors, facts)
    names = sorted(wiring.all_accounts(schedule))
    answers = await asyncio.gather(*(_ask(doors, name) for name in names))
    facts = replace(facts, accounts=dict(zip(names, answers, strict=True)))
    return replace(facts, moves_after=tuple(store.moves())) if store is not None else facts


async def _with_roll(doors: Doors, facts: Facts) -> Facts:
    """And who is in the register, where the document names one and the plan knows of it."""
    try:
        return replace(facts, roll=await doors.roll(facts.document))
    except MigrateError as fault:
        return replace(facts, roll_error=fault)


async def _ask(doors: Doors, name: str) -> AccountFacts:
    facts = AccountFacts(doors.schedule.accounts[name].kind)
    try:
        store = doors.account(name)
        facts = replace(facts, endpoint=store.endpoint, asked=datetime.now(UTC))
        found = await store.examine(datetime.now(UTC))
        facts = replace(facts, examination=found, answered=datetime.now(UTC))
        return replace(facts, containers=frozenset(info.name for info in await store.containers()))
    except MigrateError as fault:
        return replace(facts, error=fault)
