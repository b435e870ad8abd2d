"""A gate whose source does not answer, between runs that come and go: every command that reads says it, and since when."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.cli.conftest import PLAN, Migrate

GATE = """\
metrics:
  prom: {{kind: prometheus, url: "http://127.0.0.1:{port}"}}
gates:
  errors: {{source: prom, query: 'sum(errors)', max: 1, window: 200ms, settle: 0s, on_no_data: pass, min_samples: 0}}
"""
ASKED = re.compile(r"gate errors does not answer \(asked \d{4}-\d\d-\d\d \d\d:\d\d UTC\): ")


class Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - the name is http.server's

    def log_message(self, *args: object) -> None: ...


def write(here: Path, port: int) -> None:
    text = PLAN.replace("    gates: []", "    gates: [errors]", 1)
    (here / "p.yaml").write_text(text.replace("waves:\n", GATE.format(port=port) + "waves:\n"))


@pytest.fixture
def silent(migrate: Migrate, here: Path) -> Migrate:
    """One run that came, copied, and could not cut over: nothing listens at the gate's source."""
    write(here, 9)
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    done = migrate("apply", "p.yaml", "--yes", "--no-wait")
    assert (done.code, "does not answer" in done.out + done.err) == (3, True)
    return migrate


@pytest.fixture
def answering() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Answering)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_status_doctor_and_plan_say_it(silent: Migrate) -> None:
    for command in (["status", "p.yaml"], ["doctor", "p.yaml"], ["plan", "p.yaml", "--inventory", "cached"]):
        said = " ".join(silent(*command).out.split())
        assert ASKED.search(said), (command, said)
    (waits,) = [one["waiting_for"] for one in json.loads(silent("status", "p.yaml", "--json").out)["waves"]][:1]
    assert [one["who"] for one in waits if one["kind"] == "gate" and ASKED.match(one["who"])]
    said = silent("status", "p.yaml").out
    assert "Next: see why gate errors does not answer" in said, said


def test_it_is_over_once_the_source_answered(silent: Migrate, here: Path, answering: int) -> None:
    write(here, answering)
    assert silent("apply", "p.yaml", "--yes").code == 0
    for command in ("status", "doctor", "plan"):
        assert "does not answer" not in silent(command, "p.yaml").out


def test_a_gate_that_left_the_plan_is_not_spoken_of(silent: Migrate, here: Path) -> None:
    (here / "p.yaml").write_text(PLAN)
    for command in ("status", "doctor", "plan"):
        assert "does not answer" not in silent(command, "p.yaml").out
