"""A watched fence is released when the engine is gone or its time is up, by a real process too, and never otherwise."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from migrator.engine.guardian import ATTEMPT_SECONDS, RELEASE_SECONDS, SILENCE_SECONDS, serve
from migrator.errors import AccessRefused, CloudError, OutcomeUnknown, RouteChanged, Throttled, Unreachable
from migrator.model.moves import RevokedPolicy, StoredPolicy
from migrator.model.routes import Mode, RouteDocument, RouteRecord
from migrator.ports.router import RouteSnapshot
from migrator.ports.write_policy import ContainerPolicies

KEY = "north-america/web"
BEFORE = RouteRecord("na-core", "https://na-core", "read-write", 6, "0" * 16, "2026-03-01T12:00:00Z", "run-1")
FENCE = replace(BEFORE, mode="read-only", epoch=7)
SWITCHED = replace(FENCE, account="na-web", endpoint="https://na-web", mode="read-write", epoch=8)
OTHER = replace(BEFORE, account="eu-core", endpoint="https://eu-core")


class Board:
    """A router in memory. ``faults`` are raised by the next calls, one each; ``applies_anyway`` makes a faulty swap happen."""

    def __init__(self, **records: RouteRecord) -> None:
        routes = {key.replace("__", "/").replace("_", "-"): record for key, record in records.items()}
        self.document: RouteDocument | None = RouteDocument(30, 60, routes)
        self.version = 1
        self.faults: list[Exception] = []
        self.applies_anyway = False
        self.swaps = 0
        self.hang: asyncio.Event | None = None

    async def read(self, region: str) -> RouteSnapshot:
        if self.hang is not None:
            await self.hang.wait()
        await asyncio.sleep(0)
        if self.faults and not self.applies_anyway:
            raise self.faults.pop(0)
        return RouteSnapshot(self.document, str(self.version))

    async def swap(self, region: str, document: RouteDocument, *, expected_etag: str | None) -> str:
        await asyncio.sleep(0)
        if expected_etag != str(self.version):
            raise RouteChanged("cannot change the routes: somebody else was first")
        self.put(document)
        self.swaps += 1
        if self.faults:
            raise self.faults.pop(0)
        return str(self.version)

    async def close(self) -> None: ...

    def put(self, document: RouteDocument | None) -> None:
        self.document, self.version = document, self.version + 1

    def set(self, record: RouteRecord, key: str = KEY) -> None:
        assert self.document is not None
        self.put(self.document.with_record(key, record))

    def record(self, key: str = KEY) -> RouteRecord:
        assert self.document is not None
        return self.document.routes[key]


class HandClock:
    """Time that moves when the test says so."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 13, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.time + seconds, future))
        await future

    def random(self) -> float:
        return 0.5

    def nonce(self) -> str:
        return "0" * 16

    async def pass_(self, seconds: float) -> None:
        """Let time go by in small steps, and everybody do what is due."""
        end = self.time + seconds
        while self.time < end:
            await settle()
            self.time = min(end, self.time + 0.5)
            for due, future in self.sleepers:
                if due <= self.time and not future.done():
                    future.set_result(None)
            self.sleepers = [each for each in self.sleepers if not each[1].done()]
        await settle()


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


class Shelf:
    """An account's policies; ``faults`` are raised by the next reads, one each."""

    can_prove_policies = True

    def __init__(self, **policies: str) -> None:
        self.held = {id: StoredPolicy(id, letters) for id, letters in policies.items()}
        self.faults: list[Exception] = []

    async def policies(self, container: str) -> ContainerPolicies:
        if self.faults:
            raise self.faults.pop(0)
        return ContainerPolicies(tuple(self.held.values()), "blob")

    async def set_policies(
        self, container: str, policies: Sequence[StoredPolicy], *, public_access: str | None
    ) -> None:
        assert (container, public_access) == ("web", "blob")
        self.held = {one.id: one for one in policies}

    async def accepts(self, container: str, policy: StoredPolicy, name: str) -> bool:
        raise NotImplementedError

    @property
    def letters(self) -> dict[str, str]:
        return {id: one.permissions for id, one in self.held.items()}


def revoked(account: str = "na-core", id: str = "writers", letters: str = "rw") -> RevokedPolicy:
    return RevokedPolicy(account, "web", StoredPolicy(id, letters))


def keep(*revoked: RevokedPolicy) -> dict[str, Any]:
    return {"cmd": "keep", "key": KEY, "id": 1, "revoked": [asdict(one) for one in revoked]}


