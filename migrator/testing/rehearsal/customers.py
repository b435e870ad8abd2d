"""Customers of a rehearsal: one writer a move, who follows the route and keeps what was acknowledged.

Decides what is written when. Rules: a writer writes under leases only; it writes often while its move cuts over or goes back, and
seldom for the rest of the weeks. Leaves leases to the client library's own follower.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from migrator.client.errors import LeaseError
from migrator.client.follower import Follower, Refresh
from migrator.errors import CloudError, MigrateError, OutcomeUnknown
from migrator.machine.states import is_in_fence
from migrator.model.moves import MoveRecord
from migrator.testing.rehearsal.estate import PLAIN, Territory
from migrator.testing.simulation.blobs import Sender
from migrator.testing.simulation.loop import Node, SimClock
from migrator.testing.simulation.router import SimRouter
from migrator.testing.simulation.store import Wire

BUSY_SECONDS: Final = 5.0
"""Between two writes while a move cuts over."""
CALM_SECONDS: Final = 1800.0
NAP_SECONDS: Final = 60.0
"""Between two looks whether something happens to the move."""
WATCHED_SECONDS: Final = 600.0
"""After a step of the move, customers are busy for so long."""
DELETES: Final = 0.05
"""Part of what customers do."""


class Customer:
    """Writes to one move's objects. ``record``: the move's, now, None before it has one; ``deletes``: part of what this customer
    does."""

    def __init__(
        self,
        territory: Territory,
        node: Node,
        clock: SimClock,
        router: SimRouter,
        wires: Mapping[str, Wire],
        record: Callable[[], MoveRecord | None],
        deletes: float = DELETES,
    ) -> None:
        self._territory = territory
        self._node = node
        self._clock = clock
        self._router = router
        self._wires = wires
        self._record = record
        self._deletes = deletes
        self._random = Random(f"customer of {territory.move.id}")
        self._follower = Follower(str(territory.move.id))
        self._said: dict[tuple[str, str], bytes | None] = {}
        """What an account acknowledged last of each name; None: that it is gone."""
        self._unsure: set[tuple[str, str]] = set()
        """Names of which the last request was not answered."""
        self.writes = 0

    async def work(self) -> None:
        """For ever."""
        while True:
            if self._is_busy():
                await self._clock.sleep(self._random.expovariate(1.0 / BUSY_SECONDS))
            else:
                await self._clock.sleep(NAP_SECONDS)
                if self._random.random() > NAP_SECONDS / CALM_SECONDS and not self._is_busy():
                    continue
            await self._change(self._random.choice(self._territory.names), self._random.random() < self._deletes)

    def _is_busy(self) -> bool:
        """Writers wait, or the move has only just gone on."""
        record = self._record()
        if record is None or record.since is None:
            return False
        return is_in_fence(record.state) or (self._clock.now() - record.since).total_seconds() < WATCHED_SECONDS

    async def clear_out(self, ratio: float, is_copied: asyncio.Event) -> None:
        """Delete this part of all names as soon as they are copied."""
        await is_copied.wait()
        for place in self._territory.names[: math.ceil(ratio * len(self._territory.names))]:
            await self._change(place, True)

    async def _change(self, place: tuple[str, str], is_delete: bool) -> None:
        """One request, where there is a lease for it."""
        try:
            if self._follower.write_refresh(self._clock.monotonic()) is not Refresh.NO:
                sent_at = self._clock.monotonic()
                seen = await self._router.read(self._territory.move.id.region)
                self._follower.observe(seen.document, sent_at)
            grant = self._follower.lease(self._clock.monotonic())
        except (LeaseError, CloudError):
            return
        store = self._wires[grant.account].as_seen_by(self._node, Sender(self._node.name, False))
        body = None if is_delete else f"write {self.writes} of {self._node.name}".encode()

        def effect(sent_at: float) -> None:
            account = self._wires[grant.account].account
            held = account.peek(*place)
            if body is not None:
                now = self._wires[grant.account].modified(sent_at)
                account.put(store.sender, *place, body, PLAIN, condition=None, sent_at=sent_at, modified=now)
            elif held is not None:
                account.delete(store.sender, *place, if_match=held.listed.etag, sent_at=sent_at)

        was_unsure = place in self._unsure
        self._unsure.add(place)  # and it stays so: a late request may still come after the next one
        try:
            await store.send(effect, is_write=True, limit_seconds=grant.max_write_seconds)
        except OutcomeUnknown:
            return
        except MigrateError:
            if not was_unsure:
                self._unsure.discard(place)
            return
        if not was_unsure:
            self._unsure.discard(place)
        self._said[place] = body
        self.writes += 1

    def lost(self, live: str) -> int:
        """Acknowledged names that account ``live`` does not show as they were acknowledged."""
        account = self._wires[live].account
        return sum(
            (held.content if (held := account.peek(*place)) is not None else None) != body
            for place, body in self._said.items()
            if place not in self._unsure
        )
