"""What one name is refused for: mended where it can be, else counted and named, and the others are carried over all the same."""

from __future__ import annotations

import pytest

from migrator.errors import AccessRefused, CloudError, ConditionFailed, JudgementError, OutcomeUnknown
from migrator.model.moves import Direction
from migrator.model.objects import BlobType
from migrator.model.rhythm import Rhythm, Sizes
from migrator.model.values import replace
from migrator.ports.troubles import TROUBLES, Whose, whose
from migrator.testing.simulation.blobs import Account
from migrator.testing.simulation.store import SimStore
from migrator.transfer import copying, passes
from migrator.transfer.actions import ALONE, Action
from tests.unit.transfer.lab import CUSTOMER, Lab, VirtualPolicy

SMALL = Sizes(sync_copy_limit_bytes=64, server_block_bytes=64, block_bytes=64)
BOTH_WAYS = pytest.mark.parametrize("direction", list(Direction))


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


@pytest.fixture
async def lab():
    return Lab(rhythm=Rhythm(sizes=SMALL))


async def ends_of(lab, direction):
    """Both sides equal, and (origin, destination)."""
    lab.put(lab.source, "one", b"first")
    lab.put(lab.source, "other", b"first")
    await lab.run()
    assert (await lab.run(direction)).is_proof
    return (lab.source, lab.target) if direction is Direction.FORWARD else (lab.target, lab.source)


class Killed(BaseException):
    """The process ends here."""


def dies_after(monkeypatch, method):
    """The process dies right after its next ``method`` was applied."""
    right = getattr(SimStore, method)

    async def die(self, *facts, **more):
        await right(self, *facts, **more)
        monkeypatch.setattr(SimStore, method, right)
        raise Killed

    monkeypatch.setattr(SimStore, method, die)


@BOTH_WAYS
async def test_an_object_that_changed_its_type_is_deleted_and_created_again(lab, direction):
    origin, destination = await ends_of(lab, direction)
    lab.erase(origin, "one")
    lab.put(origin, "one", b"a log", BlobType.APPEND)
    assert (await lab.run(direction)).copied == 1
    there = destination.peek("web", "one")
    assert (there.content, there.listed.blob_type) == (b"a log", BlobType.APPEND)
    assert (await lab.run(direction)).is_proof
    told = [text for text in lab.journal() if "deleted and created again" in text]
    assert len(told) == (direction is Direction.REVERSE)  # there its snapshots were customers'


@BOTH_WAYS
@pytest.mark.parametrize("content", [b"same", b"other"])
async def test_an_archived_copy_gives_way_to_what_can_be_read(lab, direction, content):
    origin, destination = await ends_of(lab, direction)
    lab.put(origin, "one", b"same", tier="Cool")
    await lab.run(direction)
    origin.set_tier(CUSTOMER, "web", "one", "Archive", sent_at=0.0)
    await lab.run(direction)
    assert destination.peek("web", "one").listed.is_archived
    etag = destination.peek("web", "one").listed.etag
    lab.erase(origin, "one")
    lab.put(origin, "one", content, tier="Cool")
    await lab.run(direction)
    there = destination.peek("web", "one")
    assert (there.content, there.listed.tier) == (content, "Cool")
    assert there.listed.etag != etag
    assert (await lab.run(direction)).is_proof


@BOTH_WAYS
async def test_a_run_killed_between_the_delete_and_the_create_is_followed_by_one_that_creates(
    lab, direction, monkeypatch
):
    """Going back, what lies nowhere at the source must not be taken for what a customer deleted there."""
    origin, destination = await ends_of(lab, direction)
    lab.erase(origin, "one")
    lab.put(origin, "one", b"a log", BlobType.APPEND)
    dies_after(monkeypatch, "delete")
    with pytest.raises(Killed):
        await lab.run(direction)
    assert destination.peek("web", "one") is None
    await lab.run(direction)
    assert destination.peek("web", "one").content == b"a log"
    assert (await lab.run(direction)).is_proof


