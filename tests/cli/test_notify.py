"""A rollout tells of itself: every occasion once over several runs, and nothing that cannot be told stands in its way."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from migrator.adapters.state import open_store
from tests.cli.conftest import PLAN, Migrate

TELL = """import json, sys
with open({path!r}, "a") as out:
    out.write(sys.stdin.read())
"""


@pytest.fixture
def told(here: Path) -> Any:
    """What the channel of ``p.yaml`` was told so far."""
    path, script = here / "told.jsonl", here / "tell.py"
    script.write_text(TELL.format(path=str(path)))
    argv = json.dumps([sys.executable, str(script)])
    (here / "p.yaml").write_text(f"{PLAN}notify: [{{kind: command, argv: {argv}}}]\n")

    def read() -> list[Any]:
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    read.channel = f"{{kind: command, argv: {argv}}}"  # type: ignore[attr-defined]
    return read


def test_a_rollout_and_its_way_back_are_told_once(migrate: Migrate, told: Any) -> None:
    migrate("sample", "p.yaml", "--objects", "20")
    assert migrate("apply", "p.yaml", "--yes").code == 0
    occasions = [(one["occasion"], one["wave"]) for one in told()]
    of_each = ("wave-started", "cut-over-begins", "cut-over-done", "wave-soaked")
    assert occasions == [(occasion, wave) for wave in ("first", "second") for occasion in of_each]
    assert all(one["pause_seconds"] > 0 for one in told() if one["occasion"] == "cut-over-done")
    assert migrate("apply", "p.yaml", "--yes").code == 0
    assert len(told()) == len(occasions), "a run in which nothing happens tells nothing"
    assert migrate("rollback", "p.yaml", "--wave", "second", "--yes").code == 0
    assert [one["occasion"] for one in told()[len(occasions) :]] == ["cut-over-begins", "rolled-back"]
    assert len({one["id"] for one in told()}) == len(told())


def test_a_wave_that_waits_for_a_person_is_told_once(migrate: Migrate, told: Any, here: Path) -> None:
    plan = here / "p.yaml"
    plan.write_text(plan.read_text().replace("  - name: first\n", "  - name: first\n    approval: required\n"))
    migrate("sample", "p.yaml", "--objects", "20")
    for _ in range(2):
        assert migrate("apply", "p.yaml", "--yes", "--no-wait").code == 3
    assert [one["occasion"] for one in told() if one["needs_person"]] == ["approval-needed"]
    assert "wave first is ready and waits for an approval: `migrate approve PLAN first" in told()[-1]["text"]


def test_a_channel_that_cannot_be_opened_is_a_warning_and_stops_nothing(migrate: Migrate, here: Path) -> None:
    (here / "p.yaml").write_text(f'{PLAN}notify: [{{kind: webhook, url: "env:NOT_SET_HERE"}}]\n')
    migrate("sample", "p.yaml", "--objects", "20")
    found = json.loads(migrate("plan", "p.yaml", "--json").out)["findings"]
    (channel,) = [one for one in found if one["code"] == "channel-cannot-be-told"]
    assert channel["severity"] == "warning"
    assert "NOT_SET_HERE is not set" in channel["text"]
    done = migrate("apply", "p.yaml", "--yes", "--wave", "first")
    assert done.code == 0
    assert "cannot notify json webhook env:NOT_SET_HERE" in done.out


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield server.getsockname()[1]


def seconds_of_work(here: Path) -> float:
    """From the first row of the journal to the last move's arrival, by the journal's own times."""
    with closing(open_store("sqlite:///state/migrator.db", "tiny")) as store:
        rows = store.journal()
    return (max(row.at for row in rows if row.evidence.get("state") == "soaked") - rows[0].at).total_seconds()


def test_a_dead_receiver_slows_nothing(migrate: Migrate, here: Path, silent: int, told: Any) -> None:
    """Measured: whoever waited for this one would wait ten seconds for each of eight notices."""
    migrate("sample", "p.yaml", "--objects", "20")
    (here / "with.yaml").write_text(
        f'{PLAN}notify: [{{kind: webhook, url: "http://127.0.0.1:{silent}/"}}, {told.channel}]\n'
    )
    assert migrate("apply", "with.yaml", "--yes").code == 0
    assert seconds_of_work(here) < 20
    assert [one["occasion"] for one in told()].count("wave-soaked") == 2, "another channel hears everything meanwhile"
