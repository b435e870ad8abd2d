"""The doctor: each thing that can be wrong is found, told from what a run at work is just changing, and has a next act."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import inf

import pytest

from migrator.engine.checks.facts import AccountFacts, Facts
from migrator.engine.doctor import diagnose
from migrator.engine.lingering import Lingering
from migrator.errors import AccessRefused, NotFound, Unreachable
from migrator.model.moves import LockRecord, MoveRecord, MoveState, RevokedPolicy, RouteIntent, StoredPolicy
from migrator.model.register import LEFT, RollEntry
from migrator.model.routes import RouteDocument
from migrator.ports.diagnosis import Examination
from migrator.ports.register import Attendant, RollUnknown
from migrator.standing.soak_waits import SoakWaits, Standstill
from tests.unit.engine.board import ID, LINEAGE, before, fence, mover_of, switched

S = MoveState


def record(state: MoveState = S.SOAKED, **fields) -> MoveRecord:
    known = {"epoch": 8 if state in (S.SOAKING, S.SOAKED) else 6, "ever_routed": state is not S.PENDING, **fields}
    return MoveRecord(ID, "first", "src", "dst", state=state, **known)


def facts(move: MoveRecord | None, route, **fields) -> Facts:
    mover, _, clock = mover_of(record(), None)
    accounts = {
        name: AccountFacts(
            "local", f"https://{name}", Examination("none", 0.0), None, clock.now(), clock.now(), frozenset({"web"})
        )
        for name in ("src", "dst")
    }
    known = {
        "lineage": LINEAGE,
        "moves": (move,) if move else (),
        "moves_after": (move,) if move else (),
        "document": RouteDocument(30, 60, {str(ID): route} if route else {}),
        "accounts": accounts,
        **fields,
    }
    return Facts(mover.shared.schedule, clock.now(), **known)


def lock(run: str = "run-1", *, age: float = 1.0) -> LockRecord:
    _, _, clock = mover_of(record(), None)
    at = clock.now() - timedelta(seconds=age)
    return LockRecord("nonce", 1, run, "me", "here", 7, "boot", at, at, 900.0)


def codes(found: Facts, *severities: str) -> list[str]:
    return [one.code for one in diagnose(found).findings if one.severity in (severities or ("error",))]


@pytest.mark.parametrize(
    ("move", "route"),
    [
        (None, None),
        (record(S.PENDING), None),
        (record(S.COPYING), before()),
        (record(S.READY), replace(before(), epoch=9)),
        (record(S.SOAKED), switched()),
        (record(S.HALTED, resume_from=S.SOAKING, epoch=8), switched()),
        (record(S.REVERSED, epoch=6), before()),
    ],
)
def test_what_agrees_is_healthy(move, route):
    found = diagnose(facts(move, route))
    assert found.is_healthy, found.findings
    assert found.moves[0].verdict in ("agrees", "no record yet")


@pytest.mark.parametrize(
    ("move", "way"),
    [
        (record(S.SOAKING, epoch=8), "`migrate apply PLAN`"),
        (record(S.SOAKED, epoch=8), "`migrate apply PLAN`"),
        (
            record(S.HALTED, resume_from=S.SOAKED, epoch=8),
            "`migrate retry PLAN --reason TEXT`, then `migrate apply PLAN`",
        ),
        (record(S.READY, epoch=4), ""),
    ],
)
def test_a_route_that_may_have_been_away_from_a_move_that_soaked_is_told(move, way):
    route = replace(before(), epoch=10) if move.state is S.READY else replace(switched(), epoch=10)
    found = [one for one in diagnose(facts(move, route)).findings if one.code == "route-went-on"]
    assert [one.remedy.partition(":")[0] for one in found] == ([way] if way else [])


INTENT = RouteIntent(before(), fence(), switched())
DISAGREEMENTS = {
    "gone": (record(S.COPYING), None, "route-disagrees", "put the record back: account src, epoch 7 or more"),
    "another account": (record(S.COPYING), switched(), "route-disagrees", "--adopt-route"),
    "an older epoch": (record(S.SOAKED), replace(switched(), epoch=3), "route-disagrees", "--adopt-route"),
    "another store": (record(S.COPYING), replace(before(), lineage="f" * 16), "route-disagrees", "--adopt-route"),
    "another store's, nothing applied": (
        record(S.PENDING),
        replace(before(), lineage="f" * 16),
        "route-disagrees",
        "--adopt",
    ),
    "nobody's fence": (record(S.COPYING), fence(), "writers-blocked", "frees them first"),
    "its fence, its run gone": (
        record(S.DRAINING, intent=INTENT, epoch=7),
        fence(),
        "writers-blocked",
        "frees them first",
    ),
    "unexplained fence": (
        record(S.DRAINING, intent=INTENT),
        replace(fence(), epoch=20),
        "writers-blocked",
        "frees writers",
    ),
    "unexplained": (
        record(S.DRAINING, intent=INTENT),
        replace(switched(), epoch=20),
        "route-disagrees",
        "--adopt-route",
    ),
    "a wrong address": (
        record(S.SOAKED),
        replace(switched(), endpoint="https://else"),
        "wrong-address",
        "where they write",
    ),
}


@pytest.mark.parametrize("what", DISAGREEMENTS)
def test_each_disagreement_is_found_and_says_what_to_do(what):
    move, route, code, act = DISAGREEMENTS[what]
    errors = [one for one in diagnose(facts(move, route)).findings if one.severity == "error"]
    assert [one.code for one in errors] == [code]
    assert act in errors[0].remedy
    assert errors[0].subject == str(ID)


def test_without_a_state_store_a_record_is_another_store_s():
    assert codes(facts(None, before(), lineage=None)) == ["route-disagrees"]


@pytest.mark.parametrize("route", [before(), fence(), switched(), replace(before(), epoch=8)])
def test_a_cut_over_of_a_run_at_work_is_its_business(route):
    route = replace(route, run="run-1")
    found = facts(record(S.DRAINING, intent=INTENT, epoch=7), route, lock=lock(), is_at_work=True)
    assert codes(found) == []


def test_a_finished_cut_over_that_nobody_wrote_down_is_no_error():
    found = facts(record(S.SWITCHING, intent=INTENT, epoch=7), switched())
    assert codes(found) == []
    assert codes(found, "warning") == ["unfinished-cut-over"]


def test_what_changed_between_two_looks_is_not_wrong():
    found = facts(record(S.COPYING), switched(), moves_after=(record(S.SOAKING),))
    assert codes(found) == []


def test_two_engines_are_told_by_who_claimed_the_route():
    found = facts(record(S.COPYING), replace(before(), run="run-9"), lock=lock("run-1"), is_at_work=True)
    assert codes(found) == ["two-engines"]


def test_two_lineages_in_one_document_are_an_error():
    found = facts(record(S.SOAKED), switched())
    other = replace(before(), lineage="f" * 16)
    found = replace(found, document=found.document.with_record("asia/mail", other))
    assert codes(found) == ["two-lineages"]


def test_routes_that_cannot_be_read_are_said_and_judge_no_move():
    found = facts(record(S.SOAKED), None, routes_error=Unreachable("cannot reach control: no answer"))
    assert codes(found) == ["routes-unreadable"]
    assert diagnose(found).moves[0].verdict == "unknown"


APART = [(0.0, None), (3.0, None), (30.0, "warning"), (-30.0, "warning"), (900.0, "error")]


@pytest.mark.parametrize(("ahead", "severity"), APART)
def test_clocks_are_compared_with_the_service(ahead, severity):
    found = facts(record(S.SOAKED), switched())
    at = found.accounts["dst"].asked
    theirs = Examination("a key", 900.0, at + timedelta(seconds=ahead))
    account = replace(found.accounts["dst"], examination=theirs, answered=at + timedelta(seconds=0.5))
    found = replace(found, accounts={**found.accounts, "dst": account})
    clocks = [one for one in diagnose(found).findings if one.code == "clock"]
    assert [one.severity for one in clocks] == ([severity] if severity else [])
    if clocks:
        assert ("behind" if ahead > 0 else "ahead of") in clocks[0].text


def test_a_record_from_the_future_says_that_a_clock_is_wrong():
    found = facts(record(S.SOAKED), replace(switched(), updated="2026-03-01T13:00:00Z"))
    assert codes(found, "warning") == ["clock"]


def test_an_account_that_cannot_be_reached_is_an_error_but_not_one_that_apply_makes():
    found = facts(record(S.SOAKED), switched())
    lost = replace(found.accounts["dst"], error=AccessRefused("cannot list dst: refused (403)"), examination=None)
    assert codes(replace(found, accounts={**found.accounts, "dst": lost})) == ["unreachable"]
    absent = replace(lost, error=NotFound("cannot open dst: it is not there", what="account"))
    early = facts(record(S.PENDING), None)
    assert codes(replace(early, accounts={**early.accounts, "dst": absent})) == []
    assert codes(replace(found, accounts={**found.accounts, "dst": absent})) == ["unreachable"]


def test_a_live_account_without_its_containers_stops_everybody():
    found = facts(record(S.SOAKED), switched())
    empty = replace(found.accounts["dst"], containers=frozenset())
    assert codes(replace(found, accounts={**found.accounts, "dst": empty})) == ["live-data-missing"]


def test_a_lock_that_was_not_given_back_says_how_long_a_takeover_waits():
    found = facts(record(S.COPYING), before(), lock=lock(age=100.0))
    (finding,) = [one for one in diagnose(found).findings if one.code == "stale-lock"]
    assert "900 s" in finding.remedy
    dead = diagnose(replace(found, is_proven_dead=True)).findings
    assert "30 s" in next(one.remedy for one in dead if one.code == "stale-lock")
    behind = replace(found, is_proven_dead=True, lingering=Lingering(700.0, "older"))
    assert "700 s" in next(one.remedy for one in diagnose(behind).findings if one.code == "stale-lock")


@pytest.mark.parametrize(("seconds", "told"), [(90.0, "for 90 s"), (inf, "for as long as its signature holds")])
def test_what_an_older_run_left_to_be_waited_for_is_told_with_the_way_out(seconds, told):
    quiet = facts(None, None)
    assert not [one for one in diagnose(quiet).findings if one.code == "late-requests"]
    left = replace(quiet, lingering=Lingering(seconds, "c0ffee"))
    (finding,) = [one for one in diagnose(left).findings if one.code == "late-requests"]
    assert told in finding.text
    assert "`migrate unlock c0ffee`" in finding.remedy


def test_halted_and_dirty_moves_and_listed_objects_are_named():
    move = record(S.HALTED, resume_from=S.COPYING, reason="it broke", dirty="dst was left behind")
    found = diagnose(facts(move, before(), exceptions={str(ID): {"foreign": 2}})).findings
    assert {one.code for one in found} == {"halted", "dirty-target", "exceptions"}


def test_policies_that_stayed_revoked_at_the_live_account_block_writers():
    left = RevokedPolicy("dst", "web", StoredPolicy("writers", "rw"))
    assert codes(facts(record(S.SOAKED, revoked=(left,)), switched())) == ["writers-blocked"]
    freed = replace(before(), epoch=8)
    died = record(S.DRAINING, intent=INTENT, epoch=7, revoked=(replace(left, account="src"),))
    assert codes(facts(died, freed)) == ["writers-blocked"], "the guardian freed the route, and not the policies"
    old = replace(left, account="src")
    assert codes(facts(record(S.SOAKED, revoked=(old,)), switched())) == [], "the side that was left stays closed"


def test_blocked_writers_come_first():
    found = facts(record(S.COPYING), fence())
    lost = replace(found.accounts["dst"], error=AccessRefused("cannot list"), examination=None)
    found = replace(found, accounts={"a": lost, **found.accounts})
    assert codes(found) == ["writers-blocked", "unreachable"]


@pytest.mark.parametrize(("version", "warned"), [((3, 40, 1), True), ((3, 51, 3), False), (None, False)])
def test_an_old_sqlite_is_good_to_know(version, warned):
    assert ("sqlite" in codes(facts(record(S.SOAKED), switched(), sqlite=version), "info")) is warned


def test_a_credential_that_never_ends_is_warned_of():
    found = facts(record(S.SOAKED), switched())
    endless = replace(found.accounts["dst"], examination=Examination("a signature", inf))
    late = replace(found, accounts={**found.accounts, "dst": endless})
    assert codes(found, "warning") == []
    assert codes(late, "warning") == ["long-credential"]


def test_an_address_that_is_not_the_account_s_is_an_error():
    assert codes(facts(record(S.SOAKED), replace(switched(), endpoint="https://elsewhere"))) == ["wrong-address"]


def test_a_target_that_apply_makes_is_no_fault():
    found = facts(record(S.PENDING), None)
    gone = replace(found.accounts["dst"], error=NotFound("not there", what="account"), containers=None)
    new = replace(found, accounts={**found.accounts, "dst": gone})
    assert codes(new, "error", "info") == ["not-made-yet"]


def test_a_soak_that_stands_still_is_named_with_what_to_mend():
    found = facts(record(S.SOAKING), switched())
    gate = Standstill("errors", "errored", "nobody answers", "mend gate errors: nobody answers")
    interval = found.schedule.waves[0].interval_seconds
    for intervals, told in ((2, []), (4, ["soak-stands"])):
        since = found.now - timedelta(seconds=intervals * interval)
        waits = SoakWaits(60.0, None, (), (gate,), since)
        stuck = replace(found, soaks={str(ID): waits})
        assert codes(stuck, "warning") == told
    (finding,) = [one for one in diagnose(stuck).findings if one.code == "soak-stands"]
    assert finding.remedy == "mend gate errors: nobody answers"


# The register.


def attendant(label: str, age_seconds: float | None) -> Attendant:
    return Attendant("0" * 32, "1", RollEntry(label, 60.0, {str(ID): 0}), age_seconds)


def test_followers_that_fell_silent_are_named():
    found = diagnose(
        facts(record(), switched(), roll=(attendant("images/pod-7", 240.0), attendant("images/pod-8", 5.0)))
    )
    (silent,) = [one for one in found.findings if one.code == "followers-silent"]
    assert silent.severity == "warning"
    assert "1 of 2 followers" in silent.text
    assert "images/pod-7, 4 min ago" in silent.text


def test_followers_that_have_said_that_they_left_are_nothing_to_tell():
    """Their entries stay until a run takes them away."""
    gone = Attendant("1" * 32, "1", RollEntry("images/pod-6", 60.0, {str(ID): LEFT}), 90_000.0)
    assert diagnose(facts(record(), switched(), roll=(gone,))).findings == ()
    found = diagnose(facts(record(), switched(), roll=(gone, attendant("images/pod-7", 240.0))))
    assert [one.text for one in found.findings if "1 of 1 followers" in one.text]


def test_a_register_that_is_lost_is_told():
    found = diagnose(facts(record(), switched(), roll_error=RollUnknown("cannot read the register: its head is gone")))
    assert [one.code for one in found.findings] == ["register-unreadable"]


def test_followers_that_renew_are_nothing_to_tell():
    assert diagnose(facts(record(), switched(), roll=(attendant("images/pod-8", 5.0),))).findings == ()
