"""Whole containers that the live side had and has no more: nothing is deleted because of them until a person names them."""

from __future__ import annotations

import pytest

from migrator.errors import JudgementError, NotFound
from migrator.model.moves import Direction
from migrator.model.names import Area, Selector
from migrator.model.objects import ContainerInfo
from migrator.testing.simulation.blobs import Container
from migrator.transfer import containers, passes
from tests.unit.transfer.lab import MOVE, Lab, VirtualPolicy


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


@pytest.fixture
async def lab():
    """Two containers of three objects each, on both sides."""
    lab = Lab()
    for container in ("web", "web2"):
        for account in (lab.source, lab.target):
            make(account, container, "0x1")
        for number in range(3):
            lab.put(lab.source, f"n{number}", b"%d" % number, container=container)
    await lab.run()
    assert (await lab.run()).is_proof
    return lab


def make(account, name, etag):
    account.containers[name] = Container(ContainerInfo(name, etag=etag))


def say(lab, account, name):
    """A person says that customers dropped it."""
    found = {one.name: one for one in (lab.source, lab.target)}[account].containers
    present = {one: held.info.etag for one, held in found.items()}
    lab.state.commit([containers.accept(lab.state, MOVE, account, [name], present)], token=lab.token)


def sides(lab, direction):
    return (lab.source, lab.target) if direction is Direction.FORWARD else (lab.target, lab.source)


def held(account, container="web"):
    found = account.containers.get(container)
    return sorted(name for name in found.blobs if not name.startswith(".migrate/")) if found else None


@pytest.mark.parametrize("direction", Direction)
async def test_what_went_with_its_container_is_deleted_nowhere(lab, direction):
    live, other = sides(lab, direction)
    del live.containers["web"]
    lab.erase(live, "n0", container="web2")  # a customer's delete, which waits with it
    for _ in range(2):
        with pytest.raises(JudgementError, match=f"{live.name} has lost its container web") as halt:
            await lab.run(direction)
        assert "--accept-container web " in halt.value.hint
        assert ("--abandon-target-writes" in halt.value.hint) is (direction is Direction.REVERSE)
    assert (held(other), held(other, "web2")) == (["n0", "n1", "n2"], ["n0", "n1", "n2"])


@pytest.mark.parametrize("direction", Direction)
async def test_what_a_person_names_goes_with_all_its_objects(lab, direction):
    live, other = sides(lab, direction)
    del live.containers["web"]
    say(lab, live.name, "web")
    assert (await lab.run(direction)).deleted == 3
    assert (held(other), held(other, "web2")) == ([], ["n0", "n1", "n2"])
    assert (await lab.run(direction)).is_proof


async def test_a_word_for_one_container_is_none_for_another(lab):
    del lab.source.containers["web"], lab.source.containers["web2"]
    say(lab, "src", "web2")
    with pytest.raises(JudgementError, match="src has lost its container web"):
        await lab.run()
    assert (held(lab.target), held(lab.target, "web2")) == (["n0", "n1", "n2"], ["n0", "n1", "n2"])


async def test_a_word_holds_for_one_loss(lab):
    """The container comes back, and is lost again: that is another question."""
    kept = lab.source.containers.pop("web")
    say(lab, "src", "web")
    lab.source.containers["web"] = kept
    assert (await lab.run()).is_proof
    del lab.source.containers["web"]
    with pytest.raises(JudgementError, match="has lost its container web"):
        await lab.run()


@pytest.mark.parametrize("direction", Direction)
async def test_a_container_that_was_made_anew_has_lost_what_was_in_the_old_one(lab, direction):
    live, other = sides(lab, direction)
    make(live, "web", "0x2")
    lab.put(live, "n1", b"written anew by a customer")
    lab.put(live, "n9", b"new")
    for _ in range(2):
        with pytest.raises(JudgementError, match=f"{live.name} has lost its container web"):
            await lab.run(direction)
    assert held(other) == ["n0", "n1", "n2", "n9"]
    say(lab, live.name, "web")
    assert (await lab.run(direction)).deleted == 2
    assert held(other) == ["n1", "n9"]
    lab.erase(live, "n1")
    assert (await lab.run(direction)).deleted == 1  # it is the one that is known now