@BOTH_WAYS
async def test_an_unanswered_delete_of_a_recreation_is_over_when_its_generation_is_gone(lab, direction, monkeypatch):
    origin, destination = await ends_of(lab, direction)
    lab.erase(origin, "one")
    lab.put(origin, "one", b"a log", BlobType.APPEND)
    right = Account.delete

    def unanswered(self, *facts, **more):
        right(self, *facts, **more)
        monkeypatch.setattr(Account, "delete", right)
        raise OutcomeUnknown("no answer")

    monkeypatch.setattr(Account, "delete", unanswered)
    assert (await lab.run(direction)).superseded == 1
    assert [one.kind for one in lab.outstanding()] == ["replace"]
    await lab.run(direction)
    assert lab.outstanding() == []
    assert destination.peek("web", "one").content == b"a log"


@BOTH_WAYS
async def test_an_origin_that_goes_after_the_delete_leaves_nothing_behind(lab, direction, monkeypatch):
    origin, destination = await ends_of(lab, direction)
    lab.erase(origin, "one")
    lab.put(origin, "one", b"a log", BlobType.APPEND)
    right = Account.delete

    def delete(self, *facts, **more):
        right(self, *facts, **more)
        monkeypatch.setattr(Account, "delete", right)
        lab.erase(origin, "one")

    monkeypatch.setattr(Account, "delete", delete)
    await lab.run(direction)
    await lab.run(direction)
    assert destination.peek("web", "one") is None
    assert (await lab.run(direction)).is_proof


def happens_before_it_is_carried_out(monkeypatch, act):
    """``act`` comes between the listings and what is concluded of them."""
    right = Action.carry_out

    async def carry_out(self, decision):
        monkeypatch.setattr(Action, "carry_out", right)
        act()
        await right(self, decision)

    monkeypatch.setattr(Action, "carry_out", carry_out)


def lose(lab, origin, how):
    match how:
        case "container":
            del origin.containers["web"]
        case "object":
            lab.erase(origin, "one")
        case "generation":
            lab.put(origin, "one", b"a longer log", BlobType.APPEND)
        case "archived":
            blob = origin.containers["web"].blobs["one"]
            blob.listed = replace(blob.listed, is_archived=True)


@BOTH_WAYS
@pytest.mark.parametrize("how", ["container", "object", "generation", "archived"])
async def test_nothing_is_deleted_for_what_the_origin_lost_since_it_was_listed(lab, direction, how, monkeypatch):
    """It may be the last copy: what is to be created in its place is looked for first."""
    origin, destination = await ends_of(lab, direction)
    lab.erase(origin, "one")
    lab.put(origin, "one", b"a log", BlobType.APPEND)
    happens_before_it_is_carried_out(monkeypatch, lambda: lose(lab, origin, how))
    assert (await lab.run(direction)).copied == 0
    assert destination.peek("web", "one").content == b"first"


@BOTH_WAYS
async def test_what_was_not_deleted_for_a_lost_container_is_replaced_once_that_is_back(lab, direction, monkeypatch):
    origin, destination = await ends_of(lab, direction)
    lab.erase(origin, "one")
    lab.put(origin, "one", b"a log", BlobType.APPEND)
    kept = origin.containers["web"]
    happens_before_it_is_carried_out(monkeypatch, lambda: lose(lab, origin, "container"))
    await lab.run(direction)
    with pytest.raises(JudgementError, match="has lost its container web"):
        await lab.run(direction)
    assert destination.peek("web", "one").content == b"first"
    origin.containers["web"] = kept
    await lab.run(direction)
    assert destination.peek("web", "one").content == b"a log"
    assert (await lab.run(direction)).is_proof


@BOTH_WAYS
@pytest.mark.parametrize("content", [b"another log", b""])
async def test_a_log_is_not_emptied_for_what_the_origin_lost_since_it_was_listed(lab, direction, content, monkeypatch):
    origin, destination = await ends_of(lab, direction)
    lab.put(origin, "log", b"a log", BlobType.APPEND)
    await lab.run(direction)
    assert (await lab.run(direction)).is_proof
    lab.put(origin, "log", content, BlobType.APPEND)
    happens_before_it_is_carried_out(monkeypatch, lambda: lose(lab, origin, "container"))
    await lab.run(direction, in_fence=True)
    assert destination.peek("web", "log").content == b"a log"


