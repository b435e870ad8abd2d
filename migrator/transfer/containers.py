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
from dataclasses import dataclass
from shlex import quote
from typing import Any, Final

from migrator.model import notes
from migrator.model.moves import Direction
from migrator.model.names import Area, MoveId
from migrator.model.objects import ContainerInfo
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import SetNote, StateStore
from migrator.transfer.evidence import RECORD_BYTES, Evidence, generation_hash
from migrator.transfer.listing import SeenSide
from migrator.transfer.order import ORDERS, OrderBroken
from migrator.transfer.sorting import open_stream

ALL: Final = "all"
NAMED: Final = 5
"""Containers that a sentence names."""


def noted(state: StateStore, move: MoveId, account: str) -> Mapping[str, str]:
    """ETags of the containers of ``account``, as the last whole pass, or the soak, saw them; by name. Of one that no whole pass
    has seen yet: as it was before anything of it was copied."""
    note: Any = state.note(notes.containers(move, account))
    return dict(note) if note else {}


def accepted(state: StateStore, move: MoveId, account: str, present: Mapping[str, str]) -> frozenset[str]:
    """Containers of ``account`` that customers dropped, as a person says. The word holds for the loss it was said of: while the
    container is not there, or while the same new one is (``present``: ETags by name)."""
    return frozenset(name for name, etag in _words(state, move, account).items() if present.get(name, "") == etag)


def accept(state: StateStore, move: MoveId, account: str, names: Iterable[str], present: Mapping[str, str]) -> SetNote:
    """To be committed: what a person says."""
    words = {**_words(state, move, account), **{name: present.get(name, "") for name in names}}
    return SetNote(notes.accepted_containers(move, account), words)


def void(state: StateStore, move: MoveId, account: str, present: Mapping[str, str]) -> list[SetNote]:
    """To be committed whenever the containers were looked at: words about a loss that is over."""
    words, hold = _words(state, move, account), accepted(state, move, account, present)
    rest = {name: etag for name, etag in words.items() if name in hold}
    return [SetNote(notes.accepted_containers(move, account), rest or None)] if rest != words else []


def _words(state: StateStore, move: MoveId, account: str) -> dict[str, str]:
    return dict(state.note(notes.accepted_containers(move, account)) or {})


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
    changes = [SetNote(notes.containers(move, account), new)] if new != known else []
    words, others = _words(state, move, account), replaced(state, move, account)
    if words.keys() & seen.keys():
        rest = {name: etag for name, etag in words.items() if name not in seen}
        changes.append(SetNote(notes.accepted_containers(move, account), rest or None))
    if others & seen.keys():
        changes.append(SetNote(notes.replaced_containers(move, account), sorted(others - seen.keys()) or None))
    return changes


def missing(state: StateStore, move: MoveId, area: Area, account: str, present: Mapping[str, str]) -> list[str]:
    """Containers that ``account``, the live side, had and has no more, and that no person spoke of; ascending. What ``present``
    leaves out counts as had if the evidence has objects of it, or if the plan names it and it was seen there."""
    found = {name for name, _ in state.containers_with_ranges(move) if name not in present and area.prefixes_in(name)}
    lost = {name for name in found if _has_objects(state, move, name)}
    named = [one.container for one in area.selectors if not one.is_glob and one.container not in present]
    if named:
        seen = noted(state, move, account)
        lost |= {name for name in named if name in seen}
    return sorted(lost - accepted(state, move, account, present))


async def lost(
    state: StateStore, move: MoveId, area: Area, store: ObjectStore, held: Iterable[ContainerInfo], *, is_source: bool
) -> list[str]:
    """As ``missing``, and those that were replaced: reads the containers whose ETag is not the one that was noted, up to the
    first object that is known. ``held``: all containers of ``store``, the live side.

    Raises:
        CloudError: one of them cannot be listed.
    """
    present = [info for info in held if area.prefixes_in(info.name)]
    found = missing(state, move, area, store.account, etags(present))
    words = accepted(state, move, store.account, etags(present))
    others = [name for name in renewed(state, move, store.account, present) if name not in words]
    for name in others:
        if await was_replaced(state, move, store, name, area.prefixes_in(name), is_source=is_source):
            found.append(name)
    return sorted(found)


def etags(present: Iterable[ContainerInfo]) -> dict[str, str]:
    return {info.name: info.etag for info in present}


def renewed(state: StateStore, move: MoveId, account: str, present: Iterable[ContainerInfo]) -> list[str]:
    """Which of ``present`` have another ETag than was noted: they were made anew, or only their properties were set."""
    known = noted(state, move, account)
    return [info.name for info in present if info.etag != known.get(info.name, info.etag)]


