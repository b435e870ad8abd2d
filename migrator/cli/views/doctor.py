"""``migrate doctor``: one plain page, the next safe action first; and the same as JSON."""

from __future__ import annotations

import math
from typing import Any

from migrator.cli.commands.doctor.operation import Examined
from migrator.cli.views.figures import duration, instant, stamp
from migrator.cli.views.screen import Page
from migrator.engine.checks.doctor import is_not_made_yet
from migrator.engine.checks.facts import AccountFacts, Facts
from migrator.engine.doctor import MoveDiagnosis
from migrator.model.findings import Finding

_HEADLINES = {"error": "What is wrong", "warning": "What to look at", "info": "Good to know"}
_STYLES = {"error": "bold red", "warning": "yellow", "info": None}


def show(page: Page, found: Examined, plan: str) -> None:
    facts, diagnosis = found.facts, found.diagnosis
    verdict = "nothing disagrees" if diagnosis.is_healthy else "something is wrong"
    page.line(f"Plan {facts.schedule.name}, {instant(facts.now)}: {verdict}", style="bold")
    page.line(f"Next: {found.action}.", style="bold")
    for severity, headline in _HEADLINES.items():
        some = [one for one in diagnosis.findings if one.severity == severity]
        if some:
            page.line()
            page.line(headline, style=_STYLES[severity])
            for finding in some:
                _show_finding(page, finding, plan)
    page.line()
    page.line("Moves: state against routes")
    headings = ("MOVE", "STATE", "EPOCH", "ROUTE NAMES", "MODE", "EPOCH", "VERDICT")
    page.table(headings, [_move_row(move) for move in diagnosis.moves], right=frozenset({2, 5}), spare=("EPOCH",))
    page.line()
    page.line("Accounts")
    columns = ("ACCOUNT", "KIND", "CREDENTIAL", "TAKEOVER WAIT", "CLOCK")
    page.table(columns, [_account_row(facts, name) for name in sorted(facts.accounts)])
    page.line()
    page.line(f"Lock: {_lock(found)}")
    page.line(f"State: {found.trouble or _place(found)}" + (f", lineage {facts.lineage}" if facts.lineage else ""))
    page.line("Versions: " + ", ".join(f"{name} {version}" for name, version in found.versions.items()))


def _place(found: Examined) -> str:
    where = found.where
    return f"{where.place} ({where.named_by})" + ("" if where.knows_plan else ", which has never seen this plan")


def _show_finding(page: Page, finding: Finding, plan: str) -> None:
    page.line(f"  {finding.subject}: {finding.text}")
    if finding.remedy:
        page.line(f"    -> {finding.remedy}")


def _move_row(move: MoveDiagnosis) -> tuple[str, ...]:
    record, route = move.record, move.route
    back = " (back)" if record.direction == "reverse" and record.state != "reversed" else ""
    names = (route.account, route.mode, str(route.epoch)) if route is not None else ("—", "—", "—")
    return (str(record.id), f"{record.state}{back}", str(record.epoch), *names, move.verdict)


def _account_row(facts: Facts, name: str) -> tuple[str, ...]:
    account = facts.accounts[name]
    found = account.examination
    if found is None:
        said = "not there yet" if is_not_made_yet(facts, name, account.error) else "cannot be reached"
        return (name, account.kind, said, "—", "—")
    wait = "until it is unlocked" if math.isinf(found.bound_seconds) else duration(found.bound_seconds)
    apart = account.clock_seconds
    clock = "—" if apart is None else ("as ours" if abs(apart) < 1 else f"{apart:+.0f} s")
    return (name, account.kind, found.credential, wait if found.bound_seconds else "not at all", clock)


def _lock(found: Examined) -> str:
    lock = found.facts.lock
    if lock is None:
        return "free; no run is at work"
    age = max(0.0, (found.facts.now - lock.heartbeat).total_seconds())
    who = f"{lock.owner}@{lock.host}, pid {lock.pid}, since {instant(lock.since)}"
    state = "at work" if found.facts.is_at_work else "not given back"
    return f"{lock.nonce}, {state}: {who}; last sign of life {duration(age)} ago"


def document(found: Examined, plan: str) -> dict[str, Any]:
    """The body of ``doctor --json``, without ``format_version``."""
    facts, lock = found.facts, found.facts.lock
    return {
        "plan": facts.schedule.name,
        "at": stamp(facts.now),
        "healthy": found.diagnosis.is_healthy,
        "next_action": found.action,
        "findings": [
            {
                "severity": one.severity,
                "code": one.code,
                "subject": one.subject,
                "text": one.text,
                "remedy": one.remedy,
            }
            for one in found.diagnosis.findings
        ],
        "moves": [_move(one) for one in found.diagnosis.moves],
        "accounts": [_account(name, facts.accounts[name]) for name in sorted(facts.accounts)],
        "lock": None
        if lock is None
        else {
            "id": lock.nonce,
            "owner": lock.owner,
            "host": lock.host,
            "pid": lock.pid,
            "run": lock.run,
            "since": stamp(lock.since),
            "heartbeat": stamp(lock.heartbeat),
            "at_work": facts.is_at_work,
        },
        "state": {
            "store": found.trouble or found.where.place,
            "lineage": facts.lineage,
            "named_by": found.where.named_by,
            "knows_plan": found.where.knows_plan,
        },
        "versions": found.versions,
    }


def _move(one: MoveDiagnosis) -> dict[str, Any]:
    route = one.route
    return {
        "region": one.record.id.region,
        "area": one.record.id.area,
        "state": str(one.record.state),
        "direction": str(one.record.direction),
        "epoch": one.record.epoch,
        "verdict": one.verdict,
        "route": None
        if route is None
        else {
            "account": route.account,
            "endpoint": route.endpoint,
            "mode": route.mode,
            "epoch": route.epoch,
            "lineage": route.lineage,
            "run": route.run,
        },
    }


def _account(name: str, account: AccountFacts) -> dict[str, Any]:
    found = account.examination
    bound = found.bound_seconds if found is not None and math.isfinite(found.bound_seconds) else None
    return {
        "name": name,
        "kind": account.kind,
        "reachable": account.error is None,
        "error": account.error.message if account.error else None,
        "credential": found.credential if found else None,
        "takeover_wait_seconds": bound,
        "clock_seconds": account.clock_seconds,
    }
