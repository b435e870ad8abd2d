"""Notices of a rollout whose every run is killed at a commit: a web server and a mail server get each once, and in order.

Once means by its id: a run that dies between sending and writing that down sends one again, under the same id, and that is the
only kind of double there may be. ``CRASH=all`` kills at every row of the way forward, else here and there.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.contract.prometheus_server import free_port
from tests.crash.conftest import Worlds
from tests.crash.killed import Order
from tests.crash.stories import APPLY
from tests.crash.world import Folder

ROWS = (
    "forward pending begun",
    "forward preflight checked",
    "forward copying copied",
    "forward catching-up caught-up",
    "forward ready admitted",
    "forward fencing fenced",
    "forward draining drained",
    "forward verifying proved",
    "forward switching switched",
    "forward soaking soaked",
)
KILLED = [(row, when) for row in ROWS for when in ("before", "after")]


class Receivers:
    """A web server and a mail server; each keeps the ids and the texts that it took. ``answers`` False: both are away."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, str, str]] = []
        self.letters: list[tuple[str, str]] = []
        taken = self.posted

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                taken.append((body["id"], body["occasion"], body["area"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        self._web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._web.serve_forever, daemon=True).start()
        self._mail = Controller(self, hostname="127.0.0.1", port=free_port())
        self._mail.start()

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        letter = message_from_bytes(envelope.content)
        self.letters.append((str(letter["Message-ID"]), str(letter["Subject"])))
        return "250 OK"

    def channels(self) -> str:
        return (
            f'notify: [{{kind: webhook, url: "http://127.0.0.1:{self._web.server_address[1]}/"}}, {{kind: email,'
            f' server: "smtp://127.0.0.1:{self._mail.port}", sender: a@example.org, to: [b@example.org]}}]\n'
        )

    def close(self) -> None:
        self._web.shutdown()
        self._web.server_close()
        self._mail.stop()


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    made = Receivers()
    yield made
    made.close()


def killed_again_and_again(folder: Folder, receivers: Receivers) -> None:
    plan = folder.path / "p.yaml"
    plan.write_text(plan.read_text() + receivers.channels())
    everywhere = os.environ.get("CRASH") == "all"
    for place, (row, when) in enumerate(KILLED):
        if everywhere or place % 5 == 0:
            folder.migrate_until_killed(Order(row, when, dead_run_seconds=0.2), *APPLY)
    folder.migrate(*APPLY, expect=0)


def without_doubles(taken: list[Any]) -> list[Any]:
    """One of each that came twice directly after itself, under one id."""
    return [first for _, (first, *_) in ((id, list(group)) for id, group in groupby(taken, key=lambda one: one[0]))]


@pytest.mark.crash
def test_each_receiver_gets_each_notice_once_and_in_order(world: Worlds, receivers: Receivers) -> None:
    folder = world("fresh")
    killed_again_and_again(folder, receivers)
    posted, letters = without_doubles(receivers.posted), without_doubles(receivers.letters)
    assert len({one[0] for one in posted}) == len(posted), folder.story()
    numbers = [int(one[0].split("/")[1]) for one in posted]
    assert numbers == sorted(numbers)
    assert [id.strip("<>").split("@")[0] for id, _ in letters] == [one[0].replace("/", ".") for one in posted]
    kinds = [occasion for _, occasion, _ in posted]
    assert (kinds[0], kinds[-1]) == ("wave-started", "wave-soaked")
    done = sorted(area for _, occasion, area in posted if occasion == "cut-over-done")
    assert done == ["email-events", "web-tracking"]
    assert kinds.count("wave-started") == kinds.count("wave-soaked") == 1
    journal = folder.journal_after(0)
    assert {row.number for row in journal if row.happening in ("switched", "fence-released")} <= set(numbers)
