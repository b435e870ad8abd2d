"""An attacker who can write the route document, and nothing else: real customers, a real engine, a listening server with TLS.

No credential leaves for a host of the attacker's, no write is accepted there, the run at work stops and says why, and it does not
write the attacker's address again. Put right, everything goes on.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from migrator.client import LeaseError, SyncLeasePolicy, SyncRoutes
from migrator.client.follower import MAX_TTL_SECONDS
from tests.azurite.server import Azurite
from tests.certificates import make_certificate
from tests.live.rounds import AREA, BOX, REGION, Round

KEY = f"{REGION}/{AREA}"
Change = Callable[[dict[str, Any], "Evil"], None]


@dataclass
class Evil:
    """Takes every connection, answers every request with 201, and keeps what it was sent."""

    context: ssl.SSLContext | None
    got: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self.listener.accept()
                threading.Thread(target=self._take, args=(peer,), daemon=True).start()

    def _take(self, peer: socket.socket) -> None:
        with suppress(OSError), peer:
            peer.settimeout(5)
            safe = peer if self.context is None else self.context.wrap_socket(peer, server_side=True)
            self.got.append(safe.recv(65536))
            safe.sendall(b'HTTP/1.1 201 Created\r\nETag: "0x1"\r\nContent-Length: 0\r\n\r\n')


class Customers(threading.Thread):
    """Applications as README writes them, one with ``accounts=``, one with what is trusted by default: they write all the
    time, to whatever endpoint they are given, with a signature for everything. The attacker's certificate is a good one."""

    def __init__(self, one: Round, sas: dict[str, str], certificate: str) -> None:
        super().__init__(daemon=True)
        self.one = one
        self.sas = sas
        self.certificate = certificate
        self.stopping = threading.Event()
        self.written: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self.surprises: list[str] = []

    def run(self) -> None:
        ways: list[dict[str, Any]] = [{"accounts": self.one.endpoints}, {}]
        url = f"{self.one.endpoints['core']}/routing/routes.json"
        many = [SyncRoutes.from_url(url, credential=self.one.texts["core"], **way) for way in ways]
        clients: dict[tuple[int, str], BlobServiceClient] = {}
        number = 0
        while not self.stopping.wait(0.05):
            for at, routes in enumerate(many):
                number += 1
                try:
                    lease = routes.writable(REGION, AREA, timeout=1)
                    if (at, lease.endpoint) not in clients:
                        policy = SyncLeasePolicy(routes, REGION, AREA, retry_total=0)
                        signature = self.sas.get(lease.endpoint, next(iter(self.sas.values())))
                        clients[at, lease.endpoint] = BlobServiceClient(
                            lease.endpoint, signature, retry_policy=policy, connection_verify=self.certificate
                        )
                    name = f"customer/{number:06d}"
                    clients[at, lease.endpoint].get_blob_client(BOX, name).upload_blob(name.encode())
                    self.written.append((lease.endpoint, name))
                except LeaseError as refused:
                    self.refused.append(str(refused))
                except Exception as fault:
                    self.surprises.append(f"{type(fault).__name__}: {fault}")


@contextmanager
def customers(one: Round, certificate: str) -> Iterator[Customers]:
    from datetime import UTC, datetime, timedelta

    from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

    sas = {}
    for name, endpoint in one.endpoints.items():
        parts = dict(part.split("=", 1) for part in one.texts[name].split(";") if "=" in part)
        sas[endpoint] = generate_account_sas(
            parts["AccountName"],
            parts["AccountKey"],
            ResourceTypes(service=True, container=True, object=True),
            AccountSasPermissions(read=True, write=True, create=True, delete=True, list=True, add=True, tag=True),
            datetime.now(UTC) + timedelta(hours=2),
        )
    found = Customers(one, sas, certificate)
    found.start()
    try:
        yield found
    finally:
        found.stopping.set()
        found.join(30)


def tls(evil: Evil) -> str:
    return f"https://127.0.0.1:{evil.port}/account"


def endpoint_alone(record: dict[str, Any], evil: Evil) -> None:
    record["endpoint"] = tls(evil)


def endpoint_and_epoch(record: dict[str, Any], evil: Evil) -> None:
    record.update(endpoint=tls(evil), epoch=record["epoch"] + 1000)