async def test_a_pass_that_dies_takes_nothing_of_a_new_container_for_old(lab):
    """It had copied what customers wrote into the new one, so that the next pass knows objects of it."""
    make(lab.source, "web", "0x2")
    lab.put(lab.source, "n9", b"new")
    right = passes.delete_candidates
    passes.delete_candidates = None  # it dies before it would delete
    try:
        with pytest.raises(TypeError):
            await lab.run()
    finally:
        passes.delete_candidates = right
    assert held(lab.target) == ["n0", "n1", "n2", "n9"]
    with pytest.raises(JudgementError, match="has lost its container web"):
        await lab.run()


async def a_first_pass_that_died(monkeypatch) -> Lab:
    """With ``n0`` to ``n2`` copied, before anything was concluded."""
    lab = Lab()
    for account in (lab.source, lab.target):
        make(account, "web", "0x1")
    for number in range(3):
        lab.put(lab.source, f"n{number}", b"%d" % number)
    with monkeypatch.context() as patched:
        patched.setattr(passes, "delete_candidates", None)
        with pytest.raises(TypeError):
            await lab.run()
    assert held(lab.target) == ["n0", "n1", "n2"]
    return lab


async def test_a_container_that_is_made_anew_after_a_first_pass_that_died_has_lost_what_was_in_the_old_one(monkeypatch):
    """No whole pass has ever seen the old one; what that pass has copied is on record all the same."""
    lab = await a_first_pass_that_died(monkeypatch)
    make(lab.source, "web", "0x2")
    for _ in range(2):
        with pytest.raises(JudgementError, match="src has lost its container web"):
            await lab.run()
    assert held(lab.target) == ["n0", "n1", "n2"]


async def test_a_first_pass_that_died_is_gone_on_with_where_the_container_is_the_same(monkeypatch):
    """A customer's delete meanwhile is one."""
    lab = await a_first_pass_that_died(monkeypatch)
    lab.erase(lab.source, "n1")
    assert (await lab.run()).deleted == 1
    assert held(lab.target) == ["n0", "n2"]


async def test_a_container_that_is_made_anew_while_a_pass_goes_on_is_found_out(lab):
    """The pass asked for its containers before, and copies what customers write into the new one."""
    right = lab.doors["src"].inner.page

    async def page(container, **more):
        if container == "web":
            make(lab.source, "web", "0x2")
            lab.put(lab.source, "n9", b"new")
            lab.doors["src"].inner.page = right
        return await right(container, **more)

    lab.doors["src"].inner.page = page
    result = await lab.run()
    assert (result.copied, result.deleted, result.superseded) == (1, 0, 3)
    for _ in range(2):
        with pytest.raises(JudgementError, match="has lost its container web"):
            await lab.run()
    assert held(lab.target) == ["n0", "n1", "n2", "n9"]


async def test_a_container_that_is_made_anew_between_question_and_delete_is_found_out(lab):
    lab.erase(lab.source, "n0")
    right = lab.doors["src"].inner.container

    async def container(name):
        make(lab.source, "web", "0x2")
        return await right(name)

    lab.doors["src"].inner.container = container
    result = await lab.run()
    assert (result.deleted, result.superseded) == (0, 1)


async def test_a_new_container_into_which_everything_was_put_back_is_no_question(lab):
    make(lab.source, "web", "0x2")
    lab.put(lab.source, "n0", b"0")
    with pytest.raises(JudgementError):
        await lab.run()
    for number in range(3):
        lab.put(lab.source, f"n{number}", b"put back")
    assert (await lab.run()).deleted == 0
    lab.erase(lab.source, "n0")
    assert (await lab.run()).deleted == 1


async def test_a_container_whose_properties_were_set_is_the_same_one(lab):
    lab.source.containers["web"].info = ContainerInfo("web", {"owner": "somebody"}, etag="0x2")
    lab.erase(lab.source, "n0")
    assert (await lab.run()).deleted == 1
    lab.erase(lab.source, "n1")
    lab.erase(lab.source, "n2")
    assert (await lab.run()).deleted == 2  # customers emptied it: it was not made anew
    assert held(lab.target) == []


