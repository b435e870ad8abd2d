"""provisioning: create the target account, and give it what the source's blob service does by itself.

A second run finds the account being created, or created and unfinished, and goes on: what bears our own mark is ours to finish.
Rules: an account that is there and does not bear it is never changed, and none is ever deleted; nothing is created once a move
has begun to copy, for what is missing then had data; what is about to be created is on record first.
"""

from __future__ import annotations

from typing import Final

from migrator.engine.ahead import Ahead
from migrator.engine.context import Halt
from migrator.engine.mover import Mover
from migrator.errors import AccessRefused, CloudError, InternalError, NotFound
from migrator.machine.events import Event
from migrator.model.estate import AccountShape, BlobSettings, Provision, carried, provision_of, region, unlike
from migrator.model.happenings.moves import AccountCreated, AccountCreating
from migrator.model.schedule import Account, is_created
from migrator.ports.estate import Estate

REACH_SECONDS: Final = 600.0
"""How long the name of a new account may take to be known."""
LEFT: Final = "the plan says `settings: leave`"


async def is_missing(mover: Mover) -> bool:
    """Is the target one that a run creates, and not there or not ready?"""
    account = _target(mover)
    if not is_created(account):
        return False
    shape = await _estate(mover).shape(account)
    return shape is None or not shape.is_ready


async def provision(mover: Mover) -> Event:
    account, estate = _target(mover), _estate(mover)
    if account.provision is None:
        raise Halt(f"cannot create account {account.name}: the plan has no `provision` for it any more; put it back")
    wanted = provision_of(account.provision)
    shape = await estate.shape(account)
    if shape is None:
        await _admit(estate, account)
        place = (str(account.subscription), str(account.resource_group))
        mover.commit(AccountCreating(account.name, region(str(account.location)), wanted.sku, *place))
    if shape is None or not shape.is_ready:
        public = await needs_public_access(mover, wanted)
        shape = await estate.create(account, wanted, public_access=public, lineage=mover.world.state.lineage)
    copied, left = await _settings(mover, wanted, shape)
    await _reached(mover)
    mover.commit(AccountCreated(account.name, shape.id, list(copied), left))
    return Event.PROVISIONED


def tells(ahead: Ahead) -> str:
    account = ahead.schedule.accounts[ahead.plan.target]
    if account.provision is None:
        return f"wait until {called(ahead)} is there"
    wanted = provision_of(account.provision)
    where = (
        f"{region(str(account.location))}, resource group {account.resource_group}, subscription {account.subscription}"
    )
    what = f"{wanted.kind}, {wanted.sku} in {where}" if ahead.is_named else wanted.kind
    settings = f", with the settings of {ahead.source}'s blob service" if wanted.copies_settings else ""
    return f"create {called(ahead)} ({what}){settings}"


def called(ahead: Ahead) -> str:
    return f"account {ahead.target}" if ahead.is_named else "the target account"


async def needs_public_access(mover: Mover, wanted: Provision) -> bool:
    """Off, unless the plan says else, or a container that moves is open to everybody and is to stay so."""
    if wanted.public_access is not None:
        return wanted.public_access
    if mover.shared.schedule.public_access != "keep":
        return False
    moves = [one for one in mover.shared.schedule.moves if one.target == mover.plan.target]
    for source in sorted({one.source for one in moves}):
        for info in await mover.store(source).containers():
            if info.public_access and any(one.source == source and one.area.prefixes_in(info.name) for one in moves):
                return True
    return False


async def _admit(estate: Estate, account: Account) -> None:
    """Raises Halt where the name is somebody else's: a create would be refused at length, or change what is theirs."""
    taken = await estate.is_taken(account)
    if taken and await estate.shape(account) is None:
        raise Halt(f"cannot create account {account.name}: {taken}; name another account in the plan")


async def _settings(mover: Mover, wanted: Provision, shape: AccountShape) -> tuple[tuple[str, ...], str]:
    """What was copied of the source's settings, and why nothing was."""
    if not wanted.copies_settings:
        return (), LEFT
    if shape.lineage != mover.world.state.lineage:
        return (), "somebody else created it"
    estate, source = _estate(mover), mover.shared.schedule.accounts[mover.plan.source]
    try:
        settings = await estate.settings(source)
    except (AccessRefused, NotFound) as fault:
        return (), fault.message
    except CloudError as fault:
        if source.subscription and source.resource_group:
            raise
        return (), fault.message
    given = carried(settings)
    there = await estate.settings(_target(mover))
    if unlike(there, given):
        await estate.set_settings(_target(mover), given)
    return unlike(BlobSettings(), given), ""


async def _reached(mover: Mover) -> None:
    """Until the new account's blobs can be asked for. A refusal is an answer: the checks that follow say what is missing."""
    clock, rhythm = mover.world.clock, mover.world.rhythm
    begun = clock.monotonic()
    while True:
        try:
            await mover.store(mover.plan.target).containers()
        except AccessRefused:
            return
        except NotFound:
            if clock.monotonic() - begun > REACH_SECONDS:
                raise
            await clock.sleep(rhythm.first_pause_seconds)
        else:
            return


def _target(mover: Mover) -> Account:
    return mover.shared.schedule.accounts[mover.plan.target]


def _estate(mover: Mover) -> Estate:
    if mover.world.estate is None:
        raise InternalError("an account is to be created, and nobody can be asked for it")
    return mover.world.estate
