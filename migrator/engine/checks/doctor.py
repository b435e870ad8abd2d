"""What the doctor finds beside routes: moves that stand, locks that were left, accounts that do not answer.

Pure: judges what was read (``facts``). Rules: a finding of severity error is something a person should act on now, and it says
how. ``PLAN`` in a remedy is the plan as it was named on the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from migrator.engine.checks.case import Case, of_facts
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.facts import Facts
from migrator.engine.checks.moments import Asks, When
from migrator.engine.checks.routes import WRITERS_BLOCKED, route_of
from migrator.engine.lingering import left_by, longer
from migrator.errors import MigrateError, NotFound
from migrator.machine.agreement import halted_by_route, live_account
from migrator.machine.states import is_before_copy
from migrator.model.findings import Finding
from migrator.model.moves import MoveRecord, MoveState
from migrator.model.routes import READ_ONLY
from migrator.model.schedule import PlannedMove

SAFE_SQLITE: Final = (3, 51, 3)
"""Earlier releases have a rare corruption when several connections checkpoint a write-ahead log."""


def of_records(
    judge: Callable[[Facts, PlannedMove, MoveRecord], Iterator[Finding]],
) -> Callable[[Case], Iterator[Finding]]:
    """A check of one move's record, for all of them."""

    def run(case: Case) -> Iterator[Finding]:
        for move in case.schedule.moves:
            yield from judge(case.facts, move, case.facts.record_of(move))

    return run


def halted(facts: Facts, move: PlannedMove, record: MoveRecord) -> Iterator[Finding]:
    if record.state is MoveState.HALTED:
        remedy = "see its route below" if halted_by_route(record.reason) else ""
        yield Finding("warning", "halted", str(move.id), f"halted: {record.reason}", remedy)


def soak_stands(facts: Facts, move: PlannedMove, record: MoveRecord) -> Iterator[Finding]:
    soak = facts.soaks.get(str(move.id))
    interval = facts.schedule.wave_of(move.id).interval_seconds
    if soak is not None and soak.stands_still(facts.now, interval):
        cause = soak.gates[0]
        text = (
            f"the soak stands still since {soak.still_since:%Y-%m-%d %H:%M} UTC: gate {cause.gate} is {cause.verdict}"
        )
        yield Finding("warning", "soak-stands", str(move.id), text, cause.remedy)


def dirty(facts: Facts, move: PlannedMove, record: MoveRecord) -> Iterator[Finding]:
    if record.dirty:
        yield Finding("warning", "dirty-target", str(move.id), record.dirty)


def still_revoked(facts: Facts, move: PlannedMove, record: MoveRecord) -> Iterator[Finding]:
    """Policies of the live account that a fence revoked, and no run is there to put them back."""
    route = None if facts.routes_error is not None else route_of(facts, move)
    live = route.account if route is not None and route.mode != READ_ONLY else ""
    if not facts.is_at_work and any(one.account == live for one in record.revoked):
        text = f"access policies of {live} may still be revoked by a fence that is over: their writers would be refused"
        remedy = "`migrate apply PLAN` now: it puts them back first"
        yield Finding("error", "writers-blocked", str(move.id), text, remedy)


def exceptions(facts: Facts, move: PlannedMove, record: MoveRecord) -> Iterator[Finding]:
    counts = {kind: number for kind, number in facts.exceptions.get(str(move.id), {}).items() if number}
    if counts:
        said = ", ".join(f"{number:,} {kind}" for kind, number in sorted(counts.items()))
        yield Finding("info", "exceptions", str(move.id), f"objects that are listed: {said}")


def live_data(facts: Facts, move: PlannedMove, record: MoveRecord) -> Iterator[Finding]:
    """The account that customers use must have the area's containers."""
    if facts.routes_error is not None:
        return
    live = live_account(record)
    known = facts.accounts.get(live)
    if known is None or known.containers is None or not record.ever_routed or record.state is MoveState.PENDING:
        return
    missing = [s.container for s in move.area.selectors if not s.is_glob and s.container not in known.containers]
    if missing:
        text = f"the live account {live} has no container {', '.join(missing)}"
        yield Finding("error", "live-data-missing", str(move.id), text)


def accounts(facts: Facts) -> Iterator[Finding]:
    early = [name for name, one in sorted(facts.accounts.items()) if is_not_made_yet(facts, name, one.error)]
    if early:
        yield Finding("info", "not-made-yet", "accounts", f"{', '.join(early)}: not there yet, apply makes them")
    for name, account in sorted(facts.accounts.items()):
        if name in early:
            continue
        if account.error is not None:
            yield Finding("error", "unreachable", name, account.error.message, account.error.hint)
        elif account.examination is not None and account.examination.bound_seconds > 3600:
            text = "its signature has no known end, or one more than an hour away: a takeover waits for that"
            yield Finding("warning", "long-credential", name, text)


