"""What must hold when a store was moved or saved, whatever the databases are."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from migrator.adapters.state import open_store
from migrator.model.moves import Approval, Control, ExceptionRow, MoveRecord, PlanRecord
from migrator.ports.state_store import (
    AddApproval,
    AddJournal,
    AddSample,
    CountRequests,
    PutException,
    SaveMove,
    SavePlan,
    SetControl,
    SetNote,
)
from tests.contract.state_store_suite import MOVE, NOW, entry, lock, piece, replaced, sample

PLANS = ("p", "q")


def fill(url: str) -> None:
    """Two plans; nobody is at work afterwards."""
    for plan in PLANS:
        with closing(open_store(url, plan)) as store:
            token = store.acquire(lock(plan)).token
            store.commit(
                [
                    SavePlan(PlanRecord(plan, "text", "print", NOW)),
                    SaveMove(MoveRecord(MOVE, "w", "a", "b")),
                    replaced(None, None, piece(b"m", b"\0one" * 24), piece(None, b"two")),
                    PutException(MOVE, ExceptionRow("box", "in/\ud800", "failed", "e1", None)),
                    SetNote("inventory/x", {"n": [1, "\0", None]}),
                    CountRequests("a", 7, "List", 3),
                    SetControl(Control("hold", "", {"on": True}, "ann", NOW)),
                    AddApproval(Approval("w", "print", "ann", "because", NOW)),
                ],
                token=token,
            )
            for number in range(3):
                store.commit([AddJournal(entry(f"{plan}{number}")), AddSample(sample(seconds=number))], token=token)
            store.give_back(token)


def facts(url: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for plan in PLANS:
        with closing(open_store(url, plan, create=False)) as store:
            found[plan] = (
                store.lineage,
                store.plan(),
                store.moves(),
                list(store.ranges(MOVE, "box", "in/")),
                store.exceptions(MOVE),
                store.note("inventory/x"),
                store.requests("a", first_minute=0, last_minute=9),
                store.controls(),
                store.approvals(),
                store.samples(MOVE),
                store.journal(),
                store.lock(),
            )
    return found


def goes_on(url: str) -> None:
    """Numbers go on where they were: no token is given twice, no line has another's number."""
    with closing(open_store(url, "p", create=False)) as store:
        lines, samples, given = len(store.journal()), len(store.samples(MOVE)), len(store.approvals())
        taken = store.acquire(lock("next"))
        assert taken.token > 1
        approval = Approval("w2", "print", "ann", "because", NOW)
        store.commit(
            [AddJournal(entry("next")), AddSample(sample(seconds=50)), AddApproval(approval)], token=taken.token
        )
        assert [line.number for line in store.journal()] == list(range(1, lines + 2))
        assert store.samples(MOVE)[-1] == sample(seconds=50)
        assert (len(store.samples(MOVE)), len(store.approvals())) == (samples + 1, given + 1)
        store.give_back(taken.token)