class Desk:
    """A guardian served in this process: ``tell`` gives it a line and returns its answer."""

    def __init__(self, router: Board, **holders: Shelf) -> None:
        self.clock = HandClock()
        self.said: list[str] = []
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        served = serve(
            router, self._read(), self._answers.put_nowait, self.clock, say=self.said.append, holders=holders.get
        )
        self.task = asyncio.create_task(served)

    async def _read(self) -> AsyncIterator[bytes]:
        while (line := await self._lines.get()) is not None:
            yield line

    async def tell(self, order: object) -> dict[str, Any]:
        self.put(order)
        return await self.answer()

    def put(self, order: object) -> None:
        self._lines.put_nowait(order if isinstance(order, bytes) else json.dumps(order).encode())

    async def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(await self._answers.get())
        return answer

    async def watch(self, key: str = KEY, before: RouteRecord = BEFORE, deadline: float = 60.0) -> dict[str, Any]:
        fence = replace(before, mode="read-only", epoch=before.epoch + 1)
        order = {
            "cmd": "watch",
            "key": key,
            "before": asdict(before),
            "fence": asdict(fence),
            "deadline_seconds": deadline,
        }
        return await self.tell({**order, "id": 1})

    async def hang_up(self) -> None:
        self._lines.put_nowait(None)
        await settle()


OK = {"ok": True, "id": 1}


@pytest.fixture
def board() -> Board:
    return Board(north_america__web=BEFORE, europe__web=OTHER)


@pytest.fixture
async def desk(board: Board) -> AsyncIterator[Desk]:
    desk = Desk(board)
    yield desk
    desk.task.cancel()
    await asyncio.wait([desk.task])


