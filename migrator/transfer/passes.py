"""One pass over a move: join both listings, decide about each name, act, and leave evidence range by range.

A pass is the same for the first copy, every catch-up and the barrier; they differ only in what the engine makes of the
result. A *watch* is a pass that writes nothing: it compares the side that should be still with the evidence.
Leaves one container and prefix to walk.py, one name to decide.py and actions.py, deletes to deletes.py.

Checkpoints: the names a range of at most ``Sizes.split_at`` is about to write are committed as pending, then its evidence, in
one commit each; a pass that dies is simply run again. Deletes wait until both listings of a container are complete.
Memory: the names of the ranges in flight (``Sizes.names_in_flight``) and the delete candidates, which the cap bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from migrator.model import notes
from migrator.model.moves import Direction, EvidenceRange, Outstanding
from migrator.model.objects import ContainerInfo
from migrator.ports.state_store import Change, DropOutstanding, ReplaceRanges, SetNote
from migrator.transfer import container_shape, containers, naming, streaming, sweeping
from migrator.transfer.container_shape import as_made
from migrator.transfer.deletes import Candidates, delete_candidates
from migrator.transfer.evidence import Evidence
from migrator.transfer.lanes import Looking, side_by_side
from migrator.transfer.listing import LaneBroken
from migrator.transfer.order import ORDERS, Order, OrderBroken, next_order
from migrator.transfer.result import Acted, Names, PassResult, Touched
from migrator.transfer.subject import Transfer
from migrator.transfer.together import together
from migrator.transfer.walk import Walk

NOWHERE: Final[tuple[Order, tuple[Touched, ...]]] = ("sorted", ())


async def run(transfer: Transfer, *, in_fence: bool = False, after: Acted | None = None) -> PassResult:
    """One pass that carries differences over. Safe to repeat after any interruption.

    Args:
        after: what the pass before it says of itself, in the same fence: only where that one acted is looked again.
    """
    result = PassResult()
    begun = transfer.clock.monotonic()
    transfer.load()
    expired, candidates = (
        transfer.expired() if after is None else [],
        Candidates(),
    )  # a second look does not see every name
    transfer.unsettled.clear()
    if transfer.copier is None:
        transfer.copier = streaming.copier(transfer)
    transfer.staged = sweeping.known(transfer)
    sides = await _Sides.look(transfer)
    await sides.make_missing(transfer)
    await container_shape.carry(transfer, sides.here, sides.there, result)
    replaced = await sides.replaced(transfer)
    opened = containers.begin_pass(transfer.state, transfer.move, transfer.origin.account, sides.here.values())
    opened += containers.void(
        transfer.state, transfer.move, transfer.origin.account, containers.etags(sides.here.values())
    )
    if opened:
        transfer.commit(opened, PassResult())
    looking, ranges = looking_of(transfer), dict[tuple[str, str], tuple[Order, tuple[Touched, ...]]]()

    async def look(name: str) -> None:
        is_at_origin = name in sides.here
        for prefix in transfer.area.prefixes_in(name):
            only: tuple[Order, tuple[Names, ...]] | None = None
            if after is not None and sides.is_as(after, name):
                order, acted = after.ranges.get((name, prefix), NOWHERE)
                only = (order, await naming.left(transfer, looking, name, prefix, acted, result))
                if not only[1]:
                    continue
            walk = await _ordered(
                transfer, looking, name, prefix, is_at_origin, result, in_fence=in_fence, watch=False, only=only
            )
            if in_fence and walk.acted:
                ranges[name, prefix] = (walk.order, tuple(walk.acted))
            if walk.has_container and not is_at_origin:
                result.superseded += walk.absences.candidate_count  # it is there again: the next pass looks
            else:
                etag = sides.here[name].etag if is_at_origin else None
                candidates.add(name, walk.absences, is_lost=not is_at_origin or name in replaced, container_etag=etag)

    await side_by_side(sides.names, look, most=transfer.rhythm.sizes.lanes)
    if after is not None:
        result.destination_objects = max(result.destination_objects, after.destination_objects)
    await transfer.require_wanted()
    await delete_candidates(transfer, candidates, result)
    waiting = result.waiting
    await sweeping.sweep(transfer, result)
    if in_fence and result.waiting == waiting:  # else it is not known whose range that is
        result.acted = Acted(sides.etags(), ranges, result.destination_objects)
    gone = [write for write in expired if _is_over(transfer, write)]
    if gone:
        transfer.commit([DropOutstanding(transfer.move, w.side, w.container, w.name) for w in gone], PassResult())
    transfer.commit(await sides.learned(transfer), PassResult())
    result.seconds = transfer.clock.monotonic() - begun
    return result


def _is_over(transfer: Transfer, write: Outstanding) -> bool:
    """It could not be applied any more when this pass began, and the pass has seen every name since, and settled what it found
    at this one: else that would be a stranger's for the next pass. One that was not answered again meanwhile is another write, on
    record in the older one's place."""
    place = (write.container, write.name)
    return transfer.outstanding.get(place) is write and place not in transfer.unsettled


async def watch(transfer: Transfer) -> PassResult:
    """Compare the side that must be still (the origin of ``direction``) with the evidence; writes exception rows."""
    result = PassResult()
    begun = transfer.clock.monotonic()
    transfer.load()
    sides = await _Sides.look(transfer)
    looking = looking_of(transfer)

    async def look(name: str) -> None:
        for prefix in transfer.area.prefixes_in(name):
            await _ordered(transfer, looking, name, prefix, name in sides.here, result, in_fence=False, watch=True)

    await side_by_side(sides.names, look, most=transfer.rhythm.sizes.lanes)
    result.seconds = transfer.clock.monotonic() - begun
    return result


