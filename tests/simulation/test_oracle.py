"""The oracle sees: a migrator without fence, lease and evidence does not get past it. And it judges by the whole history: what
looks like a loss at one instant may have been carried over before."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

import pytest

from migrator.model.moves import EvidenceRange, ExceptionRow, Figures, LockRecord, MoveRecord, MoveState
from migrator.model.names import MoveId
from migrator.model.objects import BlobType, Condition, ContainerInfo, ContentHeaders, Shape
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteDocument, RouteRecord
from migrator.ports.state_store import PutException, ReplaceRanges, SaveMove
from migrator.testing.memory_state import MemoryStateStore
from migrator.testing.simulation import run
from migrator.testing.simulation.acts import Act, Writers
from migrator.testing.simulation.blobs import Account, Blob, Container, Sender
from migrator.testing.simulation.excuses import MAIN_STORE
from migrator.testing.simulation.loop import Node, SimLoop
from migrator.testing.simulation.oracle import Oracle
from migrator.testing.simulation.state import NodeState
from migrator.transfer.decide import marks_text
from migrator.transfer.evidence import UNKNOWN, Evidence, Record, generation_hash, marks_hash
from migrator.transfer.halfway import settled_evidence
from tests.simulation.naive import naive_engine
from tests.simulation.test_operator import schedule

WEB = MoveId("na", "web")
BOX, NAME = "web-1", "a"
SHAPE = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)
TOOL = Sender("engine-1", True)
NOON = datetime(2026, 12, 1, tzinfo=UTC)


@dataclass
class Court:
    """One name of one move, and what is done to it by hand: a history told to the oracle effect by effect."""

    loop: SimLoop = field(default_factory=SimLoop)

    def __post_init__(self) -> None:
        self.plan = schedule()
        self.accounts = {name: Account(name) for name in self.plan.accounts}
        self.oracle = Oracle(self.loop, self.plan, self.accounts, Writers())
        for account in self.accounts.values():
            account.wrote = self.oracle.wrote
            account.containers[BOX] = Container(ContainerInfo(BOX))
        self.document: RouteDocument | None = None
        self.numbers = 0

    def routed(self, account: str, mode: str, epoch: int, *, by: Sender = TOOL) -> None:
        before = self.document
        record = RouteRecord(account, f"https://{account}", mode, epoch, "one", "", "run-1")
        self.document = (before or RouteDocument(5.0, 10.0)).with_record(str(WEB), record)
        self.oracle.swapped(by, before, self.document, self.loop.time())

    def wrote_down(self, state: MoveState, epoch: int, *, by: Sender = TOOL) -> MoveRecord:
        record = MoveRecord(WEB, "wave-web", "core", "web", state=state, epoch=epoch, ever_routed=True)
        self.oracle.committed(Node(by.name, self.loop), [SaveMove(record)])
        return record

    def wait(self) -> float:
        self.loop.run_until_complete(asyncio.sleep(1.0))
        return self.loop.time()

    def stranger_puts(self, account: str, text: bytes) -> Blob:
        self.numbers += 1
        act = Act(self.numbers, "rogue", "put", str(WEB), account, BOX, NAME, False, 0.0, 0.0)
        return self._put(Sender("rogue", False, act), account, text, None)

    def bound_puts(self, account: str, text: bytes) -> Blob:
        """A customer's, under a lease of the account."""
        self.numbers += 1
        now = self.loop.time()
        act = Act(self.numbers, "writer", "put", str(WEB), account, BOX, NAME, True, now, now + 1.0)
        return self._put(Sender("writer", False, act), account, text, None)

    def copied(self, origin: str, destination: str, over: Blob | None = None) -> Blob:
        here = self.accounts[origin].peek(BOX, NAME)
        condition = Condition(create=True) if over is None else Condition(if_match=over.listed.etag)
        return self._put(TOOL, destination, here.content, condition, "copy")

    def proved(self, source: Blob, target: Blob) -> None:
        pair = (generation_hash(NAME, source.listed.etag), generation_hash(NAME, target.listed.etag))
        evidence = Evidence.unpack(b"")
        evidence.put(NAME, Record(*pair, marks_hash({}, None)))
        ranges = (EvidenceRange(BOX, "", None, records=evidence.pack()),)
        self.oracle.committed(Node("engine-1", self.loop), [ReplaceRanges(WEB, BOX, "", None, None, ranges)])

    def _put(self, sender: Sender, account: str, text: bytes, condition: Condition | None, kind: str = "put") -> Blob:
        return self.accounts[account].put(
            sender, BOX, NAME, text, SHAPE, condition=condition, sent_at=0.5, modified=NOON, kind=kind
        )

    @property
    def found(self) -> set[str]:
        return {violation.invariant for violation in self.oracle.violations}


