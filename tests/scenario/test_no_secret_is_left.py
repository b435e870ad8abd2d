"""A whole rollout with keys, signatures, a token, an application's secret, the access key of the store that the routes are in,
the address of a webhook, a key in a comment of the plan and a password in the address of the state store: none of them is found
afterwards, in no file, no output and no command line, in no spelling; nor is any signature at all. What is planted is found.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from azure.storage.blob import AccountSasPermissions, BlobServiceClient, ResourceTypes, generate_account_sas

from migrator.testing.estate import Estate, running
from tests.azurite.server import Azurite

PASSWORD = "hunter2-hunter2-hunter2"
TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIHRva2VuIG9mIGEgdGVzdCJ9.bm90LXNpZ25lZC1hdC1hbGw"
COMMENTED = base64.b64encode(bytes(range(100, 164))).decode()
CLIENT_SECRET = "aB7~Q8~the-secret-of-an-application-0123456789"
WEBHOOK = "webhookb2/0f8fad5b-d9cb-469f-a165-70867728950e/IncomingWebhook/7c9e6679"
HEAD = 24
"""So much of a secret is one already."""


def spellings(secret: str) -> Iterator[bytes]:
    """As it stands, percent-encoded once and twice, as JSON, base64, hex, and in the two bytes of other systems."""
    raw = secret.encode()
    yield raw
    yield from (quote(secret, safe="").encode(), quote(quote(secret, safe=""), safe="").encode())
    yield from (json.dumps(secret)[1:-1].encode(), raw.hex().encode(), secret.encode("utf-16-le"))
    for shift in range(3):  # base64 of a text that holds it at any place
        middle = base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4]
        yield from (middle, middle.replace(b"+", b"-").replace(b"/", b"_"))
    try:
        yield base64.b64decode(secret, validate=True)
    except ValueError:
        return


ANY_SIGNATURE = re.compile(rb"(?i)sig(?:=|%(?:25)*3d)(?:[a-z0-9+/_-]|%[0-9a-f]{2}){16,}")
"""Of whatever key, ours that live for minutes among them."""


def found(secrets: dict[str, str], places: Iterable[tuple[str, bytes]]) -> list[str]:
    places = list(places)
    needles = [
        (name, needle[:HEAD])
        for name, secret in secrets.items()
        for needle in spellings(secret)
        if len(needle) >= HEAD - 4
    ]
    signed = [f"a signature in {place}" for place, content in places if ANY_SIGNATURE.search(content)]
    return signed + [f"{name} in {place}" for place, content in places for name, needle in needles if needle in content]


class Rollout:
    """A folder with a plan, and all that was said in it."""

    def __init__(self, folder: Path, azurite: Azurite, estate: Estate) -> None:
        self.folder = folder
        self.store, self.endpoint = estate.store("routing"), f"{estate.public}/appconfig/routing"
        names = {name: azurite.take() for name in ("ksrc", "kdst", "ssrc", "sdst")}
        self.keys = {name: azurite.key(account) for name, account in names.items()}
        self.signatures = {name: self._signature(names[name], self.keys[name]) for name in ("ssrc", "sdst")}
        self.said: list[tuple[str, bytes]] = []
        self.environ = {
            **os.environ,
            "KSRC": azurite.connection_string(names["ksrc"]),
            "KDST": azurite.connection_string(names["kdst"]),
            "SSRC": self.signatures["ssrc"],
            "SDST": self.signatures["sdst"],
            "WRONG": self.signatures["sdst"].replace("sig=", "sig=A"),
            "MIGRATE_METRICS_TOKEN": TOKEN,
            "ROUTES": self.store.connection_string(self.endpoint),
            "WEBHOOK": f"{estate.public}/{WEBHOOK}",
            **{"NA_TENANT_ID": "tenant", "NA_CLIENT_ID": "application", "NA_CLIENT_SECRET": CLIENT_SECRET},
            "MIGRATE_STATE": f"sqlite:///file:{folder}/state.db?uri=true&password={PASSWORD}",
        }
        for name in ("ksrc", "ssrc"):
            service = BlobServiceClient(azurite.endpoint(names[name]), credential=self.keys[name])
            box = service.create_container("box")
            for number in range(20):
                box.upload_blob(f"n{number}", b"x", metadata={"n": str(number)})
        accounts = {
            name: {"endpoint": azurite.endpoint(account), "credential": f"env:{name.upper()}"}
            for name, account in names.items()
        }
        plan = {
            "version": 1,
            "name": "quiet",
            "defaults": {"account": {"api_version": "2025-11-05"}},
            "accounts": accounts,
            "areas": {"all": {"containers": ["box"]}},
            "regions": {
                "one": {"source": "ksrc", "targets": {"all": "sdst"}},
                "two": {"source": "ssrc", "targets": {"all": "kdst"}},
            },
            "routing": {
                "kind": "app-configuration",
                "endpoint": self.endpoint,
                "credential": "env:ROUTES",
                "ttl": "500ms",
            },
            "cutover": {
                "max_write": "500ms",
                "clock_margin": "100ms",
                "fence_timeout": "30s",
                "straggler_interval": "1s",
            },
            "notify": [{"kind": "webhook", "url": "env:WEBHOOK"}],
            "metrics": {
                "prom": {"kind": "prometheus", "url": "http://127.0.0.1:9", "credential": "env:MIGRATE_METRICS_TOKEN"}
            },
            "gates": {
                "up": {"source": "prom", "query": "up", "max": 1, "window": "1s", "settle": "0s", "on_no_data": "pass"}
            },
            "waves": [
                {"name": "first", "moves": [{"region": "one", "areas": "*"}], "soak": "500ms", "interval": "200ms"},
                {"name": "later", "moves": [{"region": "two", "areas": "*"}], "soak": "1s", "gates": ["up"]},
            ],
        }
        comment = f"# was: DefaultEndpointsProtocol=https;AccountName=old;AccountKey={COMMENTED}\n"
        (folder / "p.yaml").write_text(comment + json.dumps(plan, indent=1))
        wrong = json.dumps(plan, indent=1).replace("env:SDST", "env:WRONG").replace('"quiet"', '"wrong"')
        (folder / "wrong.yaml").write_text(wrong)
        signed = json.dumps({**plan, "cloud": {"authority": "https://127.0.0.1:9"}}, indent=1).replace(
            '"quiet"', '"signed"'
        )
        (folder / "signed.yaml").write_text(signed.replace("env:SDST", "client-secret:NA"))

    @staticmethod
    def _signature(account: str, key: str) -> str:
        rights = AccountSasPermissions(
            read=True, write=True, delete=True, list=True, add=True, create=True, tag=True, filter_by_tags=True
        )
        resources = ResourceTypes(service=True, container=True, object=True)
        return generate_account_sas(account, key, resources, rights, datetime.now(UTC) + timedelta(hours=2))

    @property
    def secrets(self) -> dict[str, str]:
        signed = {f"signature of {name}": text.partition("sig=")[2] for name, text in self.signatures.items()}
        return {
            **{f"key of {name}": key for name, key in self.keys.items()},
            **signed,
            "token": TOKEN,
            "commented key": COMMENTED,
            "client secret": CLIENT_SECRET,
            "access key of the routes": self.store.secret,
            "webhook": WEBHOOK,
            "password": PASSWORD,
        }

    def migrate(self, *words: str) -> int:
        command = [sys.executable, "-m", "migrator.cli.app", *words]
        done = subprocess.run(command, cwd=self.folder, env=self.environ, capture_output=True, timeout=240)
        self.said.append((" ".join(words), done.stdout + b"\n" + done.stderr))
        return done.returncode

    def places(self) -> Iterator[tuple[str, bytes]]:
        """Everything but the operator's own plan."""
        yield from self.said
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.name != "p.yaml":
                yield str(path.relative_to(self.folder)), path.read_bytes()


