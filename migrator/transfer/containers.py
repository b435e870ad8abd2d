"""Containers as a whole: which of them the live side had and has no more, and what a person said about it.

Decides when the loss of a whole container is in question. Leaves single objects to ``decide`` and their deletes to ``deletes``.
Rules:

- a container that the live side had and has no more was dropped by accident until a person says that customers did it: nothing
  is deleted anywhere because of it, whatever the cap (``migrate retry --accept-container NAME``);
- a container whose ETag is another one than was noted, and that holds no generation which the evidence knows, was made anew in
  the old one's place and is lost in the same way, unless every name is there. One with a single object of before was not;
- an account that shows no ETags of containers can tell only the first of the two.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from shlex import quote
from typing import Any, Final

from migrator.model.moves import Direction
from migrator.model.names import Area, MoveId
from migrator.model.objects import ContainerInfo
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import SetNote, StateStore
from migrator.transfer.evidence import RECORD_BYTES, Evidence, generation_hash
from migrator.transfer.listing import Seen, open_stream
from migrator.transfer.order import ORDERS, OrderBroken, order_key

NAMED: Final = 5
"""Containers that a sentence names."""


def noted(state: StateStore, move: MoveId, account: str) -> Mapping[str, str]:
    """ETags of the containers of ``account``, as the last whole pass, or the soak, saw them; by name."""
    note: Any = state.note(_noted_key(move, account))
    return dict(note) if note else {}


def accepted(state: StateStore, move: MoveId, account: str) -> frozenset[str]:
    """Containers of ``account`` that customers dropped, as a person says."""
    return frozenset(state.note(_accepted_key(move, account)) or ())


def accept(state: StateStore, move: MoveId, account: str, names: Collection[str]) -> SetNote:
    """To be committed: what a person says. It holds until a pass has carried it out, or sees the container again."""
    return SetNote(_accepted_key(move, account), sorted(accepted(state, move, account) | set(names)))


def learn(
    state: StateStore, move: MoveId, account: str, present: Iterable[ContainerInfo], *, keep: Collection[str] = ()
) -> list[SetNote]:
    """To be committed when ``present``, all containers of the move at ``account``, are known to be those that were proved.

    Args:
        keep: missing ones that were not accounted for; they stay noted.
    """
    known = noted(state, move, account)
    seen = {info.name: info.etag for info in present}
    new = {**{name: etag for name, etag in known.items() if name in keep}, **seen}
    changes = [SetNote(_noted_key(move, account), new)] if new != known else []
    for words, key in (
        (accepted(state, move, account), _accepted_key(move, account)),
        (replaced(state, move, account), _replaced_key(move, account)),
    ):
        if words & seen.keys():
            changes.append(SetNote(key, sorted(words - seen.keys()) or None))
    return changes


def missing(state: StateStore, move: MoveId, area: Area, account: str, present: Iterable[str]) -> list[str]:
    """Containers that ``account``, the live side, had and has no more, and that no person spoke of; ascending. What ``present``
    leaves out counts as had if the evidence has objects of it, or if the plan names it and it was seen there."""
    there = set(present)
    found = {name for name, _ in state.containers_with_ranges(move) if name not in there and area.prefixes_in(name)}
    lost = {name for name in found if _has_objects(state, move, name)}
    named = [one.container for one in area.selectors if not one.is_glob and one.container not in there]
    if named:
        seen = noted(state, move, account)
        lost |= {name for name in named if name in seen}
    return sorted(lost - accepted(state, move, account))


async def lost(state: StateStore, move: MoveId, area: Area, store: ObjectStore, *, is_source: bool) -> list[str]:
    """As ``missing``, asked of the live side now, and those that were replaced. Reads one listing, and those containers whose
    ETag is not the one that was noted, up to the first object that is known.

    Raises:
        CloudError: the account cannot be listed.
    """
    present = [info for info in await store.containers() if area.prefixes_in(info.name)]
    found = missing(state, move, area, store.account, (info.name for info in present))
    words = accepted(state, move, store.account)
    others = [name for name in renewed(state, move, store.account, present) if name not in words]
    for name in others:
        if await was_replaced(state, move, store, name, area.prefixes_in(name), is_source=is_source):
            found.append(name)
    return sorted(found)


def renewed(state: StateStore, move: MoveId, account: str, present: Iterable[ContainerInfo]) -> list[str]:
    """Which of ``present`` have another ETag than was noted: they were made anew, or only their properties were set."""
    known = noted(state, move, account)
    return [info.name for info in present if info.etag != known.get(info.name, info.etag)]


async def was_replaced(
    state: StateStore, move: MoveId, store: ObjectStore, container: str, prefixes: Iterable[str], *, is_source: bool
) -> bool:
    """Does a container hold no generation that the evidence knows, and lack names that it knows? Then it is not the one that
    was proved. To be asked before anything of it is copied: what is copied is known from then on.

    Args:
        is_source: is it on the move's source side?
    """
    if container in replaced(state, move, store.account):
        return True
    lacks_names = False
    for prefix in prefixes:
        known = sum(len(one.records) // RECORD_BYTES for one in state.ranges(move, container, prefix))
        if not known:
            continue
        try:
            seen = await _known_names(state, move, store, container, prefix, is_source=is_source)
        except OrderBroken:
            seen = 0  # nobody can tell: a person is asked
        if seen is None:
            return False
        lacks_names = lacks_names or seen < known
    return lacks_names


async def _known_names(
    state: StateStore, move: MoveId, store: ObjectStore, container: str, prefix: str, *, is_source: bool
) -> int | None:
    """How many names that the evidence knows are there, each as another generation; None as soon as one is the same."""
    order, seen = state.note(order_key(move, container, prefix)) or ORDERS[0], 0
    ranges = state.ranges(move, container, prefix)
    at = next(ranges)
    evidence = Evidence.unpack(at.records)
    stream = open_stream(store, container, prefix, order, Seen())
    try:
        while batch := await stream.next():
            for key, blob in batch:
                while at.upper is not None and key > at.upper:
                    at = next(ranges)
                    evidence = Evidence.unpack(at.records)
                record = evidence.get(blob.name)
                if record is not None:
                    seen += 1
                    if generation_hash(blob.name, blob.etag) == (record.source if is_source else record.target):
                        return None
    finally:
        await stream.close()
    return seen


def replaced(state: StateStore, move: MoveId, account: str) -> frozenset[str]:
    """Containers that an earlier pass found replaced, and that were not accounted for since."""
    return frozenset(state.note(_replaced_key(move, account)) or ())


def mark_replaced(state: StateStore, move: MoveId, account: str, names: Iterable[str]) -> SetNote:
    """To be committed before anything of them is copied."""
    return SetNote(_replaced_key(move, account), sorted(replaced(state, move, account) | set(names)))


def in_words(names: Sequence[str], live: str) -> str:
    """What is lost, in one clause for people."""
    said = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
    if len(names) == 1:
        return f"{live} has lost its container {said} (it is gone, or another one is in its place)"
    return f"{live} has lost its containers {said} (they are gone, or others are in their place)"


def way_out(names: Sequence[str], live: str, other: str, direction: Direction, *, deletes: int = 0) -> str:
    """What a person does about it. ``deletes``: the cap that would have to be raised as well, 0 if none."""
    words = " ".join(f"--accept-container {quote(name)}" for name in names[:NAMED])
    more = f" --accept-deletes {deletes}" if deletes else ""
    text = (
        f"put back what was lost, then migrate retry; if customers dropped it, migrate retry {words}{more} --reason TEXT, which"
        f" lets {other} lose it too"
    )
    if direction is Direction.REVERSE:
        text += (
            f"; if {live} is lost for good, migrate rollback --abandon-target-writes --reason TEXT goes back without it"
        )
    return text


def _has_objects(state: StateStore, move: MoveId, container: str) -> bool:
    """Does the evidence know an object of it?"""
    prefixes = [prefix for name, prefix in state.containers_with_ranges(move) if name == container]
    return any(one.records for prefix in prefixes for one in state.ranges(move, container, prefix))


def _noted_key(move: MoveId, account: str) -> str:
    return f"containers/{move}/{account}"


def _replaced_key(move: MoveId, account: str) -> str:
    return f"replaced-containers/{move}/{account}"


def _accepted_key(move: MoveId, account: str) -> str:
    return f"accepted-containers/{move}/{account}"