async def test_a_container_that_comes_back_is_copied_and_no_question_any_more(lab):
    kept = lab.source.containers.pop("web")
    with pytest.raises(JudgementError):
        await lab.run()
    lab.source.containers["web"] = kept
    result = await lab.run()
    assert (result.deleted, result.copied) == (0, 0)
    assert result.is_proof


async def test_a_container_that_comes_back_while_it_is_looked_for_is_left_to_the_next_pass(lab):
    kept = lab.source.containers.pop("web")
    right = lab.doors["src"].inner.containers

    async def asked(prefix=""):
        found = await right(prefix)
        lab.source.containers["web"] = kept
        return found

    lab.doors["src"].inner.containers = asked
    del kept.blobs["n0"]
    kept.keys.pop(0)
    result = await lab.run()
    lab.doors["src"].inner.containers = right
    assert (result.deleted, result.superseded) == (0, 1)
    assert (await lab.run()).deleted == 1


async def test_an_area_of_a_prefix_asks_for_its_own_objects_only():
    lab = Lab()
    lab.put(lab.source, "email/a", b"1")
    lab.put(lab.source, "other", b"2")
    area = Area("web", (Selector("web", "email/"),))
    transfer = lab.transfer()
    transfer.area = area
    await passes_run(transfer)
    lab.erase(lab.source, "email/a")
    await passes_run(transfer)  # its only object goes, as a customer wants it
    del lab.source.containers["web"]
    assert (await passes_run(transfer)).is_proof
    assert containers.missing(lab.state, MOVE, area, "src", {"web": ""}) == []


async def passes_run(transfer):
    return await passes.run(transfer)


async def test_an_account_that_is_gone_is_no_empty_one(lab):
    async def gone(prefix=""):
        raise NotFound("cannot find account src", what="account")

    lab.doors["src"].inner.containers = gone
    with pytest.raises(NotFound):
        await lab.run()
    assert held(lab.target) == ["n0", "n1", "n2"]


async def test_a_name_that_is_gone_without_a_word_of_the_service_is_deleted_nowhere(lab):
    """Something between us and the account answers 404, and says nothing of a blob."""
    lab.erase(lab.source, "n0")
    right = lab.doors["src"].inner.head

    async def head(container, name):
        raise NotFound("there is no such blob (HTTP 404)", what="blob")

    lab.doors["src"].inner.head = head
    result = await lab.run()
    assert (result.deleted, result.superseded) == (0, 1)
    lab.doors["src"].inner.head = right
    assert (await lab.run()).deleted == 1


async def test_what_the_live_side_lost_is_found_without_a_pass(lab):
    store, area = lab.doors["src"], lab.transfer().area
    assert await containers.lost(lab.state, MOVE, area, store, await store.containers(), is_source=True) == []
    make(lab.source, "web2", "0x2")
    assert await containers.lost(lab.state, MOVE, area, store, await store.containers(), is_source=True) == ["web2"]
    del lab.source.containers["web"]
    assert await containers.lost(lab.state, MOVE, area, store, await store.containers(), is_source=True) == [
        "web",
        "web2",
    ]
    lab.put(lab.source, "n1", container="web2")  # customers are at work in it
    assert await containers.lost(lab.state, MOVE, area, store, await store.containers(), is_source=True) == [
        "web",
        "web2",
    ]
    for name in ("n0", "n2"):
        lab.put(lab.source, name, container="web2")  # nothing that was there is missing any more
    assert await containers.lost(lab.state, MOVE, area, store, await store.containers(), is_source=True) == ["web"]


async def test_an_empty_container_that_a_glob_takes_may_go(lab):
    make(lab.source, "web3", "0x1")
    await lab.run()
    del lab.source.containers["web3"]
    assert (await lab.run()).is_proof
    store = lab.doors["src"]
    assert (
        await containers.lost(lab.state, MOVE, lab.transfer().area, store, await store.containers(), is_source=True)
        == []
    )


async def test_a_container_that_the_plan_names_is_missed_even_if_it_was_empty():
    lab = Lab()
    area = Area("web", (Selector("web"),))
    transfer = lab.transfer()
    transfer.area = area
    await passes_run(transfer)
    assert containers.missing(lab.state, MOVE, area, "src", {"web": ""}) == []
    assert containers.missing(lab.state, MOVE, area, "src", {}) == ["web"]
