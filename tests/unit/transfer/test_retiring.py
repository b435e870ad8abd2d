"""What may go at a source: name by name, asked of the target once more, and refused for what stands in the way."""

from __future__ import annotations

import pytest

from migrator.errors import AccessRefused, CloudError, JudgementError, OutcomeUnknown
from migrator.model.kept import Kept
from migrator.model.moves import Direction, ExceptionRow, Outstanding
from migrator.model.rhythm import Rhythm, Sizes
from migrator.model.values import replace
from migrator.ports.state_store import PutException, PutOutstanding, ReplaceRanges
from migrator.testing.simulation.store import SimStore
from migrator.transfer.evidence import UNKNOWN, Evidence, Record
from migrator.transfer.retiring import Deleting, Leaving, Tally, count, delete
from tests.unit.transfer.lab import AREA, MOVE, Lab, VirtualPolicy


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


@pytest.fixture
async def lab():
    """Three objects, equal on both sides by evidence."""
    made = Lab(rhythm=Rhythm(sizes=Sizes()))
    for name in ("a", "b", "c"):
        made.put(made.source, name, b"first")
    await made.run()
    return made


def leaving(lab):
    return Leaving(MOVE, AREA, lab.doors["src"], lab.doors["dst"], lab.state)


async def emptied(lab, *, most=10, admit=None) -> tuple[Tally, list[tuple[str, int]]]:
    told = []

    async def anyway() -> None:
        pass

    how = Deleting(most, admit or anyway, lambda container, tally: told.append((container, tally.objects)))
    return await delete(leaving(lab), how), told


def names(lab):
    return list(lab.contents(lab.source))


async def test_what_is_counted_is_what_goes(lab):
    found = await count(leaving(lab))
    assert (found.objects, found.bytes, dict(found.kept)) == (3, 15, {})
    assert names(lab) == ["a", "b", "c"]
    done, told = await emptied(lab)
    assert (done.objects, done.bytes, told) == (3, 15, [("web", 3)])
    assert names(lab) == []
    assert list(lab.contents(lab.target)) == ["a", "b", "c"]
    assert (await emptied(lab))[0] == Tally()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("LeaseIdMissing", Kept.LEASED),
        ("BlobImmutableDueToPolicy", Kept.PROTECTED),
        ("BlobImmutableDueToLegalHold", Kept.PROTECTED),
        ("SnapshotsPresent", Kept.SNAPSHOTS),
        ("UnsafeName", Kept.REFUSED),
    ],
)
async def test_what_the_service_refuses_for_one_name_is_kept_and_the_others_go(lab, monkeypatch, code, why):
    right = SimStore.delete

    async def refuse(self, container, name, **how):
        if name == "b":
            raise CloudError(f"cannot delete {name}", code=code)
        await right(self, container, name, **how)

    monkeypatch.setattr(SimStore, "delete", refuse)
    done, _ = await emptied(lab)
    assert (done.objects, dict(done.kept), done.named) == (2, {why: 1}, {why: ["web/b"]})
    assert names(lab) == ["b"]


async def test_no_snapshot_is_ever_taken_along(lab, monkeypatch):
    asked = []
    right = SimStore.delete

    async def see(self, container, name, *, if_match, with_snapshots=True):
        asked.append(with_snapshots)
        await right(self, container, name, if_match=if_match)

    monkeypatch.setattr(SimStore, "delete", see)
    await emptied(lab)
    assert asked == [False] * 3


async def test_a_refused_account_ends_it(lab, monkeypatch):
    async def refuse(self, container, name, **how):
        raise AccessRefused("no right", code="AuthorizationPermissionMismatch")

    monkeypatch.setattr(SimStore, "delete", refuse)
    with pytest.raises(AccessRefused):
        await emptied(lab)
    assert names(lab) == ["a", "b", "c"]


