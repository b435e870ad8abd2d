"""The law of whole containers: what is lost with one by accident is no delete of a customer's.

Decides which deletes follow from an accident, and what a container that comes back means at an account that the route has left.
Leaves making accidents to ``wholes``, and a switch to ``switching``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf

from migrator.model.routes import READ_ONLY, RouteRecord
from migrator.testing.simulation.blobs import Blob, Sender
from migrator.testing.simulation.cases import Case, Late, Place, Scene
from migrator.testing.simulation.excuses import Excuses

DELETE_SECONDS = 30.0
"""Between the question whether a name is gone and the delete that follows: throttled tries may lie between them."""


class LossJudge:
    """Judges what follows from accidents with containers, in one world."""

    def __init__(
        self,
        scene: Scene,
        excuses: Excuses,
        owner: Callable[[str, str, str], Case | None],
        live: Callable[[Case], str],
        route: Callable[[Case], RouteRecord | None],
    ) -> None:
        self._scene = scene
        self._excuses = excuses
        self._owner = owner
        self._live = live
        self._route = route
        self._lost: dict[Place, tuple[set[str], float]] = {}
        """By account and container: what was in it, and when it was lost."""

    def wrote(self, account: str, container: str, name: str) -> None:
        """Customers who write a name anew may delete that."""
        if (account, container) in self._lost:
            self._lost[account, container][0].discard(name)

    def judge_delete(
        self,
        case: Case,
        account: str,
        container: str,
        name: str,
        before: Blob,
        sender: Sender,
        sent_at: float,
        what: str,
    ) -> None:
        """The tool deleted ``before`` at ``account``. What the same process had made there after the loss, with nothing in it,
        is no copy of what was lost: so it drops blocks that nobody will commit."""
        other = case.plan.target if account == case.plan.source else case.plan.source
        lost = self._lost.get((other, container))
        if lost is None or name not in lost[0] or sent_at <= lost[1] + DELETE_SECONDS:
            return
        is_sweep = before.author.name == sender.name and before.made_at > lost[1] and not before.content
        if not is_sweep:
            self._scene.break_("lost-container", f"{what}, because {other} has lost {container} at {lost[1]:.3f}")

    def lost(self, account: str, container: str, names: set[str]) -> None:
        """Somebody dropped a container by accident, with these names."""
        self._lost[account, container] = (names, self._scene.loop.time())
        self._in_a_fence(account, container, names, "was lost with its container")

    def found(self, account: str, container: str, replaced: Iterable[str] = ()) -> None:
        """It is there again, in the place of one with the names ``replaced``. At an account that the route has left meanwhile it
        is as if a stranger had written it, and had deleted what went with the other one."""
        replaced = set(replaced)
        _, lost_at = self._lost.pop((account, container), (set(), inf))
        held = self._scene.accounts[account].containers.get(container)
        blobs = held.blobs if held is not None else {}
        for name, blob in blobs.items():
            case = self._owner(account, container, name)
            if case is not None and self._live(case) != account:
                late = Late(
                    self._scene.loop.time(), f"{account}/{container}/{name!r}, which came back with its container"
                )
                case.late.setdefault((account, container, name), late)
                live = self._scene.accounts[self._live(case)]
                was_nowhere = live.peek(container, name) is None
                self._excuses.came_back(
                    case, account, (container, name), blob.listed.etag, lost_at, was_nowhere=was_nowhere
                )
        for name in replaced - blobs.keys():
            case = self._owner(account, container, name)
            if case is not None and self._live(case) != account:
                text = f"{account}/{container}/{name!r}, which went with its container when another one came back"
                case.late.setdefault((account, container, name), Late(self._scene.loop.time(), text))
        self._in_a_fence(account, container, {*replaced, *blobs}, "came back with its container, or went with another")

    def _in_a_fence(self, account: str, container: str, names: Iterable[str], how: str) -> None:
        """Inside a fence that is as if a writer without a lease had done it: nobody can see it between the last look and the
        switch, so it must be listed after it. A look that begins later must see it, and a switch after that is none."""
        for name in names:
            case = self._owner(account, container, name)
            route = self._route(case) if case is not None else None
            if case is not None and route is not None and (route.account, route.mode) == (account, READ_ONLY):
                text = f"{account}/{container}/{name!r}, which {how}"
                case.late[account, container, name] = Late(self._scene.loop.time(), text, is_whole=True)
