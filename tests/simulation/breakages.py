"""Deliberate breakages of the engine and the data plane, one a promise, to show that the oracle is not blind.

Each is a context manager that patches named functions and nothing else; worlds, seeds and scenarios stay the same.
"""

import asyncio
import contextlib
from dataclasses import replace
from unittest import mock

from migrator.client import presence, work
from migrator.engine import (
    attendance,
    enforcing,
    guardian,
    patience,
    pulse,
    recovering,
    releasing,
    rollback,
    rollcall,
    rollout,
    routes,
    session,
    stays,
    steps,
    wave_at_work,
    waves,
)
from migrator.engine import mover as mover_module
from migrator.engine.routes import RouteDesk
from migrator.engine.steps import carry, cut, preflight, soak
from migrator.errors import CloudError, ConditionFailed, MigrateError, NotFound, OutcomeUnknown, StateError, Throttled
from migrator.machine import liveness, transitions
from migrator.machine.events import Event
from migrator.machine.states import is_getting_ready, is_to_be_taken_back
from migrator.model.hosts import Hosts
from migrator.model.kept import Kept
from migrator.model.moves import Direction, MoveState
from migrator.model.objects import CREATE, NOTHING
from migrator.model.routes import RouteDocument, RouteRecord
from migrator.model.schedule import Routing
from migrator.ports.register import RollUnknown
from migrator.ports.troubles import OTHERS_BLOCKS, TROUBLES, Whose
from migrator.testing.register import MemoryRegister
from migrator.testing.simulation import store as sim_store
from migrator.testing.simulation.blobs import Account
from migrator.testing.simulation.clients import Customer
from migrator.testing.simulation.policies import Policies
from migrator.testing.simulation.router import RouteBoard
from migrator.testing.simulation.state import NodeState
from migrator.transfer import (
    absences,
    actions,
    containers,
    decide,
    deletes,
    lanes,
    listing,
    passes,
    retiring,
    sweeping,
    walk,
)
from migrator.transfer.copying import Copied, Copier
from migrator.transfer.decide import Decision, Verb
from migrator.transfer.listing import LaneBroken, SeenSide


def patched(target, name, new):
    return mock.patch.object(target, name, new)


@contextlib.contextmanager
def all_of(*patches):
    with contextlib.ExitStack() as stack:
        for one in patches:
            stack.enter_context(one)
        yield


def times_instead_of_evidence():
    """A name is skipped when the destination is not older and has the same size."""
    right = walk.decide

    def by_times(case):
        origin, destination = case.origin, case.destination
        is_alike = origin and destination and origin.size == destination.size and not destination.copy_pending
        if is_alike and origin.last_modified <= destination.last_modified:
            return Decision(Verb.SKIP if decide._marks_agree(origin, destination) else Verb.MARK)
        return right(case)

    return patched(walk, "decide", by_times)


def etags_from_different_records():
    """A record joins the copy's ETag with whatever ETag the origin has by then."""
    right = actions.Action._record

    def record(self, origin, destination_etag, **more):
        now = self.walk.transfer.origin.inner._contents.peek(self.walk.container, origin.name)
        right(self, now.listed if now is not None else origin, destination_etag, **more)

    return patched(actions.Action, "_record", record)


def barrier_before_drain():
    """The proof is made at once after the fence, and trusted after the drain."""
    right_pass = cut.one_pass
    proofs = {}

    async def drain(mover):
        result = None
        for _ in range(mover.world.rhythm.most_barrier_passes):
            result = await right_pass(mover, in_fence=True)
            if result.is_proof:
                break
        proofs[mover.id] = result
        return await cut.drain(mover)

    async def one_pass(mover, *, in_fence=False, after=None):
        return proofs.get(mover.id) or await right_pass(mover, in_fence=in_fence, after=after)

    table = {**steps.STEPS, MoveState.DRAINING: drain}
    return all_of(patched(steps, "STEPS", table), patched(cut, "one_pass", one_pass))


def no_source_condition():
    """Copies take whatever generation the origin has when they get there."""

    def source(origin):
        return origin.store._contents.get(origin.container, origin.name)

    def readable(self, container, name, etag, *, as_source=False):
        return self.get(container, name)

    return all_of(patched(sim_store, "_source", source), patched(Account, "readable", readable))


