"""Whole containers that come and go: dropped by accident and put back, made anew in between, or dropped because customers leave.

Decides which of that a story has, and when; what the operator knows of it when a halted move asks. Rules: an accident ends before
everything must come to rest, and nobody says that customers did it; chance is drawn from a stream of its own.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from random import Random

from migrator.model.moves import MoveState
from migrator.model.routes import READ_WRITE
from migrator.model.schedule import PlannedMove
from migrator.testing.simulation import themes
from migrator.testing.simulation.blobs import Account, Blob, Container, Sender
from migrator.testing.simulation.stage import Stage

ACCIDENT_CHANCE = 0.15
LEAVING_CHANCE = 0.1
"""In so many stories."""
PACE_SECONDS = (60.0, 200.0)
AWAY_SECONDS = (30.0, 100.0, 400.0)
ANEW_CHANCE = 0.5
ANSWER_CHANCE = 0.7
"""How often an operator who is asked about a container looks, and says what he found."""
OWNER = Sender("owner", False)
ASKED = re.compile(r"--accept-container '?([^\s']+)")


@dataclass(eq=False, slots=True)
class _Away:
    account: Account
    name: str
    held: Container


class Wholes:
    """Of one story."""

    def __init__(self, world: Stage) -> None:
        self._world = world
        self._random = Random(f"{world.seed}/containers")
        draw = self._random.random()
        # A container that is restored has the policies that a fence had revoked when it was lost: whoever restores it puts them
        # right, and that is no story of this world.
        is_enforced = any(wave.cutover.fence == "access-policy" for wave in world.schedule.waves)
        self._is_accident = (draw < ACCIDENT_CHANCE or world.theme == themes.ACCIDENTS) and not is_enforced
        self._has_work = self._is_accident or ACCIDENT_CHANCE <= draw < ACCIDENT_CHANCE + LEAVING_CHANCE
        self._away: list[_Away] = []

    async def work(self) -> None:
        """Until it is cancelled."""
        pace = self._random.choice(PACE_SECONDS)
        while self._has_work:
            await asyncio.sleep(self._random.expovariate(1.0 / pace))
            move = self._random.choice(self._world.schedule.moves)
            await (self._accident(move) if self._is_accident else self._leave(move))

    def end(self) -> None:
        """Everything is put back."""
        for one in list(self._away):
            self._put_back(one)

    async def _accident(self, move: PlannedMove) -> None:
        """Somebody drops a container of the account that customers use, and later it is restored with all that it had. In
        between an application may make it anew."""
        account = self._live(move)
        name = self._pick(account, move)
        if account is None or name is None or any(_is_busy(blob) for blob in self._blobs(account, name)):
            return
        held = account.containers.pop(name)
        names = {one for one in held.blobs if move.area.takes(name, one)}
        self._world.note("container lost", account.name, name)
        self._world.oracle.lost(account.name, name, names)
        self._away.append(one := _Away(account, name, held))
        if self._random.random() < ANEW_CHANCE:
            await asyncio.sleep(self._random.uniform(0.0, 20.0))
            if one in self._away and name not in account.containers:
                account.make_container(held.info)
                self._world.oracle.excuses.container_came(account.name, name)
        await asyncio.sleep(self._random.choice(AWAY_SECONDS))
        self._put_back(one)

    def _put_back(self, one: _Away) -> None:
        if one in self._away:
            self._away.remove(one)
            anew = one.account.containers.get(one.name)
            one.account.containers[one.name] = one.held
            self._world.note("container restored", one.account.name, one.name)
            self._world.oracle.excuses.container_came(one.account.name, one.name)
            self._world.oracle.found(one.account.name, one.name, anew.blobs if anew is not None else ())

    async def _leave(self, move: PlannedMove) -> None:
        """Customers drop a container with all that is in it, and come back later to an empty one."""
        route = self._world.board.document.routes.get(str(move.id)) if self._world.board.document else None
        account = self._live(move)
        name = self._pick(account, move)
        is_theirs = any(one.is_glob for one in move.area.selectors)
        if account is None or name is None or not is_theirs or route is None or route.mode != READ_WRITE:
            return
        if any(_is_busy(blob) for blob in self._blobs(account, name)):
            return
        for blob in self._blobs(account, name):
            account.leases.pop((name, blob.listed.name), None)
            account.delete(OWNER, name, blob.listed.name, if_match=None, sent_at=self._world.loop.time())
        held = account.containers.pop(name)
        self._world.note("container dropped", account.name, name)
        await asyncio.sleep(self._random.choice(AWAY_SECONDS))
        if name not in account.containers:
            account.make_container(held.info)
            self._world.oracle.excuses.container_came(account.name, name)

    def _live(self, move: PlannedMove) -> Account | None:
        document = self._world.board.document
        route = document.routes.get(str(move.id)) if document else None
        return self._world.accounts[route.account] if route is not None else None

    def _pick(self, account: Account | None, move: PlannedMove) -> str | None:
        names = sorted(account.containers) if account is not None else []
        mine = [name for name in names if move.area.prefixes_in(name)]
        return self._random.choice(mine) if mine else None

    @staticmethod
    def _blobs(account: Account, name: str) -> list[Blob]:
        return list(account.containers[name].blobs.values())

    # The operator.

    def answer(self, *, at_once: bool = True) -> str | None:
        """The command of somebody who is asked about containers, and looks: those that are not lost by accident are customers'
        doing. None: nothing is asked, or nobody looks."""
        halted = [one.reason for one in self._world.state.moves() if one.state is MoveState.HALTED]
        asked = {name for reason in halted for name in ASKED.findall(reason)}
        if not asked or not (at_once or self._random.random() < ANSWER_CHANCE):
            return None
        theirs = asked - {one.name for one in self._away}
        return f"retry-containers {','.join(sorted(theirs))}" if theirs else None


def _is_busy(blob: Blob) -> bool:
    """The service is not done with it: what it was going to do would come to nothing in a container that is put aside."""
    return blob.listed.copy_pending or bool(blob.listed.rehydrating)
