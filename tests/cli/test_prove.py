"""`migrate prove`: a file of what two accounts promise, nothing of it left behind, and a plan that is held against it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from migrator.model.proved import PromiseKept, ProvedAccount, ProvedPair, document, read
from migrator.testing.strict import Running
from tests.azurite.server import Azurite
from tests.children import Start
from tests.cli.conftest import Migrate

PLAN = """\
version: 1
name: proving
proved: proved.json
defaults: {{account: {{api_version: "2025-11-05"}}}}
accounts:
  src: {{endpoint: "{src}", credential: "env:SRC"}}
  dst: {{endpoint: "{dst}", credential: "env:DST"}}
areas: {{data: {{containers: [box]}}}}
regions: {{na: {{source: src, targets: {{data: dst}}}}}}
routing: {{kind: file, path: routes.json, ttl: 200ms}}
waves: [{{name: one, moves: [{{region: na, areas: "*"}}], soak: 1s, interval: 500ms}}]
"""


class Estate:
    """Two accounts of the strict service, and a plan of them."""

    def __init__(self, here: Path, azurite: Azurite, served: Running) -> None:
        self.src, self.dst = azurite.take(), azurite.take()
        self.service = served.service
        self.secrets = {"SRC": served.connection_string(self.src), "DST": served.connection_string(self.dst)}
        plan = PLAN.format(src=served.endpoint(self.src), dst=served.endpoint(self.dst))
        (here / "real.yaml").write_text(plan)
        self.file = here / "proved.json"
        self._azurite = azurite
        with self.client(self.src) as client:
            client.create_container("box").upload_blob("n", b"body")

    def client(self, own: str) -> BlobServiceClient:
        text = self._azurite.connection_string(own)
        return BlobServiceClient.from_connection_string(text, api_version="2025-11-05")

    def containers(self) -> list[str]:
        found = []
        for own in (self.src, self.dst):
            with self.client(own) as client:
                found += [f"{box.name}" for box in client.list_containers()]
        return found


@pytest.fixture
def estate(here: Path, azurite: Azurite, strict_served: Running, monkeypatch: pytest.MonkeyPatch) -> Estate:
    made = Estate(here, azurite, strict_served)
    for name, value in made.secrets.items():
        monkeypatch.setenv(name, value)
    return made


def test_what_is_kept_is_written_down_and_nothing_is_left(estate: Estate, migrate: Migrate) -> None:
    done = migrate("prove", "real.yaml", "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert (said["kept"], said["pairs"][0]["broken"], said["pairs"][0]["accounts"]) == (True, [], ["src", "dst"])
    text = estate.file.read_text()
    assert len(read(text)[0].promises) == said["pairs"][0]["promises"] > 70
    assert not any(secret.split("AccountKey=")[1].split(";")[0] in text for secret in estate.secrets.values())
    assert "sig=" not in text
    assert estate.containers() == ["box"]
    planned = migrate("plan", "real.yaml", "--json")
    assert not {one["code"] for one in json.loads(planned.out)["findings"]} & {"promise-broken", "not-proved"}


def test_a_broken_promise_is_an_error_before_any_data(estate: Estate, migrate: Migrate) -> None:
    estate.service.set_faults(estate.dst, lies=frozenset({"copies-anything"}))
    done = migrate("prove", "real.yaml")
    assert done.code == 4
    assert "src -> dst: copies-know-their-source: broken: it was accepted" in done.out
    estate.service.clear_faults(estate.dst)
    planned = migrate("plan", "real.yaml", "--json")
    assert planned.code == 1
    (found,) = [one for one in json.loads(planned.out)["findings"] if one["code"] == "promise-broken"]
    assert (found["severity"], found["subject"]) == ("error", "src -> dst")
    applied = migrate("apply", "real.yaml", "--yes")
    assert applied.code == 1
    assert "copies-know-their-source" in applied.out + applied.err
    assert estate.containers() == ["box"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whatever_ends_it_nothing_is_left(estate: Estate, here: Path, start: Start, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "migrator.cli.app", "prove", "real.yaml"]
    child = start(command, cwd=here, env={**os.environ, **estate.secrets})
    _until(lambda: len(estate.service.requests("Put Blob", estate.dst)) > 5)
    assert len(estate.containers()) == 3
    child.send_signal(number)
    child.communicate(timeout=60)
    assert child.returncode != 0
    assert estate.containers() == ["box"]


def test_an_error_leaves_nothing(estate: Estate, migrate: Migrate) -> None:
    """An account that cannot be asked ends the command; what was made at the other is removed."""
    estate.service.set_nature(estate.dst, allows_shared_key=False)
    done = migrate("prove", "real.yaml")
    assert done.code not in (0, 4)
    assert "KeyBasedAuthenticationNotPermitted" in done.err
    assert estate.containers() == ["box"]
    assert not estate.file.exists()


def test_what_a_killed_run_left_is_removed_and_nobody_elses(estate: Estate, migrate: Migrate) -> None:
    with estate.client(estate.dst) as client:
        client.create_container("migrate-prove-20200101000000-01234567", metadata={"migrateprove": "true"})
        client.create_container("migrate-prove-20200101000000-89abcdef")
        young = f"migrate-prove-{time.strftime('%Y%m%d%H%M%S', time.gmtime())}-01234567"
        client.create_container(young, metadata={"migrateprove": "true"})
    assert migrate("prove", "real.yaml", "--accounts", "dst,src").code == 0
    assert estate.containers() == ["box", "migrate-prove-20200101000000-89abcdef", young]


def test_accounts_that_were_never_asked_are_said(estate: Estate, migrate: Migrate) -> None:
    def said(text: str) -> list[tuple[str, str]]:
        estate.file.write_text(text)
        found = json.loads(migrate("plan", "real.yaml", "--json").out)["findings"]
        return [(one["severity"], one["subject"]) for one in found if one["code"] == "not-proved"]

    here, there = ProvedAccount("src", "azure", "https://x"), ProvedAccount("dst", "azure", "https://y")
    asked = PromiseKept("listings-rise", "src", "unasked", is_relied_on=True)
    assert said(document([ProvedPair("2026-11-30", "migrate", here, there, (asked,), {})])) == [
        ("warning", "src -> dst")
    ]
    assert said("{}") == [("warning", "plan")]
    estate.file.unlink()
    found = json.loads(migrate("plan", "real.yaml", "--json").out)["findings"]
    assert [one["text"] for one in found if one["code"] == "not-proved"] == [
        "proved.json cannot be read: no such file or directory"
    ]


@pytest.mark.parametrize("asked", ["src", "src,src", "src,nobody", "src,dst,x"])
def test_two_accounts_of_the_plan_are_asked_for(estate: Estate, migrate: Migrate, asked: str) -> None:
    done = migrate("prove", "real.yaml", "--accounts", asked)
    assert done.code == 64
    assert "cannot prove" in done.err


def test_a_file_that_is_something_else_is_not_written_over(estate: Estate, migrate: Migrate) -> None:
    estate.file.write_text("my notes")
    done = migrate("prove", "real.yaml")
    assert done.code == 64
    assert estate.file.read_text() == "my notes"
    assert estate.service.requests() == []


def test_local_accounts_promise_nothing(migrate: Migrate) -> None:
    done = migrate("prove", "p.yaml")
    assert done.code == 64
    assert "nothing about an account of its kind is taken on trust" in done.err


def test_the_page_has_every_promise() -> None:
    from migrator.engine.proving.promises import page

    assert (Path(__file__).parents[2] / "docs" / "proving.md").read_text().endswith(page())


def _until(is_so: Callable[[], Any]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    pytest.fail("it does not come")
