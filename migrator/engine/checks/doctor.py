"""The doctor: state against routes against accounts, clocks and locks; what is wrong, and the next safe action.

Decides what a finding is and which comes first. Leaves reading to ``cli``, laws to ``machine``, words on the screen to the views.
Rules: nothing is written; what a run at work is just changing is not called wrong; a finding of severity error is something a
person should act on now, and it says how. ``PLAN`` in a remedy is the plan as it was named on the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from migrator.engine.lingering import Lingering, left_by, longer
from migrator.engine.releasing import ADDRESS_HINT, WRONG_STORE_HINT, hint_for
from migrator.engine.silence import Silent
from migrator.engine.soak_waits import SoakWaits
from migrator.errors import MigrateError, NotFound
from migrator.machine.agreement import Agreement, in_words, judge_route, live_account
from migrator.machine.release import Fate, explain
from migrator.machine.states import had_stay, holds_claim, is_before_copy
from migrator.model.findings import Finding, Severity
from migrator.model.moves import LockRecord, MoveRecord, MoveState
from migrator.model.routes import READ_ONLY, RouteDocument, RouteRecord
from migrator.model.schedule import PlannedMove, Routing, Schedule
from migrator.model.values import value
from migrator.ports.diagnosis import Examination
from migrator.ports.state_store import StateStore

CLOCK_SECONDS = 5.0
"""Clocks that are further apart are worth a word: whole seconds and a round trip explain less."""
CLOCK_LIMIT_SECONDS = 300.0
"""Signatures of requests and of copies begin to be refused. Source: Azure takes requests of the last 15 minutes."""
SAFE_SQLITE = (3, 51, 3)
"""Earlier releases have a rare corruption when several connections checkpoint a write-ahead log."""


@value(frozen=True, slots=True)
class AccountFacts:
    """What one account answered. ``asked`` and ``answered``: this machine's wall clock around the request; ``containers``: all
    of its, None if that was not asked."""

    kind: str
    endpoint: str = ""
    examination: Examination | None = None
    error: MigrateError | None = None
    asked: datetime | None = None
    answered: datetime | None = None
    containers: frozenset[str] | None = None

    @property
    def clock_seconds(self) -> float | None:
        """How far the service's clock is ahead of ours, less what the round trip explains; None where it has none."""
        if self.examination is None or self.examination.service_time is None or not self.asked or not self.answered:
            return None
        theirs = self.examination.service_time
        earliest, latest = theirs - self.answered, theirs + timedelta(seconds=1) - self.asked
        if earliest.total_seconds() > 0:
            return earliest.total_seconds()
        return min(0.0, latest.total_seconds())