def test_a_naive_migrator_is_caught_losing_writes():
    found = set()
    for seed in range(30):
        found |= {violation.invariant for violation in run(seed, engine=naive_engine).violations}
    assert {"lost-write", "switch-without-fence", "lease-alive-at-switch", "two-accounts-accept"} <= found


@pytest.mark.parametrize("is_carried", [True, False])
def test_a_stranger_s_object_may_be_replaced_only_if_it_was_carried_over_before_the_switch(is_carried):
    """It comes in the fence, is carried over, and at the other side another stranger writes over it before the switch."""
    court = Court()
    court.routed("core", READ_WRITE, 1)
    court.routed("core", READ_ONLY, 2)
    first = court.stranger_puts("core", b"first")
    if is_carried:
        court.proved(first, court.copied("core", "web"))
    court.stranger_puts("web", b"second")
    court.routed("web", READ_WRITE, 3)
    court.stranger_puts("web", b"the truth now")
    court.copied("web", "core", over=first)  # the way back
    assert ("foreign-destroyed" in court.found) is not is_carried


@pytest.mark.parametrize(
    ("before", "epoch", "is_told"),
    [
        (MoveState.SOAKING, 3, False),
        (MoveState.SOAKED, 3, False),
        (MoveState.HALTED, 3, True),
        (MoveState.SOAKING, 5, True),
        (MoveState.SOAKED, 5, True),
    ],
)
def test_soaked_is_only_what_soaked_in_this_stay(before, epoch, is_told):
    court = Court()
    record = MoveRecord(WEB, "wave-web", "core", "web", state=before, epoch=3, figures=Figures(soak_seconds=60.0))
    soaked = replace(record, state=MoveState.SOAKED, epoch=epoch)
    for one in (record, soaked):
        court.oracle.committed(Node("engine-1", court.loop), [SaveMove(one)])
    said = [one.text for one in court.oracle.violations if "did not soak there" in one.text]
    assert bool(said) is is_told


TTL, MAX_WRITE = 5.0, 10.0


def edit(court: Court, account: str, epoch: int) -> None:
    """A person sends customers to another account."""
    before = court.document
    record = RouteRecord(account, f"https://{account}", READ_WRITE, epoch, "one", "", "run-1")
    court.document = before.with_record(str(WEB), record)
    court.oracle.swapped(Sender("hand", False), before, court.document, court.loop.time())


def write_under_lease(court: Court, account: str) -> None:
    """A customer's lease is good until the next second."""
    now = court.loop.time()
    act = Act(99, "writer", "put", str(WEB), account, BOX, NAME, True, now - 1.0, now + 1.0)
    court._put(Sender("writer", False, act), account, b"late", None)


@pytest.mark.parametrize(("after_seconds", "is_told"), [(TTL + MAX_WRITE - 0.5, False), (TTL + MAX_WRITE + 0.5, True)])
def test_an_edit_by_hand_excuses_only_leases_that_were_alive_at_it(after_seconds, is_told):
    court = Court()
    court.routed("core", READ_WRITE, 1)
    edit(court, "web", 2)
    court.loop.run_until_complete(asyncio.sleep(after_seconds))
    write_under_lease(court, "core")
    assert ("two-accounts-accept" in court.found) is is_told


def test_an_edit_by_hand_excuses_no_lease_of_the_account_that_it_went_to():
    court = Court()
    court.routed("core", READ_WRITE, 1)
    edit(court, "web", 2)
    court.routed("web", READ_ONLY, 3)
    court.routed("core", READ_WRITE, 4)
    write_under_lease(court, "web")
    assert "two-accounts-accept" in court.found