async def was_replaced(
    state: StateStore, move: MoveId, store: ObjectStore, container: str, prefixes: Iterable[str], *, is_source: bool
) -> bool:
    """Does a container hold no generation that the evidence knows, and lack names that it knows? Then it is not the one that
    was proved. To be asked before anything of it is copied: what is copied is known from then on. So where a pass did not end,
    or the container changed while it went on, what is known tells nothing, and the lack of a name is enough.

    Args:
        is_source: is it on the move's source side?
    """
    if container in replaced(state, move, store.account):
        return True
    is_doubtful = in_doubt(state, move, store.account, container)
    lacks_names = False
    for prefix in prefixes:
        known = sum(len(one.records) // RECORD_BYTES for one in state.ranges(move, container, prefix))
        if not known:
            continue
        try:
            seen = await _known_names(
                state, move, store, container, prefix, is_source=is_source, to_the_end=is_doubtful
            )
        except OrderBroken:
            seen = _Familiar()  # nobody can tell: a person is asked
        if seen.is_familiar and not is_doubtful:
            return False
        lacks_names = lacks_names or seen.names < known
    return lacks_names


@dataclass(slots=True)
class _Familiar:
    """``names`` that the evidence knows were seen; ``is_familiar``: one of them as the generation that it knows."""

    names: int = 0
    is_familiar: bool = False


async def _known_names(
    state: StateStore,
    move: MoveId,
    store: ObjectStore,
    container: str,
    prefix: str,
    *,
    is_source: bool,
    to_the_end: bool,
) -> _Familiar:
    """Of one listing; unless ``to_the_end``, as far as the first generation that is known."""
    order, found = state.note(notes.order(move, container, prefix)) or ORDERS[0], _Familiar()
    ranges = state.ranges(move, container, prefix)
    at = next(ranges)
    evidence = Evidence.unpack(at.records)
    stream = open_stream(store, container, prefix, order, SeenSide())
    try:
        while batch := await stream.next():
            for key, blob in batch:
                while at.upper is not None and key > at.upper:
                    at = next(ranges)
                    evidence = Evidence.unpack(at.records)
                record = evidence.get(blob.name)
                if record is not None:
                    found.names += 1
                    known = record.source if is_source else record.target
                    found.is_familiar = found.is_familiar or generation_hash(blob.name, blob.etag) == known
            if found.is_familiar and not to_the_end:
                break
    finally:
        await stream.close()
    return found


def begin_pass(state: StateStore, move: MoveId, account: str, present: Iterable[ContainerInfo]) -> list[SetNote]:
    """To be committed before a pass copies anything: until it has ended, what is known of ``account`` may be of a container that
    was made anew meanwhile. ``present``: all containers of the move there; new ones are noted, so that another one in the place
    of one of them is seen even if this pass dies."""
    key, known = notes.doubtful_containers(move, account), noted(state, move, account)
    new = {info.name: info.etag for info in present if info.name not in known}
    changes = [SetNote(notes.containers(move, account), {**known, **new})] if new else []
    return changes if state.note(key) == ALL else [*changes, SetNote(key, ALL)]


def end_pass(
    move: MoveId, account: str, before: Mapping[str, ContainerInfo], after: Iterable[ContainerInfo]
) -> SetNote:
    """To be committed at its end: which of the containers that it walked over changed meanwhile."""
    now = {info.name: info.etag for info in after}
    changed = sorted(name for name, info in before.items() if now.get(name) != info.etag)
    return SetNote(notes.doubtful_containers(move, account), changed or None)


def in_doubt(state: StateStore, move: MoveId, account: str, container: str) -> bool:
    doubts: Any = state.note(notes.doubtful_containers(move, account))
    return doubts == ALL or container in (doubts or ())


def replaced(state: StateStore, move: MoveId, account: str) -> frozenset[str]:
    """Containers that an earlier pass found replaced, and that were not accounted for since."""
    return frozenset(state.note(notes.replaced_containers(move, account)) or ())


def mark_replaced(state: StateStore, move: MoveId, account: str, names: Iterable[str]) -> SetNote:
    """To be committed before anything of them is copied."""
    return SetNote(notes.replaced_containers(move, account), sorted(replaced(state, move, account) | set(names)))


def in_words(names: Sequence[str], live: str) -> str:
    """What is lost, in one clause for people."""
    said = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
    if len(names) == 1:
        return f"{live} has lost its container {said} (it is gone, or another one is in its place)"
    return f"{live} has lost its containers {said} (they are gone, or others are in their place)"


def way_out(names: Sequence[str], live: str, other: str, direction: Direction, *, deletes: int = 0) -> str:
    """What a person does about it. ``deletes``: the cap that would have to be raised as well, 0 if none."""
    lost = " --accept-container ".join(quote(name) for name in names[:NAMED])
    more = f" --accept-deletes {deletes}" if deletes else ""
    text = (
        "put back what was lost, then `migrate retry PLAN --reason TEXT`; if customers dropped it,"
        f" `migrate retry PLAN --accept-container {lost}{more} --reason TEXT`, which lets {other} lose it too"
    )
    if direction is Direction.REVERSE:
        back = "`migrate rollback PLAN --abandon-target-writes --reason TEXT` goes back without it"
        text += f"; if {live} is lost for good, {back}"
    return text


def _has_objects(state: StateStore, move: MoveId, container: str) -> bool:
    """Does the evidence know an object of it?"""
    prefixes = [prefix for name, prefix in state.containers_with_ranges(move) if name == container]
    return any(one.records for prefix in prefixes for one in state.ranges(move, container, prefix))