def no_destination_condition():
    """Writes of the tool overwrite and delete whatever is there."""
    right_check, right_delete = Account.check, Account.delete

    def check(self, container, name, condition):
        return right_check(self, container, name, None)

    def delete(self, sender, container, name, *, if_match, sent_at):
        right_delete(self, sender, container, name, if_match=None, sent_at=sent_at)

    return all_of(patched(Account, "check", check), patched(Account, "delete", delete))


def switch_with_a_create_outstanding():
    """Unanswered writes are forgotten at once."""
    return patched(NodeState, "outstanding", lambda self, move: [])


def deletes_from_a_truncated_listing():
    """A listing that broke off counts as complete, and nobody is asked again."""
    right = listing.ReadAhead._fetch

    async def fetch(self, marker):
        entries, following = await right(self, marker)
        if following is not None and self.store.account.endswith("core"):
            following = None
        return entries, following

    async def delete(transfer, one):
        with contextlib.suppress(CloudError):
            await transfer.destination.delete(one.container, one.name, if_match=one.etag)
            return True
        return False

    return all_of(patched(listing.ReadAhead, "_fetch", fetch), patched(deletes, "_delete", delete))


def reverse_delete_without_evidence():
    """Going back, what the target does not have is deleted at the source."""
    right = walk.decide

    def decide_(case):
        if case.direction is Direction.REVERSE and case.origin is None and case.destination is not None:
            return Decision(Verb.DELETE)
        return right(case)

    return patched(walk, "decide", decide_)


def switch_without_compare_and_swap():
    """The route is written whatever it says."""

    async def change(self, move, expected, new):
        async with self._turn:
            seen = await self._router.read(self._region)
            document = seen.document or rollout_document(self)
            await self._router.swap(self._region, document.with_record(str(move), new), expected_etag=seen.etag)

    right = RouteBoard.put

    def put(self, document, expected_etag, sender, sent_at):
        return right(self, document, self.etag if sender.is_tool else expected_etag, sender, sent_at)

    return all_of(patched(RouteDesk, "change", change), patched(RouteBoard, "put", put))


def one_refusal_ends_a_fence():
    """A route document whose account refuses one request is not asked again before a swap: a fence is given up for it."""

    async def once(desk, swap, *, until=None):
        return await swap()

    return patched(RouteDesk, "_surely", once)


def rollout_document(desk):
    return RouteDocument(desk._routing.ttl_seconds, desk._routing.max_write_seconds)


PASS_SECONDS = 400.0
LATE_SECONDS = 300.0
"""An unanswered request may be applied at most so long after it was sent."""


def read_instead_of_release():
    """After an unanswered switch the record is read; if it is still the fence, the switch is taken not to have happened, the
    guardian is sent home, and what was read is believed for as long as a late switch may take. The pass that follows takes long:
    the next fence would find out, for its guardian takes no fence for a predecessor."""
    right = releasing.release

    async def release(mover, why):
        intent = mover.record.intent
        if intent is not None and intent.switched is not None:
            found = await mover.desk.record(mover.id)
            if found is not None and found.same_authority(intent.fence):
                mover.happen(Event.RELEASED, intent=None, epoch=found.epoch)
                mover._claim_at = mover.world.clock.monotonic() + LATE_SECONDS
                await mover.unwatch()
                await mover.world.clock.sleep(PASS_SECONDS)
                return
        await right(mover, why)

    return all_of(patched(releasing, "release", release), patched(recovering, "release", release))


def writing_without_a_claim():
    """The route record is neither claimed nor looked at."""

    async def admit(self):
        await asyncio.sleep(0)

    async def admit_until(self):
        await asyncio.sleep(0)
        return float("inf")

    async def claim(mover, *, create=False):
        desk = mover.desk
        found = await desk.record(mover.id)
        if found is None:
            found = desk.first(mover.plan.source, mover.store(mover.plan.source).endpoint)
            await desk.change(mover.id, None, found)
        if not mover.record.ever_routed:
            mover.save(replace(mover.record, ever_routed=True, epoch=found.epoch))

    return all_of(
        patched(mover_module.Mover, "admit", admit),
        patched(mover_module.Mover, "admit_until", admit_until),
        patched(preflight, "claim", claim),
    )


def hand_edits_unseen():
    """A record that is the fence again is the fence still, whoever opened it meanwhile."""
    return all_of(
        patched(RouteDesk, "is_broken", lambda self, move: False),
        patched(
            RouteDesk,
            "next_epoch",
            lambda self, move, record, *, above=0: max(record.epoch, above) + 1,
        ),
    )