def is_not_made_yet(facts: Facts, name: str, error: MigrateError | None) -> bool:
    """A target that nothing was moved to yet."""
    if not isinstance(error, NotFound) or any(move.source == name for move in facts.schedule.moves):
        return False
    return all(is_before_copy(record.state) for record in facts.moves if record.target == name)


def locks(facts: Facts) -> Iterator[Finding]:
    lock, left = facts.lock, facts.lingering
    if lock is None:
        if left.seconds:
            text = f"requests of a run that did not end in order may still be applied {left.in_words()}"
            remedy = (
                f"cut-overs are kept back for so long; if its process is surely stopped: `migrate unlock {left.lock}`"
            )
            yield Finding("warning", "late-requests", "lock", text, remedy)
        return
    age = (facts.now - lock.heartbeat).total_seconds()
    who = f"{lock.owner}@{lock.host}, pid {lock.pid}"
    if not facts.is_at_work:
        state = "its process is dead, and gave" if facts.is_proven_dead else "it gave"
        left = longer(left, left_by(lock, is_dead=facts.is_proven_dead))
        text = f"lock {lock.nonce} of {who} was not given back; {state} its last sign of life {age:.0f} s ago"
        when = "at once" if facts.is_proven_dead else "after it has watched that lock for half a minute"
        remedy = f"`migrate apply PLAN` takes over {when}"
        if left.seconds:
            remedy += f"; what the old run may have sent keeps its first fence back {left.in_words()}"
        yield Finding("warning", "stale-lock", "lock", text, remedy)


def versions(facts: Facts) -> Iterator[Finding]:
    if facts.sqlite is not None and facts.sqlite < SAFE_SQLITE:
        version = ".".join(map(str, facts.sqlite))
        text = f"SQLite {version} can corrupt a database in WAL mode, rarely; this store uses a rollback journal and is safe"
        yield Finding("info", "sqlite", "state", text)


_DOCTOR: Final = frozenset({When.DOCTOR})
_STATE: Final = frozenset({Asks.STATE})
_ROUTES: Final = _STATE | {Asks.ROUTES}
_ACCOUNTS: Final = _STATE | {Asks.ACCOUNTS}
CHECKS: Final = (
    Check(
        (
            Says("not-made-yet", ("info",), "accounts", "a target that apply makes is not there yet"),
            Says("unreachable", ("error",), "account", "an account cannot be reached"),
            Says(
                "long-credential",
                ("warning",),
                "account",
                "a credential ends late or never, and a takeover waits for that",
                "use Microsoft Entra ID, a key, or a signature of an hour",
            ),
        ),
        _DOCTOR,
        of_facts(accounts),
        _ACCOUNTS,
    ),
    Check(
        (
            Says(
                "late-requests",
                ("warning",),
                "lock",
                "requests of a run that did not end in order may still be applied",
            ),
            Says("stale-lock", ("warning",), "lock", "a run ended without giving back its lock"),
        ),
        _DOCTOR,
        of_facts(locks),
        _STATE,
    ),
    Check(
        (
            Says(
                "sqlite",
                ("info",),
                "state",
                "this version of SQLite has a fault that this store avoids",
                "do not switch the file to WAL; SQLite 3.51.3 has the cure",
            ),
        ),
        _DOCTOR,
        of_facts(versions),
        _STATE,
    ),
    Check(
        (
            Says(
                "halted",
                ("warning",),
                "move",
                "a move is halted",
                "mend the cause, then `migrate retry PLAN --reason TEXT`, or `migrate rollback PLAN`",
            ),
        ),
        _DOCTOR,
        of_records(halted),
        _STATE,
    ),
    Check(
        (
            Says(
                "soak-stands",
                ("warning",),
                "move",
                "a soak has not come on for longer than a few intervals, and why",
            ),
        ),
        _DOCTOR,
        of_records(soak_stands),
        _STATE,
    ),
    Check(
        (
            Says(
                "dirty-target",
                ("warning",),
                "move",
                "a target holds writes that the way back left behind",
                "fetch or delete it before the move goes forward again",
            ),
        ),
        _DOCTOR,
        of_records(dirty),
        _STATE,
    ),
    Check((WRITERS_BLOCKED,), _DOCTOR, of_records(still_revoked), _ROUTES),
    Check(
        (
            Says(
                "exceptions",
                ("info",),
                "move",
                "objects of a move are listed for a person",
                "`migrate status PLAN` names them",
            ),
        ),
        _DOCTOR,
        of_records(exceptions),
        _STATE,
    ),
    Check(
        (
            Says(
                "live-data-missing",
                ("error",),
                "move",
                "the account that customers use lacks a container of its area",
                "put it back; if customers dropped it: `migrate retry PLAN --accept-container NAME --reason TEXT`",
            ),
        ),
        _DOCTOR,
        of_records(live_data),
        _ACCOUNTS,
    ),
)
