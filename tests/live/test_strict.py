"""The live test on the strict service: an identity with the one role that is needed, tokens of 24 hours, copies on signatures
of a user delegation, 2 % of all requests refused, those for the routes too. Customers reach Azurite itself: their answers are no
part of it. Nobody is killed: `make live` does that beside it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.testing.strict import Grant, Running
from tests.azurite.server import Azurite
from tests.live.rounds import PLAN, Kill, Round
from tests.live.test_live import check
from tests.live.writer import Order

BUSY = 0.02
OBJECTS = 300


class StrictRound(Round):
    """The orchestrator knows its accounts by the strict service; what it writes into the routes is the strict service's."""

    def __init__(self, azurite: Azurite, folder: Path, served: Running, ca_file: Path, *, seed: int):
        self.served, self.ca_file = served, ca_file
        super().__init__(azurite, folder, seed=seed, objects=OBJECTS, short=True)
        self.patience_seconds = 600.0

    def _write_plan(self, objects: int, *, short: bool) -> None:
        service = self.served.service
        for own in self.accounts.values():
            service.set_nature(own, grants=(Grant("Owner", who=self.served.identity),), allows_shared_key=False)
            service.set_faults(own, busy=BUSY)
        self.endpoints = {name: self.served.endpoint(own) for name, own in self.accounts.items()}
        self.environ |= {name.upper(): self.served.connection_string(own) for name, own in self.accounts.items()}
        self.environ |= {**self.served.environ(), "ROUTES": self.texts["core"]}
        words = {"budget": 60_000, "soak": "5s", "reverse": self.reverse, "protocol": self.protocol}
        text = PLAN.format(**self.endpoints, **words)
        for name in self.accounts:
            text = text.replace(f"env:{name.upper()}", "managed-identity")
        (self.folder / "p.yaml").write_text(f'{text}cloud: {{ca_file: "{self.ca_file}"}}\n')

    def order(self, number: int, log: Path, seed: int) -> Order:
        order = super().order(number, log, seed)
        ways = {self.endpoints[name]: self.direct[name] for name in self.accounts}
        return replace(order, routes_credential="env:ROUTES", ways=ways, hosts=[self.served.url])


@pytest.mark.live
@pytest.mark.timeout(900)
def test_nothing_is_lost_on_a_busy_service_by_a_role_alone(
    azurite: Azurite, strict_served_securely: Running, strict_certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    served = strict_served_securely
    one = StrictRound(azurite, tmp_path / "round", served, strict_certificate[0], seed=7)
    apply, rollback = ("apply", "p.yaml", "--yes"), ("rollback", "p.yaml", "--yes")
    assert one.run_until(Kill("copying", 0, False, gently=True), apply)  # writers need a route to begin
    check(one.leg("apply", apply, [], live="split"), 10)
    check(one.leg("rollback", rollback, [], live="core"), 10)
    seen = Counter((request.operation, request.status) for request in served.service.seen)
    total, busy = sum(seen.values()), sum(count for (_, status), count in seen.items() if status == 503)
    assert {request.who for request in served.service.seen if request.status < 400} == {served.identity}
    assert seen[("Copy Blob From URL", 202)] >= OBJECTS
    assert 0.01 < busy / total < 0.03
    print(f"{total:,} requests on the strict service, {busy:,} refused as too many, 0 writes lost")
