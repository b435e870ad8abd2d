"""The route document: can it be read and written, does it agree with the state store and the plan, are its writers free?

One law for the preview and the doctor (``machine.agreement``, ``machine.release``): a preview says what the next apply will do
about it, the doctor what a person should do now. Rule: what a run at work is just changing is not called wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from migrator.engine.checks.case import Case, of_facts
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.facts import Facts, known_record
from migrator.engine.checks.moments import Asks, When
from migrator.engine.checks.ways import CLOCK, CLOCK_SECONDS
from migrator.engine.disagreement import ADDRESS_HINT, WRONG_STORE_HINT, hint_for
from migrator.machine.agreement import Agreement, in_words, judge_route, live_account
from migrator.machine.release import Fate, explain
from migrator.machine.states import had_stay, holds_claim, is_before_copy
from migrator.model.findings import Finding, Severity
from migrator.model.moves import MoveRecord, MoveState
from migrator.model.routes import READ_ONLY, RouteDocument, RouteRecord
from migrator.model.schedule import PlannedMove, Routing

PUBLISHED: Final = "the next apply publishes it before any fence"
WENT_ON: Final = "route-went-on"


# Of a preview: what the next apply makes of it.


def as_read(case: Case) -> Iterator[Finding]:
    """The document itself: everything hangs on it."""
    if (fault := case.routes.unreadable) is not None:
        yield Finding("error", "routes-unreadable", "routes", fault.message, fault.hint)
    elif (fault := case.routes.unwritable) is not None:
        yield Finding("error", "routes-not-writable", "routes", fault.message, fault.hint)


def disagreements(case: Case) -> Iterator[Finding]:
    """Moves whose route and record disagree."""
    if case.routes.unreadable is None:
        for move in case.schedule.moves:
            yield from disagreement_of(case, move)


def disagreement_of(case: Case, move: PlannedMove) -> tuple[Finding, ...]:
    """The finding, if route and record of ``move`` disagree; none where the document could not be read."""
    seen = case.read_routes
    if seen is None or seen.unreadable is not None:
        return ()
    known = {record.id: record for record in case.state.moves()}
    addresses = case.addresses
    record = known_record(case.schedule, move, known)
    route = seen.document.routes.get(str(move.id)) if seen.document else None
    endpoint = addresses.get(live_account(record))
    agreement = judge_route(record, route, lineage=case.state.lineage, endpoint=endpoint)
    if record.intent is not None or not agreement.is_disagreement:
        return ()
    has_begun = any(one.state is not MoveState.PENDING for one in known.values())
    # What has a route is halted by its own claim; whatever else is under way is not kept from being watched.
    is_halted = not is_before_copy(record.state) or (record.ever_routed and has_begun)
    severity: Severity = "warning" if is_halted else "error"
    text = in_words(record, route, agreement, endpoint=endpoint)
    remedy = f"see migrate doctor; {hint_for(agreement, record)}"
    return (Finding(severity, "route-disagrees", str(move.id), text, remedy),)


def long_durations(case: Case) -> Iterator[Finding]:
    """Clients may rely on what the document promises, so a fence would wait for all of it."""
    document = case.routes.document
    for name, said, planned in _durations(document, case.schedule.routing) if document else ():
        if said > planned:
            yield _longer(f"{name} is {said:g}s in the document, {planned:g}s in the plan")


# Of the doctor: what a person should do now.


def found_in(facts: Facts) -> Iterator[Finding]:
    """The document itself, and what of it is not as the plan says."""
    if facts.routes_error is not None:
        text = f"the route document cannot be read: {facts.routes_error.message}"
        yield Finding("error", "routes-unreadable", "routes", text, facts.routes_error.hint)
        return
    document, routing = facts.document, facts.schedule.routing
    if document is None:
        if any(record.ever_routed for record in facts.moves):
            text = "the route document is gone: customers cannot write"
            remedy = "put it back from a copy; every move says its record"
            yield Finding("error", "routes-unreadable", "routes", text, remedy)
        return
    for name, said, planned in _durations(document, routing):
        if said != planned:
            text = f"{name} is {said:g}s in the document, {planned:g}s in the plan"
            yield _longer(text) if said > planned else Finding("info", "durations", "routes", f"{text}; {PUBLISHED}")


def written_ahead(facts: Facts) -> Iterator[Finding]:
    """Records by a clock that is ahead of ours."""
    for key, route in facts.document.routes.items() if facts.document and facts.routes_error is None else ():
        ahead = _seconds_ahead(route.updated, facts.now)
        if ahead > CLOCK_SECONDS:
            text = f"its record was written {ahead:.0f} s in the future of this machine's clock"
            yield Finding("warning", "clock", key, text, "set the clocks of this machine and the engine's by NTP")


def of_each_move(facts: Facts) -> Iterator[Finding]:
    for move in facts.schedule.moves:
        yield from of_route(facts, move)


def of_route(facts: Facts, move: PlannedMove) -> Iterator[Finding]:
    """What is wrong with the route of ``move``; nothing is said of routes that cannot be read."""
    if facts.routes_error is not None:
        return
    record, route = facts.record_of(move), route_of(facts, move)
    later = next((one for one in facts.moves_after if one.id == move.id), record)
    found = _disagreement(facts, record, route)
    if found is not None and later != record and _disagreement(facts, later, route) is None:
        found = None  # the run at work went on between two looks
    if found is not None:
        yield found
    yield from _address(facts, str(move.id), route)


def route_of(facts: Facts, move: PlannedMove) -> RouteRecord | None:
    return facts.document.routes.get(str(move.id)) if facts.document else None


def _disagreement(facts: Facts, record: MoveRecord, route: RouteRecord | None) -> Finding | None:
    key, lineage = str(record.id), facts.lineage
    if facts.is_at_work and facts.lock and route is not None and route.run != facts.lock.run and record.ever_routed:
        text = f"run {facts.lock.run} holds the lock, but run {route.run} has claimed the route"
        if holds_claim(record.state):
            return Finding("error", "two-engines", key, text)
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
    text = f"the cut-over on record was {fate}; the next run will record this"
    return Finding("warning", "unfinished-cut-over", key, text)


def _address(facts: Facts, key: str, route: RouteRecord | None) -> Iterator[Finding]:
    known = _known_address(facts, route.account) if route is not None else None
    if route is not None and not route.is_at(known):
        text = f"the route names {route.account}, but sends customers to {route.endpoint} instead of {known}"
        yield Finding("error", "wrong-address", key, text)


def _known_address(facts: Facts, account: str) -> str | None:
    known = facts.accounts.get(account)
    return known.endpoint or None if known is not None else None


def _longer(text: str) -> Finding:
    remedy = (
        "find out who wrote that; put the document's back to the plan's, or say in the plan what clients are to rely on"
        " (routing.ttl, cutover.max_write)"
    )
    return Finding("error", "durations", "routes", f"{text}: no fence begins", remedy)


def lineages(document: RouteDocument | None) -> Iterator[Finding]:
    """One document belongs to one state store: two engines that do not know of each other would change it."""
    if document is not None and len(document.lineages) > 1:
        text = f"the document holds records of {len(document.lineages)} state stores: {', '.join(sorted(document.lineages))}"
        yield Finding("error", "two-lineages", "routes", text)


def _durations(document: RouteDocument, routing: Routing) -> tuple[tuple[str, float, float], ...]:
    """Name, what the document says, what the plan says."""
    return (
        ("ttl", document.ttl_seconds, routing.ttl_seconds),
        ("max_write", document.max_write_seconds, routing.max_write_seconds),
    )


def _seconds_ahead(text: str, now: datetime) -> float:
    try:
        return (datetime.fromisoformat(text) - now).total_seconds()
    except (ValueError, TypeError):  # a hand wrote it
        return 0.0


def _show(route: RouteRecord | None) -> str:
    return f"{route.account}, {route.mode}, epoch {route.epoch}" if route else "nothing"


_DISAGREES: Final = Says(
    "route-disagrees", ("error", "warning"), "move", "route document and state store contradict each other"
)
_DURATIONS: Final = Says(
    "durations", ("error", "info"), "routes", "the route document and the plan do not say the same durations"
)
_UNREADABLE: Final = Says("routes-unreadable", ("error",), "routes", "the route document cannot be read, or is gone")
_LINEAGES: Final = Says(
    "two-lineages",
    ("error",),
    "routes",
    "the route document holds records of two state stores",
    "stop the engine on the wrong store, then `migrate retry PLAN --adopt-route --reason TEXT` on the right one",
)
WRITERS_BLOCKED: Final = Says("writers-blocked", ("error",), "move", "writers may be blocked now")
_PREVIEW: Final = frozenset({When.PLAN})
_DOCTOR: Final = frozenset({When.DOCTOR})
_ASKS: Final = frozenset({Asks.STATE, Asks.ROUTES})
CHECKS: Final = (
    Check(
        (
            _UNREADABLE,
            Says(
                "routes-not-writable",
                ("error",),
                "routes",
                "the route document may not be written, and everything hangs on it",
            ),
        ),
        _PREVIEW,
        as_read,
        _ASKS,
    ),
    Check((_DISAGREES,), _PREVIEW, disagreements, _ASKS),
    Check((_LINEAGES,), _PREVIEW, lambda case: lineages(case.routes.document), _ASKS),
    Check((_LINEAGES,), _DOCTOR, of_facts(lambda facts: lineages(facts.document)), _ASKS),
    Check((_DURATIONS,), _PREVIEW, long_durations, _ASKS),
    Check((_UNREADABLE, _DURATIONS), _DOCTOR, of_facts(found_in), _ASKS),
    Check((CLOCK,), _DOCTOR, of_facts(written_ahead), _ASKS),
    Check(
        (
            WRITERS_BLOCKED,
            _DISAGREES,
            Says(
                "two-engines",
                ("error",),
                "move",
                "another run, or another state store's engine, changes this move's route",
                "find the other engine (another machine, a copied state store) and stop it; the claimed-out run stops itself",
            ),
            Says(
                "wrong-address",
                ("error",),
                "move",
                "a route sends customers to an address that is not its account's",
                ADDRESS_HINT,
            ),
            Says(WENT_ON, ("warning",), "move", "a route has a higher epoch than the state store knows"),
            Says(
                "unfinished-cut-over",
                ("warning",),
                "move",
                "the cut-over on record was released or switched; the next run will record this",
                "`migrate apply PLAN`",
            ),
        ),
        _DOCTOR,
        of_facts(of_each_move),
        _ASKS,
    ),
)