@value(frozen=True, slots=True)
class Facts:
    """All that was read, in the order: state, routes, accounts, state again. ``lineage`` is None where there is no store."""

    schedule: Schedule
    now: datetime
    lineage: str | None = None
    moves: Sequence[MoveRecord] = ()
    moves_after: Sequence[MoveRecord] = ()
    exceptions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By ``region/area``: objects by kind of exception."""
    soaks: Mapping[str, SoakWaits] = field(default_factory=dict)
    """By ``region/area``: what a soak that goes on waits for."""
    silent: Mapping[str, Sequence[Silent]] = field(default_factory=dict)
    """By ``region/area``: gates that did not answer, and keep back its cut-over."""
    lock: LockRecord | None = None
    is_at_work: bool = False
    is_proven_dead: bool = False
    lingering: Lingering = Lingering()
    """What runs that did not end in order left to be waited for."""
    edits: Sequence[Finding] = ()
    """What of an edited plan a run refuses."""
    document: RouteDocument | None = None
    routes_error: MigrateError | None = None
    accounts: Mapping[str, AccountFacts] = field(default_factory=dict)
    sqlite: tuple[int, ...] | None = None
    """The version, where the store is SQLite."""


@value(frozen=True, slots=True)
class MoveDiagnosis:
    move: PlannedMove
    record: MoveRecord
    route: RouteRecord | None
    verdict: str
    """``agrees``, or a word for what is wrong."""


@value(frozen=True, slots=True)
class Diagnosis:
    """``findings``: the most urgent first."""

    findings: tuple[Finding, ...]
    moves: tuple[MoveDiagnosis, ...]

    @property
    def is_healthy(self) -> bool:
        return not any(finding.severity == "error" for finding in self.findings)


WENT_ON = "route-went-on"
PUBLISHED = "the next apply publishes it before any fence"
_URGENCY = ("writers-blocked", "two-engines", "route-disagrees", "routes-unreadable", "wrong-address", "two-lineages")


def diagnose(facts: Facts) -> Diagnosis:
    """Judge the facts; pure."""
    findings = [*facts.edits, *_routes(facts), *_clocks(facts), *_accounts(facts), *_lock(facts), *_versions(facts)]
    moves = []
    for planned in facts.schedule.moves:
        diagnosis, found = _move(facts, planned)
        moves.append(diagnosis)
        findings.extend(found)
    severities = ("error", "warning", "info")
    urgency = {code: place for place, code in enumerate(_URGENCY)}
    findings.sort(key=lambda one: (severities.index(one.severity), urgency.get(one.code, len(urgency)), one.subject))
    return Diagnosis(tuple(findings), tuple(moves))


def with_routes(
    schedule: Schedule,
    state: StateStore,
    document: RouteDocument | None,
    findings: Sequence[Finding],
    *,
    addresses: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """The findings of a preview, and what the routes say: a target that customers use is not one to be emptied.
    ``addresses``: the endpoints of accounts by name."""
    known = {record.id: record for record in state.moves()}
    found: list[Finding] = []
    has_begun = any(record.state is not MoveState.PENDING for record in known.values())
    for planned in schedule.moves:
        route = document.routes.get(str(planned.id)) if document else None
        wave = schedule.wave_of(planned.id).name
        record = known.get(planned.id, MoveRecord(planned.id, wave, planned.source, planned.target))
        endpoint = (addresses or {}).get(live_account(record))
        agreement = judge_route(record, route, lineage=state.lineage, endpoint=endpoint)
        if record.intent is None and agreement.is_disagreement:
            remedy = f"see migrate doctor; {hint_for(agreement, record)}"
            text = in_words(record, route, agreement, endpoint=endpoint)
            # What has a route is halted by its own claim; whatever else is under way is not kept from being watched.
            is_halted = not is_before_copy(record.state) or (record.ever_routed and has_begun)
            severity: Severity = "warning" if is_halted else "error"
            found.append(Finding(severity, "route-disagrees", str(planned.id), text, remedy))
    found += [*_lineages(document), *_long_durations(schedule, document)]
    told = {finding.subject for finding in found}
    kept = [one for one in findings if not (one.code == "target-not-empty" and one.subject in told)]
    return (*found, *kept)


def _long_durations(schedule: Schedule, document: RouteDocument | None) -> Iterator[Finding]:
    """Clients may rely on what the document promises, so a fence would wait for all of it."""
    routing = schedule.routing
    for name, said, planned in _durations(document, routing) if document else ():
        if said > planned:
            yield _longer(f"{name} is {said:g}s in the document, {planned:g}s in the plan")


def _durations(document: RouteDocument, routing: Routing) -> tuple[tuple[str, float, float], ...]:
    """Name, what the document says, what the plan says."""
    return (
        ("ttl", document.ttl_seconds, routing.ttl_seconds),
        ("max_write", document.max_write_seconds, routing.max_write_seconds),
    )


def _move(facts: Facts, planned: PlannedMove) -> tuple[MoveDiagnosis, list[Finding]]:
    key = str(planned.id)
    wave = facts.schedule.wave_of(planned.id).name
    fresh = MoveRecord(planned.id, wave, planned.source, planned.target)
    record = next((one for one in facts.moves if one.id == planned.id), fresh)
    later = next((one for one in facts.moves_after if one.id == planned.id), record)
    route = facts.document.routes.get(key) if facts.document else None
    if facts.routes_error is not None:
        return MoveDiagnosis(planned, record, None, "unknown"), list(_kept(facts, record, None))
    finding = _disagreement(facts, record, route)
    if finding is not None and later != record and _disagreement(facts, later, route) is None:
        finding = None  # the run at work went on between two looks
    found = [*([finding] if finding is not None else []), *_address(facts, key, route)]
    verdict = found[0].code if found else "agrees" if route is not None else "no record yet"
    found += [*_kept(facts, record, route), *_data(facts, planned, record)]
    return MoveDiagnosis(planned, later, route, verdict), found


def _disagreement(facts: Facts, record: MoveRecord, route: RouteRecord | None) -> Finding | None:
    key, lineage = str(record.id), facts.lineage
    if facts.is_at_work and facts.lock and route is not None and route.run != facts.lock.run and record.ever_routed:
        text = f"run {facts.lock.run} holds the lock, but run {route.run} has claimed the route"
        remedy = "find the other engine (another machine, a copied state store) and stop it; the claimed-out run stops itself"
        if holds_claim(record.state):
            return Finding("error", "two-engines", key, text, remedy)
    if record.intent is not None:
        return _cut_over(facts, record, route)
    if lineage is None:
        agreement = Agreement.UNCLAIMED if route is None else Agreement.OTHER_STORE
    else:
        agreement = judge_route(record, route, lineage=lineage, endpoint=_known_address(facts, live_account(record)))
    if agreement is Agreement.OTHER_ADDRESS:
        return None  # ``_address`` says it
    if agreement is Agreement.STALE_FENCE:
        text = f"writers are blocked: the route is read-only at {route.account if route else ''}, and no cut-over is on record"
        return Finding("error", "writers-blocked", key, text, "`migrate apply PLAN` now: it frees them first")
    if not agreement.is_disagreement:
        return _went_on(record, route)
    text = in_words(record, route, agreement)
    if agreement is Agreement.GONE:
        remedy = (
            f"customers cannot write; put the record back: account {live_account(record)}, epoch {record.epoch + 1} or more"
            f", lineage {lineage}"
        )
    elif agreement is Agreement.OTHER_STORE and not record.ever_routed:
        remedy = WRONG_STORE_HINT
    else:
        remedy = (
            "if the route document is right: `migrate retry PLAN --adopt-route --reason TEXT`; if this store is right, put the"
            " record back; until then nothing is copied"
        )
    return Finding("error", "route-disagrees", key, text, remedy)


def _went_on(record: MoveRecord, route: RouteRecord | None) -> Finding | None:
    """The route agrees, under an epoch that this store did not write: a soak of before is not one of now."""
    if route is None or not had_stay(record) or route.epoch == record.epoch:
        return None
    text = (
        f"the route went on to epoch {route.epoch} without this store, which knows epoch {record.epoch}: it may have been"
        " elsewhere, and customers with it"
    )
    first = "`migrate retry PLAN --reason TEXT`, then " if record.state is MoveState.HALTED else ""
    remedy = f"{first}`migrate apply PLAN`: it soaks again, and names what was written at {record.source} meanwhile"
    return Finding("warning", WENT_ON, str(record.id), text, remedy)


def _cut_over(facts: Facts, record: MoveRecord, route: RouteRecord | None) -> Finding | None:
    assert record.intent is not None
    key, fate = str(record.id), explain(route, record.intent)
    if fate is Fate.UNEXPLAINED:
        text = f"a cut-over is on record, and the route says something that it cannot have led to ({_show(route)})"
        blocked = route is not None and route.mode == READ_ONLY
        remedy = "`migrate apply PLAN` frees writers; if the route is right: `migrate retry PLAN --adopt-route --reason TEXT`"
        return Finding("error", "writers-blocked" if blocked else "route-disagrees", key, text, remedy)
    if facts.is_at_work:
        return None
    if fate is Fate.FENCED and route is not None and route.mode == READ_ONLY:
        text = f"writers are blocked by a fence (epoch {route.epoch}) whose run is not at work"
        return Finding("error", "writers-blocked", key, text, "`migrate apply PLAN` now: it frees them first")
    text = f"a cut-over is on record that was {fate}; the next run writes that down"
    return Finding("warning", "unfinished-cut-over", key, text, "`migrate apply PLAN`")


def _address(facts: Facts, key: str, route: RouteRecord | None) -> Iterator[Finding]:
    known = _known_address(facts, route.account) if route is not None else None
    if route is not None and not route.is_at(known):
        text = f"the route names {route.account}, but sends customers to {route.endpoint} instead of {known}"
        yield Finding("error", "wrong-address", key, text, ADDRESS_HINT)


def _known_address(facts: Facts, account: str) -> str | None:
    known = facts.accounts.get(account)
    return known.endpoint or None if known is not None else None


def _kept(facts: Facts, record: MoveRecord, route: RouteRecord | None) -> Iterator[Finding]:
    key = str(record.id)
    if record.state is MoveState.HALTED:
        remedy = "mend the cause, then `migrate retry PLAN --reason TEXT`, or `migrate rollback PLAN`"
        if "--adopt-route" in record.reason:
            remedy = "see its route below"
        yield Finding("warning", "halted", key, f"halted: {record.reason}", remedy)
    soak = facts.soaks.get(key)
    interval = facts.schedule.wave_of(record.id).interval_seconds
    if soak is not None and soak.stands_still(facts.now, interval):
        cause = soak.gates[0]
        text = (
            f"the soak stands still since {soak.still_since:%Y-%m-%d %H:%M} UTC: gate {cause.gate} is {cause.verdict}"
        )
        yield Finding("warning", "soak-stands", key, text, cause.remedy)
    for one in facts.silent.get(key, ()):
        yield Finding("warning", "gate-no-answer", key, f"{one}; no cut-over begins before it does", one.hint)
    if record.dirty:
        yield Finding(
            "warning", "dirty-target", key, record.dirty, "fetch or delete it before the move goes forward again"
        )
    live = route.account if route is not None and route.mode != READ_ONLY else ""
    if not facts.is_at_work and any(one.account == live for one in record.revoked):
        text = f"access policies of {live} may still be revoked by a fence that is over: their writers would be refused"
        yield Finding("error", "writers-blocked", key, text, "`migrate apply PLAN` now: it puts them back first")
    counts = {kind: number for kind, number in facts.exceptions.get(key, {}).items() if number}
    if counts:
        said = ", ".join(f"{number:,} {kind}" for kind, number in sorted(counts.items()))
        yield Finding("info", "exceptions", key, f"objects that are listed: {said}", "`migrate status PLAN` names them")


def _data(facts: Facts, planned: PlannedMove, record: MoveRecord) -> Iterator[Finding]:
    """The account that customers use must have the area's containers."""
    live = live_account(record)
    known = facts.accounts.get(live)
    if known is None or known.containers is None or not record.ever_routed or record.state is MoveState.PENDING:
        return
    missing = [s.container for s in planned.area.selectors if not s.is_glob and s.container not in known.containers]
    if missing:
        text = f"the live account {live} has no container {', '.join(missing)}"
        yield Finding(
            "error",
            "live-data-missing",
            str(planned.id),
            text,
            "put it back; if customers dropped it: `migrate retry PLAN --accept-container NAME --reason TEXT`",
        )


