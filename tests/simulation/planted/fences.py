"""Breakages of routes, claims, fences and drains."""

import asyncio
from dataclasses import replace

from migrator.engine import (
    enforcing,
    guardian,
    recovering,
    releasing,
    routes,
    steps,
)
from migrator.engine import mover as mover_module
from migrator.engine.routes import RouteDesk
from migrator.engine.steps import carry, cut, preflight
from migrator.errors import CloudError
from migrator.machine.events import Event
from migrator.model.hosts import Hosts
from migrator.model.moves import MoveState
from migrator.model.routes import RouteDocument, RouteRecord
from migrator.model.schedule import Routing
from migrator.testing.simulation.clients import Customer
from migrator.testing.simulation.policies import Policies
from migrator.testing.simulation.router import RouteBoard
from tests.simulation.planted.patching import all_of, patched


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
            seen = await self._router.read()
        except CloudError:
            return
        follower.observe(seen.document, self.clock.monotonic())

    return patched(Customer, "refresh", refresh)


def followers_of_any_host():
    """A follower takes whatever address the document names."""
    return patched(Hosts, "objection", lambda *_: None)


def only_old_copies_are_put_back():
    """A fence that a hand puts back under a later epoch is somebody's whom nobody knows."""
    right = releasing.is_fence_by_hand

    def is_fence_by_hand(current, intent, *, run):
        return right(current, intent, run=run) and current.epoch < intent.before.epoch

    return patched(releasing, "is_fence_by_hand", is_fence_by_hand)


def fences_for_what_is_not_there():
    """A fence is begun although the last pass found an object that the service is not done with."""
    return patched(carry, "_not_there_yet", lambda mover: None)


def releases_need_a_whole_document():
    """What strangers broke in other records is in the way of a release."""

    async def whole(router, region):
        seen = await router.read(region)
        return seen.document, seen.etag

    return all_of(patched(routes, "whole_or_damaged", whole), patched(guardian, "whole_or_damaged", whole))