def endpoints_believed():
    """A record is judged by the account that it names, wherever it sends clients; what is written is what was found."""
    return all_of(
        patched(RouteRecord, "is_at", lambda self, endpoint: True),
        patched(RouteDesk, "address_of", lambda self, account: None),
    )


def any_durations_believed():
    """A fence waits for whatever the document promises."""
    return patched(RouteDesk, "longer_than_planned", lambda self: None)


def policies_past_the_claim():
    """Access policies are changed at the account itself, and nobody asks for the lock meanwhile."""

    def holder_of(store):
        return store.inner if store.can_prove_policies else None

    def unconditional(self, container):
        return 0

    def to_put_back(mover, account):
        return mover.shared.stores[account]

    return all_of(
        patched(enforcing, "holder_of", holder_of),
        patched(enforcing, "_to_put_back", to_put_back),
        patched(Policies, "changed_at", unconditional),
    )


def drain_shorter_than_max_write():
    """The drain waits for the leases to end, not for the writes under them."""
    return patched(Routing, "drain_seconds", property(lambda self: self.ttl_seconds))


def lease_age_from_receipt():
    """A customer counts its lease from the answer, not from the request."""

    async def refresh(self, follower):
        try:
            seen = await self._router.read(self._region)
        except Exception:
            return
        follower.observe(seen.document, self.clock.monotonic())

    return patched(Customer, "refresh", refresh)


def ranges_with_a_gap():
    """The last name of a range belongs to nobody."""
    right = walk.Walk._settle

    async def settle(self, above, upper, pairs, evidence):
        await right(self, above, upper, pairs[:-1] if len(pairs) > 2 else pairs, evidence)

    return patched(walk.Walk, "_settle", settle)


def tags_ignored_in_catch_up():
    """Generations that are equal are never looked at again."""
    return patched(decide, "_marks_agree", lambda origin, destination: True)


def soak_of_an_earlier_stay():
    """A move that was soaked is so for good, wherever its route has been since."""

    def resume_state(state):
        return MoveState.CATCHING_UP if state in transitions.FENCE_STATES else state

    def learn(mover, epoch, *changes):
        mover.save(replace(mover.record, ever_routed=True, epoch=epoch), *changes)

    return all_of(
        patched(transitions, "resume_state", resume_state),
        patched(stays, "ended", lambda record: {}),
        patched(stays, "is_another", lambda record, epoch: False),
        patched(stays, "learn", learn),
    )


def another_type_is_written_over():
    """What lies at the destination is replaced as it is, whatever the service says of its type."""
    never = lambda case: False  # noqa: E731
    return all_of(patched(decide, "must_be_recreated", never), patched(actions, "must_be_recreated", never))


def blocks_of_others_are_in_the_way():
    """Nobody throws away what an upload left."""

    async def refused(self, condition):
        raise CloudError(f"cannot: {TROUBLES[OTHERS_BLOCKS].why}", code=OTHERS_BLOCKS)

    return patched(actions.Action, "_without_others_blocks", refused)


def a_lease_is_a_change_meanwhile():
    """Every 412 is a refused condition."""

    def unleased(self, container, name):
        if (container, name) in self.leases:
            raise ConditionFailed(f"cannot write {name!r}: it is not as expected any more", code="LeaseIdMissing")

    return patched(Account, "_unleased", unleased)


def an_ended_copy_is_a_whole_one():
    """Nobody reads how a copy ended that the service made in its own time."""

    async def until_it_is_over(self, origin, container, blob, shape, condition):
        written = await self._destination.start_copy(origin, container, blob.name, shape, condition=condition)
        etag, is_pending = written.etag, written.pending
        while is_pending:
            await self._clock.sleep(self._rhythm.copy_poll_seconds)
            now = await self._destination.head(container, blob.name)
            etag, is_pending = now.etag, now.copy_pending
        return Copied(etag, blob.size)

    return patched(Copier, "_async", until_it_is_over)


def one_refused_name_ends_the_pass():
    """What refuses an object is the account's trouble."""

    def whose_is(fault):
        return whose_right(fault) if fault.code != "BlobUsesCustomerSpecifiedEncryption" else Whose.ACCOUNT

    whose_right = actions.whose
    return all_of(
        patched(actions, "whose", whose_is), patched(actions.Action, "_is_alone_in_it", lambda self, fault: False)
    )