@pytest.mark.parametrize("who", ["engine-1", "guardian-2", None])
def test_a_fence_may_last_longer_while_the_routes_do_not_answer_whoever_ends_it(who):
    court = Court()
    court.routed("core", READ_WRITE, 1)
    court.routed("core", READ_ONLY, 2)
    late = 10_000.0
    if who is not None:
        court.oracle.routes_unanswered(who, 0.0, late)
        court.oracle.routes_unanswered(who, late / 2, late)
    court.loop.run_until_complete(asyncio.sleep(late))
    court.routed("core", READ_WRITE, 3)
    assert ("fence-budget" in court.found) is (who != "engine-1")


def decide_here(court: Court, engine: str, source: Blob, target: Blob) -> None:
    marks = marks_text(source.listed, target.listed)
    row = ExceptionRow(BOX, NAME, "decided", source.listed.etag, target.listed.etag, marks=marks)
    court.oracle.committed(Node(engine, court.loop), [PutException(WEB, row)])


@pytest.mark.parametrize("changes_later", [False, True])
def test_a_decision_excuses_the_generations_that_it_was_made_of(changes_later):
    court = Court()
    court.oracle.excuses.may_decide("engine-1")
    court.routed("core", READ_WRITE, 1)
    source = court.stranger_puts("core", b"kept")
    edit(court, "web", 2)
    target = court.stranger_puts("web", b"the truth")
    court.routed("web", READ_ONLY, 3)
    decide_here(court, "engine-1", source, target)
    if changes_later:
        court.bound_puts("web", b"the truth, and more")
    court.oracle.listed("core", Node("engine-1", court.loop), BOX, True, 1.0)  # whatever a stranger did could be seen
    court.routed("core", READ_WRITE, 4)
    assert ("lost-write" in court.found) is changes_later
    assert "decided-by-nobody" not in court.found


def test_nobody_decides_but_an_operator():
    court = Court()
    court.routed("core", READ_WRITE, 1)
    decide_here(court, "engine-1", court.stranger_puts("core", b"one"), court.stranger_puts("web", b"other"))
    assert "decided-by-nobody" in court.found


@pytest.mark.parametrize("has_learnt", [False, True])
def test_a_store_that_was_put_back_is_excused_until_it_has_learnt_of_the_name(has_learnt):
    court = Court()
    court.routed("core", READ_WRITE, 1)
    source = court.stranger_puts("core", b"text")
    target = court.copied("core", "web")
    excuses, case = court.oracle.excuses, court.oracle._cases[str(WEB)]
    assert not excuses.is_unknown(case, "engine-2", (BOX, NAME))
    excuses.came_from(MAIN_STORE, MAIN_STORE, 0.0)
    if has_learnt:
        court.proved(source, target)
    assert excuses.is_unknown(case, "engine-2", (BOX, NAME)) is not has_learnt


@pytest.mark.parametrize("is_dead", [False, True])
@pytest.mark.parametrize("back_to", [0.0, 1_000.0])
def test_a_store_that_was_put_back_cannot_know_what_a_dead_engine_had_sent_since(is_dead, back_to):
    court = Court()
    court.routed("core", READ_WRITE, 1)
    court.stranger_puts("core", b"text")
    excuses, case = court.oracle.excuses, court.oracle._cases[str(WEB)]
    if is_dead:
        excuses.ended(TOOL.name, in_order=False)
    excuses.came_from(MAIN_STORE, MAIN_STORE, back_to)
    court.copied("core", "web")
    assert excuses.is_unknown(case, "engine-2", (BOX, NAME)) is (is_dead and back_to == 0.0)


HAND, NEXT = Sender("hand", False), Sender("engine-2", True)


def put_back_and_released(court: Court) -> None:
    """A hand puts the fence of epoch 2 back, and the next engine steps above that."""
    court.routed("core", READ_ONLY, 2, by=HAND)
    court.routed("core", READ_WRITE, 3, by=NEXT)


def stepped_over(court: Court) -> None:
    """The first engine's fence is opened under the epoch after the next one."""
    court.routed("core", READ_WRITE, 1)
    court.routed("core", READ_ONLY, 2)
    court.routed("core", READ_WRITE, 4)