@BOTH_WAYS
async def test_no_blocks_are_thrown_away_for_what_the_origin_lost_since_it_was_listed(lab, direction, monkeypatch):
    """The empty object that does it would take the place of the last copy."""
    origin, destination = await ends_of(lab, direction)
    destination.stage("web", "one", "AAAA", b"half an upload")
    lab.put(origin, "one", b"large" * 100)
    right = Account.stage

    def stage(self, *facts):
        monkeypatch.setattr(Account, "stage", right)
        lose(lab, origin, "container")
        return right(self, *facts)

    monkeypatch.setattr(Account, "stage", stage)
    await lab.run(direction)
    assert destination.peek("web", "one").content == b"first"


@BOTH_WAYS
@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("streams", [True, False])
async def test_blocks_that_somebody_left_are_thrown_away(lab, direction, is_there, streams):
    origin, destination = await ends_of(lab, direction)
    if streams:
        lab.wires[destination.name].copies_from = set()
    name = "one" if is_there else "new"
    destination.stage("web", name, "AAAA", b"half an upload")
    lab.put(origin, name, b"large" * 100)
    result = await lab.run(direction)
    assert (result.copied, result.failed) == (1, 0)
    assert destination.peek("web", name).content == b"large" * 100
    assert not destination.containers["web"].staged
    assert (await lab.run(direction)).is_proof


@BOTH_WAYS
@pytest.mark.parametrize("is_there", [True, False])
async def test_a_run_killed_after_it_threw_blocks_away_is_followed_by_one_that_copies(
    lab, direction, is_there, monkeypatch
):
    origin, destination = await ends_of(lab, direction)
    name = "one" if is_there else "new"
    destination.stage("web", name, "AAAA", b"half an upload")
    lab.put(origin, name, b"large" * 100)
    dies_after(monkeypatch, "commit_blocks")
    with pytest.raises(Killed):
        await lab.run(direction)
    assert destination.peek("web", name).content == b""
    await lab.run(direction)
    assert destination.peek("web", name).content == b"large" * 100
    assert (await lab.run(direction)).is_proof


@BOTH_WAYS
async def test_an_origin_that_changes_after_blocks_were_thrown_away_is_copied_by_the_next_pass(
    lab, direction, monkeypatch
):
    origin, destination = await ends_of(lab, direction)
    destination.stage("web", "one", "AAAA", b"half an upload")
    lab.put(origin, "one", b"large" * 100)
    right = Account.put

    def put(self, sender, *facts, **more):
        found = right(self, sender, *facts, **more)
        if sender.is_tool:
            monkeypatch.setattr(Account, "put", right)
            lab.put(origin, "one", b"changed")
        return found

    monkeypatch.setattr(Account, "put", put)
    assert (await lab.run(direction)).superseded == 1
    await lab.run(direction)
    assert destination.peek("web", "one").content == b"changed"
    assert not [name for name in lab.contents(destination, with_kept=True) if name.startswith(".migrate/saved")]
    assert (await lab.run(direction)).is_proof


@BOTH_WAYS
@pytest.mark.parametrize("act", ["overwrite", "delete", "recreate"])
async def test_a_leased_object_is_named_and_the_others_go_on(lab, direction, act):
    origin, destination = await ends_of(lab, direction)
    destination.leases["web", "one"] = 1e9
    if act != "overwrite":
        lab.erase(origin, "one")
    if act != "delete":
        lab.put(origin, "one", b"changed", BlobType.APPEND if act == "recreate" else BlobType.BLOCK)
    lab.put(origin, "other", b"changed")
    result = await lab.run(direction)
    assert (result.copied, result.failed, result.superseded) == (1, 1, 0)
    assert "web/one" in result.named[0]
    assert "leased" in result.named[0]
    assert [(row.name, row.kind) for row in lab.state.exceptions(lab.move, limit=9)] == [("one", "failed")]
    destination.leases.clear()
    assert (await lab.run(direction)).failed == 0
    assert (await lab.run(direction)).is_proof
    assert list(lab.state.exceptions(lab.move, limit=9)) == []


async def test_what_passes_by_itself_waits(lab, monkeypatch):
    lab.put(lab.source, "one", b"large" * 100)
    right = Account.joined

    def joined(self, *facts):
        monkeypatch.setattr(Account, "joined", right)
        raise self.refused("one", "InvalidBlockList")

    monkeypatch.setattr(Account, "joined", joined)
    result = await lab.run()
    assert result.waiting
    assert result.failed == 0
    assert (await lab.run()).copied == 1