async def test_the_target_is_asked_once_more_right_before_the_delete(lab):
    """What the listing showed may be gone by now, or another one."""
    lab.put(lab.source, "d", b"first")
    await lab.run()
    acts = {1: lambda: lab.erase(lab.target, "a"), 2: lambda: lab.put(lab.target, "b", b"other")}
    asked = 0

    async def admit() -> None:
        nonlocal asked
        asked += 1
        acts.get(asked, lambda: None)()
        if asked == 3:
            lab.put(lab.source, "c", b"changed at the source")

    done, _ = await emptied(lab, admit=admit)
    assert done.objects == 1
    assert dict(done.kept) == {Kept.MISSING: 1, Kept.DIFFERENT: 1, Kept.CHANGED: 1}
    assert names(lab) == ["a", "b", "c"]


async def test_the_source_is_asked_once_more_for_what_no_etag_shows(lab):
    """Tags and tier change without another ETag: the condition of the delete would let them go unseen."""
    acts = {
        1: lambda: lab.retag(lab.source, "a", by="hand"),
        2: lambda: lab.erase(lab.source, "b"),
    }
    asked = 0

    async def admit() -> None:
        nonlocal asked
        asked += 1
        acts.get(asked, lambda: None)()

    done, _ = await emptied(lab, admit=admit)
    assert (done.objects, done.gone, dict(done.kept)) == (1, 1, {Kept.CHANGED: 1})
    assert names(lab) == ["a"]


async def test_an_exception_that_is_only_counted_keeps_its_name():
    lab = Lab(rhythm=Rhythm(sizes=Sizes()), cap=1)
    for name in ("a", "b", "c"):
        lab.put(lab.source, name, b"first")
    await lab.run()
    for name in ("a", "b", "c"):
        row = ExceptionRow("web", name, "kept", "1", "2")
        lab.state.commit([PutException(MOVE, row)], token=lab.token)
    assert [row.name for row in lab.state.exceptions(MOVE)] == ["a"]
    assert lab.state.beyond(MOVE, "web", ["b", "c"]) == {"b", "c"}
    assert dict((await count(leaving(lab))).kept) == {Kept.LISTED: 3}
    done, _ = await emptied(lab)
    assert dict(done.kept) == {Kept.LISTED: 3}
    assert names(lab) == ["a", "b", "c"]


async def test_a_delete_that_is_not_answered_is_counted_apart(lab, monkeypatch):
    right = SimStore.delete

    async def lose(self, container, name, **how):
        await right(self, container, name, **how)
        if name == "b":
            raise OutcomeUnknown("nobody knows")

    monkeypatch.setattr(SimStore, "delete", lose)
    done, _ = await emptied(lab)
    assert (done.objects, done.unanswered, done.is_whole) == (2, 1, False)
    again, _ = await emptied(lab)
    assert again.is_whole
    assert names(lab) == []


async def test_no_more_go_than_were_said(lab):
    with pytest.raises(JudgementError, match="more than the 2 objects that were said"):
        await emptied(lab, most=2)
    assert names(lab) == ["a", "b", "c"]


async def test_nothing_goes_where_not_all_exceptions_can_be_read(lab, monkeypatch):
    monkeypatch.setattr("migrator.transfer.retiring.MOST_EXCEPTIONS", 2)
    monkeypatch.setattr(type(lab.state), "exceptions", lambda self, move, *, limit: [object()] * limit)
    with pytest.raises(JudgementError, match="2 exceptions or more"):
        await emptied(lab)
    assert names(lab) == ["a", "b", "c"]


async def test_asking_again_takes_nothing_more_of_what_was_said(lab, monkeypatch):
    right, failing = SimStore.delete, {"b"}

    async def fail(self, container, name, **how):
        if name in failing:
            raise OutcomeUnknown("nobody knows")
        await right(self, container, name, **how)

    async def anyway() -> None:
        pass

    monkeypatch.setattr(SimStore, "delete", fail)
    how = Deleting(3, anyway, lambda container, tally: None)
    first = await delete(leaving(lab), how)
    assert (first.objects, first.is_whole) == (2, False)
    failing.clear()
    lab.put(lab.source, "b2", b"x")
    again = await delete(leaving(lab), how)
    assert (again.objects, again.is_whole, names(lab)) == (1, True, ["b2"])
    assert how.left == 0


