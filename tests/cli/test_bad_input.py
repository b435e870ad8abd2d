"""Whatever is wrong outside: one clear sentence, the right exit code, no traceback, nothing half done.

Each row of the table is one mistake an operator can make, with the words that must be in the sentence. The tests that need
another user, a disk of their own or a real blob service follow the table.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from migrator.adapters.local import LocalStore
from migrator.model.objects import CREATE, BlobType, ContainerInfo, ContentHeaders, Shape
from tests.azurite.server import Azurite
from tests.cli.conftest import PLAN, Done, Migrate

CONNECTION = "DefaultEndpointsProtocol=http;AccountName=core;AccountKey={key};BlobEndpoint={endpoint};"
KEY = base64.b64encode(bytes(64)).decode()
NOWHERE = "http://127.0.0.1:1/core"
BOMB = "version: 1\na: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@dataclass(frozen=True)
class Mistake:
    """``plan``: bytes of the document, or what to do to the good one. ``says``: parts of the sentence, in any order.
    ``does``: what else is wrong. ``words``: the commands that must refuse; PLAN stands for the document."""

    name: str
    plan: bytes | Callable[[str], str] | None
    says: tuple[str, ...]
    words: tuple[tuple[str, ...], ...] = (("validate", "PLAN"), ("plan", "PLAN"), ("apply", "PLAN", "--yes"))
    code: int = 1
    does: Callable[[Path], None] = lambda here: None


def swap(old: str, new: str) -> Callable[[str], str]:
    def changed(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return changed


def far(key: str, endpoint: str = NOWHERE) -> Callable[[Path], None]:
    """The source is a blob service, its connection string in CORE."""
    return lambda here: os.environ.update(CORE=CONNECTION.format(key=key, endpoint=endpoint))


def foreign_at_target(here: Path) -> None:
    async def work() -> None:
        store = LocalStore("web", here / "state/web.db")
        await store.create_container(ContainerInfo("web-visits"))
        shape = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)
        await store.put("web-visits", "somebody-else", b"theirs", shape, condition=CREATE)
        await store.close()

    asyncio.run(work())


REMOTE = swap("core: {kind: local, path: state/core.db}", f'core: {{endpoint: "{NOWHERE}", credential: "env:CORE"}}')
SECRET = CONNECTION.format(key=KEY, endpoint=NOWHERE)
INLINE = swap("{kind: local, path: state/web.db}", f'{{endpoint: "https://w.blob.example", credential: "{SECRET}"}}')
LOOKING = (("plan", "PLAN"), ("apply", "PLAN", "--yes"))
APPLYING = (("apply", "PLAN", "--yes"),)


def good(text: str) -> str:
    return text


def tear_routes(here: Path) -> None:
    (here / "state/routes.json").write_text("{")


def rubbish(here: Path) -> None:
    os.environ["CORE"] = "rubbish"


def stored(url: str) -> tuple[tuple[str, ...], ...]:
    return (("--state", url, "apply", "PLAN", "--yes"),)


MISTAKES = (
    Mistake("missing file", None, ("p.yaml", "no such file")),
    Mistake("empty file", b"", ("p.yaml", "empty")),
    Mistake("only comments", b"# nothing\n", ("p.yaml",)),
    Mistake("not text", bytes(range(128, 256)), ("p.yaml", "UTF-8")),
    Mistake("not YAML", b"version: [1\n", ("p.yaml:",)),
    Mistake("a list", b"- 1\n", ("p.yaml", "mapping")),
    Mistake("a YAML bomb", BOMB.encode(), ("p.yaml:", "aliases")),
    Mistake("deep nesting", b"version: " + b"[" * 50_000, ("p.yaml:", "levels")),
    Mistake("an object of Python", b"version: !!python/object/apply:os.getcwd []\n", ("p.yaml:1:10", "tags")),
    Mistake("a newer version", swap("version: 1", "version: 2"), ("p.yaml:1:10", "version")),
    Mistake("an unknown key", swap("soak: 300ms", "soka: 300ms"), ("soka", "soak", "p.yaml:")),
    Mistake("a wrong type", swap("soak: 300ms", "soak: [300]"), ("waves[0].soak", "p.yaml:")),
    Mistake("a wrong unit", swap("ttl: 100ms", "ttl: 100 apples"), ("routing.ttl", "p.yaml:")),
    Mistake("a key twice", swap("name: tiny", "name: tiny\nname: again"), ("name", "twice")),
    Mistake("a secret in the plan", INLINE, ("credential",)),
    Mistake("a missing source file", swap("state/core.db", "state/gone.db"), ("core", "gone.db"), LOOKING),
    Mistake("a missing container", swap("name: events", "name: evnets"), ("evnets", "core"), APPLYING),
    Mistake("foreign data at the target", good, ("web already holds",), APPLYING, does=foreign_at_target),
    Mistake("no such variable", REMOTE, ("CORE", "not set"), LOOKING),
    Mistake("a variable of rubbish", REMOTE, ("CORE", "connection string"), LOOKING, does=rubbish),
    Mistake("an unreachable endpoint", REMOTE, ("core", "127.0.0.1:1"), LOOKING, does=far(KEY)),
    Mistake("a route file that is none", good, ("state/routes.json",), (("routes", "PLAN"),), does=tear_routes),
    Mistake("a state URL without sense", good, ("URL", "sqlite:///"), stored("nonsense")),
    Mistake("a state store that is none", good, ("p.yaml", "not a state store"), stored("sqlite:///p.yaml")),
    Mistake("no such wave", good, ("thrid", "first"), (("apply", "PLAN", "--yes", "--wave", "thrid"),), code=64),
    Mistake("no such command", good, ("aply",), (("aply", "PLAN"),), code=64),
    Mistake("no such option", good, ("--yess",), (("apply", "PLAN", "--yess"),), code=64),
)  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_one_sentence_and_nothing_is_begun(
    migrate: Migrate, here: Path, mistake: Mistake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORE", "")
    monkeypatch.delenv("CORE")
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    _write(here / "p.yaml", mistake.plan)
    mistake.does(here)
    before = snapshot(here)
    for words in mistake.words:
        done = migrate(*("p.yaml" if word == "PLAN" else word for word in words))
        one_clear_sentence(done, mistake.code, mistake.says)
        assert snapshot(here) == before, f"{words} left something behind"


def _write(path: Path, plan: bytes | Callable[[str], str] | None) -> None:
    if plan is None:
        path.unlink()
    elif isinstance(plan, bytes):
        path.write_bytes(plan)
    else:
        path.write_text(plan(PLAN))


def snapshot(here: Path) -> dict[str, object]:
    """Every file; of an account what customers see: it counts the requests of lookers too."""
    found: dict[str, object] = {}
    for path in sorted(here.rglob("*")):
        if path.suffix == ".db" and path.stat().st_size:
            with contextlib.closing(sqlite3.connect(path)) as account:
                found[path.name] = [
                    account.execute(f"SELECT * FROM {table}").fetchall() for table in ("containers", "blobs")
                ]
        elif path.is_file() and not path.name.endswith("-journal"):
            found[path.name] = path.read_bytes()
    return found


def one_clear_sentence(done: Done, code: int, says: tuple[str, ...]) -> None:
    """On standard error; a preview says it among its findings."""
    assert done.code == code, done.err
    told = [line for line in done.err.splitlines() if not line.startswith("warning: ")]
    if not told:
        told = [line for line in done.out.splitlines() if line.startswith("error: ")]
    assert sum(line.startswith("error: ") for line in told) == 1, done.err
    assert told[0].startswith("error: ")
    assert all(line.startswith("  ") for line in told[1:]), done.err
    assert not told[0].endswith(".")
    for part in says:
        assert part in "\n".join(told), done.err
    assert "Traceback" not in done.err + done.out
    assert "internal error" not in done.err
    assert KEY not in done.err + done.out


# What needs another user, a disk of its own, a real blob service.


@contextlib.contextmanager
def small_disk(path: Path, size_kib: int) -> Iterator[Path]:
    """A disk of its own. Skipped where nobody may mount one, except in continuous integration."""
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k,mode=0755", "tmpfs", str(path)],
        capture_output=True,
        check=False,
    )
    if done.returncode and os.environ.get("CI") != "true":
        pytest.skip("cannot mount a small disk here")
    assert done.returncode == 0, done.stderr
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.parametrize(
    "size_kib", [0, 40, 120], ids=["no room at all", "no room for the tables", "no room for a journal"]
)
def test_a_full_disk_is_one_sentence_and_the_next_apply_goes_on(migrate: Migrate, here: Path, size_kib: int) -> None:
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    with small_disk(here / "disk", size_kib + 4) as disk:
        words = ("--state", "sqlite:///disk/m.db", "apply", "p.yaml", "--yes")
        done = migrate(*words)
        one_clear_sentence(done, 1, ("disk/m.db", "the disk is full"))
        assert not (here / "state/routes.json").exists()
        assert not (here / "state/web.db").exists()
        subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
        assert migrate(*words).code == 0


def test_a_disk_that_fills_up_in_a_fence_does_not_keep_writers_out(here: Path, migrate: Migrate) -> None:
    """The engine cannot write down what it does: so it undoes the fence, says why, and the next apply goes on."""
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    with small_disk(here / "disk", 400) as disk:
        words = ["--state", "sqlite:///disk/m.db", "apply", "p.yaml", "--yes", "--json"]
        process = subprocess.Popen(
            [sys.executable, "-m", "migrator.cli.app", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            if '"draining"' in line:
                fill_up(disk)
                break
        out, err = process.communicate(timeout=60)
        one_clear_sentence(Done(process.returncode, out, err), 1, ("disk/m.db",))
        deadline = time.monotonic() + 5
        while mode_of(here) != "core read-write":
            assert time.monotonic() < deadline, "writers are kept out"
            time.sleep(0.05)
        subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
        assert migrate(*words).code == 0
        assert mode_of(here) == "web read-write"


def fill_up(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


def mode_of(here: Path) -> str:
    record = json.loads((here / "state/routes.json").read_text())["routes"]["north-america/web-tracking"]
    return f"{record['account']} {record['mode']}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    "words", [("apply", "p.yaml", "--yes"), ("hold", "p.yaml"), ("sample", "p.yaml")], ids=lambda words: words[0]
)
def test_a_read_only_directory_is_one_sentence(migrate: Migrate, words: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as name:  # other users cannot reach pytest's folders
        place = Path(name)
        place.chmod(0o755)
        (place / "p.yaml").write_text(PLAN)
        with contextlib.chdir(place):
            assert migrate("sample", "p.yaml", "--objects", "10").code == 0
        subprocess.run(["chmod", "-R", "a+rX,go-w", name], check=True)
        before = snapshot(place)
        done = subprocess.run(
            [
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                sys.executable,
                "-m",
                "migrator.cli.app",
                *words,
            ],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        one_clear_sentence(Done(done.returncode, done.stdout, done.stderr), 1, ("state/",))
        assert snapshot(place) == before


@pytest.mark.parametrize("wrong", ["key", "account", "endpoint"])
def test_wrong_credentials_are_one_sentence_without_the_secret(
    azurite: Azurite, migrate: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    account = azurite.take()
    text = azurite.connection_string(account)
    if wrong == "key":
        text = text.replace(azurite.key(account), KEY)
    elif wrong == "account":
        text = text.replace(account, "nobody")
    endpoint = azurite.endpoint("nobody" if wrong == "account" else account)
    if wrong == "endpoint":
        endpoint = endpoint.replace(account, "another")
    monkeypatch.setenv("CORE", text)
    plan = REMOTE(PLAN).replace(NOWHERE, endpoint)
    plan = plan.replace("name: tiny", "name: tiny\ndefaults: {account: {api_version: '2025-11-05'}}")
    (here / "p.yaml").write_text(plan)
    before = snapshot(here)
    for words in (("plan", "p.yaml"), ("apply", "p.yaml", "--yes")):
        done = migrate(*words)
        one_clear_sentence(done, 1, ("core",))
        assert azurite.key(account) not in done.err + done.out
        assert snapshot(here) == before


@pytest.mark.parametrize(("share", "why"), [("150%", "more than all objects"), ("x", "is not a percentage")])
def test_a_rehearsal_deletes_no_more_than_there_is(migrate: Migrate, here: Path, share: str, why: str) -> None:
    (here / "p.yaml").write_text(PLAN)
    done = migrate("rehearse", "p.yaml", "--deletes", share)
    assert (done.code, why in done.err, done.out) == (64, True, "")