@dataclass(slots=True)
class _Sides:
    """The containers of the area on both sides when a pass begins. ``names``: those, and those that the evidence knows."""

    here: dict[str, ContainerInfo]
    there: dict[str, ContainerInfo]
    names: list[str]

    @classmethod
    async def look(cls, transfer: Transfer) -> _Sides:
        here, there = await together(transfer.origin.containers(), transfer.destination.containers())
        known = {container for container, _ in transfer.state.containers_with_ranges(transfer.move)}
        takes = transfer.area.prefixes_in
        at_origin = {info.name: info for info in here if takes(info.name)}
        at_destination = {info.name: info for info in there if takes(info.name)}
        names = sorted(name for name in {*at_origin, *at_destination, *known} if takes(name))
        return cls(at_origin, at_destination, names)

    def etags(self) -> dict[str, tuple[str | None, str | None]]:
        return {name: self._etags(name) for name in self.names}

    def is_as(self, before: Acted, name: str) -> bool:
        """Are its containers the ones that an earlier pass of the same fence has seen?"""
        return name in self.here and before.containers.get(name) == self._etags(name)

    def _etags(self, name: str) -> tuple[str | None, str | None]:
        here, there = self.here.get(name), self.there.get(name)
        return here.etag if here else None, there.etag if there else None

    async def replaced(self, transfer: Transfer) -> set[str]:
        """Containers of the origin that are not the ones that were proved, but new ones in their place. Written down before
        anything of them is copied."""
        state, move, origin = transfer.state, transfer.move, transfer.origin
        found = set()
        for name in containers.renewed(state, move, origin.account, self.here.values()):
            await transfer.admit()
            prefixes, is_source = transfer.area.prefixes_in(name), transfer.direction is Direction.FORWARD
            if await containers.was_replaced(state, move, origin, name, prefixes, is_source=is_source):
                found.add(name)
        if found - containers.replaced(state, move, origin.account):
            transfer.commit([containers.mark_replaced(state, move, origin.account, found)], PassResult())
        return found

    async def make_missing(self, transfer: Transfer) -> None:
        """Containers that only the origin has."""
        for name in sorted(self.here.keys() - self.there.keys()):
            await transfer.admit()
            with transfer.visible(name, "", "create"):
                made = as_made(self.here[name], keeps_public_access=transfer.keeps_public_access)
                await transfer.destination.create_container(made)

    async def learned(self, transfer: Transfer) -> list[SetNote]:
        """After a whole pass: these containers are the ones that were proved. One that was made in this pass is noted by the
        next one."""
        state, move = transfer.state, transfer.move
        origin, destination = transfer.origin.account, transfer.destination.account
        words = containers.accepted(state, move, origin, containers.etags(self.here.values()))
        keep = containers.noted(state, move, origin).keys() - words
        after = await transfer.origin.containers()
        return [
            containers.end_pass(move, origin, self.here, after),
            *containers.learn(state, move, origin, self.here.values(), keep=keep),
            *containers.learn(state, move, destination, self.there.values()),
        ]


def looking_of(transfer: Transfer) -> Looking:
    return Looking(transfer.rhythm.sizes, transfer.parallel, transfer.clock.monotonic, transfer.starts)


async def _ordered(
    transfer: Transfer,
    looking: Looking,
    container: str,
    prefix: str,
    is_at_origin: bool,
    result: PassResult,
    *,
    in_fence: bool,
    watch: bool,
    only: tuple[Order, tuple[Names, ...]] | None = None,
) -> Walk:
    """Run the join under the container's recorded order: in lanes, as one if they do not join up, and in the next order if a
    listing breaks this one. Nothing is kept of a walk that breaks but the work it has done. Returns the one that ended.
    ``only``: ranges to look at, as keys of an order; whatever breaks is looked at as a whole."""
    key = notes.order(transfer.move, container, prefix)
    order: Order = transfer.state.note(key) or ORDERS[0]
    in_lanes = transfer.unlike[container, prefix] < transfer.rhythm.lane_attempts
    while True:
        attempt = Walk(
            transfer,
            container,
            prefix,
            in_fence,
            order=order,
            is_at_origin=is_at_origin,
            is_watch=watch,
            looking=looking,
            in_lanes=in_lanes,
            stretches=only[1] if only is not None and only[0] == order else None,
        )
        is_broken = False
        try:
            await attempt.go()
            if attempt.is_in_lanes:
                transfer.unlike.pop((container, prefix), None)
            return attempt
        except (OrderBroken, LaneBroken):
            is_broken = True
        finally:
            result.add(attempt.result.sure if is_broken else attempt.result)
        only = None
        if attempt.is_in_lanes:
            transfer.unlike[container, prefix] += 1
            in_lanes = False
            continue
        order = next_order(order)
        transfer.commit([*_one_range(transfer, container, prefix), SetNote(key, order)], PassResult())


def _one_range(transfer: Transfer, container: str, prefix: str) -> list[Change]:
    """All evidence of a container in one open range: its bounds were keys of another order."""
    evidence = Evidence()
    for stored in transfer.state.ranges(transfer.move, container, prefix):
        evidence.absorb(Evidence.unpack(stored.records))
    merged = EvidenceRange(container, prefix, None, evidence.pack(), evidence.has_pending)
    return [ReplaceRanges(transfer.move, container, prefix, None, None, (merged,))]