def lost_containers_are_deletes():
    """What is gone with its container was deleted by customers, like everything that is gone."""
    return patched(deletes, "_refuse_lost", lambda t, candidates, total_above_cap: None)


def new_containers_are_old_ones():
    """A container that is there is the one that was there."""

    async def was_replaced(*args, **more):
        return False

    async def is_as_it_was(self, one):
        return True

    return all_of(
        patched(containers, "was_replaced", was_replaced), patched(deletes._Origin, "is_as_it_was", is_as_it_was)
    )


def absences_before_the_end():
    """What a side has not shown so far is not there."""

    def drop(self, above, upper, records, *, but):
        records.forget(set(records).difference(but))

    return all_of(
        patched(absences.Absences, "drop", drop),
        patched(walk, "waits_for_the_end", lambda case, decision, *, will_copy: False),
    )


def a_sweep_is_not_announced():
    """An empty object is committed over blocks of ours and deleted; whoever dies in between leaves it."""

    async def is_emptied(t, container, name):
        try:
            written = await t.destination.commit_blocks(container, name, [], NOTHING, condition=CREATE)
            await t.destination.delete(container, name, if_match=written.etag)
            return True
        except (NotFound, ConditionFailed):
            return False
        except OutcomeUnknown:
            t.leave([t.unanswered(container, name, "create", None)])
            return False

    return patched(sweeping, "_is_emptied", is_emptied)


def followers_of_any_host():
    """A follower takes whatever address the document names."""
    return patched(Hosts, "objection", lambda *_: None)


def a_blip_halts():
    """Whatever ends a step needs a person, and a request is given up after eight tries."""

    async def keep_trying(self, account, fault, attempt):
        return False

    return all_of(
        patched(patience.MovePatience, "keep_trying", keep_trying),
        patched(patience.MovePatience, "ends_in_halt", lambda self, fault: True),
    )


def a_busy_target_is_given_up():
    """A way back takes a target that asks for less for one that is gone."""
    keep_trying, ends_in_halt = patience.MovePatience.keep_trying, patience.MovePatience.ends_in_halt

    async def counted(self, account, fault, attempt):
        if isinstance(fault, Throttled) and is_getting_ready(self._mover.record.state) and self._is_given_up(account):
            return attempt < self._mover.world.rhythm.way_back_attempts
        return await keep_trying(self, account, fault, attempt)

    def halts(self, fault):
        return ends_in_halt(self, fault) or (isinstance(fault, Throttled) and self._is_given_up(fault.account))

    return all_of(
        patched(patience.MovePatience, "keep_trying", counted),
        patched(patience.MovePatience, "ends_in_halt", halts),
    )


def a_busy_store_halts():
    """A refused commit needs a person."""
    right = patience.MovePatience.ends_in_halt

    def ends_in_halt(self, fault):
        return isinstance(fault, StateError) or right(self, fault)

    return patched(patience.MovePatience, "ends_in_halt", ends_in_halt)


def a_refused_end_keeps_the_lock():
    """What a run writes down last is written once, and the lock is given back after it."""

    async def end_counting(self):
        self._own_traffic.end()

    async def close(self):
        self._account()
        self._state.give_back(self.token)
        self._beat.cancel()

    return all_of(patched(rollout.Rollout, "_end_counting", end_counting), patched(session.Session, "close", close))


def a_halt_leaves_the_live_alone():
    """A halt ends whatever is at work, and later runs leave a wave that stopped as it is."""
    right = wave_at_work.WaveAtWork.stop_beginning

    def stop_beginning(self):
        right(self)
        for task in self._tasks.values():
            task.cancel()

    return all_of(
        patched(wave_at_work.WaveAtWork, "stop_beginning", stop_beginning),
        patched(waves._Applying, "_watch", lambda self, wave: None),
    )


def one_way_back_at_a_time():
    """A wave has one recorded way back: that of a move that fails later takes the place of one that is still to be made."""
    return patched(rollback, "_scope_name", lambda value: f"wave:{value['wave']}")


def only_old_copies_are_put_back():
    """A fence that a hand puts back under a later epoch is somebody's whom nobody knows."""
    right = releasing.is_fence_by_hand

    def is_fence_by_hand(current, intent, *, run):
        return right(current, intent, run=run) and current.epoch < intent.before.epoch

    return patched(releasing, "is_fence_by_hand", is_fence_by_hand)


def fences_for_what_is_not_there():
    """A fence is begun although the last pass found an object that the service is not done with."""
    return patched(carry, "_not_there_yet", lambda mover: None)


