"""The oracle sees: a migrator without fence, lease and evidence does not get past it. And it judges by the whole history: what
looks like a loss at one instant may have been carried over before."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from migrator.model.moves import EvidenceRange, Figures, MoveRecord, MoveState
from migrator.model.names import MoveId
from migrator.model.objects import BlobType, Condition, ContainerInfo, ContentHeaders, Shape
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteDocument, RouteRecord
from migrator.ports.state_store import ReplaceRanges, SaveMove
from migrator.testing.simulation import run
from migrator.testing.simulation.acts import Act, Writers
from migrator.testing.simulation.blobs import Account, Blob, Container, Sender
from migrator.testing.simulation.loop import Node, SimLoop
from migrator.testing.simulation.oracle import Oracle
from migrator.transfer.evidence import Evidence, Record, generation_hash, marks_hash
from tests.simulation.naive import naive_engine
from tests.simulation.test_operator import schedule

WEB = MoveId("na", "web")
BOX, NAME = "web-1", "a"
SHAPE = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)
TOOL = Sender("engine-1", True)
NOON = datetime(2026, 12, 1, tzinfo=UTC)


@dataclass
class Court:
    """One name of one move, and what is done to it by hand: a history told to the oracle effect by effect."""

    loop: SimLoop = field(default_factory=SimLoop)

    def __post_init__(self) -> None:
        self.plan = schedule()
        self.accounts = {name: Account(name) for name in self.plan.accounts}
        self.oracle = Oracle(self.loop, self.plan, self.accounts, Writers())
        for account in self.accounts.values():
            account.wrote = self.oracle.wrote
            account.containers[BOX] = Container(ContainerInfo(BOX))
        self.document: RouteDocument | None = None
        self.numbers = 0

    def routed(self, account: str, mode: str, epoch: int) -> None:
        before = self.document
        record = RouteRecord(account, f"https://{account}", mode, epoch, "one", "", "run-1")
        self.document = (before or RouteDocument(5.0, 10.0)).with_record(str(WEB), record)
        self.oracle.swapped(TOOL, before, self.document, self.loop.time())

    def stranger_puts(self, account: str, text: bytes) -> Blob:
        self.numbers += 1
        act = Act(self.numbers, "rogue", "put", str(WEB), account, BOX, NAME, False, 0.0, 0.0)
        return self._put(Sender("rogue", False, act), account, text, None)

    def copied(self, origin: str, destination: str, over: Blob | None = None) -> Blob:
        here = self.accounts[origin].peek(BOX, NAME)
        condition = Condition(create=True) if over is None else Condition(if_match=over.listed.etag)
        return self._put(TOOL, destination, here.content, condition, "copy")

    def proved(self, source: Blob, target: Blob) -> None:
        pair = (generation_hash(NAME, source.listed.etag), generation_hash(NAME, target.listed.etag))
        evidence = Evidence.unpack(b"")
        evidence.put(NAME, Record(*pair, marks_hash({}, None)))
        ranges = (EvidenceRange(BOX, "", None, records=evidence.pack()),)
        self.oracle.committed(Node("engine-1", self.loop), [ReplaceRanges(WEB, BOX, "", None, None, ranges)])

    def _put(self, sender: Sender, account: str, text: bytes, condition: Condition | None, kind: str = "put") -> Blob:
        return self.accounts[account].put(
            sender, BOX, NAME, text, SHAPE, condition=condition, sent_at=0.5, modified=NOON, kind=kind
        )

    @property
    def found(self) -> set[str]:
        return {violation.invariant for violation in self.oracle.violations}


def test_a_naive_migrator_is_caught_losing_writes():
    found = set()
    for seed in range(30):
        found |= {violation.invariant for violation in run(seed, engine=naive_engine).violations}
    assert {"lost-write", "switch-without-fence", "lease-alive-at-switch", "two-accounts-accept"} <= found


@pytest.mark.parametrize("is_carried", [True, False])
def test_a_stranger_s_object_may_be_replaced_only_if_it_was_carried_over_before_the_switch(is_carried):
    """It comes in the fence, is carried over, and at the other side another stranger writes over it before the switch."""
    court = Court()
    court.routed("core", READ_WRITE, 1)
    court.routed("core", READ_ONLY, 2)
    first = court.stranger_puts("core", b"first")
    if is_carried:
        court.proved(first, court.copied("core", "web"))
    court.stranger_puts("web", b"second")
    court.routed("web", READ_WRITE, 3)
    court.stranger_puts("web", b"the truth now")
    court.copied("web", "core", over=first)  # the way back
    assert ("foreign-destroyed" in court.found) is not is_carried


@pytest.mark.parametrize(
    ("before", "epoch", "is_told"),
    [
        (MoveState.SOAKING, 3, False),
        (MoveState.SOAKED, 3, False),
        (MoveState.HALTED, 3, True),
        (MoveState.SOAKING, 5, True),
        (MoveState.SOAKED, 5, True),
    ],
)
def test_soaked_is_only_what_soaked_in_this_stay(before, epoch, is_told):
    court = Court()
    record = MoveRecord(WEB, "wave-web", "core", "web", state=before, epoch=3, figures=Figures(soak_seconds=60.0))
    soaked = replace(record, state=MoveState.SOAKED, epoch=epoch)
    for one in (record, soaked):
        court.oracle.committed(Node("engine-1", court.loop), [SaveMove(one)])
    said = [one.text for one in court.oracle.violations if "did not soak there" in one.text]
    assert bool(said) is is_told