def _routes(facts: Facts) -> Iterator[Finding]:
    if facts.routes_error is not None:
        text = f"the route document cannot be read: {facts.routes_error.message}"
        yield Finding("error", "routes-unreadable", "routes", text, facts.routes_error.hint)
        return
    document, routing = facts.document, facts.schedule.routing
    if document is None:
        if any(record.ever_routed for record in facts.moves):
            text = "the route document is gone: customers cannot write"
            yield Finding(
                "error", "routes-unreadable", "routes", text, "put it back from a copy; every move says its record"
            )
        return
    yield from _lineages(document)
    for name, said, planned in _durations(document, routing):
        if said != planned:
            text = f"{name} is {said:g}s in the document, {planned:g}s in the plan"
            yield _longer(text) if said > planned else Finding("info", "durations", "routes", f"{text}; {PUBLISHED}")
    for key, route in document.routes.items():
        ahead = _seconds_ahead(route.updated, facts.now)
        if ahead > CLOCK_SECONDS:
            text = f"its record was written {ahead:.0f} s in the future of this machine's clock"
            yield Finding("warning", "clock", key, text, "set the clocks of this machine and the engine's by NTP")


def _longer(text: str) -> Finding:
    remedy = (
        "find out who wrote that; put the document's back to the plan's, or say in the plan what clients are to rely on"
        " (routing.ttl, cutover.max_write)"
    )
    return Finding("error", "durations", "routes", f"{text}: no fence begins", remedy)