async def test_what_is_in_no_evidence_or_changed_by_tags_alone_stays(lab):
    lab.put(lab.source, "stranger", b"x")
    lab.put(lab.target, "stranger", b"x")  # the same bytes, and nothing says that they are
    lab.retag(lab.source, "a", by="hand")
    lab.retag(lab.target, "b", by="customer")
    done, _ = await emptied(lab)
    assert dict(done.kept) == {Kept.UNKNOWN: 1, Kept.CHANGED: 1, Kept.DIFFERENT: 1}
    assert names(lab) == ["a", "b", "stranger"]


async def test_what_a_way_back_carried_there_is_evidence_too(lab):
    lab.put(lab.target, "a", b"newer")
    await lab.run(Direction.REVERSE)
    done, _ = await emptied(lab)
    assert done.objects == 3
    assert names(lab) == []


async def test_other_containers_and_the_reserved_names_are_not_touched(lab):
    lab.source.make_container(type(lab.source.containers["web"].info)("other"))
    lab.put(lab.source, "n", b"x", container="other")
    lab.put(lab.source, ".migrate/saved/x", b"kept")
    await emptied(lab)
    assert list(lab.contents(lab.source, with_kept=True)) == [".migrate/saved/x"]
    assert lab.source.peek("other", "n") is not None


def announce(lab, name, **changed):
    """A pass announced a write to ``name``, and ended without sending it."""
    above = None
    for one in lab.state.ranges(MOVE, "web", ""):
        evidence = Evidence.unpack(one.records)
        record = evidence.get(name)
        if record is not None:
            evidence.put(name, replace(record, is_pending=True, **changed))
            new = replace(one, records=evidence.pack(), is_open=True)
            lab.state.commit([ReplaceRanges(MOVE, "web", "", above, one.upper, (new,))], token=lab.token)
        above = one.upper


def record_of(lab, name) -> Record | None:
    ranges = lab.state.ranges(MOVE, "web", "")
    return next((found for one in ranges if (found := Evidence.unpack(one.records).get(name)) is not None), None)


async def test_what_was_announced_and_never_sent_goes_where_both_generations_are_still_those_of_the_record(lab):
    announce(lab, "b")
    assert record_of(lab, "b").is_pending
    assert (await count(leaving(lab))).objects == 3
    done, _ = await emptied(lab)
    assert (done.objects, dict(done.kept)) == (3, {})
    assert names(lab) == []


@pytest.mark.parametrize(
    ("side", "why"), [("source", Kept.CHANGED), ("target", Kept.DIFFERENT)], ids=["at-the-source", "at-the-target"]
)
async def test_what_was_announced_stays_where_a_side_has_another_generation(lab, side, why):
    announce(lab, "b")
    lab.put(getattr(lab, side), "b", b"other")
    done, _ = await emptied(lab)
    assert (done.objects, dict(done.kept)) == (2, {why: 1})
    assert names(lab) == ["b"]


@pytest.mark.parametrize("side", ["source", "target"])
async def test_what_was_announced_stays_while_the_record_knows_one_side_only(lab, side):
    announce(lab, "b", **{side: UNKNOWN})
    done, _ = await emptied(lab)
    assert (done.objects, dict(done.kept)) == (2, {Kept.UNSETTLED: 1})
    assert names(lab) == ["b"]


async def test_what_an_unanswered_write_may_still_change_stays(lab):
    announce(lab, "b")
    write = Outstanding("target", "web", "b", "create", None, lab.clock.now(), 1e9)
    lab.state.commit([PutOutstanding(MOVE, write)], token=lab.token)
    done, _ = await emptied(lab)
    assert (done.objects, dict(done.kept)) == (2, {Kept.UNSETTLED: 1})
    assert names(lab) == ["b"]
