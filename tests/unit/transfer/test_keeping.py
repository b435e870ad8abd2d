"""What is kept of a loser, under whatever name; what a machine without room says; what a way back that was given up leaves."""

from __future__ import annotations

import sqlite3
import tempfile
from base64 import b64decode

import pytest

from migrator.errors import CloudError
from migrator.model import notes
from migrator.model.moves import Direction
from migrator.model.names import MoveId
from migrator.model.objects import Listed
from migrator.ports.state_store import SetNote
from migrator.transfer import halfway, sorting
from migrator.transfer.saving import MOST_SEGMENTS, MOST_UNITS, WHOLE_NAME, saved_name
from tests.unit.transfer.lab import MOVE, Lab, VirtualPolicy

LONG = [
    "x" * 1024,
    "\U0001f389" * 512,
    "é" * 1000,
    "/".join("a" * 254),
    "a/" * 400 + "\udc80",
]


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


@pytest.mark.parametrize("name", LONG)
def test_a_long_name_is_kept_under_one_that_the_service_takes(name):
    one, other = (
        saved_name(MoveId("north-america", "web"), Listed(text, "0x8D1", 1)) for text in (name, name[:-1] + "b")
    )
    assert len(one.encode("utf-16-le", "surrogatepass")) // 2 <= MOST_UNITS
    assert one.count("/") < MOST_SEGMENTS
    assert one.startswith(".migrate/saved/north-america/web/0x8D1/")
    assert one != other


def test_an_ordinary_name_is_kept_as_it_is():
    assert saved_name(MOVE, Listed("a/b", "0x1", 1)) == f".migrate/saved/{MOVE}/0x1/a/b"


@pytest.mark.parametrize("choice", ["source", "target"])
async def test_a_long_name_can_lose_a_conflict(choice):
    lab, name = Lab(), "y" * 1020
    lab.put(lab.source, name, b"1")
    await lab.run()
    lab.put(lab.target, name, b"customer")
    lab.put(lab.source, name, b"stranger")
    await lab.run(Direction.REVERSE, on_conflict=choice)
    kept = {n: b for n, b in lab.source.containers["web"].blobs.items() if n.startswith(".migrate/")}
    (blob,) = kept.values()
    assert blob.content == (b"customer" if choice == "source" else b"stranger")
    assert b64decode(blob.listed.metadata[WHOLE_NAME]).decode() == name
    assert any(name in text and next(iter(kept)) in text for text in lab.journal())


async def test_a_customers_change_and_a_strangers_delete_are_a_conflict():
    lab = Lab()
    lab.put(lab.source, "n", b"1")
    await lab.run()
    lab.put(lab.target, "n", b"customer")
    lab.erase(lab.source, "n")
    assert (await lab.run(Direction.REVERSE)).conflicts == 1
    assert lab.contents(lab.source) == {}
    assert (await lab.run(Direction.REVERSE, on_conflict="target")).copied == 1
    assert lab.contents(lab.source) == {"n": b"customer"}


async def test_a_customers_change_loses_to_a_strangers_delete_where_a_person_says_so():
    lab = Lab()
    lab.put(lab.source, "n", b"1")
    await lab.run()
    lab.put(lab.target, "n", b"customer")
    lab.erase(lab.source, "n")
    first = await lab.run(Direction.REVERSE, on_conflict="source")
    assert (first.conflicts, first.held, lab.contents(lab.source)) == (0, 1, {})
    assert list(lab.contents(lab.source, with_kept=True).values()) == [b"customer"]
    assert (await lab.run(Direction.REVERSE)).is_proof


@pytest.mark.parametrize("is_answered", [True, False])
async def test_what_customers_make_anew_after_our_own_delete_is_no_conflict(is_answered):
    lab = Lab()
    lab.put(lab.source, "n", b"1")
    await lab.run()
    lab.erase(lab.target, "n")
    if not is_answered:
        right = lab.doors["src"].inner.delete

        async def delete(*args, **more):
            await right(*args, **more)
            raise RuntimeError("the process dies")

        lab.doors["src"].inner.delete = delete
        with pytest.raises(RuntimeError):
            await lab.run(Direction.REVERSE)
        lab.doors["src"].inner.delete = right
    else:
        assert (await lab.run(Direction.REVERSE)).deleted == 1
    lab.put(lab.target, "n", b"made anew")
    result = await lab.run(Direction.REVERSE)
    assert (result.conflicts, result.copied) == (0, 1)
    assert lab.contents(lab.source) == {"n": b"made anew"}


@pytest.mark.parametrize("fault", [sqlite3.OperationalError("database or disk is full"), OSError(28, "No space left")])
async def test_a_disk_without_room_for_sorting_is_an_error_of_ours(monkeypatch, fault):
    lab = Lab()
    lab.put(lab.source, "n", b"1")
    lab.state.commit([SetNote(notes.order(MOVE, "web", ""), "sorted")], token=lab.token)

    def no_room(*args, **more):
        raise fault

    if isinstance(fault, OSError):
        monkeypatch.setattr(tempfile, "TemporaryDirectory", no_room)
    else:
        monkeypatch.setattr(sorting, "_freeze", no_room)
    with pytest.raises(CloudError, match=r"cannot sort the names of (src|dst)/web on this machine's disk") as raised:
        await lab.run()
    assert "TMPDIR" in raised.value.hint


async def test_what_a_way_back_left_half_written_is_listed_page_by_page():
    lab = Lab()
    for number in range(7):
        lab.put(lab.source, f"n{number}", b"1")
    await lab.run()
    for number in (1, 5):
        lab.put(lab.target, f"n{number}", b"customer")
    right = lab.doors["src"].inner.copy

    async def copy(*args, **more):
        await right(*args, **more)
        raise RuntimeError("the process dies")

    lab.doors["src"].inner.copy = copy
    with pytest.raises(RuntimeError):
        await lab.run(Direction.REVERSE)
    page, asked = lab.doors["src"].inner.page, []

    async def short(container, *, prefix="", marker=None, limit=5000):
        asked.append(marker)
        return await page(container, prefix=prefix, marker=marker, limit=2)

    lab.doors["src"].inner.page = short
    assert await halfway.list_halfway(lab.transfer(Direction.REVERSE)) == 2
    assert len(asked) >= 4
    assert [(row.kind, row.name) for row in lab.state.exceptions(MOVE)] == [("unproved", "n1"), ("unproved", "n5")]
    assert await halfway.list_halfway(lab.transfer(Direction.REVERSE)) == 0
    assert lab.records().has_pending, "the way back may yet go by the target"


async def test_a_late_write_of_a_way_back_is_listed_although_a_pass_has_seen_its_name_on_neither_side():
    lab = Lab()
    lab.put(lab.source, "b", b"1")
    await lab.run()
    transfer = lab.transfer(Direction.REVERSE)
    transfer.leave([transfer.unanswered("web", "a", "create", None)])
    lab.put(lab.source, "a", b"late")
    assert await halfway.list_halfway(lab.transfer(Direction.REVERSE)) == 1
    assert [(row.kind, row.name) for row in lab.state.exceptions(MOVE)] == [("unproved", "a")]
    assert lab.state.outstanding(MOVE)
