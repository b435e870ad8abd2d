"""What a move's steps say before they are done: by the plan, by what operators want, and by where the store has the move."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from migrator.adapters.state import open_store
from migrator.engine import teller
from migrator.engine.ahead import Ahead, ahead_of
from migrator.engine.steps import STEPS
from migrator.engine.steps.step import Step
from migrator.engine.teller import steps_of, tell
from migrator.forecast import Inventory
from migrator.machine.events import Event
from migrator.machine.transitions import ROWS, is_allowed
from migrator.model.moves import Approval, Control, Direction, Figures, LockRecord, MoveRecord, MoveState
from migrator.model.names import Area, MoveId, Selector
from migrator.model.schedule import (
    Account,
    Budget,
    ChangeWindow,
    Cutover,
    Freeze,
    Gate,
    PlannedMove,
    PlannedWave,
    Routing,
    Schedule,
    Verify,
)
from migrator.ports.state_store import SaveMove
from migrator.words.happenings import FENCE_LEFT

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ID, OTHER = MoveId("eu", "web"), MoveId("eu", "mail")
S = MoveState


def schedule(*, first: dict | None = None, **changes) -> Schedule:
    """Two waves of one move each, the second after the first; ``first``: changes of the first wave."""
    areas = {name: Area(name, (Selector(name),)) for name in ("web", "mail")}
    gate = Gate("errors", "m", "fail", metric="error_ratio", max=0.5)
    wave = PlannedWave(
        "one",
        (PlannedMove(ID, areas["web"], "old", "new"),),
        (),
        7200,
        300,
        (gate,),
        "rollback",
        "wave",
        Cutover(),
        Verify(),
    )
    later = replace(wave, name="two", after=("one",), moves=(PlannedMove(OTHER, areas["mail"], "old", "other"),))
    accounts = {name: Account(name, "local") for name in ("old", "new", "other")}
    base = Schedule(
        "s", "f", accounts, areas, (replace(wave, **(first or {})), later), Routing("file"), Budget(), {}, {}
    )
    return replace(base, **changes)


def ahead(plan: Schedule | None = None, record: MoveRecord | None = None, **changes) -> Ahead:
    plan = plan or schedule()
    found = ahead_of(plan, None, {ID: Inventory(1204, 3 << 20)}, NOW)[ID]
    return replace(found, record=record or found.record, **changes)


def at(state: MoveState, direction: Direction = Direction.FORWARD, **fields) -> MoveRecord:
    return MoveRecord(ID, "one", "old", "new", state, direction, **fields)


def words(given: Ahead, **options) -> dict[str, str]:
    return {str(one.state): one.text for one in tell(given, **options)}


# Every step tells.


def test_every_state_that_the_engine_works_in_has_a_step_that_tells() -> None:
    """The states that the law goes on from by itself."""
    asked = {"halted", "rolled-back", "retried", "released", "lost-sight", "adopted-source", "adopted-target"}
    asked |= {"let-go", "retired"}
    works = {row.state for row in ROWS if row.event.value not in asked}
    assert set(STEPS) == works


@pytest.mark.parametrize("state", STEPS)
def test_a_step_leads_where_the_law_has_a_row_and_tells_something(state: MoveState) -> None:
    directions = [one for one in Direction if is_allowed(at(state, one), STEPS[state].leads_to)]
    assert directions
    for direction in directions:
        assert STEPS[state].tells(ahead(record=at(state, direction)))


def test_a_step_that_is_changed_tells_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def make(mover: object) -> Event:
        return Event.PROVISIONED

    made = Step(make, lambda ahead: f"make the account {ahead.target}", Event.PROVISIONED)
    monkeypatch.setattr(teller, "STEPS", {**STEPS, S.PROVISIONING: made})
    told = tell(ahead(record=at(S.PROVISIONING)))
    assert [str(one.state) for one in told[:3]] == ["provisioning", "preflight", "copying"]
    assert told[0].text == "make the account new"


# What the plan says.


def test_a_plain_move_is_told_from_its_beginning_to_its_soak() -> None:
    assert words(ahead()) == {
        "pending": "begin at once",
        "preflight": "ask gate errors; send a canary from old to new and back, and claim the route",
        "copying": "copy 1,204 objects (3 MiB) from old to new",
        "catching-up": "carry over what changed meanwhile, pass after pass, until the lag is at most 1,000 objects and a fence"
        " needs less than 5 min",
        "ready": "ask its gates again, and send a canary from old to new and back, which proves the way back",
        "fencing": "fence, writers wait from now on: the route of old says read-only",
        "draining": "1 min 35 s for their leases to end",
        "verifying": "passes until one changes nothing: all objects proved equal (by their attributes) within 5 min, or writers"
        " go on",
        "switching": "the route names new",
        "soaking": "soak: 2 h of healthy time left; ask errors, live-containers every 5 min, look for writes at old every 5 min"
        " (no-stragglers); a gate that fails takes the wave back",
    }


@pytest.mark.parametrize(
    ("first", "state", "said"),
    [
        ({"cutover": Cutover(fence="access-policy")}, "draining", "access policies of old refuse writes; 1 min 35 s until no"
         " lease and no policy lets them write"),
        ({"cutover": Cutover(fence="access-policy")}, "switching", "the route names new; access policies of old stay as the"
         " fence made them"),
        ({"cutover": Cutover(hold=True)}, "ready", "the plan says hold; keep up meanwhile; ask"),
        ({"cutover": Cutover(max_lag_objects=7, fence_timeout_seconds=20)}, "catching-up", "at most 7 objects and a fence needs"
         " less than 20 s"),
        ({"cutover": Cutover(fence_timeout_seconds=20)}, "verifying", "within 20 s"),
        ({"cutover": Cutover(straggler_interval_seconds=60)}, "soaking", "look for writes at old every 1 min"),
        ({"verify": Verify("content")}, "verifying", "(by their contents)"),
        ({"verify": Verify("content")}, "copying", "; prove all of them by their contents"),
        ({"verify": Verify("content", 0.05)}, "verifying", "(5% by their contents)"),
        ({"verify": Verify("content", 0.05)}, "copying", "; prove 5% of them by their contents"),
        ({"approval_required": True}, "ready", "waits for approval: `migrate approve PLAN one --reason TEXT`; keep up"),
        ({"change_windows": (ChangeWindow(frozenset({5}), 0, 60, "UTC"),)}, "ready", "waits for a change window with room for"
         " its fence; keep up"),
        ({"not_before": NOW + timedelta(days=1)}, "pending", "wait for its earliest start, 2026-12-02 00:00 UTC"),
        ({"gates": ()}, "soaking", "ask live-containers every 5 min"),
        ({"on_failure": "halt"}, "soaking", "a gate that fails halts the move"),
        ({"rollback_scope": "move"}, "soaking", "a gate that fails takes the move back"),
        ({"soak_seconds": 86_400.0}, "soaking", "soak: 1 d of healthy time left"),
    ],
)  # fmt: skip
def test_an_option_of_the_wave_changes_what_its_step_tells(first: dict, state: str, said: str) -> None:
    changed, plain = words(ahead(schedule(first=first)))[state], words(ahead())[state]
    assert said in changed
    assert said not in plain


@pytest.mark.parametrize(
    ("changes", "state", "said"),
    [
        (
            {"default_budget": Budget(60_000, 1 << 20)},
            "copying",
            "; at most 60 k requests/min and 1 MiB/s at each account",
        ),
        ({"budgets": {"new": Budget(600)}}, "copying", "; at most 600 requests/min at new"),
        ({"public_access": "drop"}, "copying", "; containers are made without their public access"),
        ({"freeze": (Freeze(NOW, NOW + timedelta(days=1)),)}, "ready", "no cut-over in a freeze; keep up"),
        ({"routing": Routing("file", ttl_seconds=5, max_write_seconds=10)}, "draining", "20 s for their leases to end"),
    ],
)
def test_an_option_of_the_plan_changes_what_its_step_tells(changes: dict, state: str, said: str) -> None:
    changed, plain = words(ahead(schedule(**changes)))[state], words(ahead())[state]
    assert said in changed
    assert said not in plain


def test_a_wave_without_gates_asks_none() -> None:
    told = words(ahead(schedule(first={"gates": ()})))
    assert told["preflight"] == "send a canary from old to new and back, and claim the route"
    assert told["ready"] == "send a canary from old to new and back, which proves the way back"
    assert told["soaking"].endswith("(no-stragglers)")


def test_an_enforced_fence_waits_for_its_policies_too() -> None:
    given = schedule(
        first={"cutover": Cutover(fence="access-policy")}, routing=Routing("file", ttl_seconds=5, max_write_seconds=10)
    )
    assert words(ahead(given))["draining"] == (
        "access policies of old refuse writes; 40 s until no lease and no policy lets them write"
    )


def test_what_is_over_is_not_waited_for() -> None:
    gone = schedule(freeze=(Freeze(NOW - timedelta(days=2), NOW - timedelta(days=1)),))
    assert words(ahead(gone))["ready"] == words(ahead())["ready"]
    wave = replace(schedule().waves[0], approval_required=True, fingerprint="x")
    given = (Approval("one", "x", "ada", "looks good", NOW),)
    assert words(ahead(wave=wave, approvals=given))["ready"] == words(ahead())["ready"]
    assert "approval" in words(ahead(wave=wave, approvals=(replace(given[0], fingerprint="of before"),)))["ready"]


def test_places_are_told_where_they_are_fewer_than_moves() -> None:
    plan = schedule()
    both = tuple(one for wave in plan.waves for one in wave.moves)
    wave = replace(plan.waves[0], moves=both, max_moves=1)
    assert words(ahead(wave=wave))["pending"] == "begin at once, at most 1 at a time"
    assert words(ahead(wave=replace(wave, max_moves=2)))["pending"] == "begin at once"


# What operators want.


def control(kind: str, scope: str = "", **value) -> Control:
    return Control(kind, scope, value or {"reason": "x"}, "ada", NOW)


def test_wishes_are_told() -> None:
    assert words(ahead(controls=(control("hold"),)))["ready"].startswith(
        "held by an operator: migrate release; keep up"
    )
    assert "held" not in words(ahead(controls=(control("hold", "wave:two"),)))["ready"]
    throttled = ahead(controls=(control("throttle", "account:old", requests_per_minute=60),))
    assert "; at most 60 requests/min (an operator's throttle) at old" in words(throttled)["copying"]
    assert (
        words(ahead(controls=(control("pause"),)))["pending"]
        == "paused by an operator: migrate unpause; then begin at once"
    )
    taken_back = replace(control("pause"), value={})
    assert words(ahead(controls=(taken_back,)))["pending"] == "begin at once"


def test_a_pause_says_nothing_of_a_fence_that_a_run_has_in_hand() -> None:
    given = ahead(record=at(S.DRAINING), controls=(control("pause"),))
    assert "paused" not in words(given, is_at_work=True)["draining"]


# Where the store has the move.


@pytest.mark.parametrize(
    "state", [state for state in STEPS if state not in (S.FENCING, S.DRAINING, S.VERIFYING, S.SWITCHING)]
)
def test_what_is_done_is_not_told_again(state: MoveState) -> None:
    whole = [str(one.state) for one in tell(ahead(is_absent=state is S.PROVISIONING))]
    assert [str(one.state) for one in tell(ahead(record=at(state)))] == whole[whole.index(state.value) :]


def test_a_move_that_soaks_tells_what_is_left_of_it() -> None:
    told = tell(ahead(record=at(S.SOAKING, figures=Figures(soak_seconds=4000.0))))
    assert [one.text[:38] for one in told] == ["soak: 53 min 20 s of healthy time left"]
    more = tell(ahead(record=at(S.SOAKING, figures=Figures(soak_seconds=8000.0))))
    assert more[0].text.startswith("soak: 0 s of healthy time left")


def test_a_soak_that_is_to_come_is_whole_whatever_an_earlier_stay_had() -> None:
    told = words(ahead(record=at(S.READY, figures=Figures(soak_seconds=4000.0))))
    assert told["soaking"].startswith("soak: 2 h of")


def test_a_copy_under_way_goes_on() -> None:
    assert words(ahead(record=at(S.COPYING)))["copying"].startswith("go on where it stopped: copy 1,204 objects")
    assert words(ahead(record=at(S.PREFLIGHT)))["copying"].startswith("copy 1,204 objects")


@pytest.mark.parametrize("state", [S.FENCING, S.DRAINING, S.VERIFYING, S.SWITCHING])
def test_a_fence_that_a_dead_run_left_is_released_first_and_one_in_hand_goes_on(state: MoveState) -> None:
    left = tell(ahead(record=at(state)))
    assert (left[0].state, left[1].state) == (state, S.CATCHING_UP)
    assert left[0].text == f"{FENCE_LEFT}: writers go on, unless it had switched"
    assert len(left) == 1 + 7
    at_work = tell(ahead(record=at(state)), is_at_work=True)
    assert at_work[0].text == STEPS[state].tells(ahead(record=at(state)))
    assert at_work[-1].state is S.SOAKING


@pytest.mark.parametrize("state", [S.SOAKED, S.RETIRING, S.RETIRED])
def test_what_apply_is_done_with_tells_nothing(state: MoveState) -> None:
    assert tell(ahead(record=at(state))) == ()


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            at(S.HALTED, resume_from=S.COPYING),
            "`migrate retry PLAN --reason TEXT` goes on from copying, `migrate rollback PLAN`",
        ),
        (at(S.HALTED, resume_from=S.VERIFYING), "goes on from catching-up"),
        (at(S.HALTED, resume_from=S.SOAKED), "goes on from soaking"),
        (
            at(S.HALTED, Direction.REVERSE, resume_from=S.READY),
            "`migrate rollback PLAN` goes on with the way back from ready",
        ),
        (at(S.REVERSED, Direction.REVERSE), "it is back at old: `migrate retry PLAN --reason TEXT` starts it afresh"),
        (at(S.REVERSED), "it is back at old"),
    ],
)
def test_what_needs_a_person_is_told_in_one_line(record: MoveRecord, said: str) -> None:
    (told,) = tell(ahead(record=record))
    assert told.state is record.state
    assert said in told.text


def test_a_way_back_is_told_the_other_way_round_to_its_end() -> None:
    told = tell(ahead(record=at(S.CATCHING_UP, Direction.REVERSE)))
    assert [str(one.state) for one in told] == ["catching-up", "ready", "fencing", "draining", "verifying", "switching"]
    assert {one.direction for one in told} == {Direction.REVERSE}
    by = {str(one.state): one.text for one in told}
    assert by["fencing"].endswith("the route of new says read-only")
    assert by["switching"] == "the route names old"
    assert by["ready"] == "keep up until the fence"


def test_a_way_back_without_the_target_reads_nothing_there() -> None:
    record = at(
        S.CATCHING_UP, Direction.REVERSE, is_abandoning=True, dirty="what was written at new was left behind (lost)"
    )
    told = words(ahead(schedule(first={"cutover": Cutover(fence="access-policy")}), record))
    assert told["catching-up"] == "read nothing from new; list what was written there as unproved"
    assert told["draining"] == "1 min 35 s for their leases to end"
    assert told["verifying"] == "not compared, what was written at new was left behind (lost)"


def test_an_adopted_move_says_what_is_compared_first() -> None:
    told = words(ahead(record=at(S.CATCHING_UP, is_adopted=True)))
    assert told["catching-up"].startswith("adopt what is equal at new; carry over")
    assert told["soaking"].startswith("soak: 2 h")
    soaking = words(ahead(record=at(S.SOAKING, is_adopted=True)))
    assert soaking["soaking"].startswith("compare with old once; soak: 2 h")


def test_a_later_wave_says_what_it_waits_for() -> None:
    plan = schedule()
    told = tell(ahead_of(plan, None, {}, NOW)[OTHER])
    assert told[0].text == "wait for wave one to be soaked"
    assert told[2].text == "copy an unknown number of objects from old to other"


def kept(*records: MoveRecord):
    """A state store that has these moves."""
    store = open_store("sqlite://", "s")
    store.acquire(
        LockRecord("n", 0, "r", "me", "here", 1, "b", NOW, NOW, 1.0), changes=[SaveMove(one) for one in records]
    )
    return store


@pytest.mark.parametrize(
    "stopped",
    [at(S.HALTED, resume_from=S.COPYING), at(S.REVERSED), at(S.CATCHING_UP, Direction.REVERSE)],
)
def test_what_a_stopped_move_keeps_says_so_wherever_it_stands(stopped: MoveRecord) -> None:
    plan = schedule()
    both = (*plan.waves[0].moves, *plan.waves[1].moves)
    plan = replace(plan, waves=(replace(plan.waves[0], moves=both),))
    said = "wait for wave one, which stopped, to be put in order (migrate retry or rollback)"
    for state, begins in (
        (S.PENDING, said),
        (S.COPYING, f"{said}; then go on where it stopped: copy"),
        (S.SOAKING, "soak: "),
    ):
        waits = ahead_of(plan, kept(stopped, replace(at(state), id=OTHER)), {}, NOW)[OTHER]
        assert tell(waits)[0].text.startswith(begins)
        assert not any("stopped, to be" in told.text for told in tell(waits)[1:])
    left = tell(ahead_of(plan, kept(stopped, replace(at(S.DRAINING), id=OTHER)), {}, NOW)[OTHER])
    assert left[0].text.startswith(FENCE_LEFT)
    assert left[1].text.startswith(f"{said}; then carry over")


def test_a_wave_that_has_begun_waits_for_no_date_any_more_but_for_one_above_that_stopped() -> None:
    plan = schedule()
    later = replace(plan.waves[1], not_before=NOW + timedelta(days=1))
    plan = replace(plan, waves=(plan.waves[0], later))
    begun = replace(at(S.CATCHING_UP), id=OTHER, wave="two")
    soaked = ahead_of(plan, kept(at(S.SOAKED), begun), {}, NOW)[OTHER]
    assert tell(soaked)[0].text.startswith("carry over")
    halted = ahead_of(plan, kept(at(S.HALTED, resume_from=S.READY), begun), {}, NOW)[OTHER]
    assert tell(halted)[0].text.startswith("wait for wave one to be soaked")


def test_a_way_back_waits_for_nobody() -> None:
    back = at(S.CATCHING_UP, Direction.REVERSE)
    assert tell(ahead_of(schedule(), kept(back), {}, NOW)[ID])[0].text.startswith("carry over")


def test_moves_that_differ_in_names_and_amounts_alone_are_alike() -> None:
    plan = schedule()
    both = (*plan.waves[0].moves, *plan.waves[1].moves)
    plan = replace(plan, waves=(replace(plan.waves[0], moves=both),))
    found = ahead_of(plan, None, {ID: Inventory(1, 1), OTHER: Inventory(2, 2)}, NOW)
    one, other = (steps_of(found[id]) for id in (ID, OTHER))
    assert one.alike == other.alike
    assert one.told != other.told
    assert "the source" in " ".join(told.text for told in one.alike)
    assert not any(name in told.text.split() for told in one.alike for name in ("old", "new", "other"))
