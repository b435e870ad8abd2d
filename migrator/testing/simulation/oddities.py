"""What lies about in accounts beside ordinary objects: leases, half uploads, archived blobs, copies and rehydrations of minutes,
blobs under a customer's own key.

Decides which of them a story has, when they come, and what a person does about those that only a person can end: leases are
broken, archived blobs rehydrated, and keys given up, where a halted move names them; and that a move halts for them once, after
everything else was carried over. Leaves what a service makes of them to ``blobs``. Rule: chance is drawn from streams of their
own, so that the stories without them stay as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from random import Random

from migrator.errors import CloudError
from migrator.model.moves import MoveRecord, MoveState
from migrator.ports.troubles import TROUBLES
from migrator.testing.simulation import themes
from migrator.testing.simulation.blobs import Account, Sender
from migrator.testing.simulation.stage import Stage

NONE_CHANCE = 0.4
"""Stories without any of this."""
PACE_SECONDS = (5.0, 20.0)
UPLOADS = 9
"""Half uploads are so much commoner than leases."""
LEASE_SECONDS = (15.0, 60.0, float("inf"))
OTHERS_BLOCK = "AAAA"
"""A block's name as some uploaders give it: of another length than ours."""
LONG_COPY_SECONDS = 120.0
REHYDRATION_SECONDS = (20.0, 200.0)
KEYS_CHANCE = 0.15
"""Of stories in which customers encrypt an object with a key of their own now and then."""
KEYS_SECONDS = 60.0
UNREADABLE = TROUBLES["BlobUsesCustomerSpecifiedEncryption"].why
AT_ONCE = "cannot write "
"""How a move halts that did nothing more for the others: the one refusal is its reason. After a whole pass it counts them."""
PERSON = Sender("operator", False)


class Oddities:
    """Of one story."""

    def __init__(self, world: Stage) -> None:
        self._world = world
        self._random = random = Random(f"oddities {world.seed}")
        is_plain = random.random() < NONE_CHANCE
        leases, uploads, archive, copies = (random.random() < 0.5 and not is_plain for _ in range(4))
        if world.theme == themes.UPLOADS:
            leases, uploads, archive, copies = False, True, False, False
        if world.theme == themes.LEASES:
            leases, uploads, archive, copies = True, False, False, False
        self._calls = [*([self._lease] if leases else []), *([self._half_upload] * UPLOADS if uploads else [])]
        for wire in world.wires.values():
            wire.account.uploads = uploads
            if copies:  # asynchronous copies take minutes: whoever comes after a run that died meets them
                wire.weather.async_seconds, wire.weather.async_pending_chance = LONG_COPY_SECONDS, 0.9
            if archive:
                wire.account.archives = True
                wire.account.rehydrates = self._rehydrates

        self._keys = Random(f"{world.seed}/keys of customers")
        self._has_keys = self._keys.random() < KEYS_CHANCE
        if self._has_keys:
            world.reached["world a customer's own key"] += 1

    async def work(self) -> None:
        """Until it is cancelled."""
        if self._has_keys:
            await asyncio.gather(self._work(), self._encrypt())
        else:
            await self._work()

    async def _encrypt(self) -> None:
        while True:
            await asyncio.sleep(self._keys.expovariate(1.0 / KEYS_SECONDS))
            account, container, name = self._place(self._keys)
            blob = account.peek(container, name)
            if blob is not None and not blob.listed.copy_pending:
                account.keyed.add((container, name))
                self._world.note("encrypted", account.name, container, name)

    async def _work(self) -> None:
        pace = self._random.choice(PACE_SECONDS)
        while self._calls:
            await asyncio.sleep(self._random.expovariate(1.0 / pace))
            self._random.choice(self._calls)()

    def end(self) -> None:
        """Whoever kept taking leases has stopped; those without an end stay."""
        for account in self._world.accounts.values():
            for place, until in list(account.leases.items()):
                if until != LEASE_SECONDS[-1]:
                    del account.leases[place]

    def judge_record(self, record: MoveRecord) -> None:
        """A state that is written down."""
        if record.state is MoveState.HALTED and UNREADABLE in record.reason and record.reason.startswith(AT_ONCE):
            text = f"{record.id} is halted for one object before the others were carried over: {record.reason}"
            self._world.oracle.break_("halted-for-a-name", text)

    def help(self, moves: Sequence[MoveRecord]) -> None:
        """What a person does about a move that halted, by what it names."""
        for move in moves:
            if move.state is not MoveState.HALTED:
                continue
            for account in (self._world.accounts[name] for name in (move.source, move.target)):
                if "leased" in move.reason:
                    account.leases.clear()
                if UNREADABLE in move.reason:
                    account.keyed.clear()
                if "archived" in move.reason:
                    self._rehydrate(account)

    def _rehydrate(self, account: Account) -> None:
        now = self._world.loop.virtual_now
        for container, held in account.containers.items():
            for name, blob in list(held.blobs.items()):
                if blob.listed.is_archived and not blob.listed.rehydrating:
                    with suppress(CloudError):
                        account.set_tier(PERSON, container, name, "Hot", sent_at=now)

    def _place(self, random: Random) -> tuple[Account, str, str]:
        territory = random.choice(self._world.terrain.territories)
        move = self._world.schedule.move(territory.move)
        container, name = random.choice(territory.names)
        return self._world.accounts[random.choice((move.source, move.source, move.target))], container, name

    def _lease(self) -> None:
        account, container, name = self._place(self._random)
        if self._world.theme == themes.LEASES:  # where the tool writes
            account = self._world.accounts[self._random.choice(self._world.schedule.moves).target]
        seconds = self._random.choice(LEASE_SECONDS)
        if account.peek(container, name) is None or (container, name) in account.leases:
            return
        loop = self._world.loop
        until = account.leases[container, name] = loop.time() + seconds
        self._world.note("leased", account.name, container, name, seconds)
        if seconds != LEASE_SECONDS[-1]:
            loop.happen(until, _end_lease, account, (container, name), until)

    def _half_upload(self) -> None:
        """A customer's, that a fence cuts off; or another tool's."""
        account, container, name = self._place(self._random)
        with suppress(CloudError):
            account.stage(container, name, OTHERS_BLOCK, b"half an upload")
            self._world.note("half an upload", account.name, container, name)

    def _rehydrates(self, account: Account, container: str, name: str, tier: str) -> None:
        loop = self._world.loop
        when = loop.time() + self._random.uniform(*REHYDRATION_SECONDS)
        loop.happen(when, account.end_rehydration, container, name, tier, when)


def _end_lease(account: Account, place: tuple[str, str], until: float) -> None:
    if account.leases.get(place) == until:
        del account.leases[place]