@pytest.mark.parametrize(
    ("is_written_down", "ends"), [(True, "dies"), (True, "in order"), (False, "in order"), (False, "never")]
)
def test_no_epoch_comes_after_a_later_one_that_the_store_could_know(is_written_down, ends):
    court = Court()
    stepped_over(court)
    if is_written_down:
        court.wrote_down(MoveState.CATCHING_UP, 4)
    if ends != "never":
        court.oracle.excuses.ended(TOOL.name, in_order=ends == "in order")
    put_back_and_released(court)
    assert "epoch" in court.found


def test_what_a_process_could_tell_nobody_is_not_known():
    court = Court()
    stepped_over(court)
    court.oracle.excuses.ended(TOOL.name, in_order=False)
    put_back_and_released(court)
    assert "epoch" not in court.found
    assert court.oracle.excuses.used == {"an epoch that a store cannot know": 1}


def test_what_a_process_has_read_it_knows_itself():
    court = Court()
    stepped_over(court)
    court.oracle.excuses.ended(TOOL.name, in_order=False)
    court.oracle.routes_seen(NEXT.name, court.document)
    put_back_and_released(court)
    assert "epoch" in court.found


@pytest.mark.parametrize("is_older", [True, False])
def test_a_store_that_was_put_back_knows_the_epochs_of_its_own_past_only(is_older):
    court = Court()
    before = court.loop.time()
    court.wait()
    stepped_over(court)
    court.wrote_down(MoveState.CATCHING_UP, 4)
    court.oracle.excuses.ended(TOOL.name, in_order=True)
    after = court.wait()
    court.oracle.excuses.came_from(MAIN_STORE, MAIN_STORE, before if is_older else after)
    put_back_and_released(court)
    assert ("epoch" in court.found) is not is_older


def put_back(court: Court, record: MoveRecord, since: float) -> None:
    """The state store, to a backup of ``since`` that holds ``record``."""
    state = MemoryStateStore("one", lineage="one")
    lock = state.acquire(LockRecord("nonce", 1, "run-1", "me", "here", 1, "boot", NOON, NOON, 0.0))
    state.commit([SaveMove(record)], token=lock.token)
    court.wait()
    court.oracle.restored(state, since)
    court.wait()


@pytest.mark.parametrize("who", ["a hand", "another store", "this store", "the future of this store"])
def test_at_the_end_a_move_that_is_back_does_not_know_of_what_others_did_to_its_route(who):
    court = Court()
    court.routed("core", READ_WRITE, 1)
    record = court.wrote_down(MoveState.REVERSED, 1)
    rested = court.wait()
    if who == "another store":
        court.oracle.excuses.came_from(1, MAIN_STORE, rested)
        court.oracle.excuses.has_store(NEXT.name, 1)
    court.routed("core", READ_ONLY, 2, by=HAND if who == "a hand" else NEXT)
    court.routed("web", READ_WRITE, 3, by=HAND if who == "a hand" else NEXT)
    if who == "the future of this store":
        put_back(court, record, rested - 0.5)
    court.oracle.finish([record], is_settled=True)
    assert ("route-disagrees" in court.found) is (who == "this store")
    assert court.oracle.excuses.used["a record that was changed while its move was at rest"] == (who != "this store")


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("has_looked", [False, True])
def test_a_store_learns_nothing_of_a_route_by_being_put_back(has_looked, times):
    """A hand moved the customers before the backup was made: the store that holds it rested before, unless it began since."""
    court = Court()
    court.routed("core", READ_WRITE, 1)
    record = court.wrote_down(MoveState.REVERSED, 1)
    court.wait()
    court.routed("web", READ_WRITE, 2, by=HAND)
    court.wait()
    if has_looked:
        court.wrote_down(MoveState.PREFLIGHT, 1)
        court.wrote_down(MoveState.REVERSED, 1)
    for _ in range(times):
        put_back(court, record, court.wait())
    court.oracle.finish([record], is_settled=True)
    assert ("route-disagrees" in court.found) is has_looked
    assert court.oracle.excuses.used["a record that was changed while its move was at rest"] == (not has_looked)


