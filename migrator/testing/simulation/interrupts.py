"""Signals: somebody presses Ctrl-C, or an orchestrator sends SIGTERM, while a move is in some state; once, or twice; or while a
fence is undone already.

Decides when. What a run makes of the first is the engine's (``Rollout.stop``); at the second a process ends at once. Rules:
chance is drawn from streams of its own; they come in calm weather too, where most cut-overs are, but only some times in a story.
"""

from __future__ import annotations

from random import Random

from migrator.model.moves import MoveRecord, MoveState
from migrator.model.routes import READ_ONLY, READ_WRITE, Damaged, RouteDocument
from migrator.testing.simulation.loop import Node
from migrator.testing.simulation.stage import Stage

CHANCE = 0.15
"""In so many stories signals come as soon as a move gets into one certain state."""
STATES = (
    MoveState.PREFLIGHT,
    MoveState.COPYING,
    MoveState.CATCHING_UP,
    MoveState.READY,
    MoveState.FENCING,
    MoveState.DRAINING,
    MoveState.VERIFYING,
    MoveState.SWITCHING,
    MoveState.SOAKING,
)

AFTER_SECONDS = (0.0, 0.02, 1.0, 20.0)
QUICK = (MoveState.FENCING, MoveState.VERIFYING, MoveState.SWITCHING)
QUICK_SECONDS = (0.0, 0.002, 0.01, 0.05)
"""Such a state may be over in a moment."""
MOST = 3
"""So often in a story."""
TWICE_CHANCE = 0.3
TWICE_SECONDS = (0.0, 0.05, 2.0)
RELEASE_CHANCE = 0.05
"""In so many stories one comes while a release is under way."""


class Interrupts:
    """Of one story."""

    def __init__(self, world: Stage) -> None:
        self._world = world
        self._random = random = Random(f"{world.seed}/signals")
        has_any, state = random.random() < CHANCE, random.choice(STATES)
        self._state = state if has_any else None
        self._left = MOST
        self._releasing = releasing = Random(f"{world.seed}/signals in a release")
        self._hits_release = releasing.random() < RELEASE_CHANCE

    def sending(self, node: Node, document: RouteDocument | Damaged) -> None:
        """A process of the tool sends a document."""
        before = self._world.board.document
        if not self._hits_release or before is None:
            return
        was = [(before.routes.get(key), route) for key, route in document.routes.items()]
        is_release = any(
            one is not None and (one.account, one.mode, route.mode) == (route.account, READ_ONLY, READ_WRITE)
            for one, route in was
        )
        if is_release and self._releasing.random() < 0.5:
            self._hits_release = False
            self._world.loop.happen(self._world.loop.time(), self.press, node)

    def saved(self, node: Node, record: MoveRecord) -> None:
        """An engine wrote down what state a move is in."""
        if record.state is not self._state or not self._left or self._random.random() < 0.5:
            return
        self._left -= 1
        loop, after = self._world.loop, QUICK_SECONDS if record.state in QUICK else AFTER_SECONDS
        loop.happen(loop.time() + self._random.choice(after), self.press, node)
        if self._random.random() < TWICE_CHANCE:
            again = self._random.choice(after) + self._random.choice(TWICE_SECONDS)
            loop.happen(loop.time() + again, self._again, node)

    def press(self, node: Node) -> None:
        """The run ends in order, every fence released."""
        world = self._world
        if not node.alive or node.on_signal is None:
            return
        world.note("signal", node.name)
        for move in world.state.moves():
            world.reached[f"signal in {move.state}"] += 1
        node.on_signal()

    def _again(self, node: Node) -> None:
        """A second one: the process ends at once, its guardian does not."""
        world = self._world
        if node.alive and node.on_signal is not None:
            world.note("second signal", node.name)
            world.oracle.excuse_fences()
            node.kill()
