"""Breakages of what a pass makes of names: evidence, conditions, absences, containers, lanes."""

import contextlib

from migrator.engine import (
    rollback,
)
from migrator.engine.steps import soak
from migrator.errors import CloudError, ConditionFailed, NotFound, OutcomeUnknown
from migrator.machine.states import is_to_be_taken_back
from migrator.model.moves import Direction
from migrator.model.objects import CREATE, NOTHING, Shape
from migrator.model.values import replace
from migrator.ports.troubles import OTHERS_BLOCKS, TROUBLES, Whose
from migrator.testing.simulation import store as sim_store
from migrator.testing.simulation.blobs import Account
from migrator.testing.simulation.state import NodeState
from migrator.transfer import (
    absences,
    actions,
    containers,
    decide,
    deletes,
    listing,
    passes,
    sweeping,
    walk,
)
from migrator.transfer.copying import Copied, Copier
from migrator.transfer.decide import Decision, Verb
from tests.simulation.planted.patching import all_of, patched


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


def ranges_with_a_gap():
    """The last name of a range belongs to nobody."""
    right = walk.Walk._settle

    async def settle(self, above, upper, pairs, evidence, *more):
        await right(self, above, upper, pairs[:-1] if len(pairs) > 2 else pairs, evidence, *more)

    return patched(walk.Walk, "_settle", settle)


def tags_ignored_in_catch_up():
    """Generations that are equal are never looked at again."""
    return patched(decide, "_marks_agree", lambda origin, destination: True)


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


def seals_and_sequence_numbers_are_left_behind():
    """What only append and page blobs have does not come along."""

    def of(blob):
        return replace(shape_of(blob), sequence_number=0, is_sealed=False)

    async def pieces(self, container, blob, shape, condition):
        return await pieces_of(self, container, replace(blob, is_sealed=False), shape, condition)

    shape_of, pieces_of = Shape.of, Copier._stream_pieces
    return all_of(patched(Shape, "of", of), patched(Copier, "_stream_pieces", pieces))


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