@pytest.mark.parametrize("is_later", [False, True])
def test_a_backup_of_a_time_that_was_taken_back_knows_what_was_known_then(is_later):
    court = Court()
    court.routed("core", READ_WRITE, 1)
    record = court.wrote_down(MoveState.REVERSED, 1)
    court.wait()
    court.routed("web", READ_WRITE, 2, by=HAND)
    earlier = court.wait()
    court.wait()
    court.wrote_down(MoveState.PREFLIGHT, 1)
    court.wrote_down(MoveState.REVERSED, 1)
    later = court.wait()
    put_back(court, record, earlier)
    if is_later:
        put_back(court, record, later)
    court.oracle.finish([record], is_settled=True)
    assert ("route-disagrees" in court.found) is is_later


def lose(court: Court, account: str) -> Container:
    """By accident, with all that is in it."""
    held = court.accounts[account].containers.pop(BOX)
    court.oracle.lost(account, BOX, set(held.blobs))
    return held


def find(court: Court, account: str, held: Container) -> None:
    """It is restored, in the place of one that was made anew."""
    anew = court.accounts[account].containers.get(BOX, held)
    court.accounts[account].containers[BOX] = held
    court.oracle.found(account, BOX, anew.blobs)


def make_anew(court: Court, account: str) -> None:
    court.accounts[account].containers[BOX] = Container(ContainerInfo(BOX))


def call_foreign(court: Court, target: Blob) -> None:
    row = ExceptionRow(BOX, NAME, "foreign", None, target.listed.etag)
    court.oracle.committed(Node("engine-1", court.loop), [PutException(WEB, row)])


@pytest.mark.parametrize("is_copied_anew", [False, True])
def test_a_copy_that_comes_back_in_place_of_a_newer_one_may_be_called_foreign_and_no_other(is_copied_anew):
    court = Court()
    court.routed("core", READ_WRITE, 1)
    court.bound_puts("core", b"text")
    first = court.copied("core", "web")
    court.loop.run_until_complete(asyncio.sleep(1.0))
    held = lose(court, "web")
    make_anew(court, "web")
    court.loop.run_until_complete(asyncio.sleep(1.0))
    if is_copied_anew:
        newer = court.copied("core", "web")
        call_foreign(court, newer)
        assert "own-called-foreign" in court.found  # this one is known
        court.oracle.violations.clear()
    find(court, "web", held)
    call_foreign(court, first)
    assert ("own-called-foreign" in court.found) is not is_copied_anew
    assert court.oracle.excuses.used["came back in place of a newer copy"] == is_copied_anew


def fence_with_an_accident(court: Court, *, comes_back: bool) -> Container:
    """Inside the fence a container of the live account comes back or is lost; what is in it then."""
    court.routed("core", READ_WRITE, 1)
    court.bound_puts("core", b"text")
    if not comes_back:
        court.copied("core", "web")
        court.routed("core", READ_ONLY, 2)
        return lose(court, "core")
    held = lose(court, "core")
    make_anew(court, "core")
    court.routed("core", READ_ONLY, 2)
    court.loop.run_until_complete(asyncio.sleep(1.0))
    find(court, "core", held)
    return held


@pytest.mark.parametrize("comes_back", [False, True])
@pytest.mark.parametrize("looks_later", [False, True])
def test_a_container_that_comes_or_goes_in_a_fence_is_no_loss_of_the_switch_unless_a_look_has_seen_it(
    comes_back, looks_later
):
    court = Court()
    fence_with_an_accident(court, comes_back=comes_back)
    scanned_at = court.loop.time() + (1.0 if looks_later else -0.5)
    court.oracle.listed("core", Node("engine-1", court.loop), BOX, True, scanned_at)
    court.routed("web", READ_WRITE, 3)
    assert bool({"lost-write", "resurrected-delete"} & court.found) is looks_later
    assert court.oracle.excuses.used["a container that came or went after the last look"] == (not looks_later)


def test_a_container_that_comes_back_outside_a_fence_excuses_no_switch():
    court = Court()
    court.routed("core", READ_WRITE, 1)
    court.bound_puts("core", b"text")
    find(court, "core", lose(court, "core"))
    court.routed("core", READ_ONLY, 2)
    court.routed("web", READ_WRITE, 3)
    assert "lost-write" in court.found