async def test_a_credential_that_writes_the_others_has_the_right(lab, monkeypatch):
    """The service does not take this name, whatever it calls that."""
    for number in range(3):
        lab.put(lab.source, f"n{number}", b"x")
    right = Account.check

    def check(self, container, name, condition):
        if name == "n2":
            raise AccessRefused("cannot write n2: the signature was not accepted", code="AuthenticationFailed")
        return right(self, container, name, condition)

    monkeypatch.setattr(Account, "check", check)
    result = await lab.run(parallel=1)
    assert (result.copied, result.failed) == (2, 1)


@pytest.mark.parametrize("in_fence", [False, True])
async def test_a_refusal_that_nobody_knows_is_one_names_until_there_are_many(lab, in_fence, monkeypatch):
    """Also of the first name of all: it says nothing of the others, which are carried over."""
    for number in range(3):
        lab.put(lab.source, f"n{number}", b"x")
    right = Account.check

    def check(self, container, name, condition):
        if name == "n0":
            raise CloudError("cannot write n0: the service refused (SomethingNew)", code="SomethingNew")
        return right(self, container, name, condition)

    monkeypatch.setattr(Account, "check", check)
    if in_fence:  # writers wait: it is cancelled at once, and told when the next pass finds it
        with pytest.raises(CloudError, match="SomethingNew"):
            await lab.run(in_fence=True)
        return
    result = await lab.run()
    assert (result.copied, result.failed) == (2, 1)
    assert "web/n0: cannot write n0: the service refused (SomethingNew)" in result.named


async def test_a_refusal_of_every_name_is_the_accounts_whatever_its_code(lab, monkeypatch):
    for number in range(ALONE + 10):
        lab.put(lab.source, f"n{number:02}", b"x")

    def check(self, container, name, condition):
        raise CloudError("cannot write: the service refused (AccountBeingMoved)", code="AccountBeingMoved")

    monkeypatch.setattr(Account, "check", check)
    with pytest.raises(CloudError, match="AccountBeingMoved"):
        await lab.run()


@BOTH_WAYS
async def test_a_delete_that_something_under_way_refuses_waits(lab, direction, monkeypatch):
    origin, _ = await ends_of(lab, direction)
    lab.erase(origin, "one")
    lab.erase(origin, "other")
    right = Account.delete

    def delete(self, sender, container, name, **more):
        if name == "one" and sender is lab.tool:
            raise self.refused(name, "PendingCopyOperation")
        right(self, sender, container, name, **more)

    monkeypatch.setattr(Account, "delete", delete)
    result = await lab.run(direction)
    assert (result.deleted, result.waiting, result.superseded, result.failed) == (1, 1, 0, 0)
    monkeypatch.setattr(Account, "delete", right)
    assert (await lab.run(direction)).deleted == 1
    assert (await lab.run(direction)).is_proof


async def test_a_credential_that_writes_nothing_stops_the_pass(lab, monkeypatch):
    lab.put(lab.source, "one", b"x")

    def check(self, container, name, condition):
        raise AccessRefused("cannot write: refused", code="AuthorizationFailure")

    monkeypatch.setattr(Account, "check", check)
    with pytest.raises(AccessRefused):
        await lab.run()


def test_a_code_that_nobody_knows_is_the_accounts():
    assert whose(CloudError("cannot", code="AccountIsDisabled")) is Whose.ACCOUNT
    assert whose(CloudError("cannot", code="LeaseIdMissing")) is Whose.NAME
    assert whose(AccessRefused("cannot", code="LeaseIdMissing")) is Whose.ACCOUNT
    assert all(one.why for one in TROUBLES.values())


