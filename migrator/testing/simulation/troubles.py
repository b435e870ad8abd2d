"""What goes wrong in a story, and what people do to it meanwhile: deaths, stalls, signals, edits, backups, second engines.

Decides what happens and when. Leaves engines, machines and the plan to the world (``scenario``). Rule: chance is drawn from the
world's own, in the same order for the same seed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any

from migrator.errors import CloudError
from migrator.model.moves import Control, MoveRecord, MoveState
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteDocument, RouteRecord
from migrator.model.values import replace
from migrator.ports.state_store import SetControl
from migrator.testing.memory_state import MemoryStateStore
from migrator.testing.simulation import themes
from migrator.testing.simulation.blobs import Sender
from migrator.testing.simulation.damage import Damage
from migrator.testing.simulation.excuses import MAIN_STORE
from migrator.testing.simulation.interrupts import Interrupts
from migrator.testing.simulation.loop import WORLD_BEGINS, Node
from migrator.testing.simulation.reach import Steps
from migrator.testing.simulation.stage import Stage

SLOW_PER_MINUTE = (120.0, 1_200.0)
"""What a worried operator lets the tool send."""
PUT_BACK_CHANCE = 0.7
"""How often somebody who sent customers elsewhere by hand thinks better of it, if nothing else happened to the route."""
PUT_BACK_SECONDS = (5.0, 40.0, 200.0)
THERE_AND_BACK_CHANCE = 0.2
"""In so many stories somebody opens fences by hand for a moment, and puts the very same record back."""
OBEYED_CHANCE = 0.4
"""How often it is put back under a later epoch."""
STANDS_STILL_CHANCE = 0.03
"""How often a machine stands still just after it read a container's access policies, before it sets them."""
STANDS_STILL_SECONDS = (40.0, 100.0, 200.0, 400.0)
SUCCESSOR_SECONDS = 45.0
BEFORE_FENCE_CHANCE = 0.03
"""In so many stories somebody sends customers to the other account by hand, after a fence was decided and before it is there."""
TAMPERED_CHANCE = 0.1
"""In so many stories somebody sends a record's clients to an address of his own, and is found out later."""
TAMPERED_SECONDS = (3.0, 60.0, 300.0)
AFTER_SOAK_SECONDS = (0.5, 60.0)
"""Until a hand edits the route of a move that has soaked."""
THERE_AND_BACK_SECONDS = (0.2, 1.0, 5.0, 20.0)


HALF_COPIED_CHANCE = 0.05
"""How often a customer deletes what is being copied in blocks just then."""
OWNER = Sender("owner", False)
INTERRUPTED_CHANCE = 0.3
"""How often a machine of the tool dies right after it made an empty object of blocks that it throws away."""


