"""The enforced fence (``cutover.fence: access-policy``): the live account's stored access policies lose their right to write.

It binds signatures (SAS) that name such a policy and nothing else; the plan's findings say what it does not bind. Rules:

- what is about to be changed is committed before it is changed, so that any later run can put it back;
- the drain ends when the service has refused a write under every policy, and its propagation and max_write have passed since;
- policies of the account that the route names are never left revoked outside a fence: after a release, after a switch to it, and
  at the start of every run they are put back, and by the guardian if the engine dies. Those of the account that was left stay so;
- the guardian knows them before the first is revoked;
- a policy that somebody else has changed meanwhile is left as it is, and said;
- policies are changed as everything else is: within the budget, counted, and on a claim that is asked for before each request. A
  revocation needs the move's own claim, its fence; putting back needs the lock, and a route that lets writers write at that
  account: another run's fence is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import isfinite

from migrator.engine.leftovers import sweep
from migrator.engine.mover import Mover
from migrator.engine.putting_back import put_back
from migrator.errors import CloudError, JudgementError, NotFound, OutcomeUnknown, RouteChanged, StateError
from migrator.machine.agreement import live_account
from migrator.machine.policies import can_write, without_writing
from migrator.model.happenings.fences import (
    PoliciesRefuse,
    PoliciesRestored,
    PoliciesRevoked,
    PoliciesStayRevoked,
    PolicyLeft,
)
from migrator.model.moves import RevokedPolicy
from migrator.model.names import RESERVED_PREFIX, Area
from migrator.model.routes import READ_WRITE
from migrator.model.values import replace
from migrator.ports.object_store import ObjectStore
from migrator.ports.write_policy import PolicyHolder, holds_policies
from migrator.transfer.paced import PacedStore

PROBES = f"{RESERVED_PREFIX}fence-"
"""Names of writes that the service should refuse. One that it took, and whose run died then, is removed at the next fence."""


def extra_seconds(mover: Mover) -> float:
    """How much longer an enforced fence may take to close than the route's alone."""
    if mover.wave.cutover.fence != "access-policy":
        return 0.0
    rhythm = mover.world.rhythm
    return rhythm.probe_seconds + rhythm.policy_propagation_seconds + mover.routing.max_write_seconds


async def revoke(mover: Mover) -> float:
    """Revoke, and wait for the refusals; when (monotonic) the drain may end because of it. -inf for a fence of the route.

    Raises CloudError or JudgementError: the fence is given up, and a release puts everything back.
    """
    if mover.wave.cutover.fence != "access-policy" or mover.record.is_abandoning:
        return float("-inf")
    account = live_account(mover.record)
    store = mover.store(account)
    holder = holder_of(store)
    if holder is None:
        raise JudgementError(
            f"cannot enforce the fence of {mover.id}: {account} has no stored access policies to prove"
        )
    known = mover.record.revoked
    closed = {(one.account, one.container, one.policy.id) for one in known}
    changed: list[RevokedPolicy] = []
    for container in await _containers(store, mover.plan.area):
        await sweep(store, container, PROBES)
        for one in (await holder.policies(container)).policies:
            if can_write(one) and (account, container, one.id) not in closed:
                changed.append(RevokedPolicy(account, container, one))
    mover.save(replace(mover.record, revoked=(*known, *changed)), PoliciesRevoked(_places(changed)))
    changed += [one for one in known if one.account == account]
    if mover.world.guardian is not None and changed:
        await mover.world.guardian.keep(str(mover.id), mover.record.revoked)
    for container in sorted({one.container for one in changed}):
        found = await holder.policies(container)
        new = [without_writing(one) if can_write(one) else one for one in found.policies]
        try:
            await holder.set_policies(container, new, public_access=found.public_access)
        except (OutcomeUnknown, asyncio.CancelledError):
            _may_come_late(mover, account)
            raise
    revoked_at = mover.world.clock.monotonic()
    for revoked in changed:
        await _until_refused(mover, holder, revoked)
    if not changed:
        mover.tell(PoliciesRefuse(account, 0))
        return float("-inf")
    mover.tell(PoliciesRefuse(account, len(changed)))
    return revoked_at + mover.world.rhythm.policy_propagation_seconds + mover.routing.max_write_seconds


async def _until_refused(mover: Mover, holder: PolicyHolder, revoked: RevokedPolicy) -> None:
    clock, rhythm = mover.world.clock, mover.world.rhythm
    give_up = clock.monotonic() + rhythm.probe_seconds
    while True:
        name = f"{PROBES}{clock.nonce()}"
        if not await holder.accepts(revoked.container, revoked.policy, name):
            return
        if clock.monotonic() >= give_up:
            raise CloudError(
                f"cannot enforce the fence of {mover.id}: {revoked.account}/{revoked.container} still takes writes under"
                f" policy {revoked.policy.id}",
                hint="the policies are put back; try again later",
            )
        await clock.sleep(rhythm.probe_pause_seconds)