def _lineages(document: RouteDocument | None) -> Iterator[Finding]:
    """One document belongs to one state store: two engines that do not know of each other would change it."""
    if document is not None and len(document.lineages) > 1:
        text = f"the document holds records of {len(document.lineages)} state stores: {', '.join(sorted(document.lineages))}"
        remedy = (
            "stop the engine on the wrong store, then `migrate retry PLAN --adopt-route --reason TEXT` on the right one"
        )
        yield Finding("error", "two-lineages", "routes", text, remedy)


def _seconds_ahead(text: str, now: datetime) -> float:
    try:
        return (datetime.fromisoformat(text) - now).total_seconds()
    except (ValueError, TypeError):  # a hand wrote it
        return 0.0


def _clocks(facts: Facts) -> Iterator[Finding]:
    for name, account in sorted(facts.accounts.items()):
        apart = account.clock_seconds
        if apart is None or abs(apart) <= CLOCK_SECONDS:
            continue
        side = "behind" if apart > 0 else "ahead of"
        text = f"this machine's clock is {abs(apart):.0f} s {side} the service's"
        remedy = "set this machine's clock by NTP; change windows and dates go by it, fences and signatures do not"
        yield Finding("error" if abs(apart) > CLOCK_LIMIT_SECONDS else "warning", "clock", name, text, remedy)


