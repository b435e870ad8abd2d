"""Whoever runs a rollout can be watched: scraped while it runs, read from a file, and logged beside the screen."""

from __future__ import annotations

import json
import socket
import stat
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from migrator.cli.views.lines import PlainLines
from migrator.cli.views.progress import Courier, Couriers, Display, Note
from migrator.model.happenings.rollouts import RunConcluded
from tests.cli.conftest import Migrate


def values(text: str) -> Counter[str]:
    """Series name -> the sum over its labels."""
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            found[one.name] += one.value
    return found


def test_status_writes_a_file_for_cron(migrate: Migrate, here: Path) -> None:
    before = migrate("status", "p.yaml", "--metrics-file", "rollout.prom")
    assert (before.code, before.out) == (0, "")
    assert values((here / "rollout.prom").read_text())["migrate_run_at_work"] == 0
    migrate("sample", "p.yaml", "--objects", "20")
    migrate("apply", "p.yaml", "--yes", "--no-wait")
    migrate("status", "p.yaml", "--metrics-file", "rollout.prom")
    assert values((here / "rollout.prom").read_text())["migrate_move_copied_objects_total"] == 20


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("status", "--metrics-file", "x.prom"), "cannot write metrics: the plan is not named"),
        (
            ("status", "p.yaml", "--metrics-file", "no/such/folder.prom"),
            "cannot write metrics to no/such/folder.prom",
        ),
        (
            ("apply", "p.yaml", "--yes", "--metrics-listen", "9464"),
            "cannot serve metrics at 9464: expected HOST:PORT",
        ),
        (("apply", "p.yaml", "--yes", "--log-file", "no/such/log"), "cannot write a log to no/such/log"),
        (("apply", "p.yaml", "--yes", "--log-format", "xml"), "cannot write a log as xml: unknown format"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_begins(
    migrate: Migrate, here: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = migrate(*arguments)
    assert done.code == 64
    assert said in done.err
    assert not (here / "state/routes.json").exists()


def test_a_port_that_somebody_has_is_refused_before_anything_begins(migrate: Migrate, here: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = migrate("apply", "p.yaml", "--yes", "--metrics-listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.code == 64
    assert "cannot serve metrics at 127.0.0.1:" in done.err


def test_a_log_has_all_that_happened_and_how_it_ended(migrate: Migrate, here: Path) -> None:
    migrate("sample", "p.yaml", "--objects", "20")
    migrate("apply", "p.yaml", "--yes", "--no-wait", "--log-file", "run.log", "--log-format", "json")
    log = here / "run.log"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[-1]["happening"] == "outcome"
    assert {line["kind"] for line in lines} >= {"state-changed", "fence", "pass"}
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    length = len(lines)
    migrate("apply", "p.yaml", "--yes", "--no-wait", "--log-file", "run.log", "--log-format", "json")
    assert len(log.read_text().splitlines()) > length, "a log is appended to"


def test_a_log_for_people_says_how_a_run_ended(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    with path.open("w") as stream, Courier(PlainLines(stream)) as courier:
        courier.event(RunConcluded("done", ()))
        courier.event(RunConcluded("waiting", ("na/web: soak",)))
    ends = [line.split("Z ", 1)[1] for line in path.read_text().splitlines()]
    assert ends == ["run ended: done", "run ended: waiting: na/web: soak"]


class Full:
    """A log on a full disk."""

    def open(self) -> None: ...
    def event(self, note: Note) -> None:
        raise OSError(28, "No space left on device")

    def progress(self, note: Note) -> None: ...
    def tick(self) -> None: ...

    def close(self) -> None: ...


def test_a_log_that_cannot_be_written_does_not_stop_the_screen(tmp_path: Path) -> None:
    path, log = tmp_path / "screen", Full()
    display: Display = log
    with path.open("w") as stream, Courier(PlainLines(stream)) as screen, Couriers.of(screen, display) as both:
        for _ in range(3):
            both.event(RunConcluded("done", ()))
    assert len(path.read_text().splitlines()) == 3