async def restore(mover: Mover) -> None:
    """Put back the policies of the account that the route names, if no fence is open. A second run finds nothing to do.

    A revocation that was not answered, or that a dead run had sent, may be applied after this. As long as such requests may
    arrive (``Session.wait_until``) the policies stay on record, and whoever looks again - each step, each round of ``ready``,
    the next run - puts them back again. Never raises CloudError: what cannot be put back now stays on record too, and is said.

    Raises:
        LockedError: another run has the lock; it puts them back.
    """
    clock = mover.world.clock
    if mover.record.intent is not None or not (ours := _of_the_live_account(mover)):
        return
    is_last = clock.monotonic() >= mover.shared.session.wait_until
    if not is_last and clock.monotonic() < mover.restored_at + mover.world.rhythm.restore_pause_seconds:
        return
    for container in sorted({one.container for one in ours}):
        group = [one for one in ours if one.container == container]
        left = await _restored(mover, container, group)
        if left is None:
            return
        if is_last:
            for text in left:
                mover.tell(PolicyLeft(text))
            kept = tuple(one for one in mover.record.revoked if one not in group)
            mover.save(replace(mover.record, revoked=kept), PoliciesRestored(_places(group)))
    mover.restored_at = clock.monotonic()


async def keep_open(mover: Mover) -> None:
    """Before a run leaves a move: until nothing can close its policies any more, unless it may not wait or the wait has no end
    that is known. Then they stay on record for the next run."""
    while _of_the_live_account(mover) and mover.record.intent is None and mover.is_patient:
        left = mover.shared.session.lingering.seconds
        await restore(mover)
        if left <= 0 or not isfinite(left):
            return
        await mover.world.clock.sleep(min(left, mover.world.rhythm.restore_pause_seconds))


def _of_the_live_account(mover: Mover) -> list[RevokedPolicy]:
    live = live_account(mover.record)
    return [one for one in mover.record.revoked if one.account == live]


def _may_come_late(mover: Mover, account: str) -> None:
    """A change of policies was not answered. It could shut writers out after the fence, or let them into the next one."""
    mover.shared.session.linger(mover.world.write_bounds[account])


async def _restored(mover: Mover, container: str, group: Sequence[RevokedPolicy]) -> list[str] | None:
    """What is left as somebody else made it; None if the service would not do it."""
    account, clock, session = group[0].account, mover.world.clock, mover.shared.session
    rhythm = mover.world.rhythm
    give_up = clock.monotonic() + rhythm.restore_seconds
    for attempt in range(rhythm.restore_attempts):
        try:
            session.check()
            return await _restore_one(_to_put_back(mover, account), container, group)
        except NotFound:
            return [f"{account}/{container} is gone"]
        except asyncio.CancelledError:
            _may_come_late(mover, account)
            raise
        except (RouteChanged, StateError):
            return None  # nobody can say whose lock it is, or no writer is waited for there now; whoever looks next asks again
        except CloudError as fault:
            if isinstance(fault, OutcomeUnknown):
                _may_come_late(mover, account)
            if attempt == rhythm.restore_attempts - 1 or clock.monotonic() >= give_up:
                mover.tell(PoliciesStayRevoked(account, container, fault.message))
                return None
        await clock.sleep(rhythm.restore_pause_seconds)
    return None


def _to_put_back(mover: Mover, account: str) -> ObjectStore:
    """The account, for putting policies back. Not on the move's own claim: that one waits while an operator pauses, and after a
    release that a guardian made the record is not this run's yet."""

    async def claim() -> float:
        mover.shared.session.check()
        asked = mover.world.clock.monotonic()
        found = (await mover.desk.to_release()).get(str(mover.id))
        ours = (account, READ_WRITE, mover.world.state.lineage)
        if found is None or (found.account, found.mode, found.lineage) != ours:
            raise RouteChanged(
                f"cannot put back access policies of {mover.id}: its route does not let writers write there"
            )
        return mover.claimed_until(asked)

    found = mover.shared.stores[account]
    return found.claimed(claim) if isinstance(found, PacedStore) else found


async def _restore_one(store: ObjectStore, container: str, group: Sequence[RevokedPolicy]) -> list[str]:
    """Put back what is still as the fence left it; a sentence for each that is not."""
    holder = holder_of(store)
    if holder is None:
        return [f"{store.account} has no stored access policies any more"]
    return await put_back(holder, container, group)


def _places(changed: Sequence[RevokedPolicy]) -> tuple[str, ...]:
    return tuple(f"{one.account}/{one.container}: {one.policy.id}" for one in changed)


def holder_of(store: ObjectStore) -> PolicyHolder | None:
    """``store`` as a holder of policies that can be proven; None if its account is none."""
    return store if holds_policies(store) and store.can_prove_policies else None


async def _containers(store: ObjectStore, area: Area) -> list[str]:
    return [info.name for info in await store.containers() if area.prefixes_in(info.name)]
