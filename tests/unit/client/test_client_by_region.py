"""The client where each region has a document of its own: in App Configuration, on the double and by the real SDK, and behind a
command."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.client import RouteFenced, Routes, RouteUnpublished, RouteUnusable, SyncRoutes
from migrator.errors import UsageError
from migrator.model.routes import READ_ONLY, READ_WRITE, Mode, RouteDocument, RouteRecord
from migrator.testing.estate import Configuration, Estate, running
from migrator.testing.estate.configuration import KeyValue

ADDRESS = "https://eucore.blob.core.windows.net"


def document(region: str, mode: Mode = READ_WRITE, epoch: int = 1) -> str:
    record = RouteRecord("core", ADDRESS, mode, epoch, "lineage", "", "")
    return RouteDocument(30, 60, {f"{region}/web": record}).encode().decode()


class Store:
    def __init__(self, estate: Estate) -> None:
        self.store: Configuration = estate.store("routing")
        self.endpoint = f"{estate.public}/appconfig/routing"
        self.url = f"appconfig+{self.endpoint}?name=migrate"
        self.secret = self.store.connection_string(self.endpoint)
        self.number = 0

    def put(self, region: str, text: str) -> None:
        self.number += 1
        key = (f"migrate/{region}", None)
        self.store.values[key] = KeyValue(*key, text, f"v{self.number}", "now")


@pytest.fixture(scope="module")
def served() -> Iterator[Estate]:
    with running(Estate()) as estate:
        yield estate


@pytest.fixture
def store(served: Estate) -> Store:
    served.stores.clear()
    store = Store(served)
    store.put("europe", document("europe"))
    return store


async def test_a_lease_of_one_region_reads_the_key_of_that_region_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTES", store.secret)
    async with Routes.from_url(store.url, credential="env:ROUTES") as routes:
        with await routes.write("europe", "web") as lease:
            assert (lease.endpoint, lease.epoch) == (ADDRESS, 1)
        assert (await routes.resolve("europe", "web")).endpoint == ADDRESS
        assert [(method, key) for method, key, _ in store.store.seen] == [("GET", "migrate/europe")]
        with pytest.raises(RouteUnpublished):
            await routes.write("asia", "web")
        assert [key for _, key, _ in store.store.seen] == ["migrate/europe", "migrate/asia"]


def test_a_fence_in_one_region_stops_no_writer_in_another(store: Store) -> None:
    store.put("asia", document("asia"))
    with SyncRoutes.from_url(store.url, credential=store.secret) as routes:
        for region in ("europe", "asia"):
            routes.write(region, "web").close()
        store.put("europe", document("europe", READ_ONLY, 2))
        routes.look_again()
        with pytest.raises(RouteFenced):
            routes.write("europe", "web")
        routes.write("asia", "web").close()
        store.put("europe", document("europe", READ_WRITE, 3))
        routes.look_again()
        assert routes.renew(routes.writable("europe", "web", timeout=5)).epoch == 3


async def test_what_cannot_be_read_is_said_without_the_secret(store: Store) -> None:
    wrong = store.secret
    store.store.secret = "bm90IHRoZSBrZXk="
    async with Routes.from_url(store.url, credential=wrong) as routes:
        with pytest.raises(RouteFenced, match="refuses our credential") as caught:
            await routes.write("europe", "web")
    assert wrong.rpartition("Secret=")[2] not in str(caught.value)
    store.store.secret = wrong.rpartition("Secret=")[2]
    store.store.throttled = 3
    with SyncRoutes.from_url(store.url, credential=wrong) as sync, pytest.raises(RouteFenced, match="status 429"):
        sync.write("europe", "web")
    store.store.throttled = 2
    with SyncRoutes.from_url(store.url, credential=wrong) as sync:
        assert sync.write("europe", "web").epoch == 1


@pytest.mark.parametrize(
    "url",
    [
        "appconfig+ftp://x",
        "appconfig+http://store.azconfig.io",
        "appconfig+https://user:word@store.azconfig.io",
        "appconfig+https://store.azconfig.io?label=x",
        "appconfig+https://",
    ],
)
def test_an_address_that_is_not_a_store_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        SyncRoutes.from_url(url, credential="Endpoint=https://store.azconfig.io;Id=i;Secret=c2VjcmV0")
    assert "word" not in str(caught.value)


def test_a_connection_string_of_another_store_is_refused(store: Store) -> None:
    for secret in ("Endpoint=https://other.azconfig.io;Id=i;Secret=c2VjcmV0", "key"):
        with SyncRoutes.from_url(store.url, credential=secret) as routes, pytest.raises(UsageError) as caught:
            routes.write("europe", "web")
        assert "c2VjcmV0" not in str(caught.value)


SCRIPT = """
import json, os, sys
region, verb = sys.argv[1:]
assert verb == "get" and "SECRET" not in os.environ
if region == "broken":
    sys.exit(3)
print(open(os.path.join(os.environ["FOLDER"], f"{region}.json")).read() if region != "nowhere" else "{}")
"""


@pytest.fixture
def argv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (tmp_path / "routes.py").write_text(SCRIPT)
    (tmp_path / "europe.json").write_text(json.dumps({"etag": "1", "document": json.loads(document("europe"))}))
    monkeypatch.setenv("FOLDER", str(tmp_path))
    monkeypatch.setenv("SECRET", "not for commands")
    return [sys.executable, str(tmp_path / "routes.py"), "$region"]


async def test_routes_behind_a_command_are_followed(argv: list[str], tmp_path: Path) -> None:
    async with Routes.from_command(argv, env=["FOLDER"]) as routes:
        assert (await routes.write("europe", "web")).endpoint == ADDRESS
        with pytest.raises(RouteUnpublished):
            await routes.write("nowhere", "web")
        with pytest.raises(RouteFenced, match="exited with 3"):
            await routes.write("broken", "web")
    with SyncRoutes.from_command(argv, env=["FOLDER"], hosts=["other.example"]) as sync:
        with pytest.raises(RouteUnusable, match=r"eucore\.blob\.core\.windows\.net"):
            sync.write("europe", "web")
        with pytest.raises(RouteFenced, match="exited with 3"):
            sync.write("broken", "web")


async def test_a_command_without_a_region_has_one_document_for_all(argv: list[str]) -> None:
    with SyncRoutes.from_command([*argv[:2], "europe"], env=["FOLDER"]) as routes:
        assert routes.write("europe", "web").epoch == 1
        with pytest.raises(RouteUnpublished):
            routes.write("asia", "web")