class Onlooker(threading.Thread):
    """Reads the command lines of all processes, as any user may."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.05):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue


@pytest.mark.slow
def test_no_secret_is_left_by_a_whole_rollout(azurite: Azurite, tmp_path: Path) -> None:
    with running(Estate()) as estate:
        _search(Rollout(tmp_path, azurite, estate), Onlooker())


def _search(rollout: Rollout, onlooker: Onlooker) -> None:
    onlooker.start()
    assert rollout.migrate("validate", "p.yaml") == 0, rollout.said[-1]
    assert rollout.migrate("validate", "p.yaml", "--json") == 0
    assert rollout.migrate("plan", "p.yaml", "--probe", "--out", "q.saved") == 0
    assert rollout.migrate("apply", "q.saved", "--yes", "--wave", "first", "--workers", "1", "--json") == 0
    assert rollout.migrate("--debug", "apply", "p.yaml", "--yes", "--no-wait") == 3, rollout.said[-1]
    for words in (
        "status p.yaml", "status p.yaml --json", "history p.yaml", "history p.yaml --json", "routes p.yaml", "verify p.yaml",
        "doctor p.yaml", "doctor p.yaml --json", "unlock nobody --debug", "rollback p.yaml --wave first --yes",
        "--debug plan signed.yaml", "--debug doctor signed.yaml",
        "--debug plan wrong.yaml", "--debug apply wrong.yaml --yes --no-wait", "--debug doctor wrong.yaml --json",
    ):  # fmt: skip
        rollout.migrate(*words.split())
    rollout.environ["SDST"] = rollout.signatures["sdst"].replace("se=", "se=garbage&x=")
    rollout.migrate("--debug", "doctor", "p.yaml")
    rollout.environ["MIGRATE_STATE"] = f"postgresql://me:{PASSWORD}@127.0.0.1:9/db?sslpassword={PASSWORD}"
    rollout.migrate("--debug", "status", "p.yaml")
    rollout.environ["MIGRATE_STATE"] = f"sqlite:///file:{rollout.folder}/state.db?uri=true&password={PASSWORD}"
    rollout.environ["ROUTES"] = rollout.environ["ROUTES"].replace("Secret=", "Secret=AAAA")
    for words in ("--debug routes p.yaml", "--debug doctor p.yaml --json", "--debug apply p.yaml --yes --no-wait"):
        rollout.migrate(*words.split())
    onlooker.over.set()
    onlooker.join()
    places = [*rollout.places(), *(("a command line", line) for line in onlooker.seen)]
    names = {name for name, _ in places}
    assert {"q.saved", "state.db"} <= names, "the search looks where they would be"
    assert len(places) > 20
    assert found(rollout.secrets, places) == []


@pytest.mark.parametrize("number", range(11))
def test_what_is_planted_is_found(number: int) -> None:
    """In each spelling, in the middle of other bytes: the search can fail."""
    secrets = {"key": COMMENTED, "token": TOKEN}
    kinds = [one for one in spellings(COMMENTED) if len(one) >= HEAD]
    planted = kinds[number % len(kinds)]
    assert found(secrets, [("here", b"\0some bytes" + planted + b"and more")]) != []
    assert found(secrets, [("here", b"\0some bytes and more")]) == []


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (b"https://x.blob/c?sv=1&sig=AbCdEfGhIjKlMnOpQrStUv%3D", True),
        (b"%26sig%3DAbCdEfGhIjKlMnOp%252BQrSt", True),
        (b"SIG=abcdefghijklmnop", True),
        (b"sig=...", False),
        (b"sig=REDACTED", False),
        (b"design = abcdefghijklmnopqrst", False),
    ],
)
def test_any_signature_is_found(text: bytes, is_one: bool) -> None:
    assert bool(found({}, [("here", b"\0" + text)])) is is_one
