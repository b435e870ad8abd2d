"""The registers of this project keep the promises of the port, and a few of their own."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from migrator.adapters.azure import open_store
from migrator.adapters.local import LocalStore
from migrator.adapters.routing import FileRegister, StoreRegister, file_register
from migrator.client.entries import AsyncEntries, FileEntries, ThreadedEntries, async_entries
from migrator.errors import AccessRefused
from migrator.model.objects import CREATE, EMPTY, BlobType, Condition, ContentHeaders, Shape
from migrator.model.register import ENTRY_METADATA, HEAD, new_id, register_container, register_path
from migrator.model.schedule import Account
from migrator.ports.object_store import ObjectStore
from migrator.ports.register import Register, RollUnknown
from migrator.testing.register import MemoryRegister
from tests.azurite.server import Azurite
from tests.contract.register_suite import ENTRY, RegisterSuite, refused

CONTAINER, NAME = "routing", "na/routes.json"


class TestMemoryRegister(RegisterSuite):
    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.memory = MemoryRegister()

    def register(self) -> Register:
        return self.memory

    def entries(self) -> AsyncEntries:
        return _Remembered(self.memory)

    async def empty(self, generation: str) -> None:
        self.memory.lose(generation)


class _Remembered:
    place = "memory"

    def __init__(self, memory: MemoryRegister) -> None:
        self._memory = memory

    async def put(self, generation: str, id: str, text: str, *, is_new: bool) -> None:
        self._memory.put(generation, id, text)

    async def take_back(self, generation: str, id: str) -> None:
        self._memory.take_back(generation, id)

    async def close(self) -> None: ...


class TestFileRegister(RegisterSuite):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "routing" / "routes.json"
        self.folder = tmp_path / "routing" / "routes.json.register"

    def register(self) -> Register:
        return FileRegister(self.path)

    def entries(self) -> AsyncEntries:
        return ThreadedEntries(FileEntries(str(self.path)))

    async def empty(self, generation: str) -> None:
        folder = self.folder / generation
        shutil.rmtree(folder)
        folder.mkdir()

    async def test_a_follower_makes_no_directory(self) -> None:
        pen = self.entries()
        told = await refused(lambda: pen.put("first", new_id(), ENTRY.encode(), is_new=True))
        assert told == f"{self.folder} cannot be written (no such file or directory)"
        assert not self.path.parent.exists()

    async def test_a_follower_whose_entry_is_gone_does_not_write_it_again_under_its_id(self) -> None:
        """It was swept, or somebody took it away: who renews it must know."""
        await self.register().open("first")
        pen = self.entries()
        await refused(lambda: pen.put("first", new_id(), ENTRY.encode(), is_new=False))
        assert await self.register().roll("first") == ()

    async def test_it_is_this_users_alone_unless_it_was_made_before(self) -> None:
        await self.register().open("first")
        assert stat.S_IMODE((self.folder / "first").stat().st_mode) == 0o700
        self.folder.chmod(0o1777)
        before = os.umask(0o077)
        try:
            await self.register().open("second")
        finally:
            os.umask(before)
        assert stat.S_IMODE((self.folder / "second").stat().st_mode) == 0o1777

    @pytest.mark.parametrize("kept", [0, 1, 40, 100])
    async def test_half_an_entry_promises_nothing(self, kept: int) -> None:
        await self.register().open("first")
        id = await self.put("first")
        path = self.folder / "first" / id
        path.write_bytes(path.read_bytes()[:kept])
        (found,) = await self.register().roll("first")
        assert found.entry is None

    async def test_an_entry_of_two_writings_promises_nothing(self) -> None:
        """Two honest promises, 19 and 21, must not be read as 29."""
        await self.register().open("first")
        id = await self.put("first")
        path = self.folder / "first" / id
        raw = path.read_bytes()
        path.write_bytes(raw.replace(b":7}", b":9}"))
        assert path.read_bytes() != raw
        (found,) = await self.register().roll("first")
        assert found.entry is None

    async def test_other_names_are_no_entries(self) -> None:
        await self.register().open("first")
        for name in ("README", ".x.tmp", "0" * 31, "0" * 33, "G" * 32):
            (self.folder / "first" / name).write_bytes(b"x")
        assert await self.register().roll("first") == ()

    async def test_a_file_system_of_other_machines_has_no_roll(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A directory there may be shown as it was a minute ago."""
        await self.register().open("first")
        mounts = tmp_path / "mountinfo"
        monkeypatch.setattr(file_register, "MOUNTS", mounts)
        mounts.write_text(
            "21 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
            f"99 21 0:50 / {self.path.parent} rw - nfs4 filer:/routing rw\n"
            f"98 21 0:51 / {self.path.parent}-near rw - ext4 /dev/sdb rw\n"
        )
        with pytest.raises(RollUnknown, match="file system of this machine"):
            await self.register().roll("first")
        mounts.unlink()
        with pytest.raises(RollUnknown, match="file system of this machine"):
            await self.register().roll("first")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    async def test_a_directory_that_may_not_be_read_is_an_error(self) -> None:
        await self.register().open("first")
        (self.folder / "first").chmod(0)
        with pytest.raises(AccessRefused):
            await self.register().roll("first")

    async def test_many_more_than_there_can_be_are_no_roll(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(file_register, "MAX_ENTRIES", 3)
        await self.register().open("first")
        for _ in range(4):
            await self.put("first")
        with pytest.raises(RollUnknown, match="more than 3"):
            await self.register().roll("first")


class OnAnAccount(RegisterSuite):
    store: ObjectStore

    def register(self) -> Register:
        return StoreRegister(self.store, CONTAINER, NAME)

    async def empty(self, generation: str) -> None:
        place = register_container(CONTAINER)
        for one in (await self.store.page(place, prefix=f"{register_path(NAME, generation)}/")).entries:
            await self.store.delete(place, one.name, if_match=one.etag)

    async def test_the_documents_own_container_is_not_touched(self) -> None:
        await self.register().open("first")
        await self.put("first")
        assert [one.name for one in await self.store.containers()] == ["routing-register"]

    async def test_blobs_of_other_names_are_no_entries(self) -> None:
        await self.register().open("first")
        shape = Shape(BlobType.BLOCK, ContentHeaders(), EMPTY, EMPTY, None)
        for name in (f"{NAME}/first/{HEAD}x", f"{NAME}/first/deeper/{new_id()}", f"{NAME}/firsts/{new_id()}"):
            await self.store.put("routing-register", name, b"", shape, condition=CREATE)
        assert await self.register().roll("first") == ()


class TestStoreRegisterOnLocalAccount(OnAnAccount):
    """No application follows routes in a local account; its entries are written by hand."""

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.store = LocalStore("control", tmp_path / "control.db")

    def entries(self) -> AsyncEntries:
        return _InStore(self.store)


class _InStore:
    place = "store"

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, generation: str, id: str, text: str, *, is_new: bool) -> None:
        name = f"{register_path(NAME, generation)}/{id}"
        condition = CREATE
        if not is_new:
            condition = Condition(if_match=(await self._store.head(register_container(CONTAINER), name)).etag)
        shape = Shape(BlobType.BLOCK, ContentHeaders(), {ENTRY_METADATA: text}, EMPTY, None)
        await self._store.put(register_container(CONTAINER), name, b"", shape, condition=condition)

    async def take_back(self, generation: str, id: str) -> None:
        register = StoreRegister(self._store, CONTAINER, NAME)
        for one in await register.roll(generation):
            if one.id == id:
                await register.remove(generation, one)

    async def close(self) -> None: ...


