"""The router behind a command keeps the promises of the port, and refuses a command that does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from migrator.adapters.operators_commands import NotStarted
from migrator.adapters.routing import CommandRouter
from migrator.adapters.routing import command as command_module
from migrator.errors import CloudError, OutcomeUnknown, RouteChanged
from migrator.ports.router import Router, RouteSnapshot
from tests.contract.router_suite import EMPTY, RECORD, RouterSuite


class Told:
    """A command in memory, as well-behaved as one can be: versions have numbers."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[bytes, int]] = {}
        self.calls: list[tuple[str, ...]] = []

    async def run(self, argv: Sequence[str], asked: bytes, **_: Any) -> bytes:
        self.calls.append(tuple(argv))
        await asyncio.sleep(0)
        place, verb, *rest = argv[1:]
        raw, version = self.held.get(place, (None, 0))
        if verb == "get":
            text = raw.decode("utf-8", "replace") if raw is not None else None
            return json.dumps({"etag": str(version), "document": text}).encode()
        if rest != [str(version) if version else ""]:
            return b'{"changed": true}'
        self.held[place] = (asked, version + 1)
        return json.dumps({"etag": str(version + 1)}).encode()


class TestCommandRouter(RouterSuite):
    @pytest.fixture(autouse=True)
    def place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told = Told()
        monkeypatch.setattr(command_module, "run", self.told.run)

    def open(self) -> Router:
        return CommandRouter(["routes", "place"], {})

    async def overwrite(self, raw: bytes) -> None:
        self.told.held["place"] = (raw, self.told.held.get("place", (b"", 0))[1] + 1)

    async def test_an_oversized_document_is_a_plain_error(self) -> None:
        await self.overwrite(b" " * (command_module.MOST_BYTES + 1))
        with pytest.raises(CloudError, match="more than 524288"):
            await self.open().read("europe")

    async def test_a_region_in_its_argv_makes_a_document_for_each(self) -> None:
        router = CommandRouter(["routes", "of-$region"], {})
        await router.swap("europe", EMPTY.with_record("europe/web", RECORD), expected_etag=None)
        assert await router.read("asia") == RouteSnapshot(None, None)
        assert list(self.told.held) == ["of-europe"]
        assert router.document_of("europe") != router.document_of("asia")

    async def test_a_stale_swap_is_tried_once_before_the_first_swap(self) -> None:
        router = self.open()
        etag = await router.swap("europe", EMPTY, expected_etag=None)
        assert [call[2] for call in self.told.calls] == ["get", "swap", "swap"]
        await router.swap("europe", EMPTY, expected_etag=etag)
        assert [call[2] for call in self.told.calls][3:] == ["swap"]


Answer = Callable[[Sequence[str]], bytes | Exception]


def router_of(monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, bytes | Exception | Answer]) -> CommandRouter:
    """Behind a command with such answers by its verb."""

    async def run(argv: Sequence[str], asked: bytes, **_: Any) -> bytes:
        said = answers[argv[1]]
        said = said(argv) if callable(said) else said
        if isinstance(said, Exception):
            raise said
        return said

    monkeypatch.setattr(command_module, "run", run)
    return CommandRouter(["routes"], {})


NONE, THERE = b"{}", json.dumps({"etag": "7", "document": EMPTY.encode().decode()}).encode()


@pytest.mark.parametrize(
    ("there", "takes", "told"),
    [
        pytest.param(NONE, lambda etag: True, "no document has", id="it compares nothing"),
        pytest.param(THERE, lambda etag: etag == "", "not there yet", id="it makes what is there already"),
        pytest.param(NONE, lambda etag: etag != "", "no document has", id="it replaces what is not there"),
    ],
)
async def test_a_command_that_takes_a_stale_swap_is_refused_before_anything_is_swapped(
    monkeypatch: pytest.MonkeyPatch, there: bytes, takes: Callable[[str], bool], told: str
) -> None:
    router = router_of(
        monkeypatch, {"get": there, "swap": lambda argv: b'{"etag": "8"}' if takes(argv[2]) else b'{"changed": true}'}
    )
    with pytest.raises(CloudError, match=told):
        await router.prove_writable("europe")
    with pytest.raises(CloudError, match=told):
        await router.swap("europe", EMPTY.with_record("a/b", RECORD), expected_etag="7")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"done",
        b"[]",
        b"{}",
        b'{"etag": ""}',
        b'{"etag": 7}',
        b'{"changed": "yes"}',
        CloudError("cannot change: it exited with 1"),
    ],
)
async def test_whatever_else_it_answers_to_a_swap_may_have_been_written(
    monkeypatch: pytest.MonkeyPatch, said: bytes | Exception
) -> None:
    answers: dict[str, bytes | Exception | Answer] = {"get": THERE, "swap": b'{"changed": true}'}
    router = router_of(monkeypatch, answers)
    await router.prove_writable("europe")
    answers["swap"] = said
    with pytest.raises(OutcomeUnknown):
        await router.swap("europe", EMPTY, expected_etag="7")


async def test_a_command_that_is_not_there_has_written_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    router = router_of(monkeypatch, {"get": THERE, "swap": b'{"changed": true}'})
    await router.prove_writable("europe")
    with pytest.raises(RouteChanged):
        await router.swap("europe", EMPTY, expected_etag="6")
    router_of(monkeypatch, {"swap": NotStarted("cannot run the command routes: no such file or directory")})
    with pytest.raises(NotStarted):
        await router.swap("europe", EMPTY, expected_etag="7")


@pytest.mark.parametrize("said", [b"", b"no", b"[1]", b'{"document": "{}"}'])
async def test_what_is_no_answer_to_get_is_a_plain_error(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    with pytest.raises(CloudError, match=r"cannot read the routes in command routes: ") as caught:
        await router_of(monkeypatch, {"get": said}).read("europe")
    assert caught.value.hint


ROOT = Path(__file__).parents[2]


def script_of_the_page(folder: Path) -> Path:
    """The command that ``docs/routing.md`` shows, in ``folder``."""
    text = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")
    script = folder / "routes.sh"
    script.write_text(text.partition("```sh\n")[2].partition("```")[0])
    script.chmod(0o755)
    return script


async def test_the_shell_script_of_the_page_on_routes_is_enough(tmp_path: Path) -> None:
    script = script_of_the_page(tmp_path)
    router = CommandRouter([str(script), str(tmp_path)], {"PATH": "/usr/bin:/bin"})
    await router.prove_writable("europe")
    assert await router.read("europe") == RouteSnapshot(None, None)
    document = EMPTY.with_record("europe/café", RECORD)
    etag = await router.swap("europe", document, expected_etag=None)
    assert await router.read("europe") == RouteSnapshot(document, etag)
    await router.prove_writable("europe")
    with pytest.raises(RouteChanged):
        await router.swap("europe", EMPTY, expected_etag="0")
    assert (await router.read("europe")).etag == etag
