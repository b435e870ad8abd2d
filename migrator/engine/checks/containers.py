"""What belongs to the containers of a move and does not come along by itself, said before anything begins: public access,
metadata that differs already, stored access policies that signatures name; and containers from which nobody may delete.

Decides only what is said; what is done is ``transfer/container_shape``'s. Reading policies takes one request a container, and a
credential that may: without one that is said, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from migrator.engine.checks.case import LISTED_AT_ONCE, Case
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.moments import Asks, When
from migrator.errors import CloudError
from migrator.model import notes
from migrator.model.findings import Finding
from migrator.model.objects import ContainerInfo
from migrator.model.schedule import PlannedMove
from migrator.ports.object_store import ObjectStore
from migrator.ports.write_policy import PolicyHolder, holds_policies
from migrator.transfer.container_shape import difference, reopened
from migrator.transfer.lanes import side_by_side

NAMED = 3


def shapes(
    move: PlannedMove,
    here: Sequence[ContainerInfo],
    there: Mapping[str, ContainerInfo],
    *,
    keeps_public_access: bool,
) -> Iterator[Finding]:
    """``here``: the containers of the move at its source; ``there``: those of its target, by name."""
    public = [info.name for info in here if info.public_access]
    if public and keeps_public_access:
        text = (
            f"anybody may read {_some(public)} at {move.source}; made at {move.target}, they are open in the same way"
        )
        remedy = "where the target forbids that: containers: {public_access: drop}"
        yield Finding("info", "public-access", str(move.id), text, remedy)
    elif public:
        text = f"anybody may read {_some(public)} at {move.source}, and nobody without a signature at {move.target}"
        remedy = "give such readers another way before the cut-over"
        yield Finding("warning", "public-access", str(move.id), text, remedy)
    lost = [
        f"{info.name} ({info.encryption_scope})" for info in here if info.encryption_scope and info.name not in there
    ]
    if lost:
        text = (
            f"containers of {move.source} have a default encryption scope, and are made without it at {move.target}:"
            f" {_some(lost)}"
        )
        yield Finding("warning", "container-scope", str(move.id), text)
    apart = [
        f"{info.name} ({why})"
        for info in here
        if info.name in there and (why := difference(info, there[info.name], keeps_public_access=keeps_public_access))
    ]
    if apart:
        text = f"containers differ between {move.source} and {move.target}: {_some(apart)}"
        yield Finding("warning", "containers-differ", str(move.id), text)


def reopened_since(
    move: PlannedMove, known: Mapping[str, str], here: Mapping[str, ContainerInfo], there: Mapping[str, ContainerInfo]
) -> Iterator[Finding]:
    """``known``: who could read which containers while both sides were alike."""
    apart = [
        f"{name} ({_readers(here[name])} at {move.source}, {_readers(there[name])} at {move.target})"
        for name in reopened(known, here, there)
    ]
    if apart:
        text = f"who may read without a signature has changed since the first copy: {_some(apart)}"
        remedy = "let the same people read both sides, or write containers: {public_access: drop} into the plan"
        yield Finding("warning", "public-access-changed", str(move.id), text, remedy)


def _readers(info: ContainerInfo) -> str:
    return {"blob": "its blobs", "container": "its blobs and its list"}.get(info.public_access or "", "nothing")


def protected(move: PlannedMove, here: Sequence[ContainerInfo], there: Sequence[ContainerInfo]) -> Iterator[Finding]:
    """A canary would lie there for years and be in the way of every later run, and no way back could overwrite or delete."""
    for account, infos in ((move.source, here), (move.target, there)):
        held = [f"{info.name} of {account} is under {_protection(info)}" for info in infos if info.is_protected]
        if held:
            yield Finding("error", "protected-container", str(move.id), _some(held))


def _protection(info: ContainerInfo) -> str:
    kinds = (
        (info.has_immutability, "a retention policy"),
        (info.has_legal_hold, "a legal hold"),
        (info.has_version_immutability, "version-level immutability"),
    )
    return " and ".join(words for is_so, words in kinds if is_so)


async def policies(move: PlannedMove, source: ObjectStore, target: ObjectStore, names: Sequence[str]) -> list[Finding]:
    """Stored access policies of the source's containers that the target's have not. CloudError: a container cannot be asked."""
    here, there = _holder(source), _holder(target)
    if here is None or there is None:
        return []

    async def lost_of(name: str) -> list[str]:
        wanted = {one.id for one in (await here.policies(name)).policies}
        if wanted:
            wanted -= await _ids(there, name)
        return [f"{name}/{id}" for id in sorted(wanted)]

    try:
        lost = [one for each in await side_by_side(names, lost_of, most=LISTED_AT_ONCE) for one in each]
    except CloudError as fault:
        text = f"stored access policies of {move.source} could not be read: {fault.message}"
        return [Finding("info", "policies-not-read", str(move.id), text)]
    if not lost:
        return []
    text = f"stored access policies are not made at {move.target}: {_some(lost)}"
    return [Finding("warning", "not-kept-policies", str(move.id), text)]


async def _ids(holder: PolicyHolder, name: str) -> set[str]:
    try:
        return {one.id for one in (await holder.policies(name)).policies}
    except CloudError:
        return set()  # the container is not there yet


def _holder(store: ObjectStore) -> PolicyHolder | None:
    inner = getattr(store, "inner", store)
    return inner if holds_policies(inner) else None


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")


async def shapes_of(case: Case) -> list[Finding]:
    found: list[Finding] = []
    for move in case.moves:
        here, there = await case.at_source(move), await case.containers(move.target)
        at_target = {info.name: info for info in there or ()}
        keeps = case.schedule.public_access == "keep"
        found += shapes(move, here or (), at_target, keeps_public_access=keeps)
    return sorted(found, key=lambda one: (one.code, one.subject))


async def reopened_of(case: Case) -> list[Finding]:
    if case.known is None or case.schedule.public_access != "keep":
        return []
    found: list[Finding] = []
    for move in case.moves:
        here, there = await case.at_source(move), await case.containers(move.target)
        noted = case.known.note(notes.container_access(move.id))
        sides = [{info.name: info for info in side or ()} for side in (here, there)]
        found += reopened_since(move, noted or {}, *sides)
    return sorted(found, key=lambda one: one.subject)


async def protected_of(case: Case) -> list[Finding]:
    found: list[Finding] = []
    for move in case.moves:
        here, there = await case.at_source(move), await case.containers(move.target)
        found += protected(move, here or (), [info for info in there or () if move.area.prefixes_in(info.name)])
    return sorted(found, key=lambda one: (one.subject, one.text))


async def policies_of(case: Case) -> list[Finding]:
    if case.mode != "full":
        return []
    found: list[Finding] = []
    for move in case.moves:
        here, there = await case.at_source(move), await case.containers(move.target)
        if here is not None and there is not None:
            names = [info.name for info in here]
            found += await policies(move, case.store(move.source), case.store(move.target), names)
    return sorted(found, key=lambda one: (one.code, one.subject))


CHECKS: Final = (
    Check(
        (
            Says(
                "protected-container",
                ("error",),
                "move",
                "a container of either side is under a retention policy, a legal hold or version-level immutability: what is"
                " written there can be deleted by nobody",
                "end that, or leave the container out of the area: a canary could not be removed there again, and no way back"
                " could overwrite or delete",
            ),
        ),
        frozenset({When.PLAN, When.PREFLIGHT, When.FENCE}),
        protected_of,
        frozenset({Asks.ACCOUNTS}),
    ),
    Check(
        (
            Says(
                "containers-differ",
                ("warning",),
                "move",
                "a container has another shape at the target (metadata, public access, default encryption scope)",
                "containers that are there are left as they are: make them equal, or leave them if that is meant",
            ),
            Says(
                "container-scope",
                ("warning",),
                "move",
                "a container is made at the target without its default encryption scope",
                "make the scope and the container at the target before the first copy, if objects must be encrypted with it",
            ),
            Says(
                "public-access",
                ("info", "warning"),
                "move",
                "a container may be read by everybody, and whether it can be at the target",
            ),
        ),
        frozenset({When.PLAN}),
        shapes_of,
        frozenset({Asks.ACCOUNTS}),
    ),
    Check(
        (
            Says(
                "public-access-changed",
                ("warning",),
                "move",
                "who may read a container without a signature was changed at one side since the first copy: after the switch"
                " others could read than before",
                "let the same people read both sides, or write containers: {public_access: drop} into the plan",
            ),
        ),
        frozenset({When.PLAN, When.FENCE}),
        reopened_of,
        frozenset({Asks.STATE, Asks.ACCOUNTS}),
    ),
    Check(
        (
            Says(
                "not-kept-policies",
                ("warning",),
                "move",
                "stored access policies of a container are not kept",
                "make them before the cut-over, if signatures for the target are to name them: such a signature is refused"
                " else",
            ),
            Says(
                "policies-not-read",
                ("info",),
                "move",
                "the stored access policies of a container cannot be read",
                "read them with the account's key, or look yourself",
            ),
        ),
        frozenset({When.PLAN}),
        policies_of,
        frozenset({Asks.ACCOUNTS, Asks.LISTINGS}),
    ),
)
