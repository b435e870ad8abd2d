"""What belongs to a container and not to its objects: metadata, and who may read it without a signature.

Decides how a container that is missing is made, what of it changes later, and in what two of them differ. Both are made alike for
every container; metadata that changes at the origin is carried over as long as the destination has what it was given, which a
note remembers; everything else is only told (``plan``, ``verify``). Of a container that several areas share nothing is changed:
it is not ours alone. Stored access policies are not kept: ``plan`` names them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from migrator.model import notes
from migrator.model.objects import ContainerInfo
from migrator.ports.state_store import SetNote
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
    return " and ".join(apart)


async def carry(
    t: Transfer, here: Mapping[str, ContainerInfo], there: Mapping[str, ContainerInfo], result: PassResult
) -> None:
    """Give the destination's containers the metadata that changed at the origin since both were equal."""
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
            with t.visible(name, "", "create"):
                await t.destination.set_container_metadata(name, here[name].metadata)
            result.marked += 1
            other = now
        if now == other:
            known[name] = now
    if known != before:
        t.commit([SetNote(key, known)], PassResult())


def _digest(info: ContainerInfo) -> str:
    return hashlib.sha256(json.dumps(sorted(info.metadata.items())).encode()).hexdigest()[:16]