@pytest.mark.parametrize("is_listed", [False, True])
def test_what_went_with_a_container_of_the_old_account_is_lost_to_customers_only_if_it_is_listed(is_listed):
    """An older container was restored in its place: as if a writer without a lease had deleted the name there."""
    court = Court()
    court.routed("core", READ_WRITE, 1)
    held = lose(court, "core")
    make_anew(court, "core")
    court.routed("core", READ_ONLY, 2)
    court.routed("web", READ_WRITE, 3)
    court.bound_puts("web", b"text")
    court.copied("web", "core")
    kept = court.accounts["web"].peek(BOX, NAME)
    find(court, "core", held)
    if is_listed:
        row = ExceptionRow(BOX, NAME, "kept", None, kept.listed.etag)
        court.oracle.committed(Node("engine-1", court.loop), [PutException(WEB, row)])
    court.wait()
    court.routed("web", READ_ONLY, 4)
    for account in ("web", "core"):
        court.oracle.listed(account, Node("engine-1", court.loop), BOX, True, court.wait())
    court.routed("core", READ_WRITE, 5)
    assert ("lost-write" in court.found) is not is_listed


@pytest.mark.parametrize("is_listed", [False, True])
def test_what_came_back_in_a_fence_must_be_listed_before_the_move_is_soaked(is_listed):
    """The old account is as it was at the switch: that is no excuse for what was left behind by it."""
    court, engine = Court(), Node("engine-1", SimLoop())
    fence_with_an_accident(court, comes_back=True)
    court.routed("web", READ_WRITE, 3)
    court.loop.run_until_complete(asyncio.sleep(10.0))
    court.oracle.listed("core", engine, BOX, True, court.loop.time())
    left = court.accounts["core"].peek(BOX, NAME)
    if is_listed:
        court.oracle.committed(
            engine, [PutException(WEB, ExceptionRow(BOX, NAME, "straggler", left.listed.etag, None))]
        )
    record = MoveRecord(WEB, "wave-web", "core", "web", state=MoveState.SOAKING, epoch=3)
    for one in (record, replace(record, state=MoveState.SOAKED)):
        court.oracle.committed(engine, [SaveMove(one)])
    assert ("unlisted-loss" in court.found) is not is_listed


@pytest.mark.parametrize(
    ("known", "is_given_up", "is_excused"),
    [
        ("nothing of the target", True, True),
        ("both sides", True, False),
        ("nothing of the target", False, False),
    ],
)
def test_what_was_under_way_to_a_target_that_was_given_up_may_be_called_foreign_if_it_was_known_by_half(
    known, is_given_up, is_excused
):
    court, state = Court(), MemoryStateStore("one")
    lock = state.acquire(LockRecord("nonce", 1, "run-1", "me", "here", 1, "boot", NOON, NOON, 0.0))
    court.routed("core", READ_WRITE, 1)
    source, target = court.bound_puts("core", b"text"), court.copied("core", "web")
    here, there = (generation_hash(NAME, one.listed.etag) for one in (source, target))
    evidence = Evidence.unpack(b"")
    evidence.put(NAME, Record(here, there if known == "both sides" else UNKNOWN, 0, is_pending=True))
    one = EvidenceRange(BOX, "", None, is_open=True, records=evidence.pack())
    before = MoveRecord(WEB, "wave-web", "core", "web", ever_routed=True, is_abandoning=is_given_up)
    state.commit([SaveMove(before), ReplaceRanges(WEB, BOX, "", None, None, (one,))], token=lock.token)
    excuses = court.oracle.excuses
    settling = partial(excuses.settling, court.accounts)
    store = NodeState(state, Node("engine-1", court.loop), court.oracle.committed, committing=settling)
    store.commit([SaveMove(replace(before, is_abandoning=False)), *settled_evidence(state, WEB)], token=lock.token)
    call_foreign(court, target)
    assert ("own-called-foreign" in court.found) is not is_excused
    assert excuses.used["given up while known by half"] == is_excused
    newer = court.copied("core", "web", over=target)
    court.oracle.violations.clear()
    call_foreign(court, newer)
    assert "own-called-foreign" in court.found  # that one was written since
