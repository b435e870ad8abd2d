"""What belongs to a container and not to its objects: metadata, and who may read it without a signature.

Decides how a container that is missing is made, what of it changes later, and in what two of them differ. Both are made alike for
every container; metadata that changes at the origin is carried over as long as the destination has what it was given, which a
note remembers; everything else is only told (``plan``, ``verify``). Who may read without a signature is a person's decision: a
change of it since both sides were alike keeps a fence back (``reopened``). Of a container that several areas share nothing is
changed: it is not ours alone. Stored access policies and default encryption scopes are not kept: ``plan`` names them, ``verify``
compares them. A scope is given to a container when it is made and never changes, so no fence looks at it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from migrator.errors import CloudError, OutcomeUnknown
from migrator.model import notes
from migrator.model.objects import ContainerInfo
from migrator.ports.late_writes import ContainersApart
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import PutOutstanding, SetNote
from migrator.ports.write_policy import holds_policies
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer


def as_made(origin: ContainerInfo, *, keeps_public_access: bool) -> ContainerInfo:
    """The container to make at the other side."""
    return ContainerInfo(origin.name, origin.metadata, origin.public_access if keeps_public_access else None)


def difference(here: ContainerInfo, there: ContainerInfo, *, keeps_public_access: bool = True) -> str:
    """In what two containers of one name differ, or ""."""
    apart = []
    if dict(here.metadata) != dict(there.metadata):
        apart.append("metadata")
    if keeps_public_access and here.public_access != there.public_access:
        apart.append("public access")
    if here.encryption_scope != there.encryption_scope:
        apart.append("default encryption scope")
    return " and ".join(apart)


def reopened(
    known: Mapping[str, str], here: Mapping[str, ContainerInfo], there: Mapping[str, ContainerInfo]
) -> list[str]:
    """The containers that were alike (``known``, a note), and are not any more: by now other people may read one side."""
    return [
        name
        for name in sorted(known.keys() & here.keys() & there.keys())
        if here[name].public_access != there[name].public_access
    ]


async def unlike_policies(source: ObjectStore, target: ObjectStore, names: Sequence[str]) -> list[tuple[str, str]]:
    """(container, in what its stored access policies differ) of containers that both sides have; by their names alone, for an
    enforced fence changes what they permit. Nothing where an account has none. CloudError: they cannot be read."""
    if not all(holds_policies(getattr(store, "inner", store)) for store in (source, target)):
        return []
    holders = [store for store in (source, target) if holds_policies(store)]
    found = []
    for name in names:
        here, there = [{one.id for one in (await holder.policies(name)).policies} for holder in holders]
        parts = [
            f"{', '.join(sorted(ids))} only at the {side}"
            for ids, side in ((here - there, "source"), (there - here, "target"))
            if ids
        ]
        if parts:
            found.append((name, f"stored access policies ({'; '.join(parts)})"))
    return found


async def carry(
    t: Transfer, here: Mapping[str, ContainerInfo], there: Mapping[str, ContainerInfo], result: PassResult
) -> None:
    """Give the destination's containers the metadata that changed at the origin since both were equal, and remember who may read
    both sides."""
    alike = _alike(t, here, there)
    key = notes.container_metadata(t.move)
    noted: Any = t.state.note(key)
    known = dict(noted or {})
    before = dict(known)
    for name in sorted(here.keys() & there.keys()):
        if "" not in t.area.prefixes_in(name):
            continue
        now, other = _digest(here[name]), _digest(there[name])
        if now != other and known.get(name) == other:
            await t.admit()
            await _set_metadata(t, here[name])
            result.marked += 1
            other = now
        if now == other:
            known[name] = now
    changes = [SetNote(key, known)] if known != before else []
    if changes or alike:
        t.commit([*changes, *alike], PassResult())


def _alike(t: Transfer, here: Mapping[str, ContainerInfo], there: Mapping[str, ContainerInfo]) -> list[SetNote]:
    """Nothing, where both sides need not be alike or nothing is new."""
    if not t.keeps_public_access:
        return []
    key = notes.container_access(t.move)
    noted: Any = t.state.note(key)
    known = dict(noted or {})
    before = dict(known)
    for name in sorted(here.keys() & there.keys()):
        if t.area.prefixes_in(name) and here[name].public_access == there[name].public_access:
            known[name] = here[name].public_access or ""
    return [SetNote(key, known)] if known != before else []


async def _set_metadata(t: Transfer, info: ContainerInfo) -> None:
    """On record before it is sent, as long as it may be applied: it can carry another credential than what is written to objects,
    and carries no condition. A run that dies meanwhile leaves it to the next one."""
    apart, place = t.destination, (info.name, "")
    bound = await apart.late_container_write_seconds() if isinstance(apart, ContainersApart) else 0.0
    is_another_out = place in t.outstanding
    write = t.unanswered(*place, "create", None, bound_seconds=bound)
    t.commit([PutOutstanding(t.move, write)], PassResult())
    t.outstanding[place] = write
    try:
        await t.destination.set_container_metadata(info.name, info.metadata)
    except OutcomeUnknown:
        raise
    except CloudError:
        _answered(t, info.name, is_another_out=is_another_out)
        raise
    _answered(t, info.name, is_another_out=is_another_out)


def _answered(t: Transfer, container: str, *, is_another_out: bool) -> None:
    """One that was not answered before may still come, and stays on record."""
    if not is_another_out:
        t.commit(t.settled(container, ""), PassResult())


def _digest(info: ContainerInfo) -> str:
    return hashlib.sha256(json.dumps(sorted(info.metadata.items())).encode()).hexdigest()[:16]
