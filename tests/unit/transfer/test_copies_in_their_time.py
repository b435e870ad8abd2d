"""Copies that the service makes in its own time: how long they are waited for, and what becomes of those that do not end well."""

import pytest

from migrator.adapters.azure.sas import COPY_SECONDS, RENEW_SECONDS, SAS_SECONDS
from migrator.model.objects import BlobType
from migrator.model.rhythm import USUAL
from migrator.model.values import replace
from migrator.testing.simulation.store import SimStore
from tests.unit.transfer.lab import CUSTOMER, MOVE, Lab, VirtualPolicy


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


@pytest.fixture
def looks(monkeypatch):
    """When the destination was looked at."""
    seen, right = [], SimStore.head

    async def head(self, container, name):
        seen.append((self.account, self.wire.loop.time()))
        return await right(self, container, name)

    monkeypatch.setattr(SimStore, "head", head)
    return seen


def slow(lab, seconds, monkeypatch, *, fails=False):
    """Copies into the target take so long, and may fail at the end."""
    wire = lab.wires["dst"]
    monkeypatch.setattr(wire, "weather", replace(wire.weather, async_pending_chance=1.0, async_seconds=0.0))
    right = wire.loop.happen

    def happen(when, act, *facts):
        return right(when + seconds if getattr(act, "__name__", "") == "_end_copy" else when, act, *facts)

    monkeypatch.setattr(wire.loop, "happen", happen)
    monkeypatch.setattr(wire, "gives_up", lambda: fails)


async def test_a_copy_that_takes_minutes_is_looked_at_ever_more_seldom(looks, monkeypatch):
    lab = Lab()
    slow(lab, 500.0, monkeypatch)
    lab.put(lab.source, "log", b"lines", BlobType.APPEND)
    result = await lab.run()
    assert (result.copied, result.lifted_bytes) == (1, 5)
    assert lab.contents(lab.target) == {"log": b"lines"}
    assert 16 <= len(looks) <= 30  # every half a second it would be a thousand


@pytest.mark.parametrize("body", [b"lines", b""], ids=["some bytes", "empty"])
async def test_a_copy_that_the_service_gives_up_goes_through_this_machine(monkeypatch, body):
    lab = Lab()
    slow(lab, 3.0, monkeypatch, fails=True)
    lab.put(lab.source, "log", body, BlobType.APPEND)
    result = await lab.run()
    assert (result.copied, result.superseded, result.lifted_bytes) == (1, 0, 0)
    assert lab.contents(lab.target) == {"log": body}
    assert lab.target.peek("web", "log").listed.copy_failed == ""
    assert (await lab.run()).is_proof


async def test_a_copy_that_does_not_end_is_ended_and_goes_through_this_machine(monkeypatch):
    lab = Lab()
    slow(lab, 1e6, monkeypatch)
    lab.put(lab.source, "log", b"lines", BlobType.APPEND)
    began = lab.clock.monotonic()
    result = await lab.run()
    assert result.copied == 1
    assert lab.contents(lab.target) == {"log": b"lines"}
    assert USUAL.copy_patience_seconds < lab.clock.monotonic() - began < USUAL.copy_patience_seconds + 60
    assert (await lab.run()).is_proof


async def test_what_somebody_wrote_where_a_copy_ended_is_not_overwritten(monkeypatch):
    lab = Lab()
    slow(lab, 3.0, monkeypatch, fails=True)
    lab.put(lab.source, "log", b"lines", BlobType.APPEND)
    right = SimStore.head

    async def head(self, container, name):
        found = await right(self, container, name)
        if self.account == "dst" and found.copy_failed:
            lab.put(lab.target, "log", b"theirs", BlobType.APPEND)
        return found

    monkeypatch.setattr(SimStore, "head", head)
    result = await lab.run()
    assert result.superseded == 1
    assert lab.contents(lab.target) == {"log": b"theirs"}


async def test_an_unanswered_write_after_a_copy_that_ended_counts_like_a_create(monkeypatch):
    lab = Lab()
    slow(lab, 3.0, monkeypatch, fails=True)
    lab.put(lab.source, "log", b"lines", BlobType.APPEND)

    async def create_empty(self, container, name, size, shape, *, condition):
        assert condition.if_match is not None
        raise self._unknown()

    monkeypatch.setattr(SimStore, "create_empty", create_empty)
    await lab.run(bound_seconds=100.0)
    (write,) = lab.state.outstanding(MOVE)
    assert (write.name, write.kind) == ("log", "create")


def test_a_copy_is_not_waited_for_longer_than_what_it_reads_its_source_with_lives():
    assert USUAL.longest_copy_seconds + USUAL.longest_copy_poll_seconds < COPY_SECONDS - SAS_SECONDS
    assert RENEW_SECONDS < SAS_SECONDS


async def test_the_services_words_are_kept(monkeypatch):
    from migrator.adapters.azure.shapes import headed
    from migrator.adapters.azure.wire import Answer

    pairs = {"etag": '"0x1"', "x-ms-blob-type": "AppendBlob", "x-ms-copy-id": "c", "x-ms-copy-status": "failed"}
    pairs["x-ms-copy-status-description"] = "404 BlobNotFound ?sig=hush"
    coded = [(name.encode(), text.encode()) for name, text in pairs.items()]
    found = headed("log", Answer(200, dict(coded), coded, b""), {})
    assert (found.copy_pending, found.copy_id) == (False, "c")
    assert found.copy_failed == "failed: 404 BlobNotFound ?sig=..."


@pytest.mark.parametrize("brings_it", [True, False])
@pytest.mark.parametrize("seconds", [0.0, 3.0])
async def test_a_copy_that_the_service_makes_keeps_the_seal_whether_it_brings_it_or_not(
    monkeypatch, brings_it, seconds
):
    lab = Lab()
    if seconds:
        slow(lab, seconds, monkeypatch)
    lab.put(lab.source, "log", b"lines", BlobType.APPEND)
    lab.source.seal(CUSTOMER, "web", "log", sent_at=0.0, modified=lab.clock.now())
    right, asked = SimStore.start_copy, []

    async def start_copy(self, origin, container, name, shape, *, condition):
        asked.append(shape.is_sealed)
        shape = shape if brings_it else replace(shape, is_sealed=False)
        return await right(self, origin, container, name, shape, condition=condition)

    monkeypatch.setattr(SimStore, "start_copy", start_copy)
    assert (await lab.run()).copied == 1
    assert asked == [True]
    assert lab.target.peek("web", "log").listed.is_sealed
    assert (await lab.run()).is_proof


async def test_a_copy_that_somebody_wrote_over_before_it_was_sealed_is_not_ours(monkeypatch):
    lab = Lab()
    lab.put(lab.source, "log", b"lines", BlobType.APPEND)
    lab.source.seal(CUSTOMER, "web", "log", sent_at=0.0, modified=lab.clock.now())
    right = SimStore.head

    async def head(self, container, name):
        if self.account == "dst" and lab.target.peek(container, name).content == b"lines":
            lab.put(lab.target, "log", b"theirs", BlobType.APPEND)
        return await right(self, container, name)

    monkeypatch.setattr(SimStore, "head", head)
    result = await lab.run()
    assert result.copied == 0
    assert lab.contents(lab.target) == {"log": b"theirs"}
    assert not lab.target.peek("web", "log").listed.is_sealed