def user_before_the_host(record: dict[str, Any], evil: Evil) -> None:
    record.update(
        endpoint=f"https://split.blob.core.windows.net@127.0.0.1:{evil.port}/account", epoch=record["epoch"] + 1
    )


def another_account(record: dict[str, Any], evil: Evil) -> None:
    record.update(account="evil", endpoint=tls(evil), epoch=record["epoch"] + 1)


def another_lineage(record: dict[str, Any], evil: Evil) -> None:
    record.update(lineage="f" * 16, endpoint=tls(evil), epoch=record["epoch"] + 1)


def read_only_elsewhere(record: dict[str, Any], evil: Evil) -> None:
    record.update(mode="read-only", endpoint=tls(evil), epoch=record["epoch"] + 1)


ATTACKS = [
    endpoint_alone,
    endpoint_and_epoch,
    user_before_the_host,
    another_account,
    another_lineage,
    read_only_elsewhere,
]


@pytest.mark.live
@pytest.mark.timeout(1500)
def test_whoever_writes_the_document_gets_no_credential_and_no_write(azurite: Azurite, tmp_path: Path) -> None:
    one = Round(azurite, tmp_path / "round", seed=1, objects=40, short=True)
    plan = one.folder / "p.yaml"
    plan.write_text(plan.read_text().replace("soak: 5s", "soak: 1h"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = make_certificate(tmp_path)
    context.load_cert_chain(certificate, key)
    evil = Evil(context)
    blob = one.service("core").get_blob_client("routing", "routes.json")
    code, said = one.migrate("apply", "p.yaml", "--yes", "--no-wait")
    assert code == 3, said
    assert json.loads(blob.download_blob().readall())["routes"][KEY]["account"] == "split"
    with customers(one, str(certificate)) as group:
        for attack in ATTACKS:
            hold_one_attack(one, blob, evil, group, attack)
        before = blob.download_blob().readall()
        document = json.loads(before)
        document.update(ttl_seconds=86_399, max_write_seconds=86_399)
        blob.upload_blob(json.dumps(document), overwrite=True)
        with SyncRoutes.from_url(
            f"{one.endpoints['core']}/routing/routes.json", credential=one.texts["core"], accounts=one.endpoints
        ) as routes:
            assert routes.write(REGION, AREA).remaining() <= MAX_TTL_SECONDS
        blob.upload_blob(before, overwrite=True)
    evil.listener.close()
    assert evil.got == []
    assert group.surprises == []
    assert {endpoint for endpoint, _ in group.written} == {one.endpoints["split"]}, "and no other account got a write"
    box = one.service("split").get_container_client(BOX)
    held = {found.name for found in box.list_blobs(name_starts_with="customer/")}
    assert {name for _, name in group.written} <= held, "every acknowledged write is at the account that is live"


def hold_one_attack(one: Round, blob: Any, evil: Evil, group: Customers, attack: Change) -> None:
    """A run at work and customers who write; the document is changed; both stop; put back, both go on."""
    run = one.start("migrator.cli.app", "apply", "p.yaml", "--yes")
    wait_for(lambda: one.state() == "soaking", "the run soaks")
    time.sleep(3)
    assert run.poll() is None, run.communicate()
    right = blob.download_blob().readall()
    document = json.loads(right)
    attack(document["routes"][KEY], evil)
    tampered = document["routes"][KEY]
    blob.upload_blob(json.dumps(document), overwrite=True)
    refused = len(group.refused)
    out, err = run.communicate(timeout=180)
    assert run.returncode == 4, f"{attack.__name__}: {out}{err}"
    assert "disagree" in out + err, f"{attack.__name__}: {out}{err}"
    wait_for(lambda: len(group.refused) > refused + 5, "the customers are refused")
    assert json.loads(blob.download_blob().readall())["routes"][KEY] == tampered, "the engine wrote nothing over it"
    assert evil.got == [], f"{attack.__name__}: {evil.got[0][:200]!r}"
    written = len(group.written)
    document["routes"][KEY] = {**json.loads(right)["routes"][KEY], "epoch": tampered["epoch"] + 1}
    blob.upload_blob(json.dumps(document), overwrite=True)
    wait_for(lambda: len(group.written) > written + 5, "the customers write on")
    code, said = one.migrate("retry", "p.yaml", "--reason", f"put back after {attack.__name__}")
    assert code == 0, f"{attack.__name__}: {said}"


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.2)
