"""What a command opens: when it is needed, once, in one loop; and closed at the end, whatever happened."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from migrator.adapters.local import LocalStore
from migrator.cli import wiring
from migrator.cli.doors import Doors
from migrator.cli.loading import load_plan
from migrator.errors import InternalError, NotFound
from migrator.kinds.account_local import LocalAccount
from migrator.kinds.routing_file import RoutesInFile
from migrator.model.objects import ContainerInfo
from tests.cli.conftest import PLAN, Migrate

GATE = """\
metrics:
  counters: {kind: local}
gates:
  calm: {source: counters, metric: error_ratio, max: 1%, window: 200ms, settle: 0s, on_no_data: pass, min_samples: 0}
"""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What was opened how often: accounts by name, "routes" and "loop"."""
    counts: Counter[str] = Counter()

    def counting(where: Any, name: str, what: Any) -> None:
        right = getattr(where, name)

        def open_it(*args: Any, **options: Any) -> Any:
            counts[what(args)] += 1
            return right(*args, **options)

        monkeypatch.setattr(where, name, open_it)

    counting(LocalAccount, "open", lambda args: args[1].name)
    counting(RoutesInFile, "open", lambda args: "routes")
    counting(wiring, "open_metrics", lambda args: args[0].name)
    counting(wiring, "new_runner", lambda args: "loop")
    return counts


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ("validate p.yaml", set()),
        ("pause p.yaml", {"loop", "routes"}),
        ("routes p.yaml", {"loop", "routes"}),
        ("plan p.yaml", {"loop", "routes", "core", "web", "mail"}),
        ("apply p.yaml --yes", {"loop", "routes", "core", "web", "mail", "counters"}),
        ("doctor p.yaml", {"loop", "routes", "core", "web", "mail"}),
    ],
)
def test_a_command_opens_what_it_needs_and_once(
    opened: Counter[str], migrate: Migrate, here: Path, command: str, needed: set[str]
) -> None:
    text = PLAN.replace("    gates: []", "    gates: [calm]", 1).replace("waves:\n", GATE + "waves:\n")
    (here / "p.yaml").write_text(text)
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    opened.clear()
    migrate(*command.split())
    assert opened == Counter(needed)


def test_after_the_end_too_all_is_looked_at_through_one_door(
    opened: Counter[str], migrate: Migrate, here: Path
) -> None:
    """An apply with nothing to do looks at the routes, one that goes on previews, looks and runs."""
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    assert migrate("apply", "p.yaml", "--yes", "--wave", "first").code == 0
    for command in ("apply p.yaml --yes", "apply p.yaml --yes", "rollback p.yaml --yes"):
        opened.clear()
        assert migrate(*command.split()).code == 0
        assert set(opened.values()) == {1}, opened


def test_what_was_opened_is_closed_whatever_happens(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    right = LocalStore.close

    async def close(store: LocalStore) -> None:
        closed.append(store.account)
        await right(store)

    monkeypatch.setattr(LocalStore, "close", close)

    async def fail(doors: Doors) -> None:
        doors.accounts(["core", "web"])
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"), Doors(load_plan(here / "p.yaml")) as doors:
        doors.run(fail(doors))
    assert sorted(closed) == ["core", "web"]


def test_what_a_run_opened_is_closed_while_signals_are_obeyed(
    migrate: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A close that hangs must not outlive the patience that the first signal begins."""
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    obeyed: dict[str, bool] = {}
    right = LocalStore.close

    async def close(store: LocalStore) -> None:
        obeyed[store.account] = signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        await right(store)

    monkeypatch.setattr(LocalStore, "close", close)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        assert migrate("apply", "p.yaml", "--yes").code == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert obeyed == {"core": True, "web": True, "mail": True}


def test_an_account_that_a_preview_did_not_find_may_be_made_by_the_run_after_it(here: Path) -> None:
    async def look(doors: Doors) -> None:
        await doors.account("web").containers()

    async def write(doors: Doors) -> None:
        await doors.account("web").create_container(ContainerInfo("box"))

    with Doors(load_plan(here / "p.yaml")) as doors:
        with pytest.raises(NotFound):
            doors.run(look(doors))
        with pytest.raises(NotFound):
            doors.run(write(doors))
        assert not (here / "state").exists()
        doors.let_make(["web"])
        doors.run(write(doors))
        doors.run(look(doors))
    assert (here / "state/web.db").exists()


def test_a_loop_that_stood_still_knows_which_connections_were_closed(here: Path) -> None:
    """While a question waits for its answer the loop does not run, and a service ends what rests."""
    with socket.create_server(("127.0.0.1", 0)) as server, Doors(load_plan(here / "p.yaml")) as doors:
        closed: list[bool] = []

        class Resting(asyncio.Protocol):
            def connection_lost(self, exc: Exception | None) -> None:
                closed.append(True)

        async def connect() -> None:
            await asyncio.get_running_loop().create_connection(Resting, *server.getsockname())

        async def next_request() -> bool:
            return bool(closed)

        doors.run(connect())
        server.accept()[0].close()
        assert not closed
        assert doors.run(next_request())


def test_without_a_plan_there_is_nothing_to_open() -> None:
    async def nothing() -> int:
        return 1

    with Doors(None) as doors:
        assert doors.run(nothing()) == 1
        with pytest.raises(InternalError):
            doors.account("core")


def test_no_door_is_opened_beside(here: Path) -> None:
    """``Doors`` alone opens kinds for commands: only the processes without a command open accounts themselves."""
    desk = Path(wiring.__file__).parent
    beside = [
        str(path.relative_to(desk))
        for path in desk.rglob("*.py")
        if any(word in path.read_text() for word in ("open_account(", "open_router(", "open_metrics(", "run_async("))
    ]
    assert sorted(beside) == ["commands/approve/operation.py", "doors.py", "guard.py", "wiring.py"]