class Troubles:
    """Machines, passers-by, and an operator who changes his mind."""

    def __init__(self, world: Stage, interrupts: Interrupts, steps: Steps) -> None:
        self._world = world
        self._steps = steps
        self._interrupts = interrupts
        self._older: list[tuple[float, object]] = []
        """Backups of the state store, and when each was made."""
        self._wipes_lock = world.random.random() < 0.5
        self._hand = Random(f"hand {world.seed}")
        self._passing = Random(f"{world.seed}/there and back")
        self._obeyed = Random(f"{world.seed}/back under a later epoch")
        self._still = Random(f"{world.seed}/between reading and setting")
        self._interrupting = Random(f"{world.seed}/interrupted sweeps")
        self._thief = Random(f"{world.seed}/another address")
        self._after = Random(f"{world.seed}/after a soak")
        self._comes_first = Random(f"{world.seed}/before a fence").random() < BEFORE_FENCE_CHANCE
        self.damage = Damage(world)

    async def work(self) -> None:
        """What operators, machines and passers-by do meanwhile."""
        random = self._world.random
        calls = (
            self._kill,
            self._stall,
            self._wish,
            self._wish,
            self._second_engine,
            self._remember,
            self._edit,
            self._signal,
            self._edit_plan,
        )
        rate = random.choice((60.0, 200.0, 600.0))
        themes.begin(self._world)
        if self._passing.random() < THERE_AND_BACK_CHANCE or self._world.theme == themes.HANDS:
            self._beside(self._there_and_back(), "passing hand")
        if self._thief.random() < TAMPERED_CHANCE:
            self._beside(self._send_elsewhere(), "thief")
        if self.damage.happens:
            self._beside(self.damage.work(), "damaging hand")
        while True:
            await asyncio.sleep(random.expovariate(1.0 / rate))
            random.choice(calls)()

    def _kill(self) -> None:
        """One process dies; or its whole machine, its guardian with it."""
        for process in self._world.living()[:1]:
            machine = process.node.machine
            is_whole = self._world.random.random() < 0.3
            process.node.kill(with_machine=is_whole)
            if is_whole:
                self._world.oracle.excuse_fences()
                self._world.boots[machine] += 1
                for node in self._world.nodes:
                    if node.machine == machine:
                        node.kill(with_machine=True)

    def _stall(self) -> None:
        """A process stands still for a while, an engine's or a customer's; or its whole machine does."""
        node = self._world.random.choice(self._world.nodes)
        seconds = self._world.random.choice((5.0, 40.0, 200.0))
        if not node.alive:
            return
        self._world.oracle.excuse_fences()
        is_whole = self._world.random.random() < 0.3
        for one in self._world.nodes:
            if one is node or (is_whole and one.alive and one.machine == node.machine):
                self._world.note("paused", one.name, seconds)
                one.pause(seconds)

    def staged(self, account: str, container: str, name: str) -> None:
        """A block of a copy into ``account`` lies there; its origin may go now."""
        world = self._world
        if self._interrupting.random() >= HALF_COPIED_CHANCE or world.loop.time() >= world.busy_seconds:
            return
        for move in world.schedule.moves:
            route = self._found(str(move.id))
            is_origin = route is not None and route.account in (move.source, move.target) and route.account != account
            if not is_origin or route is None or route.mode != READ_WRITE or not move.area.takes(container, name):
                continue
            if account in (move.source, move.target):
                with suppress(CloudError):
                    sent_at = world.loop.time()
                    world.accounts[route.account].delete(OWNER, container, name, if_match=None, sent_at=sent_at)
                    world.note("deleted while it is copied", route.account, container, name)

    def swept(self, sender: str) -> None:
        """Between two requests of one act: blocks were thrown away, and the empty object that did it is still there."""
        if self._interrupting.random() >= INTERRUPTED_CHANCE or self._world.loop.time() >= self._world.busy_seconds:
            return
        for process in self._world.living():
            if process.node.name == sender:
                self._world.note("interrupted", sender)
                process.node.kill()

    def _signal(self) -> None:
        """Somebody presses Ctrl-C: the run ends in order, every fence released."""
        for process in self._world.living()[:1]:
            self._interrupts.press(process.node)

    def _edit_plan(self) -> None:
        """The plan says other durations from the next command on. Shorter ones are refused, and put back."""
        routing = self._world.schedule.routing
        ttl = self._world.random.choice((routing.ttl_seconds, 5.0, 30.0, 45.0))
        self._world.plan_durations((ttl, self._world.random.choice((routing.max_write_seconds, 10.0, 60.0))))

    def _wish(self) -> None:
        kind = self._world.random.choice(("hold", "pause", "rollback", "throttle"))
        now = WORLD_BEGINS + timedelta(seconds=self._world.loop.time())
        known = [one for one in self._world.state.controls() if one.kind == kind]
        value: dict[str, Any] = {"on": True} if not known else {}
        if kind == "throttle" and value:
            value = {"requests_per_minute": self._world.random.choice(SLOW_PER_MINUTE)}
        if kind == "rollback":
            if known or self._world.random.random() < 0.5:
                return
            value = {"wave": None, "region": None, "area": None, "on_conflict": None}
        self._world.note("wish", kind, bool(value))
        self._world.state.commit([SetControl(Control(kind, "", value, "operator", now))], token=None)

    def _second_engine(self) -> None:
        """Somebody starts another apply: beside the first, or on a copy of the state store."""
        copied: MemoryStateStore | None = None
        if self._world.random.random() < 0.5:
            now = self._world.loop.time(), self._world.state.snapshot()
            copied = MemoryStateStore("simulated", lineage=self._world.state.lineage)
            since, snapshot = self._world.random.choice([now, *self._older])
            copied.restore(snapshot)
            self._wipe_lock(copied)
            self._world.copies.append(copied)
            self._world.note("second store")
            self._world.oracle.excuses.came_from(len(self._world.copies), MAIN_STORE, since)
        self._world.start_engine("apply", state=copied)

    def _remember(self) -> None:
        """A backup is made; or one is put back, with everything stopped."""
        if not self._older or self._world.random.random() < 0.6:
            self._older.append((self._world.loop.time(), self._world.state.snapshot()))
            return
        for node in self._world.nodes:
            if node.name.startswith(("engine", "guardian")):
                node.kill()
        self._world.oracle.excuse_fences()
        since, snapshot = self._world.random.choice(self._older)
        before = self._world.state.moves()
        self._world.state.restore(snapshot)
        self._world.oracle.excuses.forgot(before, self._world.state.moves())
        self._wipe_lock(self._world.state)
        self._world.note("restored")
        self._world.oracle.restored(self._world.state, since)
        self._steps.forget()

    def _wipe_lock(self, state: MemoryStateStore) -> None:
        lock = state.lock()
        if lock is not None and self._wipes_lock:
            state.remove_lock(lock.nonce)

    def _edit(self) -> None:
        """A person edits the route document: new text, a new epoch, or (rarely) another account."""
        keys = sorted(self._world.board.document.routes) if self._world.board.document else []
        if not keys or self._world.random.random() < 0.4:
            return
        key, kind = self._world.random.choice(keys), self._world.random.choice(("text", "text", "epoch", "account"))

        def change(document: RouteDocument) -> RouteDocument:
            record = document.routes[key]
            if kind == "text":
                return document.with_record(key, replace(record, updated="by hand"))
            new = replace(record, epoch=record.epoch + 1, mode=READ_WRITE)
            return document.with_record(key, self._elsewhere(key, new) if kind == "account" else new)

        self._edit_as(key, kind, change)
        if kind == "account" and self._hand.random() < PUT_BACK_CHANCE:
            loop = self._world.loop
            loop.create_task(self._put_back(key), name="second thoughts", context=loop.world)

    def saved(self, record: MoveRecord) -> None:
        """A state that is written down: a hand may be faster than the fence that it announces, once in a story; and in those
        of hands after soaks one comes after each."""
        key, world = str(record.id), self._world
        if record.state is MoveState.SOAKED and world.theme == themes.SOAKED:
            when = world.loop.time() + self._after.uniform(*AFTER_SOAK_SECONDS)
            world.loop.happen(when, self._send_back, key)
        found = self._found(key)
        if not self._comes_first or record.state is not MoveState.FENCING or found is None or found.mode == READ_ONLY:
            return
        if world.loop.time() < world.busy_seconds:
            self._comes_first = False
            new = self._elsewhere(key, replace(found, epoch=found.epoch + 1))
            world.loop.happen(world.loop.time(), self._edit_as, key, "account", _set(key, new))

    def _send_back(self, key: str) -> None:
        """Customers are sent by hand from the account that the route names to the other one, and perhaps back again."""
        world, found = self._world, self._found(key)
        if found is None or found.mode == READ_ONLY or world.loop.time() >= world.busy_seconds:
            return
        self._edit_as(key, "account", _set(key, self._elsewhere(key, replace(found, epoch=found.epoch + 1))))
        self._beside(self._put_back(key), "second thoughts")

    async def _put_back(self, key: str) -> None:
        """Customers are sent back by hand to where they were, unless somebody else had the route meanwhile."""
        board = self._world.board
        left = board.document.routes.get(key) if board.document else None
        await asyncio.sleep(self._hand.choice(PUT_BACK_SECONDS))
        found = board.document.routes.get(key) if board.document else None
        if found is None or found != left or self._world.loop.time() >= self._world.busy_seconds:
            return
        back = self._elsewhere(key, replace(found, epoch=found.epoch + 1))
        self._edit_as(key, "back", lambda document: document.with_record(key, back))

    def stand_still(self, node: Node) -> bool:
        """A machine stops between reading access policies and setting them; somebody who waits for it starts another apply."""
        world = self._world
        is_spared = not node.name.startswith("engine") or world.loop.time() >= world.busy_seconds
        if is_spared or self._still.random() >= STANDS_STILL_CHANCE:
            return False
        seconds = self._still.choice(STANDS_STILL_SECONDS)
        world.note("paused", node.name, seconds)
        world.oracle.excuse_fences()
        node.pause(seconds)
        world.loop.happen(world.loop.time() + SUCCESSOR_SECONDS, self._succeed)
        return True

    def _succeed(self) -> None:
        if self._world.loop.time() < self._world.busy_seconds:
            self._world.start_engine("apply")

    def _beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        loop = self._world.loop
        loop.create_task(work, name=name, context=loop.world)

    async def _send_elsewhere(self) -> None:
        """Only the address is changed, within the epoch or with the next one; or the document's durations. Later somebody puts
        it right, an address under a later epoch, in whatever record is there then."""
        chance, world = self._thief, self._world
        while world.loop.time() < world.busy_seconds - max(TAMPERED_SECONDS):
            await asyncio.sleep(chance.uniform(10.0, 200.0))
            keys = sorted(world.board.document.routes) if world.board.document else []
            found = self._found(chance.choice(keys)) if keys else None
            if found is None:
                continue
            if chance.random() < 0.3:
                await self._promise_much(chance.choice(TAMPERED_SECONDS))
                continue
            key = next(one for one in keys if self._found(one) == found)
            wrong = replace(found, endpoint="https://evil.example", epoch=found.epoch + chance.choice((0, 1)))
            self._edit_as(key, "tampered", _set(key, wrong))
            await asyncio.sleep(chance.choice(TAMPERED_SECONDS))
            self._put_right(key)

    def _put_right(self, key: str) -> None:
        now = self._found(key)
        if now is not None:
            right = f"https://{now.account}.blob.example"
            mended = replace(now, endpoint=right, epoch=now.epoch + 1, mode=READ_WRITE)
            self._edit_as(key, "put right", _set(key, mended))

    def help(self, moves: Sequence[MoveRecord], said: str) -> None:
        """What a person does about a move whose customers are sent to an address that is none of ours, once its halt, or what
        the last command ``said``, names that."""
        for move in moves:
            found = self._found(str(move.id))
            if found is None or found.endpoint == f"https://{found.account}.blob.example":
                continue
            halted = move.reason if move.state is MoveState.HALTED else ""
            if "disagree" in halted or (str(move.id) in said and found.endpoint in said):
                self._put_right(str(move.id))

    async def _promise_much(self, seconds: float) -> None:
        """Clients are promised a day, or what a fence could wait for, and more for each write; then what the plan says again."""
        world = self._world
        much = 86_399.0 if world.seed % 2 else 120.0
        was = world.board.document
        if was is None:
            return

        def change(document: RouteDocument) -> RouteDocument:
            return replace(document, ttl_seconds=much, max_write_seconds=120.0)

        def back(document: RouteDocument) -> RouteDocument:
            return replace(document, ttl_seconds=was.ttl_seconds, max_write_seconds=was.max_write_seconds)

        self._edit_as("all", "promised much", change)
        await asyncio.sleep(seconds)
        self._edit_as("all", "promised less", back)

    async def _there_and_back(self) -> None:
        """Now and then: a fence is opened by hand - in its own epoch, or in the next one - and the very same record is put back,
        or the same under a later epoch, as followers want it; or the document is only written again as it is, which looks the
        same from outside."""
        chance, world = self._passing, self._world
        while world.loop.time() < world.busy_seconds:
            await asyncio.sleep(chance.uniform(2.0, 30.0) / (10.0 if world.theme == themes.HANDS else 1.0))
            routes = world.board.document.routes if world.board.document else {}
            fenced = [key for key, route in sorted(routes.items()) if route.mode == READ_ONLY]
            if not fenced:
                continue
            key, more = chance.choice(fenced), chance.choice((0, 1))
            was = routes[key]
            there = replace(was, mode=READ_WRITE, epoch=was.epoch + more) if chance.random() < 0.8 else was
            self._edit_as(key, "there", _set(key, there))
            await asyncio.sleep(chance.choice(THERE_AND_BACK_SECONDS))
            # A careful person looks first; whoever copies the old file back does not.
            if chance.random() < 0.3 or self._found(key) == there:
                is_obeyed = self._obeyed.random() < OBEYED_CHANCE and world.theme != themes.HANDS
                back = replace(was, epoch=there.epoch + 1) if is_obeyed else was
                self._edit_as(key, "back again", _set(key, back))

    def judge_halt(self, record: MoveRecord, runs: Sequence[str | None]) -> None:
        """A state that one of ``runs`` writes down: its own fence, which a hand put back under another epoch, needs nobody."""
        found, intent = self._found(str(record.id)), record.intent
        if record.state is not MoveState.HALTED or found is None or intent is None or intent.switched is not None:
            return
        is_own = found.mode == READ_ONLY and found.run in runs and found.endpoint == intent.before.endpoint
        if is_own and found.account == intent.before.account and found.lineage == intent.before.lineage:
            self._world.oracle.break_("halted-for-a-fence", f"{record.id} is halted: {record.reason}")

    def _found(self, key: str) -> RouteRecord | None:
        document = self._world.board.document
        return document.routes.get(key) if document else None

    def _edit_as(self, key: str, kind: str, change: Callable[[RouteDocument], RouteDocument]) -> None:
        self._world.note("edited", key, kind)
        self._world.board.edit(change, Sender("hand", False))

    def _elsewhere(self, key: str, record: RouteRecord) -> RouteRecord:
        """``record`` with the other account of the move."""
        move = next(one for one in self._world.schedule.moves if str(one.id) == key)
        other = move.target if record.account == move.source else move.source
        return replace(record, account=other, endpoint=f"https://{other}.blob.example")


def _set(key: str, record: RouteRecord) -> Callable[[RouteDocument], RouteDocument]:
    return lambda document: document.with_record(key, record)