def heartbeats_by_their_age():
    """A lock is free once its heartbeat is older than half a minute, by the clocks of two machines."""

    async def silent(state, clock, is_dead, say=None):
        lock = state.lock()
        is_old = lock is not None and (clock.now() - lock.heartbeat).total_seconds() > liveness.SILENT_SECONDS
        return lock if is_old else None

    return patched(pulse, "silent", silent)


def a_signal_cuts_off_the_end():
    """Whoever is stopped while he ends does not get to the end."""

    def stop(self):
        self._stopped = True
        if self._main is not None:
            self._main.cancel()

    return patched(rollout.Rollout, "stop", stop)


def a_signal_leaves_a_release_behind():
    """A run that is stopped while it undoes a fence does not wait for that."""

    async def beside(mover, work):
        await asyncio.shield(asyncio.create_task(work))

    return patched(releasing, "_to_its_end", beside)


def releases_need_a_whole_document():
    """What strangers broke in other records is in the way of a release."""

    async def whole(router, region):
        seen = await router.read(region)
        return seen.document, seen.etag

    return all_of(patched(routes, "whole_or_damaged", whole), patched(guardian, "whole_or_damaged", whole))


def own_writes_are_strangers():
    """A look at a source that is kept warm goes on beside the passes, and takes what they have not put on record yet for a
    stranger's."""

    async def compared(self):
        return await passes.watch(self.mover.transfer())

    return all_of(
        patched(soak.SoakBook, "warm", lambda self: self.warming.one_pass()),
        patched(soak.SoakBook, "_compared", compared),
    )


def what_a_store_calls_back_is_back():
    """A way back takes its own store's word for moves that are pending or reversed."""
    right = rollback._elsewhere

    async def elsewhere(mover):
        return await right(mover) if is_to_be_taken_back(mover.record.state) else None

    return patched(rollback, "_elsewhere", elsewhere)


def a_lane_skips_its_last_name():
    """Each lane ends before its upper bound, and the next one begins after it."""
    right = listing.ReadAhead._checked

    def checked(self, entries):
        batch = right(self, entries)
        return batch[:-1] if batch and batch[-1][0] == self.bounds.upto else batch

    return patched(listing.ReadAhead, "_checked", checked)


def lanes_overlap():
    """A lane has the name of its lower bound too, whose evidence is in the range before."""
    right = lanes.Lane.bounds.fget

    def bounds(self):
        found = right(self)
        if not found.above:
            return found
        return replace(found, above=found.above[:-1] + bytes([max(0, found.above[-1] - 1)]))

    return patched(lanes.Lane, "bounds", property(bounds))


def a_lane_dies_unseen():
    """Whoever waits for the lanes does not learn that one of them has failed."""
    right = walk.Walk._along

    async def along(self, lane):
        try:
            return await right(self, lane)
        except (MigrateError, LaneBroken):
            if lane.is_whole:
                raise
            return lanes.LaneSeen(lane, SeenSide(), SeenSide())

    return all_of(patched(walk.Walk, "_along", along), lanes_are_believed())


def lanes_are_believed():
    """That nothing lies between two lanes is taken from the service's word, not from what both have shown."""
    return patched(walk, "sealed", lambda seen: None)


def a_split_is_forgotten_by_its_lane():
    """What lies after a piece that was split off is written as if the range still began where it did."""
    right = walk.Walk._begin_piece

    async def begin_piece(self, above, upper, pairs, evidence):
        await right(self, above, upper, pairs, evidence)
        return above

    return patched(walk.Walk, "_begin_piece", begin_piece)


def no_second_look():
    """What the first scan of a fence did is believed: nothing of it is looked at again."""
    right = cut.one_pass

    async def one_pass(mover, *, in_fence=False, after=None):
        return await right(mover, in_fence=in_fence, after=replace(after, ranges={}) if after else None)

    return patched(cut, "one_pass", one_pass)


def an_answer_before_the_write_ended():
    """A follower promises that nothing is under way while its writes are."""
    return patched(work.Work, "clear_at", lambda self, key, now: None)


def a_follower_leaves_before_its_writes_ended():
    """Whoever ends says that it has left, with writes of its own under way or not."""
    return patched(presence, "_is_clear", lambda line, view: True)


