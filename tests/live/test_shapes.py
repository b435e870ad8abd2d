"""The example plan for a real blob service, applied by the real command while customers write: 2,000 blobs of all shapes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.azurite.server import Azurite
from tests.live.journal_of_writes import State, replay, state_of
from tests.live.plain import Place, differences, everything, fill, service
from tests.live.writer import Order

ROOT = Path(__file__).resolve().parents[2]
REGIONS = {"north-america": "na", "europe": "eu", "asia-pacific": "ap"}
PLACES = [
    Place("web-visits"),
    Place("web-pages"),
    Place("events", "email/"),
    Place("events", "campaign/"),
    Place("participants"),
    Place("images"),
]
BLOBS = 2_000
HOT = 20


class Estate:
    """Two accounts per region on one server, under the names of ``plans/azurite.yaml``."""

    def __init__(self, azurite: Azurite, folder: Path) -> None:
        self.folder = folder
        plan = (ROOT / "plans/azurite.yaml").read_text()
        self.endpoints, self.texts = {}, {}
        for short in REGIONS.values():
            for role in ("core", "split"):
                account = azurite.take()
                self.endpoints[f"{short}-{role}"] = azurite.endpoint(account)
                self.texts[f"{short}-{role}"] = azurite.connection_string(account)
                plan = plan.replace(f'"http://127.0.0.1:10000/{short}{role}"', f'"{azurite.endpoint(account)}"')
        assert ":10000" not in plan.partition("accounts:\n")[2]
        (folder / "p.yaml").write_text(plan)
        self.environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.environ |= {self.variable(name): text for name, text in self.texts.items()}

    @staticmethod
    def variable(name: str) -> str:
        return f"{name.upper().replace('-', '_')}_CONNECTION"

    def migrate(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "migrator.cli.app", *words],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=540,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    @contextmanager
    def writer(self, region: str) -> Iterator[Path]:
        """A customer in the images of ``region``, from the first route record to the end of the block; its log."""
        log = self.folder / "writer.jsonl"
        credentials = {endpoint: self.variable(name) for name, endpoint in self.endpoints.items()}
        routes = f"{self.endpoints['na-core']}/routing/routes.json"
        secret = f"env:{self.variable('na-core')}"
        order = Order(routes, secret, credentials, region, "image-manager", "images", 0, HOT, str(log), 1)
        process = subprocess.Popen([sys.executable, "-m", "tests.live.writer", order.text()], env=self.environ)
        try:
            yield log
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0

    def seen(self, role: str) -> dict[str, dict[str, object]]:
        """Everything at the three accounts of a role."""
        found: dict[str, dict[str, object]] = {}
        for short in REGIONS.values():
            client = service(self.texts[f"{short}-{role}"])
            for place in PLACES:
                blobs = everything(client, place.container, place.prefix)
                found |= {f"{short} {place.container}/{name}": one for name, one in blobs.items()}
        return found


def is_writers(name: str) -> bool:
    return name.startswith("na images/hot/") or name.startswith("na images/cold/")


@pytest.mark.live
def test_blobs_of_all_shapes_arrive_identical_while_a_writer_keeps_writing(azurite: Azurite, tmp_path: Path) -> None:
    estate = Estate(azurite, tmp_path)
    for number, short in enumerate(REGIONS.values()):
        fill(service(estate.texts[f"{short}-core"]), PLACES, BLOBS // 3 + 1, seed=number)
    before = estate.seen("core")
    assert len(before) >= BLOBS
    assert "Nothing stands in the way." in estate.migrate("plan", "p.yaml")
    with estate.writer("north-america") as log:
        said = estate.migrate("apply", "p.yaml", "--yes")
        time.sleep(1)
    assert said.rstrip().endswith("Done."), said
    after = estate.seen("split")
    still = {name: one for name, one in after.items() if not is_writers(name)}
    assert list(differences(still, before))[:20] == []
    written = replay([log])
    found = {name.removeprefix("na images/"): one for name, one in after.items() if is_writers(name)}
    wrong = [name for name, states in written.may_be.items() if _state(found.get(name)) not in states]
    assert (wrong, written.surprises, written.unusable) == ([], [], [])
    assert found.keys() <= written.may_be.keys()
    assert len(written.acknowledged) > 200
    assert "\x1b" not in said
    assert len(json.loads(estate.migrate("routes", "p.yaml", "--json"))["document"]["routes"]) == 12
    print(f"\n{len(before)} blobs moved, {len(written.acknowledged)} writes meanwhile, pauses {written.pauses}")


def _state(found: dict[str, object] | None) -> State:
    if found is None:
        return None
    _, tags, kind, _ = state_of(b"", found["tags"], found["type"].value, None)  # type: ignore[arg-type,attr-defined]
    tier = found["tier"] if kind == "BlockBlob" else None
    return str(found["bytes"]), tags, kind, None if tier is None else str(tier)
