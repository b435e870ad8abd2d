"""What a preview says of containers: who may read them, in what they differ, which policies are not there."""

from __future__ import annotations

from types import SimpleNamespace

from migrator.engine.checks.containers import policies, reopened_since, shapes
from migrator.errors import AccessRefused, NotFound
from migrator.model.moves import StoredPolicy
from migrator.model.objects import ContainerInfo
from migrator.ports.write_policy import ContainerPolicies

MOVE = SimpleNamespace(id="na/web", source="src", target="dst")


def said(here, there=(), *, keeps=True):
    found = shapes(MOVE, here, {info.name: info for info in there}, keeps_public_access=keeps)
    return {one.code: (one.severity, one.text) for one in found}


def test_public_access_is_said_before_it_is_made_or_dropped():
    here = [ContainerInfo(f"web-{one}", {}, "blob") for one in "abcde"] + [ContainerInfo("plain")]
    severity, text = said(here)["public-access"]
    assert severity == "info"
    assert "web-a, web-b, web-c and 2 more at src" in text
    severity, text = said(here, keeps=False)["public-access"]
    assert severity == "warning"
    assert "nobody without a signature at dst" in text


def test_containers_that_are_there_and_differ_are_named():
    here = [ContainerInfo("a", {"x": "1"}), ContainerInfo("b"), ContainerInfo("new", {"x": "1"})]
    there = [ContainerInfo("a"), ContainerInfo("b")]
    assert said(here, there)["containers-differ"][1].endswith("a (metadata)")
    assert said(here[1:], there) == {}


class Holder:
    can_prove_policies = False

    def __init__(self, **held):
        self.held, self.asked = held, 0

    async def policies(self, container):
        self.asked += 1
        found = self.held.get(container, NotFound("no such container", what="container"))
        if isinstance(found, Exception):
            raise found
        return ContainerPolicies(tuple(StoredPolicy(id) for id in found))

    async def set_policies(self, container, policies, *, public_access): ...
    async def accepts(self, container, policy, name): ...


async def test_policies_that_the_target_has_not_are_named_one_by_one():
    source, target = Holder(a=["readers", "writers"], b=[], c=["readers"]), Holder(a=["readers"])
    found = await policies(MOVE, source, target, ["a", "b", "c"])
    assert [(one.code, one.severity) for one in found] == [("not-kept-policies", "warning")]
    assert "a/writers, c/readers" in found[0].text
    assert target.asked == 2  # where the source has none, nobody else is asked


async def test_policies_that_may_not_be_read_are_said_to_be_unknown():
    found = await policies(MOVE, Holder(a=AccessRefused("cannot read them")), Holder(), ["a"])
    assert [one.code for one in found] == ["policies-not-read"]


async def test_accounts_without_policies_have_none():
    assert await policies(MOVE, SimpleNamespace(), Holder(), ["a"]) == []


def test_a_container_that_loses_its_default_encryption_scope_is_said() -> None:
    here = [ContainerInfo("a", encryption_scope="ours"), ContainerInfo("b")]
    severity, text = said(here)["container-scope"]
    assert severity == "warning"
    assert text.endswith(": a (ours)")
    assert "container-scope" not in said(here, [here[0]])
    assert said(here, [ContainerInfo("a")])["containers-differ"][1].endswith("a (default encryption scope)")


def test_only_a_container_that_was_alike_can_have_been_opened_or_shut_since() -> None:
    """One that never was is there as somebody wants it, and ``plan`` has said so."""
    here = {name: ContainerInfo(name, public_access="blob") for name in ("opened", "never-alike")}
    there = {name: ContainerInfo(name) for name in ("opened", "never-alike", "gone")}
    here["shut"], there["shut"] = ContainerInfo("shut"), ContainerInfo("shut", public_access="container")
    here["same"] = there["same"] = ContainerInfo("same", public_access="blob")
    known = {"opened": "", "shut": "container", "same": "", "gone": "blob"}
    (found,) = reopened_since(MOVE, known, here, there)
    assert (found.code, found.severity) == ("public-access-changed", "warning")
    assert found.text.endswith(
        "opened (its blobs at src, nothing at dst), shut (nothing at src, its blobs and its list at dst)"
    )
