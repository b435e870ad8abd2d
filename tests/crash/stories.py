"""How each row of the transition table is reached by real commands, and how the operator goes on after the kill.

A story begins in one of three worlds (``fresh``: sources filled; ``soaked``: everything moved; ``reversed``: moved and taken
back), runs ``first`` commands, then ``kill`` under an order that dies at its row, and then goes on as ``goal`` says. Rows that
cannot be reached from the command line stand in ``OUT_OF_REACH`` with the reason.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.crash.killed import FLOOD, Order
from tests.crash.world import ANOTHER_WAVE, MOVE, Folder, erase, put

APPLY = ("apply", "p.yaml", "--yes", "--wave", "first")
ROLLBACK = ("rollback", "p.yaml", "--yes", "--wave", "first")
ADOPT = ("retry", "p.yaml", "--adopt-route", "--yes", "--reason", "the route is right", "--wave", "first")
RETRY = ("retry", "p.yaml", "--reason", "mended", "--wave", "first")
SOAKED, REVERSED, STOPPED = "forward soaked", "reverse reversed", "forward reversed"

OUT_OF_REACH = {
    "forward preflight found-no-account": "embedded accounts have no resource manager: tests/scenario/test_provisioning.py",
    "forward provisioning provisioned": "embedded accounts have no resource manager: tests/scenario/test_provisioning.py",
    "forward provisioning halted": "embedded accounts have no resource manager: tests/scenario/test_provisioning.py",
    "forward provisioning rolled-back": "embedded accounts have no resource manager: tests/scenario/test_provisioning.py",
    "forward pending rolled-back": "a rollback leaves a move that never began as it is",
}


Act = Callable[[Folder], None]


@dataclass(frozen=True)
class Story:
    """``acts``: what happens in the run that is killed, after the commits of these rows. ``mend``: what a person does about a
    halt. ``on``: the commands that go on, each of which must succeed. ``goal``: where the move is in the end."""

    row: str
    kill: tuple[str, ...] = APPLY
    world: str = "fresh"
    first: tuple[Act, ...] = ()
    acts: dict[str, str] = field(default_factory=dict)
    mend: Act | None = None
    on: tuple[tuple[str, ...], ...] = ()
    goal: str = SOAKED
    wrote: tuple[str, ...] = ()
    """Names that customers wrote while the run was at work."""
    ready_pass_seconds: float | None = None
    dead_run_seconds: float | None = None

    @property
    def is_halt(self) -> bool:
        return self.row.endswith(" halted")

    @property
    def leaves_halt(self) -> bool:
        """Not a row of the table: the law has a rule for these."""
        return " halted " in self.row

    @property
    def name(self) -> str:
        if ask_followers in self.first:
            return f"{self.row} by roll-call"
        return f"{self.row} in recovery" if self.first and self.row.endswith(" released") else self.row

    @property
    def live_account(self) -> str:
        return "web" if self.goal == SOAKED else "core"

    def order(self, when: str, group: bool) -> Order:
        return Order(self.row, when, group, self.acts, self.ready_pass_seconds, self.dead_run_seconds)


def run(*words: str, expect: int = 0) -> Act:
    def act(folder: Folder) -> None:
        folder.migrate(*words, expect=expect)

    return act


def killed_at(row: str, *words: str, acts: dict[str, str] | None = None) -> Act:
    """An earlier run died with its whole group directly after committing ``row``."""

    def act(folder: Folder) -> None:
        folder.migrate_until_killed(Order(row, "after", True, acts or {}), *words)

    return act


def edit_route(folder: Folder) -> None:
    """By hand, as the act of the same name does within a run."""
    document = folder.routes()
    (folder.path / "routes.before").write_text(json.dumps(document))
    record = document["routes"][str(MOVE)]
    folder.set_route(
        {**record, "account": "elsewhere", "endpoint": "local:/elsewhere.db", "epoch": record["epoch"] + 5}
    )


def raise_epoch(folder: Folder) -> None:
    """By hand: the same account, but who knows what the epochs in between named."""
    record = folder.routes()["routes"][str(MOVE)]
    folder.set_route({**record, "epoch": record["epoch"] + 5})


def put_route_back(folder: Folder) -> None:
    """As it was before somebody wrote into it."""
    folder.set_route(json.loads((folder.path / "routes.before").read_text())["routes"][str(MOVE)])


def foreign_route(folder: Folder) -> None:
    """The route document holds this area already, for another state store."""
    record = {"account": "core", "endpoint": f"local:{folder.path}/state/core.db", "mode": "read-write", "epoch": 9}
    record |= {"lineage": "another", "updated": "2026-01-01T00:00:00Z", "run": "r"}
    folder.set_route(record)


def remove_foreign(folder: Folder) -> None:
    asyncio.run(erase("web", "web-visits", "foreign", folder=folder.path))


def change_both_sides(folder: Folder) -> None:
    asyncio.run(put("core", "web-visits", "torn", b"stray write at the source", folder=folder.path))
    folder.put("web", "torn", b"customer's write at the target")


def add_wave(folder: Folder) -> None:
    plan = folder.path / "p.yaml"
    text = plan.read_text().replace("areas:\n", "areas:\n  images: {containers: [images]}\n", 1)
    text = text.replace("email-events: mail}", "email-events: mail, images: mail}")
    plan.write_text(text + ANOTHER_WAVE)
    for number in range(24):
        asyncio.run(put("core", "images", f"{number}.png", b"a picture", folder=folder.path))


def keep_state(folder: Folder) -> None:
    folder.shelf.keep(folder.path)


def restore_state(folder: Folder) -> None:
    """The backup of an earlier moment, or nothing at all where there is none."""
    folder.shelf.put_back(folder.path)


def ask_followers(folder: Folder) -> None:
    """The plan is of protocol 2: drains end by roll-call."""
    plan = folder.path / "p.yaml"
    plan.write_text(plan.read_text().replace("ttl: 50ms}", "ttl: 50ms, protocol: 2}"))


def nothing(folder: Folder) -> None:
    """The reason of the halt is history."""


hold = run("hold", "p.yaml")
RELEASE = ("release", "p.yaml")


def _straight() -> Iterator[Story]:
    """What an undisturbed apply and rollback commit."""
    for row in ("pending begun", "preflight checked", "copying copied", "catching-up caught-up", "ready admitted"):
        yield Story(f"forward {row}")
    for row in ("fencing fenced", "draining drained", "verifying proved", "switching switched", "soaking soaked"):
        yield Story(f"forward {row}")
    for row in ("catching-up caught-up", "ready admitted", "fencing fenced", "draining drained", "verifying proved"):
        yield Story(f"reverse {row}", ROLLBACK, "soaked", goal=REVERSED)
    yield Story("reverse switching switched", ROLLBACK, "soaked", goal=REVERSED)
    yield Story("forward soaked lost-sight", world="soaked", first=(raise_epoch,))


def _fell_behind() -> Iterator[Story]:
    acts = {"forward catching-up caught-up": "flood-source"}
    on = (RELEASE, APPLY)
    yield Story(
        "forward ready fell-behind", first=(hold,), acts=acts, on=on, wrote=tuple(FLOOD), ready_pass_seconds=0.2
    )
    acts = {"reverse catching-up caught-up": "flood-target"}
    yield Story(
        "reverse ready fell-behind",
        ("rollback", "p.yaml", "--yes", "--area", "web-tracking"),
        "soaked",
        acts=acts,
        on=(ROLLBACK,),
        goal=REVERSED,
        wrote=tuple(FLOOD),
        ready_pass_seconds=0.2,
        dead_run_seconds=5.0,
    )


def _ways() -> Iterator[tuple[str, tuple[str, ...], str, str]]:
    yield "forward", APPLY, "fresh", SOAKED
    yield "reverse", ROLLBACK, "soaked", REVERSED


def _released() -> Iterator[Story]:
    """Killed while it obeys SIGINT in a fence, and killed while it resolves the fence of a run that was killed."""
    before = {"fencing": "ready admitted", "draining": "fencing fenced", "verifying": "draining drained"}
    for way, command, world, goal in _ways():
        for state, row in before.items():
            acts = {f"{way} {row}": "interrupt"}
            yield Story(f"{way} {state} released", command, world, acts=acts, goal=goal)
        first = killed_at(f"{way} verifying proved", *command)
        yield Story(f"{way} switching released", command, world, first=(first,), goal=goal)
        first = killed_at(f"{way} fencing fenced", *command)
        yield Story(f"{way} draining released", command, world, first=(first,), goal=goal)


def _halted() -> Iterator[Story]:
    def story(row: str, **more: Any) -> Story:
        return Story(row, **{"mend": put_route_back, **more})

    yield story("forward preflight halted", acts={"forward pending begun": "edit-route"})
    for state, row in (("copying", "pending begun"), ("catching-up", "copying copied")):
        yield story(f"forward {state} halted", acts={f"forward {row}": "foreign"}, mend=remove_foreign)
    yield story("forward soaking halted", acts={"forward switching switched": "stray"}, mend=nothing)
    everything = ("apply", "p.yaml", "--yes")
    yield story("forward soaked halted", kill=everything, world="soaked", first=(add_wave, edit_route))
    on = ((*ROLLBACK, "--on-conflict", "target"),)
    first = (change_both_sides,)
    yield story(
        "reverse catching-up halted", kill=ROLLBACK, world="soaked", first=first, mend=nothing, on=on, goal=REVERSED
    )
    before = {"ready": "catching-up caught-up", "fencing": "ready admitted"}
    before |= {"verifying": "draining drained", "switching": "verifying proved"}
    for way, command, world, goal in _ways():
        for state, row in before.items():
            acts = {f"{way} {row}": "edit-route"}
            yield story(f"{way} {state} halted", kill=command, world=world, acts=acts, goal=goal)
        first = (killed_at(f"{way} fencing fenced", *command), edit_route)
        yield story(f"{way} draining halted", kill=command, world=world, first=first, goal=goal)


def _rolled_back() -> Iterator[Story]:
    before = {"preflight": "pending begun", "copying": "preflight checked"}
    before |= {"catching-up": "copying copied", "ready": "catching-up caught-up"}
    for state, row in before.items():
        first = killed_at(f"forward {row}", *APPLY)
        yield Story(f"forward {state} rolled-back", ROLLBACK, first=(first,), goal=STOPPED)
    first = killed_at("forward switching switched", *APPLY)
    yield Story("forward soaking rolled-back", ROLLBACK, first=(first,), goal=REVERSED)
    yield Story("forward soaked rolled-back", ROLLBACK, "soaked", goal=REVERSED)


def _retried() -> Iterator[Story]:
    yield Story("reverse reversed retried", RETRY, "reversed", on=(APPLY,))
    first = (killed_at("forward pending begun", *APPLY), run(*ROLLBACK))
    yield Story("forward reversed retried", RETRY, first=first, on=(APPLY,))


def _adopted() -> Iterator[Story]:
    """A state store that is older than the routes, or another one, learns from them."""
    stopped = (killed_at("forward pending begun", *APPLY), run(*ROLLBACK))
    again = (keep_state, run(*RETRY), run(*APPLY), restore_state)
    on = (APPLY,)
    yield Story("forward pending adopted-source", ADOPT, first=(foreign_route,), on=on)
    yield Story("forward pending adopted-target", ADOPT, "soaked", first=(restore_state,), on=on)
    yield Story("forward reversed adopted-source", ADOPT, first=(*stopped, foreign_route), on=on)
    yield Story("forward reversed adopted-target", ADOPT, first=(*stopped, *again), on=on)
    yield Story("reverse reversed adopted-source", ADOPT, "reversed", first=(foreign_route,), on=on)
    yield Story("reverse reversed adopted-target", ADOPT, "reversed", first=again, on=on)


def _out_of_halts() -> Iterator[Story]:
    first = (run("hold", "p.yaml"), killed_at("forward catching-up caught-up", *APPLY), edit_route)
    first += (run("release", "p.yaml"), run(*APPLY, expect=4), put_route_back)
    yield Story("forward halted retried", RETRY, first=first, on=(APPLY,))
    yield Story("forward halted rolled-back", ROLLBACK, first=first, goal=STOPPED)
    first = (change_both_sides, run(*ROLLBACK, expect=4))
    decided = (*ROLLBACK, "--on-conflict", "target")
    yield Story("reverse halted rolled-back", decided, "soaked", first=first, goal=REVERSED)
    yield Story("reverse halted retried", RETRY, "soaked", first=first, on=(decided,), goal=REVERSED)


def _by_roll_call() -> Iterator[Story]:
    for row in ("ready admitted", "fencing fenced", "draining drained", "verifying proved"):
        yield Story(f"forward {row}", first=(ask_followers,))


_OTHERS = (*_straight(), *_fell_behind(), *_released(), *_rolled_back(), *_retried(), *_adopted())
FORWARD = (*(story for story in _OTHERS if story.row.startswith("forward")), *_by_roll_call())
REVERSE = tuple(story for story in _OTHERS if story.row.startswith("reverse"))
HALTS = (*_halted(), *_out_of_halts())