class TestServe:
    async def test_the_end_of_the_pipe_releases_the_fence_at_once(self, board: Board, desk: Desk) -> None:
        assert await desk.watch() == OK
        board.set(FENCE)
        await desk.hang_up()
        released = board.record()
        assert (released.account, released.mode, released.epoch) == ("na-core", "read-write", 8)
        assert released.updated == "2026-03-01T13:00:00Z"
        assert board.record("europe/web") == OTHER
        assert desk.said == ["the engine is gone: writes of north-america/web go on at na-core, epoch 8"]
        assert desk.task.done()

    async def test_the_end_of_the_pipe_before_the_fence_makes_a_late_fence_impossible(
        self, board: Board, desk: Desk
    ) -> None:
        await desk.watch()
        seen = await board.read("europe")
        await desk.hang_up()
        assert board.record() == replace(BEFORE, epoch=8, updated="2026-03-01T13:00:00Z")
        with pytest.raises(RouteChanged):
            await board.swap("europe", RouteDocument(30, 60, {KEY: FENCE}), expected_etag=seen.etag)

    async def test_the_deadline_releases_while_the_engine_lives(self, board: Board, desk: Desk) -> None:
        await desk.watch(deadline=60)
        board.set(FENCE)
        await desk.clock.pass_(59)
        assert board.record() == FENCE
        await desk.clock.pass_(2)
        assert (board.record().mode, board.record().epoch) == ("read-write", 8)
        assert desk.said == ["its deadline passed: writes of north-america/web go on at na-core, epoch 8"]

    async def test_an_engine_that_falls_silent_in_its_fence_is_not_waited_for(self, board: Board, desk: Desk) -> None:
        await desk.watch(deadline=600)
        board.set(FENCE)
        for _ in range(10):
            assert await desk.tell({"cmd": "ping", "id": 1}) == OK
            await desk.clock.pass_(SILENCE_SECONDS - 6)
        assert board.record() == FENCE
        await desk.clock.pass_(12)
        assert (board.record().mode, board.record().epoch) == ("read-write", 8)
        assert desk.said[0].startswith("the engine has said nothing for 30 s: ")

    async def test_an_engine_that_never_pinged_has_until_its_deadline(self, board: Board, desk: Desk) -> None:
        await desk.watch(deadline=600)
        board.set(FENCE)
        await desk.clock.pass_(590)
        assert board.record() == FENCE

    async def test_a_ping_is_answered_while_the_routes_hang(self, board: Board, desk: Desk) -> None:
        board.hang = asyncio.Event()
        order = {"cmd": "watch", "key": KEY, "before": asdict(BEFORE), "fence": asdict(FENCE), "deadline_seconds": 9}
        desk.put({**order, "id": 1})
        await settle()
        assert await desk.tell({"cmd": "ping", "id": 2}) == {"ok": True, "id": 2}
        board.hang.set()
        assert await desk.answer() == OK

    async def test_done_ends_the_watch_for_good(self, board: Board, desk: Desk) -> None:
        await desk.watch(deadline=60)
        board.set(FENCE)
        assert await desk.tell({"cmd": "done", "key": KEY, "id": 1}) == OK
        await desk.clock.pass_(100)
        await desk.hang_up()
        assert board.record() == FENCE  # ours no more: the engine said that it sees to it
        assert desk.said == []

    @pytest.mark.parametrize(
        "record", [SWITCHED, replace(FENCE, mode="read-write", epoch=8), replace(FENCE, epoch=9), OTHER]
    )
    async def test_a_record_that_is_neither_is_left_alone(self, board: Board, desk: Desk, record: RouteRecord) -> None:
        await desk.watch()
        board.set(record)
        await desk.hang_up()
        assert board.record() == record
        assert (board.swaps, desk.task.done()) == (0, True)

    @pytest.mark.parametrize("document", [None, RouteDocument(30, 60, {})])
    async def test_a_route_that_is_gone_is_left_alone(
        self, board: Board, desk: Desk, document: RouteDocument | None
    ) -> None:
        await desk.watch()
        board.put(document)
        await desk.hang_up()
        assert (board.document, desk.task.done()) == (document, True)

    async def test_several_fences_in_one_document_are_all_released(self, board: Board, desk: Desk) -> None:
        await desk.watch()
        await desk.watch("europe/web", OTHER)
        board.set(FENCE)
        board.set(replace(OTHER, mode="read-only", epoch=7), "europe/web")
        await desk.hang_up()
        await desk.clock.pass_(5)
        assert [board.record(key).mode for key in (KEY, "europe/web")] == ["read-write", "read-write"]
        assert [board.record(key).account for key in (KEY, "europe/web")] == ["na-core", "eu-core"]

    @pytest.mark.parametrize(
        "fault", [RouteChanged("x"), CloudError("x"), Unreachable("x"), OSError("x"), KeyError("bug")]
    )
    async def test_a_refused_release_is_tried_again(self, board: Board, desk: Desk, fault: Exception) -> None:
        await desk.watch()
        board.set(FENCE)
        board.faults = [fault] * 6
        await desk.hang_up()
        assert board.record() == FENCE
        await desk.clock.pass_(60)
        assert board.record().mode == "read-write"
        assert desk.task.done()

    async def test_an_unanswered_release_that_happened_is_not_repeated(self, board: Board, desk: Desk) -> None:
        await desk.watch()
        board.set(FENCE)
        board.faults, board.applies_anyway = [OutcomeUnknown("no answer")], True
        await desk.hang_up()
        await desk.clock.pass_(5)
        assert (board.record().mode, board.record().epoch, board.swaps) == ("read-write", 8, 1)
        assert desk.task.done()

    async def test_routes_that_never_answer_are_given_up_after_a_bounded_time(self, board: Board, desk: Desk) -> None:
        await desk.watch()
        board.set(FENCE)
        board.faults = [Unreachable("cannot reach the routes")] * 10_000
        await desk.hang_up()
        await desk.clock.pass_(RELEASE_SECONDS - 60)
        assert not desk.task.done()
        await desk.clock.pass_(120)
        assert desk.task.done()
        assert desk.said == [
            "cannot release north-america/web: cannot reach the routes; migrate apply or migrate rollback frees its writers"
        ]

    async def test_routes_that_hang_are_asked_again(
        self, board: Board, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await desk.watch()
        board.set(FENCE)
        monkeypatch.setattr("migrator.engine.guardian.ATTEMPT_SECONDS", 0.01)
        board.hang = asyncio.Event()
        await desk.hang_up()
        await asyncio.sleep(0.05)
        assert (board.record(), desk.task.done()) == (FENCE, False)
        board.hang = None
        await desk.clock.pass_(5)
        assert board.record().mode == "read-write"

    async def test_done_is_heard_while_a_release_is_being_tried(self, board: Board, desk: Desk) -> None:
        await desk.watch(deadline=1)
        board.set(FENCE)
        board.faults = [Unreachable("x")] * 10_000
        await desk.clock.pass_(10)
        assert await desk.tell({"cmd": "done", "key": KEY, "id": 1}) == OK
        board.faults = []
        await desk.clock.pass_(60)
        assert board.record() == FENCE

    async def test_a_guardian_that_cannot_read_the_routes_confirms_nothing(self, board: Board, desk: Desk) -> None:
        board.faults = [Unreachable("cannot reach the routes")] * 1000
        watching = asyncio.create_task(desk.watch())
        await desk.clock.pass_(ATTEMPT_SECONDS - 6)
        assert not watching.done()
        await desk.clock.pass_(10)
        assert await watching == {"ok": False, "id": 1, "error": "cannot reach the routes"}
        board.faults = []
        await desk.hang_up()
        assert board.record() == BEFORE

    @pytest.mark.parametrize("fault", [Throttled("cannot read: it is busy"), Unreachable("cannot reach the routes")])
    async def test_one_refused_read_does_not_make_it_refuse_a_fence(
        self, board: Board, desk: Desk, fault: Exception
    ) -> None:
        board.faults = [fault, fault]
        watching = asyncio.create_task(desk.watch())
        await desk.clock.pass_(2)
        assert await watching == OK

    async def test_a_right_that_is_missing_is_told_at_once(self, board: Board, desk: Desk) -> None:
        board.faults = [AccessRefused("cannot read: no right")]
        assert (await desk.watch())["error"] == "cannot read: no right"

    async def test_a_second_watch_of_a_key_takes_the_place_of_the_first(self, board: Board, desk: Desk) -> None:
        await desk.watch(deadline=10)
        later = replace(BEFORE, epoch=8)
        board.set(later)
        await desk.watch(before=later, deadline=60)
        await desk.clock.pass_(20)
        assert board.record() == later
        board.set(replace(later, mode="read-only", epoch=9))
        await desk.clock.pass_(50)
        assert (board.record().mode, board.record().epoch) == ("read-write", 10)

    @pytest.mark.parametrize(
        "line",
        [
            b"not json",
            b"[]",
            b"null",
            b"{}",
            b'{"cmd": "release"}',
            b'{"cmd": "watch", "key": "a/b"}',
            b'{"cmd": "watch", "key": "a/b", "before": {}, "fence": {}, "deadline_seconds": 1}',
            json.dumps(
                {"cmd": "watch", "key": KEY, "before": asdict(FENCE), "fence": asdict(BEFORE), "deadline_seconds": 1}
            ).encode(),
            *(
                json.dumps(
                    {
                        "cmd": "watch",
                        "key": KEY,
                        "before": asdict(BEFORE),
                        "fence": asdict(FENCE),
                        "deadline_seconds": due,
                    }
                ).encode()
                for due in ("x", float("nan"), float("inf"), 10**400)
            ),
        ],
    )
    async def test_a_line_it_does_not_understand_is_answered_and_changes_nothing(
        self, board: Board, desk: Desk, line: bytes
    ) -> None:
        answer = await desk.tell(line)
        assert answer["ok"] is False
        assert answer["error"]
        assert await desk.watch() == OK
        board.set(FENCE)
        await desk.hang_up()
        assert board.record().mode == "read-write"


class TestPolicies:
    """An enforced fence: what it revoked is put back, after the route."""

    @pytest.fixture
    def core(self) -> Shelf:
        """As the fence left it; somebody added ``others`` meanwhile."""
        return Shelf(writers="r", others="w")

    @pytest.fixture
    async def desk(self, board: Board, core: Shelf) -> AsyncIterator[Desk]:
        desk = Desk(board, **{"na-core": core, "na-web": Shelf(writers="r")})
        yield desk
        desk.task.cancel()
        await asyncio.wait([desk.task])

    async def test_they_are_put_back_when_the_engine_dies_in_its_fence(
        self, board: Board, desk: Desk, core: Shelf
    ) -> None:
        await desk.watch()
        assert await desk.tell(keep(revoked())) == OK
        board.set(FENCE)
        await desk.hang_up()
        assert board.record().mode == "read-write"
        assert core.letters == {"writers": "rw", "others": "w"}
        assert (
            desk.said[1]
            == "the engine is gone: 1 access policy lets writers of north-america/web write at na-core again"
        )

    async def test_after_done_they_are_the_engines(self, board: Board, desk: Desk, core: Shelf) -> None:
        await desk.watch()
        await desk.tell(keep(revoked()))
        await desk.tell({"cmd": "done", "key": KEY, "id": 1})
        await desk.hang_up()
        assert core.letters == {"writers": "r", "others": "w"}

    async def test_after_a_switch_those_of_the_account_that_was_left_stay_revoked(
        self, board: Board, desk: Desk, core: Shelf
    ) -> None:
        await desk.watch()
        await desk.tell(keep(revoked()))
        board.set(SWITCHED)
        await desk.hang_up()
        assert core.letters["writers"] == "r"

    async def test_what_was_revoked_at_one_account_is_granted_at_no_other(self, board: Board, core: Shelf) -> None:
        """The same container and the same id are at both: what the target's owner lets nobody do stays so."""
        target = Shelf(writers="r")
        desk = Desk(board, **{"na-core": core, "na-web": target})
        await desk.watch()
        await desk.tell(keep(revoked(), revoked("na-web", id="others")))
        board.set(replace(SWITCHED, epoch=FENCE.epoch + 1))
        await desk.hang_up()
        assert target.letters == {"writers": "r"}

    async def test_after_a_switch_back_those_of_the_account_that_customers_came_back_to_are_put_back(
        self, board: Board, desk: Desk, core: Shelf
    ) -> None:
        there = replace(SWITCHED, epoch=BEFORE.epoch)
        await desk.watch(before=there)
        await desk.tell(keep(revoked(), revoked("na-web")))
        board.set(replace(BEFORE, epoch=there.epoch + 2))
        await desk.hang_up()
        assert core.letters["writers"] == "rw"

    @pytest.mark.parametrize("mode", ["read-only", "read-write"])
    async def test_a_later_epoch_is_its_own_runs_business(
        self, board: Board, desk: Desk, core: Shelf, mode: Mode
    ) -> None:
        """The service did not answer for so long that another run has fenced, and revoked, again; and perhaps released."""
        core.faults = [TimeoutError()]
        await desk.watch()
        await desk.tell(keep(revoked()))
        board.set(FENCE)
        await desk.hang_up()
        board.set(replace(FENCE, mode=mode, epoch=FENCE.epoch + 2))
        await desk.clock.pass_(10)
        assert core.letters["writers"] == "r"
        assert desk.task.done()

    async def test_a_run_that_claimed_the_record_puts_them_back_itself(
        self, board: Board, desk: Desk, core: Shelf
    ) -> None:
        """It fences half a minute later: what the guardian would send by then could open the policies in its fence."""
        core.faults = [TimeoutError()]
        await desk.watch()
        await desk.tell(keep(revoked()))
        board.set(FENCE)
        await desk.hang_up()
        board.set(replace(board.record(), run="run-of-a-successor"))
        await desk.clock.pass_(60)
        assert core.letters["writers"] == "r"
        assert desk.task.done()

    async def test_a_service_that_does_not_answer_is_asked_again(self, board: Board, desk: Desk, core: Shelf) -> None:
        core.faults = [TimeoutError(), Unreachable("cannot read: no answer")]
        await desk.watch()
        await desk.tell(keep(revoked()))
        board.set(FENCE)
        await desk.hang_up()
        await desk.clock.pass_(5)
        assert core.letters["writers"] == "rw"

    async def test_a_revocation_that_the_service_carries_out_late_is_put_back_too(
        self, board: Board, desk: Desk, core: Shelf
    ) -> None:
        """The engine was killed while it was under way."""
        core.held["writers"] = StoredPolicy("writers", "rw")
        await desk.watch()
        await desk.tell(keep(revoked()))
        board.set(FENCE)
        await desk.hang_up()
        await desk.clock.pass_(3)
        core.held["writers"] = StoredPolicy("writers", "r")
        await desk.clock.pass_(6)
        assert core.letters["writers"] == "rw"
        await desk.clock.pass_(60)
        assert desk.task.done()

    async def test_a_policy_that_somebody_changed_is_left_so_and_said(
        self, board: Board, desk: Desk, core: Shelf
    ) -> None:
        core.held["writers"] = StoredPolicy("writers", "l")
        await desk.watch()
        await desk.tell(keep(revoked()))
        board.set(FENCE)
        await desk.hang_up()
        assert core.letters["writers"] == "l"
        assert "changed by somebody else and is left so" in desk.said[-1]

    async def test_ten_thousand_are_put_back_as_one_is(self, board: Board, desk: Desk, core: Shelf) -> None:
        many = [revoked(id=f"writer-{number}") for number in range(10_000)]
        core.held = {one.policy.id: StoredPolicy(one.policy.id, "r") for one in many}
        await desk.watch()
        assert await desk.tell(keep(*many)) == OK
        board.set(FENCE)
        await desk.hang_up()
        assert set(core.letters.values()) == {"rw"}

    async def test_policies_that_it_could_not_put_back_are_refused(self, desk: Desk) -> None:
        assert not (await desk.tell(keep(revoked())))["ok"], "no fence is watched"
        await desk.watch()
        answer = await desk.tell(keep(revoked("elsewhere")))
        assert not answer["ok"]
        assert "elsewhere" in answer["error"]


def test_an_attempt_is_much_shorter_than_the_whole_try() -> None:
    assert ATTEMPT_SECONDS * 10 < RELEASE_SECONDS