@BOTH_WAYS
async def test_a_service_that_takes_blocks_alone_for_an_object_is_helped_too(lab, direction, monkeypatch):
    """Azurite lists nothing there, and yet refuses to create it."""
    origin, destination = await ends_of(lab, direction)
    destination.stage("web", "new", "AAAA", b"half an upload")
    lab.put(origin, "new", b"small")
    right = SimStore._put

    def put(self, container, name, *facts, **more):
        if name in self._contents.open(container).staged and facts[-1] == "copy":
            raise ConditionFailed("it exists", code="BlobAlreadyExists")
        return right(self, container, name, *facts, **more)

    monkeypatch.setattr(SimStore, "_put", put)
    transfer = lab.transfer(direction)
    assert (await passes.run(transfer)).superseded == 1
    assert (await passes.run(transfer)).copied == 1
    assert destination.peek("web", "new").content == b"small"
    assert (await lab.run(direction)).is_proof


LONG_TAGS = {f"tag-{number}": "é" * 200 for number in range(8)}


@BOTH_WAYS
async def test_tags_that_no_header_holds_are_set_after_the_copy(lab, direction):
    origin, destination = await ends_of(lab, direction)
    lab.put(origin, "one", b"changed", **LONG_TAGS)
    assert not copying.fits_header(LONG_TAGS)
    assert (await lab.run(direction)).copied == 1
    assert destination.peek("web", "one").listed.tags == LONG_TAGS
    assert (await lab.run(direction)).is_proof


@BOTH_WAYS
@pytest.mark.parametrize("outcome", ["lost", "applied", "refused"])
async def test_a_copy_whose_tags_were_not_set_is_ours_all_the_same(lab, direction, outcome, monkeypatch):
    origin, destination = await ends_of(lab, direction)
    lab.put(origin, "new", b"changed", **LONG_TAGS)
    right = Account.set_tags

    def set_tags(self, *facts, **more):
        monkeypatch.setattr(Account, "set_tags", right)
        if outcome == "applied":
            right(self, *facts, **more)
        raise self.refused("new", "LeaseIdMissing") if outcome == "refused" else OutcomeUnknown("no answer")

    monkeypatch.setattr(Account, "set_tags", set_tags)
    await lab.run(direction)
    assert [one.kind for one in lab.outstanding()] == ([] if outcome == "refused" else ["create"])
    result = await lab.run(direction)
    assert (result.foreign, result.conflicts) == (0, 0)
    assert destination.peek("web", "new").listed.tags == LONG_TAGS


async def test_no_blob_has_more_blocks_than_the_service_takes(lab):
    lab.rhythm = Rhythm(sizes=replace(SMALL, most_blocks=4))
    lab.put(lab.source, "one", bytes(range(250)) * 4)
    await lab.run()
    there = lab.target.peek("web", "one")
    assert there.content == lab.source.peek("web", "one").content
    assert len(there.blocks) == 4


async def test_no_log_is_written_in_more_blocks_than_the_service_takes(lab, monkeypatch):
    lab.rhythm = Rhythm(sizes=replace(SMALL, most_blocks=4, page_write_bytes=16))
    lab.wires["dst"].async_copies = False
    lab.put(lab.source, "log", bytes(range(250)), BlobType.APPEND)
    blocks, right = [], SimStore.append

    async def append(self, container, name, body, **more):
        blocks.append(len(body))
        return await right(self, container, name, body, **more)

    monkeypatch.setattr(SimStore, "append", append)
    await lab.run()
    assert lab.target.peek("web", "log").content == bytes(range(250))
    assert blocks == [63, 63, 63, 61]


async def test_a_log_that_cannot_go_through_this_machine_is_named(lab):
    lab.rhythm = Rhythm(sizes=replace(SMALL, most_blocks=4, page_write_bytes=16, largest_stream_block_bytes=32))
    lab.wires["dst"].async_copies = False
    lab.put(lab.source, "log", b"x" * 129, BlobType.APPEND)
    lab.put(lab.source, "other", b"x" * 128, BlobType.APPEND)
    result = await lab.run()
    assert (result.copied, result.failed) == (1, 1)
    assert lab.target.peek("web", "log") is None


async def test_what_cannot_go_through_this_machine_is_named(lab):
    lab.rhythm = Rhythm(sizes=replace(SMALL, most_blocks=4, largest_stream_block_bytes=128))
    lab.wires["dst"].copies_from = set()
    lab.put(lab.source, "one", b"x" * 513)
    lab.put(lab.source, "other", b"x" * 512)
    result = await lab.run()
    assert (result.copied, result.failed) == (1, 1)