def an_answer_of_an_older_epoch():
    """A follower that ever promised anything has answered."""
    right = attendance.Attendance.awaited

    def awaited(self, key, epoch, *, now, write_seconds):
        return right(self, key, min(epoch, 1), now=now, write_seconds=write_seconds)

    return patched(attendance.Attendance, "awaited", awaited)


def a_lost_register_is_an_empty_one():
    """Nobody looks whether the head of a register is there."""
    right = MemoryRegister.roll

    async def roll(self, generation):
        try:
            return await right(self, generation)
        except RollUnknown:
            return ()

    return patched(MemoryRegister, "roll", roll)


def a_follower_enters_after_the_roll():
    """A roll counts whenever it was asked for, before the fence too: who has entered since is not on it."""
    right = rollcall.RollCall.roll

    def roll(self, move, epoch=0, *, asked_after=0.0):
        return right(self, move, epoch)

    async def until_answered(self, move, epoch, *, after):
        while True:
            found = self.roll(move, epoch)
            if not found.why_not and not found.missing:
                return found
            await self.look()
            await self.clock.sleep(self.rhythm.roll_look_seconds)

    return all_of(
        patched(rollcall.RollCall, "roll", roll), patched(rollcall.RollCall, "until_answered", until_answered)
    )


def a_lease_without_registration():
    """A follower writes whether it has entered the register or not."""
    return patched(presence.Presence, "entered", lambda self, key, generation, now: (float("-inf"), float("inf")))


def a_register_counts_at_once():
    """A roll ends a drain as soon as the document names its register, whatever clients went by a moment before."""
    return patched(RouteDesk, "all_entered_at", property(lambda self: self._register_since))


def _not_kept_for(*reasons):
    right = retiring.why_kept

    def wrong(case):
        why = right(case)
        return None if why in reasons else why

    return patched(retiring, "why_kept", wrong)


def sources_emptied_whatever_the_target_has():
    """Another generation at the target is as good as the one of the evidence: customers wrote over it, so what."""
    return _not_kept_for(Kept.DIFFERENT)


def sources_emptied_whatever_changed():
    """What was written at the source after the switch goes with the rest: it was told of, after all."""
    return _not_kept_for(Kept.CHANGED, Kept.UNKNOWN)


BREAKAGES = {
    function.__name__.replace("_", "-"): function
    for function in (
        times_instead_of_evidence,
        etags_from_different_records,
        barrier_before_drain,
        no_source_condition,
        no_destination_condition,
        switch_with_a_create_outstanding,
        deletes_from_a_truncated_listing,
        reverse_delete_without_evidence,
        switch_without_compare_and_swap,
        read_instead_of_release,
        writing_without_a_claim,
        hand_edits_unseen,
        endpoints_believed,
        any_durations_believed,
        policies_past_the_claim,
        drain_shorter_than_max_write,
        lease_age_from_receipt,
        ranges_with_a_gap,
        tags_ignored_in_catch_up,
        soak_of_an_earlier_stay,
        another_type_is_written_over,
        blocks_of_others_are_in_the_way,
        a_lease_is_a_change_meanwhile,
        one_refused_name_ends_the_pass,
        an_ended_copy_is_a_whole_one,
        a_lane_skips_its_last_name,
        lanes_overlap,
        a_lane_dies_unseen,
        lanes_are_believed,
        a_split_is_forgotten_by_its_lane,
        no_second_look,
        lost_containers_are_deletes,
        new_containers_are_old_ones,
        absences_before_the_end,
        a_sweep_is_not_announced,
        followers_of_any_host,
        a_blip_halts,
        a_busy_target_is_given_up,
        one_refusal_ends_a_fence,
        a_busy_store_halts,
        a_refused_end_keeps_the_lock,
        a_halt_leaves_the_live_alone,
        one_way_back_at_a_time,
        fences_for_what_is_not_there,
        only_old_copies_are_put_back,
        heartbeats_by_their_age,
        a_signal_cuts_off_the_end,
        a_signal_leaves_a_release_behind,
        releases_need_a_whole_document,
        what_a_store_calls_back_is_back,
        own_writes_are_strangers,
        an_answer_before_the_write_ended,
        a_follower_leaves_before_its_writes_ended,
        an_answer_of_an_older_epoch,
        a_lost_register_is_an_empty_one,
        a_follower_enters_after_the_roll,
        a_lease_without_registration,
        a_register_counts_at_once,
        sources_emptied_whatever_the_target_has,
        sources_emptied_whatever_changed,
    )
}