class TestStoreRegisterOnAzureAccount(OnAnAccount):
    crowd = 12

    @pytest.fixture(autouse=True)
    async def place(self, azurite: Azurite) -> AsyncIterator[None]:
        own = azurite.take()
        self.endpoint, self.key = azurite.endpoint(own), azurite.key(own)
        self.store = open_store(
            Account("control", "azure", endpoint=self.endpoint, credential="env:K"), environ={"K": self.key}
        )
        yield
        await self.store.close()

    def entries(self) -> AsyncEntries:
        return async_entries(f"{self.endpoint}/{CONTAINER}/{NAME}", None, credential=self.key, timeout_seconds=5)

    async def test_a_follower_makes_no_container(self) -> None:
        pen = self.entries()
        told = await refused(lambda: pen.put("first", new_id(), ENTRY.encode(), is_new=True))
        await pen.close()
        assert told == f"{self.endpoint}/routing-register answers with status 404"

    async def test_a_service_that_does_not_answer_is_said(self) -> None:
        pen = async_entries(f"http://127.0.0.1:1/own/{CONTAINER}/{NAME}", None, credential=self.key, timeout_seconds=5)
        told = await refused(lambda: pen.put("first", new_id(), ENTRY.encode(), is_new=True))
        await pen.close()
        assert told == "http://127.0.0.1:1/own/routing-register cannot be reached"
