"""Notices of a run: what the journal has, told to each channel of the plan, in order.

Decides what a channel has been told, and when it is tried again. Leaves what a row is to people to ``words.notices``, and
sending to the channel. The journal is the outbox: a row is committed with what it tells of, so nothing is told that did not
happen, and what happened while no run was at work is told by the next. Rules: a channel is told row after row, the next only
when the last was taken; how far it is, is committed after each, so that a run that dies tells at most one notice twice, under
the same ``id``; a channel that does not answer keeps nobody waiting but itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from migrator.engine.fleet import Fleet
from migrator.errors import CloudError, StateError
from migrator.model import notes
from migrator.model.happenings.rollouts import NoticesStuck
from migrator.model.notices import Channel
from migrator.ports.notifier import Notifier
from migrator.ports.state_store import SetNote
from migrator.words.notices import notice_of

ROWS = 100
"""Of the journal, read at once."""


class Outbox:
    """The channels of one run.

    Args:
        channels: of the plan, in its order, each with who sends for it.
    """

    def __init__(self, fleet: Fleet, channels: Sequence[tuple[Channel, Notifier]]) -> None:
        self._fleet = fleet
        self._channels = channels
        self._told: dict[str, int] = {}
        self._sending = {channel.name: asyncio.Lock() for channel, _ in channels}
        self._keepers: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """With the lock fresh in hand. A channel that is new is told what happens from now on, and nothing of before."""
        if not self._channels:
            return
        for channel, _ in self._channels:
            known = self._fleet.world.state.note(notes.told(channel.name))
            if known is None:
                known = self._newest()
                self._fleet.commit(SetNote(notes.told(channel.name), known))
            self._told[channel.name] = int(known)
        self._keepers = [asyncio.create_task(self._keep(channel, notifier)) for channel, notifier in self._channels]

    async def end(self) -> None:
        """Tell what is left, for a moment: what a channel does not take now, the next run tells it."""
        if not self._keepers:
            return
        last = [
            asyncio.create_task(self._last(channel, notifier, keeper))
            for (channel, notifier), keeper in zip(self._channels, self._keepers, strict=True)
        ]
        await asyncio.wait(last, timeout=self._fleet.world.rhythm.last_notices_seconds)
        for task in (*last, *self._keepers):
            task.cancel()
        await asyncio.gather(*last, *self._keepers, return_exceptions=True)

    async def _last(self, channel: Channel, notifier: Notifier, keeper: asyncio.Task[None]) -> None:
        async with self._sending[channel.name]:  # a notice that is on its way is not sent twice
            keeper.cancel()
            await self._tell(channel, notifier)

    async def _keep(self, channel: Channel, notifier: Notifier) -> None:
        clock, rhythm = self._fleet.world.clock, self._fleet.world.rhythm
        pause, is_said = rhythm.notices_seconds, False
        while True:
            await clock.sleep(pause)
            try:
                async with self._sending[channel.name]:
                    await self._tell(channel, notifier)
                pause, is_said = rhythm.notices_seconds, False
            except CloudError as fault:
                pause = min(2 * pause, rhythm.longest_notices_pause_seconds)
                if not is_said:
                    self._fleet.tell(NoticesStuck(channel.name, fault.message))
                is_said = True
            except StateError:
                continue  # the moves say what is wrong with the store

    async def _tell(self, channel: Channel, notifier: Notifier) -> None:
        """Everything that is in the journal now. CloudError if the channel does not take one."""
        state, plan = self._fleet.world.state, self._fleet.schedule.name
        while rows := state.journal(after=self._told[channel.name], limit=ROWS):
            for row in rows:
                notice = notice_of(row, plan=plan, lineage=state.lineage, channel=channel)
                if notice is not None:
                    await notifier.send(notice)
                    self._note(channel, row.number)
            self._note(channel, rows[-1].number)

    def _note(self, channel: Channel, number: int) -> None:
        if number > self._told[channel.name]:
            self._fleet.commit(SetNote(notes.told(channel.name), number))
            self._told[channel.name] = number

    def _newest(self) -> int:
        """The number of the journal's last row."""
        number = 0
        while rows := self._fleet.world.state.journal(after=number, limit=10_000):
            number = rows[-1].number
        return number