def _accounts(facts: Facts) -> Iterator[Finding]:
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
            yield Finding(
                "warning", "long-credential", name, text, "use Microsoft Entra ID, a key, or a signature of an hour"
            )


def is_not_made_yet(facts: Facts, name: str, error: MigrateError | None) -> bool:
    """A target that nothing was moved to yet."""
    if not isinstance(error, NotFound) or any(move.source == name for move in facts.schedule.moves):
        return False
    return all(is_before_copy(record.state) for record in facts.moves if record.target == name)


def _lock(facts: Facts) -> Iterator[Finding]:
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
    if age < -CLOCK_SECONDS:
        text = f"the heartbeat of {who} is {-age:.0f} s in the future: the two machines' clocks disagree"
        yield Finding("warning", "clock", "lock", text, "set both by NTP")
    if not facts.is_at_work:
        state = "its process is dead, and gave" if facts.is_proven_dead else "it gave"
        left = longer(left, left_by(lock, is_dead=facts.is_proven_dead))
        text = f"lock {lock.nonce} of {who} was not given back; {state} its last sign of life {age:.0f} s ago"
        when = "at once" if facts.is_proven_dead else "after it has watched that lock for half a minute"
        remedy = f"`migrate apply PLAN` takes over {when}"
        if left.seconds:
            remedy += f"; what the old run may have sent keeps its first fence back {left.in_words()}"
        yield Finding("warning", "stale-lock", "lock", text, remedy)


def _versions(facts: Facts) -> Iterator[Finding]:
    if facts.sqlite is not None and facts.sqlite < SAFE_SQLITE:
        version = ".".join(map(str, facts.sqlite))
        text = f"SQLite {version} can corrupt a database in WAL mode, rarely; this store uses a rollback journal and is safe"
        yield Finding("info", "sqlite", "state", text, "do not switch the file to WAL; SQLite 3.51.3 has the cure")


def _show(route: RouteRecord | None) -> str:
    return f"{route.account}, {route.mode}, epoch {route.epoch}" if route else "nothing"
