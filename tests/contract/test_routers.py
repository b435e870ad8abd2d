"""The routers of this project keep the promises of the port, and a few of their own."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from migrator.adapters.routing import FileRouter, StoreRouter
from migrator.adapters.routing import file as file_module
from migrator.errors import (
    AccessRefused,
    CloudError,
    ConditionFailed,
    MigrateError,
    NotFound,
    OutcomeUnknown,
    RouteChanged,
)
from migrator.model.objects import Condition, ContainerInfo, Shape
from migrator.ports.object_store import TOO_LARGE, ObjectStore, Whole, Written
from migrator.ports.router import Router, RouteSnapshot
from tests.contract.router_suite import EMPTY, RECORD, RouterSuite, SharedRouterSuite


class TestFileRouter(SharedRouterSuite):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "routing" / "routes.json"

    def open(self) -> Router:
        return FileRouter(self.path)

    async def overwrite(self, raw: bytes) -> None:
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_bytes(raw)

    def opening(self) -> str:
        return f"from migrator.adapters.routing import FileRouter\ndef open_router(): return FileRouter({str(self.path)!r})"

    async def test_applications_of_other_users_can_read_it(self) -> None:
        """Under any umask: the routes are for everybody, and hold no secret."""
        before = os.umask(0o077)
        try:
            await self.open().swap("europe", EMPTY, expected_etag=None)
        finally:
            os.umask(before)
        assert stat.S_IMODE(self.path.stat().st_mode) == 0o644

    async def test_an_edit_there_and_back_is_noticed_although_bytes_and_times_are_the_same_again(self) -> None:
        """``cp -p`` of a copy made before: same file, same bytes, same time of writing."""
        router = self.open()
        etag = await router.swap("europe", EMPTY, expected_etag=None)
        was, times = self.path.read_bytes(), self.path.stat()
        await asyncio.sleep(0.02)
        self.path.write_bytes(b"{}")
        self.path.write_bytes(was)
        os.utime(self.path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert self.path.stat().st_mtime_ns == times.st_mtime_ns
        assert (await router.read("europe")).etag != etag
        with pytest.raises(RouteChanged):
            await router.swap("europe", EMPTY, expected_etag=etag)

    @pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
    async def test_its_lock_and_the_folder_it_makes_are_of_its_own_user_alone(self, umask: int) -> None:
        """Who may read a lock may hold it, and who may write into the folder may put another document there."""
        before = os.umask(umask)
        try:
            self.path = self.path.parent / "deeper" / "routes.json"
            await self.open().swap("europe", EMPTY, expected_etag=None)
        finally:
            os.umask(before)
        assert stat.S_IMODE(self.path.with_name(".routes.json.lock").stat().st_mode) == 0o600
        assert stat.S_IMODE(self.path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(self.path.parent.parent.stat().st_mode) == 0o700

    async def test_the_lock_of_an_earlier_version_is_made_private(self) -> None:
        self.path.parent.mkdir()
        lock = self.path.with_name(".routes.json.lock")
        lock.touch()
        lock.chmod(0o644)
        await self.open().swap("europe", EMPTY, expected_etag=None)
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600

    async def test_a_failed_write_leaves_the_old_document_and_no_rubbish(self, monkeypatch: pytest.MonkeyPatch) -> None:
        router = self.open()
        etag = await router.swap("europe", EMPTY, expected_etag=None)

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(CloudError, match=r"cannot write the routes in .*: no space left on device") as caught:
                await router.swap("europe", EMPTY.with_record("a/b", RECORD), expected_etag=etag)
        assert not isinstance(caught.value, OutcomeUnknown)
        assert (await router.read("europe")).etag == etag
        assert sorted(entry.name for entry in self.path.parent.iterdir()) == [".routes.json.lock", "routes.json"]

    async def test_a_rename_that_may_not_survive_a_power_cut_is_unknown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        router = self.open()
        await router.swap("europe", EMPTY, expected_etag=None)
        real = os.fsync

        def failing(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EIO, "Input/output error")
            real(descriptor)

        monkeypatch.setattr(os, "fsync", failing)
        with pytest.raises(OutcomeUnknown):
            await router.swap(
                "europe", EMPTY.with_record("a/b", RECORD), expected_etag=(await router.read("europe")).etag
            )

    async def test_a_lock_that_is_never_given_back_is_a_plain_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(file_module, "LOCK_ATTEMPTS", 2)
        router = self.open()
        etag = await router.swap("europe", EMPTY, expected_etag=None)
        with self._locked(), pytest.raises(CloudError, match="cannot lock the routes"):
            await router.swap("europe", EMPTY, expected_etag=etag)
        await router.swap("europe", EMPTY, expected_etag=etag)

    async def test_a_swap_waits_for_the_lock_without_stopping_the_loop(self) -> None:
        router = self.open()
        etag = await router.swap("europe", EMPTY, expected_etag=None)
        with self._locked():
            swap = asyncio.create_task(router.swap("europe", EMPTY.with_record("a/b", RECORD), expected_etag=etag))
            await asyncio.sleep(0.05)
            assert not swap.done()
        await swap

    async def test_a_lock_file_that_was_removed_and_made_again_is_not_mistaken(self) -> None:
        """We wait on the old lock, somebody removes it: the lock we then get protects nothing and is taken anew."""
        router = self.open()
        etag = await router.swap("europe", EMPTY, expected_etag=None)
        lock = self.path.with_name(".routes.json.lock")
        with self._locked():
            lock.unlink()
            await router.swap("europe", EMPTY.with_record("a/b", RECORD), expected_etag=etag)
        assert lock.exists()

    async def test_a_directory_in_place_of_the_file_is_a_plain_error(self) -> None:
        self.path.mkdir(parents=True)
        with pytest.raises(CloudError, match="is a directory"):
            await self.open().read("europe")

    async def test_a_refusal_of_the_system_is_about_rights(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*args: Any, **kwargs: Any) -> tuple[int, str]:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(tempfile, "mkstemp", refuse)
        with pytest.raises(AccessRefused, match="permission denied"):
            await self.open().swap("europe", EMPTY, expected_etag=None)

    def _locked(self) -> _Held:
        return _Held(self.path.with_name(".routes.json.lock"))


class _Held:
    """Another process's lock."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT)

    def __enter__(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


class Shelf:
    """The part of an object store that a router needs: blobs in memory, ETags that never come twice."""

    account = "control"

    def __init__(self) -> None:
        self.blobs: dict[str, dict[str, tuple[bytes, str]]] = {}
        self.shape: Shape | None = None
        self.reads = 0
        self.answers: Iterator[MigrateError | None] = iter(())
        self._etags = iter(f"0x8D{number:04X}" for number in range(100_000))

    async def whole(self, container: str, name: str, *, if_match: str | None = None, most_bytes: int) -> Whole:
        self.reads += 1
        await asyncio.sleep(0)
        body, etag = self._blob(container, name)
        assert if_match is None
        if len(body) > most_bytes:
            raise CloudError("too large", code=TOO_LARGE)
        return Whole(etag, body)

    async def put(self, container: str, name: str, body: bytes, shape: Shape, *, condition: Condition) -> Written:
        await asyncio.sleep(0)
        if container not in self.blobs:
            raise NotFound("no such container", what="container")
        held = self.blobs[container].get(name)
        if (held is not None) if condition.create else (held is None or held[1] != condition.if_match):
            raise ConditionFailed("refused")
        self.shape = shape
        written = self.store(container, name, body)
        answer = next(self.answers, None)
        if answer is not None:
            raise answer
        return Written(written)

    async def create_container(self, like: ContainerInfo) -> None:
        self.blobs.setdefault(like.name, {})

    def store(self, container: str, name: str, body: bytes) -> str:
        etag = next(self._etags)
        self.blobs.setdefault(container, {})[name] = (body, etag)
        return etag

    def _blob(self, container: str, name: str) -> tuple[bytes, str]:
        if container not in self.blobs:
            raise NotFound("no such container", what="container")
        if name not in self.blobs[container]:
            raise NotFound("no such blob", what="blob")
        return self.blobs[container][name]


class TestStoreRouter(RouterSuite):
    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.shelf = Shelf()

    def open(self) -> Router:
        return StoreRouter(cast(ObjectStore, self.shelf), "routing", "routes.json")

    async def overwrite(self, raw: bytes) -> None:
        self.shelf.store("routing", "routes.json", raw)

    async def test_an_unanswered_swap_is_unknown_and_not_repeated(self) -> None:
        """The document may be ours now; only a read can tell, and the router leaves that to the engine."""
        router = self.open()
        etag = await router.swap("europe", EMPTY, expected_etag=None)
        self.shelf.answers = iter([OutcomeUnknown("no answer")])
        with pytest.raises(OutcomeUnknown):
            await router.swap("europe", EMPTY.with_record("a/b", RECORD), expected_etag=etag)
        assert set((await router.read("europe")).document.routes) == {"a/b"}  # type: ignore[union-attr]

    async def test_a_read_is_one_request_however_often_others_swap(self) -> None:
        router = self.open()
        etag = await router.swap("europe", EMPTY, expected_etag=None)
        before = self.shelf.reads
        assert await router.read("europe") == RouteSnapshot(EMPTY, etag)
        assert self.shelf.reads == before + 1

    async def test_a_document_that_is_gone_refuses_the_swap(self) -> None:
        router = self.open()
        etag = await router.swap("europe", EMPTY, expected_etag=None)
        self.shelf.blobs.clear()
        with pytest.raises(RouteChanged):
            await router.swap("europe", EMPTY, expected_etag=etag)

    async def test_caches_are_told_to_keep_away(self) -> None:
        await self.open().swap("europe", EMPTY, expected_etag=None)
        assert self.shelf.shape is not None
        assert self.shelf.shape.headers.cache_control == "no-store"
